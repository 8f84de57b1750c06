"""`Type: Callback`: sends a message with a token to a queue and waits for an answer. Never retried."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from localpipe.core.work import CallbackAnswer, Failure, SendMessage, Success
from localpipe.definition.reader import Reader
from localpipe.jobs.fidelity import approximated, exact
from localpipe.steps.base import LeafStep
from localpipe.steps.outputs import OUTPUTS, check_outputs, declared_outputs, listed_outputs
from localpipe.steps.signatures import CALLBACK_SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from localpipe.core import JSON
    from localpipe.core.fidelity import Rule
    from localpipe.core.signature import Signature
    from localpipe.core.work import Outcome, ResolvedStep, Work, WorkResult
    from localpipe.definition.model import StepDefinition
    from localpipe.errors import Problem

_TOKEN, _QUEUE = "CallbackToken", "SqsQueueUrl"
_LONGEST_URL = 256


class CallbackStep(LeafStep):
    """Follows: service.md section 1.3, 1.4, 5.6, 11.2."""

    type: ClassVar[str] = "Callback"
    at_a_stop: ClassVar[str] = "answers are waited for"
    extra_properties: ClassVar[tuple[str, ...]] = (OUTPUTS,)
    fields: ClassVar[tuple[str, ...]] = (_QUEUE, OUTPUTS)
    writes_unseen: ClassVar[bool] = True
    fidelity: ClassVar[tuple[Rule, ...]] = (
        approximated(
            "SqsQueueUrl",
            "The message went to no queue of the service: `localpipe callback` shows and answers it, as does the command of "
            "`[callback]`.",
        ),
        *exact("OutputParameters"),
    )
    signature: ClassVar[Signature | None] = CALLBACK_SIGNATURE

    def check(self, step: StepDefinition) -> Iterable[Problem]:
        """It names its queue, and declares its outputs."""
        problems: list[Problem] = []
        Reader(dict(step.fields), step.path, problems, "A step").text(_QUEUE, longest=_LONGEST_URL, required=True)
        return [*problems, *check_outputs(step)]

    def output_types(self, step: StepDefinition) -> Mapping[str, str] | None:
        """Those of OutputParameters."""
        return declared_outputs(step.fields)

    def work(self, step: ResolvedStep) -> Work:
        """Send the message."""
        return SendMessage(queue_url=step.fields[_QUEUE], arguments=step.arguments)

    def outcome(self, step: ResolvedStep, result: WorkResult) -> Outcome:
        """What the answer says. An output that it leaves out is missed by the step that refers to it."""
        if not isinstance(result, CallbackAnswer):
            raise TypeError(f"step {step.name!r} sent a message, but got a {type(result).__name__}")
        properties = sent(result.token, step.fields[_QUEUE])
        if result.failure is not None:
            return Failure(reason=result.failure, properties=properties)
        return Success(properties={**properties, OUTPUTS: dict(result.outputs)})

    def metadata(self, properties: JSON) -> JSON:
        """`{"Callback": {"CallbackToken": ..., "SqsQueueUrl": ..., "OutputParameters": [...]}}`."""
        return {"Callback": {**properties, OUTPUTS: listed_outputs(properties)}} if properties else {}


def sent(token: str, queue_url: str) -> JSON:
    """The properties of a step that waits for its answer."""
    return {_TOKEN: token, _QUEUE: queue_url, OUTPUTS: {}}

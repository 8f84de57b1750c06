"""The messages of Callback steps: which wait for an answer, and answering them, from any process.

An answer is a fact that is written down like any other; whether a process drives the execution makes no difference.
Follows: service.md sections 9.1 and 11.2.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from localpipe.core.work import CallbackAnswer, ResolvedStep
from localpipe.definition.wording import scalar_text
from localpipe.engine.reuse import keys_of
from localpipe.errors import ConflictingAppend, LocalpipeError, NotFound, UsageError
from localpipe.journal.lease import ring
from localpipe.scheduling.ending import fact_of
from localpipe.scheduling.events import numbered
from localpipe.scheduling.history import BUSY
from localpipe.scheduling.state import fold
from localpipe.service.executions import describe_pipeline_execution, refreshed
from localpipe.steps.outputs import converted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.definition.model import StepDefinition
    from localpipe.scheduling.events import Event, MessageSent
    from localpipe.scheduling.history import AttemptExecution, StepExecution
    from localpipe.service.executions import PipelineExecution
    from localpipe.service.wiring import Home

_LONGEST_REASON = 256
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Callback:
    """A message that an attempt of a step has sent."""

    execution: PipelineExecution
    step: StepExecution
    attempt: AttemptExecution
    sent: MessageSent

    @property
    def waits(self) -> bool:
        """Whether nobody has answered it, and the step still waits."""
        return self.step.status in BUSY and self.attempt is self.step.last

    @property
    def definition(self) -> StepDefinition:
        """The step as its author wrote it."""
        return self.execution.pipeline.steps[self.step.step]


def waiting_messages(home: Home) -> Sequence[JSON]:
    """The messages that wait for an answer, oldest execution first: their bodies, with `queueUrl` and `step`."""
    return [
        {**sent.message, "queueUrl": sent.queue_url, "step": sent.step}
        for execution_id in dict.fromkeys(home.journal.tokens().values())
        for sent in _waiting(home, execution_id)
    ]


def send_pipeline_execution_step_success(
    home: Home, token: str, outputs: Mapping[str, str | int | float | bool]
) -> Callback:
    """Have the step that waits for this token succeed with outputs, as text or as values; return it as it is then.

    Raises NotFound for a token that no step has, UsageError for one that is used or for outputs that the step does not
    declare or that do not fit.
    """

    def succeeded(callback: Callback) -> CallbackAnswer:
        declared = callback.execution.home.step_types[callback.definition.type].output_types(callback.definition)
        texts = {name: scalar_text(value) for name, value in outputs.items()}
        try:
            return CallbackAnswer(token=token, outputs=converted(texts, declared or {}))
        except ValueError as error:
            raise UsageError(f"Step {callback.step.step!r}: {error}") from None

    return _answer(home, token, succeeded)


def send_pipeline_execution_step_failure(home: Home, token: str, reason: str) -> Callback:
    """Have the step that waits for this token fail for a reason; return it as it is then. Raises NotFound, UsageError."""
    if not 0 < len(reason) <= _LONGEST_REASON:
        raise UsageError(f"The reason has {len(reason)} characters; it must have 1 to {_LONGEST_REASON}.")
    return _answer(home, token, lambda _: CallbackAnswer(token=token, failure=reason))


def _answer(home: Home, token: str, answer: Callable[[Callback], CallbackAnswer]) -> Callback:
    """Write down what the answer means. Of two at once the first counts, and the second finds the token used."""
    callback = _find(home, token)
    while True:
        execution, step = callback.execution, callback.step
        execution_id = execution.name.execution_id
        if not callback.waits:
            how = f"step {step.step!r} of execution {execution_id} is {step.status.value}"
            raise UsageError(f"The token {token!r} has been used, or waits no more: {how}.")
        facts = numbered([_event(callback, answer(callback))], after=execution.state.seq, at=home.clock.now())
        try:
            home.journal.record(execution_id, facts)
        except ConflictingAppend:
            callback = _of_token(refreshed(execution), token)
        else:
            ring(home.execution_dir(execution_id))
            return _of_token(refreshed(execution), token)


def _event(callback: Callback, answer: CallbackAnswer) -> Event:
    """The fact that ends the attempt, as its step type understands the answer."""
    definition, attempt = callback.definition, callback.attempt
    resolved = ResolvedStep(
        name=definition.name,
        type=definition.type,
        path=definition.path,
        arguments=callback.sent.message["arguments"],
        fields=definition.fields,
        property_files=definition.property_files,
        execution=callback.execution.name,
        job_name=attempt.job_name,
        attempt=attempt.attempt,
        at=attempt.started_at,
    )
    outcome = callback.execution.home.step_types[definition.type].outcome(resolved, answer)
    return fact_of(callback.execution.key(callback.step), outcome, result_keys=keys_of(attempt.checks))


def _find(home: Home, token: str) -> Callback:
    execution_id = home.journal.tokens().get(token)
    if execution_id is None:
        near = get_close_matches(token, [message["token"] for message in waiting_messages(home)], n=1)
        raise NotFound("callback token", token, near, "`localpipe callback list` lists those that wait for an answer.")
    return _of_token(describe_pipeline_execution(home, execution_id), token)


def _of_token(execution: PipelineExecution, token: str) -> Callback:
    return next(
        Callback(execution=execution, step=step, attempt=attempt, sent=attempt.message)
        for step in execution.state.steps.values()
        for attempt in step.attempts
        if attempt.message and attempt.message.token == token
    )


def _waiting(home: Home, execution_id: str) -> Iterator[MessageSent]:
    """The messages of an execution that wait for an answer; none of one that this localpipe does not understand."""
    try:
        state = fold(home.journal.read(execution_id))
    except LocalpipeError as error:
        _log.warning("execution %s is left out: %s", execution_id, error)
        return
    for step in state.steps.values():
        if step.status in BUSY and step.last and step.last.message:
            yield step.last.message

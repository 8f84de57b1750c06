"""`Type: Fail`: ends the execution as Failed with the author's message. Never retried, never cached."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from localpipe.core.work import Failure, Immediate
from localpipe.definition.expression_forms import check_scalar, unknown_members
from localpipe.definition.wording import scalar_text
from localpipe.errors import Problem
from localpipe.jobs.requests import REASON_LIMIT
from localpipe.steps.base import InstantStep

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localpipe.core import JSON
    from localpipe.core.work import ResolvedStep, Work
    from localpipe.definition.model import StepDefinition

_MESSAGE = "ErrorMessage"
_LONGEST_MESSAGE = 3072
"""Follows: service.md section 1.2."""


class FailStep(InstantStep):
    """Follows: service.md section 11.3."""

    type: ClassVar[str] = "Fail"
    can_be_depended_on: ClassVar[bool] = False

    def check(self, step: StepDefinition) -> Iterable[Problem]:
        """Arguments hold an ErrorMessage, a text or an expression, or nothing."""
        path = f"{step.path}.Arguments"
        yield from unknown_members(step.arguments, (_MESSAGE,), path)
        message = step.arguments.get(_MESSAGE)
        if message is not None:
            yield from check_scalar(message, f"{path}.{_MESSAGE}")
        if isinstance(message, str) and len(message) > _LONGEST_MESSAGE:
            fault = f"the message has {len(message)} characters; at most {_LONGEST_MESSAGE} are allowed."
            yield Problem(f"{path}.{_MESSAGE}", fault)

    def work(self, step: ResolvedStep) -> Work:
        """Fail. An empty message is no FailureReason; one that expressions made too long is cut."""
        value = step.arguments.get(_MESSAGE)
        message = "" if value is None else scalar_text(value)[:_LONGEST_MESSAGE]
        return Immediate(outcome=Failure(reason=message[:REASON_LIMIT], properties={_MESSAGE: message}, ends_execution=True))

    def metadata(self, properties: JSON) -> JSON:
        """`{"Fail": {"ErrorMessage": ...}}`."""
        return {"Fail": {_MESSAGE: properties[_MESSAGE]}} if properties else {}

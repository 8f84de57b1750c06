"""`Type: Condition`: opens one of two branches. Never retried, never cached, never waits for a slot."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from localpipe.core.work import Immediate, Success
from localpipe.definition.conditions import check_conditions, evaluate_conditions
from localpipe.definition.expression_forms import unknown_members
from localpipe.definition.parse import parse_step_list
from localpipe.definition.wording import shown
from localpipe.steps.base import InstantStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from localpipe.core import JSON
    from localpipe.core.work import ResolvedStep, Work
    from localpipe.definition.model import StepDefinition
    from localpipe.errors import Problem

_CONDITIONS, _IF, _ELSE = "Conditions", "IfSteps", "ElseSteps"


class ConditionStep(InstantStep):
    """Follows: service.md section 3."""

    type: ClassVar[str] = "Condition"
    extra_properties: ClassVar[tuple[str, ...]] = ("Outcome",)

    def check(self, step: StepDefinition) -> Iterable[Problem]:
        """Problems of the conditions and of the branches as lists of steps."""
        path = f"{step.path}.Arguments"
        problems = [
            *unknown_members(step.arguments, (_CONDITIONS, _IF, _ELSE), path),
            *check_conditions(step.arguments.get(_CONDITIONS), f"{path}.{_CONDITIONS}"),
        ]
        _branches(step, problems)
        return problems

    def branches(self, step: StepDefinition) -> Mapping[str, tuple[StepDefinition, ...]]:
        """`IfSteps` and `ElseSteps`; empty where absent."""
        return _branches(step, [])

    def own_arguments(self, step: StepDefinition) -> JSON:
        """The conditions. No conditions are a true one."""
        return {_CONDITIONS: step.arguments.get(_CONDITIONS) or []}

    def work(self, step: ResolvedStep) -> Work:
        """Decide. Raises ExpressionError for operands that cannot be compared."""
        holds = evaluate_conditions(step.arguments[_CONDITIONS], f"{step.path}.Arguments.{_CONDITIONS}")
        properties: JSON = {"Outcome": holds}
        return Immediate(outcome=Success(properties=properties, branches_taken=frozenset(self.branches_taken(properties))))

    def branches_taken(self, properties: JSON) -> tuple[str, ...]:
        """The one of its Outcome. Raises ValueError for an outcome that is neither true nor false."""
        match properties:
            case {"Outcome": True}:
                return (_IF,)
            case {"Outcome": False}:
                return (_ELSE,)
            case {"Outcome": other}:
                raise ValueError(f"Outcome is true or false; found {shown(other)}.")
            case _:
                return ()

    def metadata(self, properties: JSON) -> JSON:
        """`{"Condition": {"Outcome": "True"}}`: text here, a boolean as property. Follows: service.md section 3."""
        return {"Condition": {"Outcome": str(properties["Outcome"])}} if properties else {}


def _branches(step: StepDefinition, problems: list[Problem]) -> dict[str, tuple[StepDefinition, ...]]:
    return {
        branch: parse_step_list(step.arguments.get(branch), f"{step.path}.Arguments.{branch}", problems)
        for branch in (_IF, _ELSE)
    }

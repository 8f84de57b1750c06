"""`Type: Lambda`: calls a function of the author's and takes outputs from what it returns. Never retried."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from localpipe.core.faults import FaultKind
from localpipe.core.functions import FUNCTION_ARN, FunctionEnd, names_function
from localpipe.core.work import CallFunction, Failure, FunctionResult, Stopped, Success
from localpipe.definition.reader import Reader
from localpipe.definition.wording import scalar_text
from localpipe.errors import Problem
from localpipe.jobs.fidelity import approximated, exact
from localpipe.jobs.requests import REASON_LIMIT
from localpipe.steps.base import LeafStep
from localpipe.steps.outputs import OUTPUTS, check_outputs, converted, declared_outputs, listed_outputs
from localpipe.steps.signatures import LAMBDA_SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from localpipe.core import JSON
    from localpipe.core.fidelity import Rule
    from localpipe.core.signature import Signature
    from localpipe.core.work import Outcome, ResolvedStep, Work, WorkResult
    from localpipe.definition.model import StepDefinition

_ARN = "FunctionArn"
_LONGEST_ARN = 256

# UNVERIFIED: the service's texts are not recorded. Follows: service.md section 11.1.
_REASONS: Mapping[FunctionEnd, str] = {
    FunctionEnd.RAISED: "failed: ",
    FunctionEnd.EXITED: "ended without an answer: ",
    FunctionEnd.TIMED_OUT: "timed out: ",
    FunctionEnd.REFUSED: "could not be called: ",
}


class LambdaStep(LeafStep):
    """Follows: service.md section 1.3, 1.4, 5.6, 11.1."""

    type: ClassVar[str] = "Lambda"
    extra_properties: ClassVar[tuple[str, ...]] = (OUTPUTS,)
    fields: ClassVar[tuple[str, ...]] = (_ARN, OUTPUTS)
    meets: ClassVar[frozenset[FaultKind]] = frozenset({FaultKind.TIME_LIMIT})
    at_a_stop: ClassVar[str] = "functions go on to their end"
    writes_unseen: ClassVar[bool] = True
    fidelity: ClassVar[tuple[Rule, ...]] = (
        approximated(
            "FunctionArn",
            "The function ran in a process of this machine, in the author's Python, without its role, memory limit, network "
            "and layers.",
        ),
        *exact("OutputParameters"),
    )
    signature: ClassVar[Signature | None] = LAMBDA_SIGNATURE

    def check(self, step: StepDefinition) -> Iterable[Problem]:
        """It names its function, and declares its outputs."""
        problems: list[Problem] = []
        arn = Reader(dict(step.fields), step.path, problems, "A step").text(_ARN, longest=_LONGEST_ARN, required=True)
        if arn is not None and not problems and not names_function(arn):
            problems.append(Problem(f"{step.path}.{_ARN}", f"{arn!r} is no ARN of a Lambda function ({FUNCTION_ARN})."))
        return [*problems, *check_outputs(step)]

    def output_types(self, step: StepDefinition) -> Mapping[str, str] | None:
        """Those of OutputParameters."""
        return declared_outputs(step.fields)

    def work(self, step: ResolvedStep) -> Work:
        """Call it: the event is the arguments as they are."""
        return CallFunction(arn=step.fields[_ARN], event=step.arguments)

    def outcome(self, step: ResolvedStep, result: WorkResult) -> Outcome:
        """The declared outputs out of the object that it returned. A stop is waited for; then how it ended is lost,
        unless it was by its time limit: so the execution fails, instead of being stopped (service.md section 5.6).
        """
        if not isinstance(result, FunctionResult):
            raise TypeError(f"step {step.name!r} called a function, but got a {type(result).__name__}")
        properties: JSON = {_ARN: step.fields[_ARN], OUTPUTS: {}}
        if result.stopped and result.exit.end is not FunctionEnd.TIMED_OUT:
            return Stopped(properties=properties)
        if result.exit.end in _REASONS:
            failed = _failed(step, f"{_REASONS[result.exit.end]}{result.exit.text}", properties)
            return replace(failed, ends_execution=result.stopped)
        try:
            outputs = _outputs(result.exit.text, declared_outputs(step.fields))
        except ValueError as error:
            return _failed(step, f"did not return what the step declares: {error}", properties)
        return Success(properties={**properties, OUTPUTS: outputs})

    def metadata(self, properties: JSON) -> JSON:
        """`{"Lambda": {"Arn": ..., "OutputParameters": [...]}}`."""
        return {"Lambda": {"Arn": properties[_ARN], OUTPUTS: listed_outputs(properties)}} if properties else {}


def _failed(step: ResolvedStep, what: str, properties: JSON) -> Failure:
    return Failure(reason=f"ClientError: Lambda function {step.fields[_ARN]} {what}"[:REASON_LIMIT], properties=properties)


def _outputs(answer: str, declared: Mapping[str, str]) -> Mapping[str, JSON]:
    """The declared outputs. Raises ValueError for one that is not there or does not fit.

    Each goes through its text, as on the service: a number fits a String. Follows: service.md section 11.1 (INF).
    """
    if not declared:
        return {}
    returned = json.loads(answer)
    if not isinstance(returned, dict):
        raise ValueError(f"it must return an object, and returned {answer[:100]}.")  # noqa: TRY004 - told as the step's reason
    missing = [name for name in declared if returned.get(name) is None]
    if missing:
        raise ValueError(f"there is no {', '.join(map(repr, missing))} in what it returned.")
    return converted({name: _text(returned[name]) for name in declared}, declared)


def _text(value: JSON) -> str:
    """A nested value is JSON text."""
    return json.dumps(value) if isinstance(value, dict | list) else scalar_text(value)

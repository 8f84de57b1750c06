"""What a fault on demand does to an attempt, in the service's words. Pure: the trouble is told, nothing is broken.

Follows: service.md sections 5.4 and 7; containers.md 2.11 and 2.14.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.faults import OF_THE_CREATE_CALL, OF_THE_JOB, FaultKind
from localpipe.core.jobspec import JobEnd, JobResult
from localpipe.core.work import Failure, RunJob, create_refused
from localpipe.scheduling.retries import is_configured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core.faults import Fault
    from localpipe.core.names import ExecutionName
    from localpipe.core.work import Outcome, ResolvedStep, Work
    from localpipe.definition.model import StepDefinition
    from localpipe.steps.base import StepType

_DETAILS: Mapping[FaultKind, str] = {
    FaultKind.THROTTLING: "Rate exceeded",
    FaultKind.SERVICE_FAULT: "We encountered an internal error. Please try again.",
    FaultKind.RESOURCE_LIMIT: (
        "The account-level service limit for this resource was exceeded. "
        "Please use AWS Service Quotas to request an increase for this quota."
    ),
    FaultKind.CAPACITY_ERROR: (
        "Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
    ),
    FaultKind.INTERNAL_ERROR: "We encountered an internal error. Please try again.",
}
"""What the service says. UNVERIFIED but for the last (containers.md 2.11): no text is recorded."""

_ENDS: Mapping[FaultKind, JobEnd] = {
    FaultKind.CAPACITY_ERROR: JobEnd.UNPROVISIONED,
    FaultKind.INTERNAL_ERROR: JobEnd.LOST,
}
_PREFIXES: Mapping[FaultKind, str] = {
    FaultKind.CAPACITY_ERROR: "CapacityError",
    FaultKind.INTERNAL_ERROR: "InternalServerError",
}


def failed_instead(
    fault: Fault | None, work: Work, step: ResolvedStep, step_type: StepType, definition: StepDefinition
) -> Outcome | None:
    """How the attempt fails in place of its work; None if it does the work."""
    if fault is None:
        return None
    if fault.kind in OF_THE_CREATE_CALL:
        return _refused(fault.kind, step, step_type, definition)
    if fault.kind not in OF_THE_JOB:
        return None
    if isinstance(work, RunJob):
        return step_type.outcome(step, _failed(fault.kind, step.at))
    return Failure(reason=f"ClientError: {_PREFIXES[fault.kind]}: {_DETAILS[fault.kind]}", exception_type=fault.kind.value)


def _refused(kind: FaultKind, step: ResolvedStep, step_type: StepType, definition: StepDefinition) -> Failure:
    """The Create call is refused; for a quota the service adds that no policy is for it. Follows: service.md section 5.4."""
    operation = (step_type.request_shape or "").removesuffix("Request").removesuffix("Input")
    reason = f"ClientError: {create_refused(operation, _DETAILS[kind])}"
    if kind is FaultKind.RESOURCE_LIMIT and not is_configured(definition.retry_policies, kind.value):
        reason += "\n" + _not_appropriate(step.execution, step.name)
    return Failure(reason=reason, exception_type=kind.value)


def _not_appropriate(execution: ExecutionName, step: str) -> str:
    return (
        f"Retry not appropriate on execution of step with PipelineExecutionArn {execution.arn} and StepId {step}. "
        "No retry policy configured for the exception type SAGEMAKER_RESOURCE_LIMIT."
    )


def _failed(kind: FaultKind, at: float) -> JobResult:
    """A job that was created and failed at once: its containers never ran."""
    return JobResult(end=_ENDS[kind], created_at=at, ended_at=at, detail=_DETAILS[kind], exception_type=kind.value)

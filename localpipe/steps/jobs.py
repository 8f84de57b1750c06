"""What the end of a job means for its step, whatever the job's kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.jobspec import JobEnd, JobResult
from localpipe.core.work import Failure, Stopped, Success
from localpipe.jobs.requests import REASON_LIMIT, time_limit_reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from localpipe.core import JSON
    from localpipe.core.jobspec import JobSpec
    from localpipe.core.work import Outcome, WorkResult

_RAN_AND_FAILED = "ClientError: "


def job_result(result: WorkResult) -> JobResult:
    """The result of `RunJob`. Raises TypeError for that of other work: a bug of the engine."""
    if not isinstance(result, JobResult):
        raise TypeError(f"a job ended in a {type(result).__name__}")
    return result


def job_outcome(
    result: JobResult, spec: JobSpec | None, failure_reason: Callable[[JobResult, int], str | None], description: JSON
) -> Outcome:
    """Outcome of a step from its job's end and Describe document. `failure_reason(result, limit)`: the job's FailureReason.
    `spec` None: the job has no time limit.

    A job that was refused never was: it has no properties. Its reason is the step's as it stands; that of a job that ran and
    failed gets `ClientError: ` before it, and so has less room. Follows: service.md section 5.3, 5.4.
    """
    if result.end is JobEnd.REFUSED:
        return Failure(reason=failure_reason(result, REASON_LIMIT) or "", exception_type=result.exception_type)
    reason = failure_reason(result, REASON_LIMIT - len(_RAN_AND_FAILED))
    if reason is not None:
        return Failure(
            reason=f"{_RAN_AND_FAILED}{reason}",
            exception_type=result.exception_type,
            properties=description,
            failed_host=result.failed_host,
        )
    if result.end is JobEnd.STOPPED:
        return Stopped(properties=description)
    if spec and (limit := time_limit_reason(spec, result.end)):
        return Failure(reason=limit, properties=description)
    return Success(properties=description, property_files=result.property_files)

"""How a job ends: waiting for it, what its end means, and its result with what it wrote published."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localpipe.core.jobspec import JobEnd, JobExit, JobResult
from localpipe.engine.trouble import before_the_start
from localpipe.errors import JOB_INTERNAL_ERROR, LocalpipeError
from localpipe.staging import Collected

if TYPE_CHECKING:
    from localpipe.core.jobspec import JobSpec, StagedJob
    from localpipe.core.ports import Running
    from localpipe.engine.allowance import Patience
    from localpipe.engine.job import JobContext
    from localpipe.engine.signals import Signals
    from localpipe.staging import Serving


@dataclass(frozen=True, kw_only=True)
class Attended:
    """How a started job ended, before anything is published. Times are epoch seconds."""

    end: JobEnd
    exit: JobExit
    started_at: float
    ended_at: float


def wait_for_end(running: Running, signals: Signals, patience: Patience) -> JobExit:
    """Wait for the end, not longer than there is patience."""
    exit_ = None if signals.time_up else running.wait(patience.seconds)
    if exit_ is None:
        signals.call_time(patience.end)
    while exit_ is None:
        exit_ = running.wait()
    return exit_


def end_of(exit_: JobExit, signals: Signals, *, stopped: bool) -> JobEnd:
    """Follows: containers.md 1.8, 2.11."""
    if stopped and signals.time_up in {None, JobEnd.INTERRUPTED}:
        return JobEnd.STOPPED
    if signals.time_up:
        return signals.time_up
    return JobEnd.COMPLETED if exit_.exit_code == 0 else JobEnd.FAILED


def result_of(
    attended: Attended, spec: JobSpec, staged: StagedJob, serving: Serving, context: JobContext, *, created_at: float
) -> JobResult:
    """Publish what the job wrote, and tell what happened. A job that could not be served to its end was cut off."""
    end, detail, collected = attended.end, attended.exit.message, Collected()
    exception_type = JOB_INTERNAL_ERROR if end is JobEnd.LOST else None
    failed_host = staged.hosts[attended.exit.host].name if end is JobEnd.FAILED else ""
    if trouble := serving.trouble():
        end, detail, exception_type = JobEnd.CUT_OFF, str(trouble), trouble.exception_type
    try:
        with context.at_disk:
            collected = context.stager.collect(
                spec, staged, end, serving.uploads, now=attended.ended_at, failed_host=failed_host
            )
    except (LocalpipeError, OSError) as error:
        end, detail = JobEnd.UNPUBLISHED, str(error)
    return JobResult(
        end=end,
        exit_code=attended.exit.exit_code,
        out_of_memory=attended.exit.out_of_memory,
        created_at=created_at,
        started_at=attended.started_at,
        ended_at=attended.ended_at,
        failure=collected.failure,
        exit_message=collected.exit_message,
        message_undecodable=collected.message_undecodable,
        metrics=collected.metrics.data,
        unread_metrics=collected.metrics.unread,
        property_files=collected.property_files,
        detail=detail,
        exception_type=exception_type,
        failed_host=failed_host,
    )


def refused_result(error: Exception, created_at: float, ended_at: float) -> JobResult:
    """The result of a job that never started."""
    return JobResult(
        end=JobEnd.REFUSED,
        created_at=created_at,
        ended_at=ended_at,
        detail=str(error),
        exception_type=before_the_start(error),
    )


def lost_result(ended: JobResult, error: Exception) -> JobResult:
    """The result of a job that was interrupted and could not go on."""
    return replace(ended, end=JobEnd.LOST, detail=str(error), exception_type=JOB_INTERNAL_ERROR)

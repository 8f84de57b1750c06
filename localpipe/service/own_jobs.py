"""What attempts' own jobs did, such as the training jobs of a tuning job, for people and programs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.times import iso_time
from localpipe.core.tuning import TrialDetail
from localpipe.errors import UsageError
from localpipe.jobs.metrics import no_value_text
from localpipe.jobs.tuning import objective_in
from localpipe.scheduling.children import ChildStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from localpipe.core import JSON
    from localpipe.core.tuning import Parameters
    from localpipe.scheduling.children import ChildExecution
    from localpipe.scheduling.history import StepExecution

_SHOWN_DIGITS = 4


def own_job(step: StepExecution, number: int) -> ChildExecution:
    """One of the jobs of the step's last attempt. Raises UsageError."""
    jobs = step.last.children if step.last else {}
    if number not in jobs:
        which = f"They are numbered from 1 to {len(jobs)}." if jobs else "It has none of its own."
        raise UsageError(f"Step {step.step!r} has no job {number}. {which}")
    return jobs[number]


def job_rows(jobs: Iterable[ChildExecution]) -> list[JSON]:
    """A row for each in the document of `--json`; absent members are left out."""
    return [_without_absent(_job_row(job)) for job in jobs]


def _job_row(job: ChildExecution) -> JSON:
    metric, value = objective_of(job)
    return {
        "JobName": job.job_name,
        "JobStatus": job.status.value,
        "StartTime": iso_time(job.started_at),
        "EndTime": None if job.ended_at is None else iso_time(job.ended_at),
        "Awaits": job.awaits or None,
        "FailureReason": job.reason or None,
        "TunedHyperParameters": _tuned(job),
        "Objective": None if value is None else {"MetricName": metric, "Value": value},
        "LogFiles": list(job.log_files),
    }


def _without_absent(row: JSON) -> JSON:
    return {key: value for key, value in row.items() if value is not None}


def objective_of(job: ChildExecution) -> tuple[str, float | None]:
    """The metric that the job was to make good, empty for a job without one, and its last value, None if it has none."""
    detail = _detail(job)
    return (detail.objective.metric, objective_in(job.properties or {}, detail.objective.metric)) if detail else ("", None)


def job_remark(job: ChildExecution) -> str:
    """What there is to tell of a job besides its status, in one line: objective, parameters, its wait, why it failed."""
    tuned = _tuned(job)
    shown = parameters_text(tuned) if tuned else ""
    parts = (_objective_text(job), shown, job.awaits, job_trouble(job).partition("\n")[0])
    return "  ".join(filter(None, parts))


def job_trouble(job: ChildExecution) -> str:
    """Why a job that has ended is of no use: it failed, or it has completed without an objective; else empty."""
    metric, value = objective_of(job)
    in_vain = metric and value is None and job.status is ChildStatus.COMPLETED
    return job.reason or (no_value_text(job.properties, metric, job.unread) if in_vain else "")


def _objective_text(job: ChildExecution) -> str:
    metric, value = objective_of(job)
    if value is not None:
        return f"{metric} = {shortened(value)}"
    return "no objective" if metric and job.status in {ChildStatus.COMPLETED, ChildStatus.STOPPED} else ""


def parameters_text(tuned: Parameters) -> str:
    """`x = 0.25, y = 3`, numbers shortened."""
    return ", ".join(f"{name} = {_shown(value)}" for name, value in tuned.items())


def summary(jobs: Sequence[ChildExecution]) -> str:
    """How far an attempt's own jobs are, in one line: the first that waits for room, the best that has an objective."""
    ended = sum(job.status.ended for job in jobs)
    told = f"{ended} of {len(jobs)} jobs started have ended" if ended < len(jobs) else f"{len(jobs)} jobs"
    if waiting := next((job for job in jobs if job.awaits), None):
        told += f", job {waiting.child} {waiting.awaits}"
    best = _best(jobs)
    if best is None:
        return told
    metric, value = objective_of(best)
    return f"{told}, best: job {best.child}, {metric} = {shortened(value)}"


def shortened(value: float | None) -> str:
    """A number with as many digits as one compares."""
    return "" if value is None else f"{value:.{_SHOWN_DIGITS}g}"


def _best(jobs: Iterable[ChildExecution]) -> ChildExecution | None:
    """The best of those that count: what failed does not."""
    found = [
        (detail.objective.loss(value), job.child, job)
        for job in jobs
        if (detail := _detail(job)) and (value := objective_of(job)[1]) is not None and not job.reason
    ]
    return min(found, key=lambda each: each[:2])[2] if found else None


def _shown(text: str) -> str:
    """A value of a hyperparameter; of a number only the first digits."""
    try:
        return shortened(float(text)) if "." in text or "e" in text else text
    except ValueError:
        return text


def _tuned(job: ChildExecution) -> Parameters | None:
    detail = _detail(job)
    return detail.parameters if detail else None


def _detail(job: ChildExecution) -> TrialDetail | None:
    """What a trial of a tuning job is; None for any other job."""
    return TrialDetail.from_json(job.detail) if job.detail else None

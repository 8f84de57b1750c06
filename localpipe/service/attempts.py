"""The attempts of a step, and why no other follows. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.times import iso_time
from localpipe.scheduling.decide import retry_decision
from localpipe.scheduling.events import AttemptFailed, AttemptStopped
from localpipe.scheduling.retries import GiveUp
from localpipe.service.views import shown_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localpipe.core import JSON
    from localpipe.scheduling.history import AttemptExecution, StepExecution
    from localpipe.service.pipelines import Pipeline


def attempt_rows(step: StepExecution) -> Sequence[JSON]:
    """Every attempt, oldest first; absent members are left out. `ExceptionType`: what retry policies match on."""
    return [_row(step, attempt) for attempt in step.attempts]


def _row(step: StepExecution, attempt: AttemptExecution) -> JSON:
    row = {
        "Attempt": attempt.attempt,
        "Status": shown_status(step) if attempt is step.last and step.ended_at is not None else _ended(step, attempt),
        "StartTime": iso_time(attempt.started_at),
        "EndTime": None if attempt.ended_at is None else iso_time(attempt.ended_at),
        "JobName": attempt.job_name or None,
        "FailureReason": attempt.reason or None,
        "ExceptionType": attempt.exception_type,
    }
    return {key: value for key, value in row.items() if value is not None}


def _ended(step: StepExecution, attempt: AttemptExecution) -> str:
    """How an attempt ended that another followed or follows; one that goes on is as its step."""
    for recorded in step.story:
        match recorded.event:
            case AttemptFailed(attempt=attempt.attempt):
                return "Failed"
            case AttemptStopped(attempt=attempt.attempt):
                return "Stopped"
    return shown_status(step)


def why_no_other(pipeline: Pipeline, step: StepExecution) -> str:
    """Why a failed step was not tried again, in a sentence; empty if it has no policies and fails as no type of theirs."""
    decision = retry_decision(pipeline.plan(), step)
    policies = pipeline.steps[step.step].retry_policies
    return decision.reason if isinstance(decision, GiveUp) and (policies or step.exception_type) else ""

"""What a fact makes of the step that it is about."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from localpipe.errors import InvalidTransition
from localpipe.scheduling import children
from localpipe.scheduling.events import (
    AttemptFailed,
    AttemptStarted,
    AttemptStopped,
    CacheChecked,
    ChildAwaitedRoom,
    ChildEnded,
    ChildLaunched,
    ChildStarted,
    JobLaunched,
    MessageSent,
    RetryRequested,
    RetryScheduled,
    RoomAwaited,
    StepReused,
    StepSucceeded,
    StopSignalled,
)
from localpipe.scheduling.history import BUSY, AttemptExecution, StepExecution, StepStatus, told
from localpipe.scheduling.transitions import TRANSITIONS

if TYPE_CHECKING:
    from localpipe.scheduling.children import ChildEvent
    from localpipe.scheduling.events import Recorded, StepEvent


def after(step: StepExecution, event: StepEvent, recorded: Recorded, *, kill: bool) -> StepExecution:
    """The step after one more fact about it, the event of `recorded`. `kill`: a kill has been asked for.

    Raises InvalidTransition for a fact that cannot follow.
    """
    status = TRANSITIONS.get((step.status, type(event)))
    if status is None or event.attempt != _expected_attempt(step, event):
        raise impossible(step, event)
    return _advance(step, event, status, recorded, kill=kill)


def wanted_again(step: StepExecution, recorded: Recorded) -> StepExecution:
    """A failed or stopped step after RetryRequested: its attempts are remembered, its policies start anew."""
    return StepExecution(
        step=step.step,
        status=TRANSITIONS[step.status, RetryRequested],
        attempts=step.attempts,
        story=(*step.story, recorded),
    )


def impossible(step: StepExecution, event: StepEvent, *, finished: bool = False) -> InvalidTransition:
    """What is said of a fact that cannot follow; the attempt's number, where it is wrong. `finished`: the execution is."""
    name, status = type(event).__name__, step.status.value
    if event.attempt != _expected_attempt(step, event):
        name, status = f"{name}({event.attempt})", f"{status}, attempt {step.attempt}"
    if finished:
        status = f"{status} in a finished execution"
    return InvalidTransition(event.step, name, status, told(step.story))


def _expected_attempt(step: StepExecution, event: StepEvent) -> int:
    """A new attempt has the next number; done anew after a crash it keeps its own, as all that follows it."""
    new = isinstance(event, AttemptStarted | StepReused) and step.status not in BUSY
    return step.attempt + 1 if new else step.attempt


def _advance(step: StepExecution, event: StepEvent, status: StepStatus, recorded: Recorded, *, kill: bool) -> StepExecution:
    changed = replace(step, status=status, story=(*step.story, recorded))
    match event:
        case AttemptStarted():
            return _start(changed, event, recorded.at)
        case StepReused():
            return _reuse(changed, event, recorded.at)
        case ChildStarted() | ChildAwaitedRoom() | ChildLaunched() | ChildEnded():
            return _with_child(changed, event, recorded.at)
        case RetryScheduled(at=at, policy=policy):
            return replace(changed, due_at=at, retries={**step.retries, policy: step.retries.get(policy, 0) + 1})
        case AttemptStopped() if step.status is StepStatus.BACKING_OFF:
            return replace(changed, due_at=None)
        case StepSucceeded(property_files=property_files, branches_taken=branches_taken):
            changed = replace(changed, property_files=property_files, branches_taken=branches_taken)
    last = _attempt_after(step.attempts[-1], event, recorded.at, kill=kill)
    return replace(changed, attempts=(*step.attempts[:-1], last))


def _start(step: StepExecution, event: AttemptStarted, at: float) -> StepExecution:
    if event.attempt == step.attempt:
        anew = replace(step.attempts[-1], job_name=event.job_name)
        return replace(step, attempts=(*step.attempts[:-1], anew))
    new = AttemptExecution(attempt=event.attempt, job_name=event.job_name, started_at=at)
    tried_since = at if step.tried_since is None else step.tried_since
    return replace(step, attempts=(*step.attempts, new), tried_since=tried_since, due_at=None)


def _reuse(step: StepExecution, event: StepReused, at: float) -> StepExecution:
    """The attempt that was about to be made, or one that stands for it, with what the step had elsewhere."""
    under_way = step.last is not None and event.attempt == step.attempt
    started_at = step.attempts[-1].started_at if under_way else at
    reused = AttemptExecution(
        attempt=event.attempt,
        job_name=event.job_name,
        started_at=started_at,
        ended_at=at,
        properties=event.properties,
        outputs=event.outputs,
        log_files=event.log_files,
        reused=event,
        checks=step.attempts[-1].checks if under_way else {},
    )
    attempts = step.attempts[:-1] if under_way else step.attempts
    return replace(
        step,
        attempts=(*attempts, reused),
        due_at=None,
        property_files=event.property_files,
        branches_taken=event.branches_taken,
    )


def _with_child(step: StepExecution, event: ChildEvent, at: float) -> StepExecution:
    """The step after a fact about a job of its attempt. Raises InvalidTransition for one that cannot follow."""
    last = step.attempts[-1]
    changed = children.after(last.children, event, at)
    if changed is None:
        job = last.children.get(event.child)
        status = f"job {event.child} is {job.status if job else 'not started'}"
        raise InvalidTransition(event.step, type(event).__name__, status, told(step.story[:-1]))
    return replace(step, attempts=(*step.attempts[:-1], replace(last, children=changed)))


def _attempt_after(last: AttemptExecution, event: StepEvent, at: float, *, kill: bool) -> AttemptExecution:
    match event:
        case StepSucceeded() | AttemptFailed() | AttemptStopped():
            return _ended(last, event, at)
        case RoomAwaited(reason=reason):
            return replace(last, awaits=reason)
        case CacheChecked(by=by):
            return replace(last, checks={**last.checks, by: event})
        case MessageSent() | JobLaunched():
            return _launched(last, event, at)
        case StopSignalled():
            return replace(last, killed=kill)
        case (
            AttemptStarted()
            | RetryScheduled()
            | StepReused()
            | ChildStarted()
            | ChildAwaitedRoom()
            | ChildLaunched()
            | ChildEnded()
        ):
            return last
        case _:
            assert_never(event)


def _launched(last: AttemptExecution, event: MessageSent | JobLaunched, at: float) -> AttemptExecution:
    if isinstance(event, MessageSent):
        return replace(last, message=event, log_files=event.log_files, launched_at=at, awaits="")
    return replace(
        last,
        awaits="",
        log_files=event.log_files,
        repeat_command=event.repeat_command,
        outputs=event.outputs,
        launched_at=last.launched_at if event.found else at,
    )


def _ended(last: AttemptExecution, event: StepSucceeded | AttemptFailed | AttemptStopped, at: float) -> AttemptExecution:
    ended = replace(last, ended_at=at, awaits="", properties=event.properties)
    match event:
        case StepSucceeded():
            return ended
        case AttemptFailed():
            return replace(
                ended,
                reason=event.reason,
                exception_type=event.exception_type,
                ends_execution=event.ends_execution,
                failed_host=event.failed_host,
            )
        case AttemptStopped(reason=reason):
            return replace(ended, reason=reason)
        case _:
            assert_never(event)

"""What a person sees while an execution runs where there is no terminal: plain lines, rendered from events."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from typing_extensions import Self

from localpipe.cli.common import say
from localpipe.scheduling.events import (
    AttemptFailed,
    AttemptStarted,
    AttemptStopped,
    ChildAwaitedRoom,
    ChildEnded,
    ChildStarted,
    ExecutionFinished,
    ExecutionStarted,
    JobLaunched,
    MessageSent,
    RetryRequested,
    RetryScheduled,
    RoomAwaited,
    StepReused,
    StepSucceeded,
    StopRequested,
    StopSignalled,
)
from localpipe.scheduling.state import apply, fold
from localpipe.service.own_jobs import job_remark
from localpipe.service.views import reuse_words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from localpipe.scheduling.children import ChildExecution
    from localpipe.scheduling.events import Event, Recorded
    from localpipe.scheduling.state import ExecutionState


_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_FEWEST_MINUTES = 2


def after(state: ExecutionState | None, fact: Recorded) -> ExecutionState:
    """The state after one more fact; None: it is the first."""
    return fold([fact]) if state is None else apply(state, fact)


class PlainProgress:
    """One line a fact, on standard error. Mutable: the state after the facts seen so far."""

    def __init__(self, policies: Mapping[str, int], known: int = 0) -> None:
        """`policies`: how many retry policies each step has. `known`: facts up to that number are not told again."""
        self._policies, self._known = policies, known
        self._state: ExecutionState | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to put back."""

    def __call__(self, fact: Recorded) -> None:
        """Print the fact, if it is one that a person waits for."""
        self._state = after(self._state, fact)
        step = self._state.steps.get(getattr(fact.event, "step", ""))
        if isinstance(fact.event, ChildStarted | ChildAwaitedRoom | ChildEnded):
            line = _job_line(fact.event, step.last.children[fact.event.child]) if step and step.last else ""
        elif isinstance(fact.event, RetryScheduled):
            line = _retry_line(fact.event, fact.event.at - fact.at, self._policies.get(fact.event.step, 0))
        else:
            line = _line(fact.event, fact.at - step.last.started_at if step and step.last else 0.0)
        if line and (fact.seq > self._known or isinstance(fact.event, ExecutionStarted)):
            say(f"{time.strftime('%H:%M:%S', time.localtime(fact.at))}  {line}")


def _job_line(event: ChildStarted | ChildAwaitedRoom | ChildEnded, job: ChildExecution) -> str:
    """That one of a step's own jobs starts, waits for room or has ended."""
    if job.awaits:
        return f"{event.step}: job {event.child} {job.awaits}"
    told = job.status.value if job.status.ended else "Starting"
    return f"{event.step}: job {event.child} {told}  {job_remark(job)}".rstrip()


def _retry_line(event: RetryScheduled, wait_seconds: float, policies: int) -> str:
    """When the next attempt follows, and by which policy: one of the `policies` of the step, or that of the service."""
    by = "its retry policy" if event.policy < policies else "the service's default retry policy"
    return f"{event.step}: attempt {event.attempt + 1} follows in {duration_words(max(0.0, wait_seconds))} by {by}"


def duration_words(seconds: float) -> str:
    """A duration in its two largest units, rounded: `1.5 s`, `2 h 46 min`, `28 d`."""
    if seconds < _MINUTE * _FEWEST_MINUTES:
        return f"{seconds:.4g} s"
    unit = 1 if seconds < _HOUR else _MINUTE if seconds < _DAY else _HOUR
    left, parts = round(seconds / unit) * unit, []
    for size, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s")):
        count, left = divmod(left, size)
        parts += [f"{count} {name}"] if count else []
    return " ".join(parts)


def _line(event: Event, elapsed: float) -> str:  # noqa: C901, PLR0911, PLR0912 - one line per kind of fact
    match event:
        case ExecutionStarted():
            return f"Pipeline {event.pipeline_name}, execution {event.execution_id}"
        case AttemptStarted(attempt=1):
            return f"{event.step}: Starting"
        case AttemptStarted():
            return f"{event.step}: Starting, attempt {event.attempt}"
        case JobLaunched():
            return f"{event.step}: Executing"
        case MessageSent():
            return f"{event.step}: {event.message['status']}, its message lies in {event.queue_url}"
        case StepReused():
            return f"{event.step}: Succeeded, {reuse_words(event)}"
        case StepSucceeded(branches_taken=()):
            return f"{event.step}: Succeeded after {elapsed:.1f} s"
        case StepSucceeded():
            return f"{event.step}: Succeeded, taking {', '.join(event.branches_taken)}"
        case AttemptFailed():
            return f"{event.step}: Failed after {elapsed:.1f} s. {event.reason}".rstrip()
        case RoomAwaited():
            return f"{event.step}: {event.reason}"
        case StopSignalled():
            return f"{event.step}: Stopping"
        case AttemptStopped():
            return f"{event.step}: Stopped"
        case StopRequested():
            return "Killing the execution" if event.kill else "Stopping the execution"
        case RetryRequested():
            return "Retrying failed and stopped steps"
        case ExecutionFinished():
            return f"Execution {event.status}"
        case _:
            return ""

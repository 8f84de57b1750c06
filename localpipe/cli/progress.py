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
    from types import TracebackType

    from localpipe.scheduling.children import ChildExecution
    from localpipe.scheduling.events import Event, Recorded
    from localpipe.scheduling.state import ExecutionState


def after(state: ExecutionState | None, fact: Recorded) -> ExecutionState:
    """The state after one more fact; None: it is the first."""
    return fold([fact]) if state is None else apply(state, fact)


class PlainProgress:
    """One line a fact, on standard error. Mutable: the state after the facts seen so far."""

    def __init__(self, known: int = 0) -> None:
        """`known`: facts up to that number are not told again."""
        self._known = known
        self._state: ExecutionState | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to put back."""

    def __call__(self, fact: Recorded) -> None:
        """Print the fact, if it is one that a person waits for."""
        self._state = after(self._state, fact)
        step = self._state.steps.get(getattr(fact.event, "step", ""))
        if isinstance(fact.event, ChildStarted | ChildEnded):
            line = _job_line(fact.event, step.last.children[fact.event.child]) if step and step.last else ""
        else:
            line = _line(fact.event, fact.at, fact.at - step.last.started_at if step and step.last else 0.0)
        if line and (fact.seq > self._known or isinstance(fact.event, ExecutionStarted)):
            say(f"{time.strftime('%H:%M:%S', time.localtime(fact.at))}  {line}")


def _job_line(event: ChildStarted | ChildEnded, job: ChildExecution) -> str:
    """The start or the end of one of a step's own jobs."""
    told = job.status.value if job.status.ended else "Starting"
    return f"{event.step}: job {event.child} {told}  {job_remark(job)}".rstrip()


def _line(event: Event, at: float, elapsed: float) -> str:  # noqa: C901, PLR0911, PLR0912 - one line per kind of fact
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
        case RetryScheduled():
            wait_seconds = max(0.0, event.at - at)
            return f"{event.step}: attempt {event.attempt + 1} follows in {wait_seconds:.4g} s by its retry policy"
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

"""What the events of an execution add up to. `apply` is the only way to a new state; `fold` is apply over the journal.

A state is a value and knows no graph: readers fold without a plan. Each event costs one copy of the mapping it changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

from localpipe.errors import InvalidTransition
from localpipe.scheduling import step_facts
from localpipe.scheduling.events import (
    ExecutionFinished,
    ExecutionStarted,
    ParallelismChanged,
    Recorded,
    RetryRequested,
    StopRequested,
)
from localpipe.scheduling.history import BUSY, StepExecution, StepStatus, labelled, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from localpipe.scheduling.events import StepEvent


class ExecutionStatus(str, Enum):
    """Follows: service.md section 5.2."""

    EXECUTING = "Executing"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    SUCCEEDED = "Succeeded"

    __str__ = str.__str__


@dataclass(frozen=True)
class Stop:
    """A stop was asked for. `interrupts`: a step was under way or between two attempts when it was first asked."""

    kill: bool
    interrupts: bool


@dataclass(frozen=True, kw_only=True)
class ExecutionState:
    """One execution after the event `seq`. Times are epoch seconds.

    `steps` are those that have started at least once, in that order; every other step is Waiting. `max_parallel` None:
    unlimited. `failure_reason` is the execution's FailureReason, empty where it has none. `stop` None: nobody asked.
    """

    started: ExecutionStarted = field(repr=False)
    started_at: float
    seq: int
    status: ExecutionStatus = ExecutionStatus.EXECUTING
    max_parallel: int | None
    ended_at: float | None = None
    failure_reason: str = ""
    stop: Stop | None = None
    steps: Mapping[str, StepExecution] = field(default_factory=dict)
    names: Mapping[StepStatus, frozenset[str]] = field(default_factory=dict, repr=False)
    """An index of `steps` by status, kept by `apply`; a status without steps may be absent."""
    story: tuple[Recorded, ...] = field(default=(), repr=False)

    @property
    def finished(self) -> bool:
        """Whether it has ended. Only RetryRequested makes it go on."""
        return self.status in _FINISHED

    def having(self, *statuses: StepStatus) -> frozenset[str]:
        """Names of the steps with one of these statuses. Waiting: only those that wait again after RetryRequested."""
        if len(statuses) == 1:
            return self.names.get(statuses[0], _NO_NAMES)
        return _NO_NAMES.union(*(self.names.get(status, _NO_NAMES) for status in statuses))


_FINISHED = frozenset({ExecutionStatus.STOPPED, ExecutionStatus.FAILED, ExecutionStatus.SUCCEEDED})
_RETRYABLE = frozenset({ExecutionStatus.STOPPED, ExecutionStatus.FAILED})
_NO_NAMES: frozenset[str] = frozenset()


def fold(events: Iterable[Recorded]) -> ExecutionState:
    """Return the state after all events of one execution, in order.

    Raises InvalidTransition for a sequence that cannot be, ValueError for an empty one.
    """
    remaining = iter(events)
    first = next(remaining, None)
    if first is None:
        raise ValueError("an execution without events has no state")
    state = _begin(first)
    for recorded in remaining:
        state = apply(state, recorded)
    return state


def apply(state: ExecutionState, recorded: Recorded) -> ExecutionState:
    """Return the state after one more event. Raises InvalidTransition if it cannot follow the ones before.

    A stop or a new parallelism that comes when the execution has finished changes nothing: whoever asked may have been
    late. Follows: service.md sections 5.4, 5.6 and 5.7.
    """
    event = recorded.event
    match event:
        case ExecutionStarted():
            raise _impossible(state, recorded)
        case StopRequested():
            changed = state if state.finished else _stop(state, event)
        case RetryRequested():
            changed = _retry(state, event, recorded)
        case ParallelismChanged(max_parallel=max_parallel):
            changed = replace(state, max_parallel=max_parallel)
        case ExecutionFinished():
            changed = _finish(state, event, recorded)
        case _:
            return replace(_step_event(state, event, recorded), seq=recorded.seq)
    return replace(changed, seq=recorded.seq, story=(*state.story, recorded))


def _begin(recorded: Recorded) -> ExecutionState:
    event = recorded.event
    if not isinstance(event, ExecutionStarted):
        raise InvalidTransition(None, labelled(event), "not started", told(()))
    return ExecutionState(
        started=event, started_at=recorded.at, seq=recorded.seq, max_parallel=event.max_parallel, story=(recorded,)
    )


def _stop(state: ExecutionState, event: StopRequested) -> ExecutionState:
    under_way = bool(state.having(*BUSY, StepStatus.BACKING_OFF))
    before = state.stop or Stop(kill=False, interrupts=under_way)
    return replace(state, status=ExecutionStatus.STOPPING, stop=replace(before, kill=before.kill or event.kill))


def _retry(state: ExecutionState, event: RetryRequested, recorded: Recorded) -> ExecutionState:
    if state.status not in _RETRYABLE:
        raise _impossible(state, recorded)
    steps = dict(state.steps)
    for name in state.having(StepStatus.FAILED, StepStatus.STOPPED):
        steps[name] = step_facts.wanted_again(steps[name], recorded)
    waiting = state.having(StepStatus.FAILED, StepStatus.STOPPED, StepStatus.WAITING)
    return replace(
        state,
        status=ExecutionStatus.EXECUTING,
        max_parallel=state.max_parallel if event.max_parallel is None else event.max_parallel,
        ended_at=None,
        failure_reason="",
        stop=None,
        steps=steps,
        names={StepStatus.SUCCEEDED: state.having(StepStatus.SUCCEEDED), StepStatus.WAITING: waiting},
    )


def _finish(state: ExecutionState, event: ExecutionFinished, recorded: Recorded) -> ExecutionState:
    if state.finished or state.having(*BUSY, StepStatus.BACKING_OFF):
        raise _impossible(state, recorded)
    return replace(state, status=ExecutionStatus(event.status), ended_at=recorded.at, failure_reason=event.reason)


def _step_event(state: ExecutionState, event: StepEvent, recorded: Recorded) -> ExecutionState:
    before = state.steps.get(event.step) or StepExecution(step=event.step)
    if state.finished:
        raise step_facts.impossible(before, event, finished=True)
    after = step_facts.after(before, event, recorded, kill=bool(state.stop and state.stop.kill))
    names = dict(state.names)
    names[before.status] = names.get(before.status, _NO_NAMES) - {event.step}
    names[after.status] = names.get(after.status, _NO_NAMES) | {event.step}
    return replace(state, steps={**state.steps, event.step: after}, names=names)


def _impossible(state: ExecutionState, recorded: Recorded) -> InvalidTransition:
    return InvalidTransition(None, type(recorded.event).__name__, state.status.value, told(state.story))

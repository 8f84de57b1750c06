"""What the events of an execution add up to. `apply` is the only way to a new state; `fold` is apply over the journal.

A state is a value and knows no graph: readers fold without a plan. Each event costs one copy of the mapping it changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from typing_extensions import assert_never

from localpipe.errors import InvalidTransition
from localpipe.scheduling import children
from localpipe.scheduling.events import (
    AttemptFailed,
    AttemptStarted,
    AttemptStopped,
    CacheChecked,
    ChildEnded,
    ChildLaunched,
    ChildStarted,
    ExecutionFinished,
    ExecutionStarted,
    JobLaunched,
    MessageSent,
    ParallelismChanged,
    Recorded,
    RetryRequested,
    RetryScheduled,
    RoomAwaited,
    StepReused,
    StepSucceeded,
    StopRequested,
    StopSignalled,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from localpipe.core import JSON
    from localpipe.scheduling.children import ChildEvent, ChildExecution
    from localpipe.scheduling.events import Event

StepEvent: TypeAlias = (
    AttemptStarted
    | RoomAwaited
    | JobLaunched
    | ChildStarted
    | ChildLaunched
    | ChildEnded
    | MessageSent
    | CacheChecked
    | StepReused
    | StepSucceeded
    | AttemptFailed
    | AttemptStopped
    | StopSignalled
    | RetryScheduled
)


class StepStatus(str, Enum):
    """The service's words, and two of ours: Waiting (never listed) and BackingOff (a retry is due later).

    A step of a branch not taken, or behind a failed step, stays Waiting. Follows: service.md section 5.2.
    """

    WAITING = "Waiting"
    STARTING = "Starting"
    EXECUTING = "Executing"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    SUCCEEDED = "Succeeded"
    BACKING_OFF = "BackingOff"

    __str__ = str.__str__


class ExecutionStatus(str, Enum):
    """Follows: service.md section 5.2."""

    EXECUTING = "Executing"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    SUCCEEDED = "Succeeded"

    __str__ = str.__str__


BUSY = (StepStatus.STARTING, StepStatus.EXECUTING, StepStatus.STOPPING)
"""An attempt is under way and has no end in the journal yet."""

TRANSITIONS: Mapping[tuple[StepStatus, type[Event]], StepStatus] = {
    (StepStatus.WAITING, AttemptStarted): StepStatus.STARTING,
    (StepStatus.WAITING, StepReused): StepStatus.SUCCEEDED,  # not selected
    (StepStatus.STARTING, AttemptStarted): StepStatus.STARTING,  # localpipe crashed: the same attempt is done anew
    (StepStatus.STARTING, RoomAwaited): StepStatus.STARTING,
    (StepStatus.STARTING, JobLaunched): StepStatus.EXECUTING,
    (StepStatus.STARTING, MessageSent): StepStatus.EXECUTING,
    (StepStatus.STARTING, CacheChecked): StepStatus.STARTING,
    (StepStatus.STARTING, StepReused): StepStatus.SUCCEEDED,  # found in the cache
    (StepStatus.STARTING, StopSignalled): StepStatus.STOPPING,
    (StepStatus.STARTING, StepSucceeded): StepStatus.SUCCEEDED,
    (StepStatus.STARTING, AttemptFailed): StepStatus.FAILED,
    (StepStatus.STARTING, AttemptStopped): StepStatus.STOPPED,
    (StepStatus.EXECUTING, AttemptStarted): StepStatus.STARTING,
    (StepStatus.EXECUTING, JobLaunched): StepStatus.EXECUTING,  # found after a crash, it failed and runs anew
    (StepStatus.EXECUTING, ChildStarted): StepStatus.EXECUTING,
    (StepStatus.EXECUTING, ChildLaunched): StepStatus.EXECUTING,
    (StepStatus.EXECUTING, ChildEnded): StepStatus.EXECUTING,
    (StepStatus.EXECUTING, StopSignalled): StepStatus.STOPPING,
    (StepStatus.EXECUTING, StepSucceeded): StepStatus.SUCCEEDED,
    (StepStatus.EXECUTING, AttemptFailed): StepStatus.FAILED,
    (StepStatus.EXECUTING, AttemptStopped): StepStatus.STOPPED,
    (StepStatus.STOPPING, AttemptStarted): StepStatus.STARTING,
    (StepStatus.STOPPING, RoomAwaited): StepStatus.STOPPING,  # what was being done when it was told to stop
    (StepStatus.STOPPING, JobLaunched): StepStatus.STOPPING,
    (StepStatus.STOPPING, MessageSent): StepStatus.STOPPING,
    (StepStatus.STOPPING, CacheChecked): StepStatus.STOPPING,
    (StepStatus.STOPPING, StepReused): StepStatus.SUCCEEDED,
    (StepStatus.STOPPING, ChildStarted): StepStatus.STOPPING,
    (StepStatus.STOPPING, ChildLaunched): StepStatus.STOPPING,
    (StepStatus.STOPPING, ChildEnded): StepStatus.STOPPING,
    (StepStatus.STOPPING, StopSignalled): StepStatus.STOPPING,  # now it is killed
    (StepStatus.STOPPING, StepSucceeded): StepStatus.SUCCEEDED,
    (StepStatus.STOPPING, AttemptFailed): StepStatus.FAILED,
    (StepStatus.STOPPING, AttemptStopped): StepStatus.STOPPED,
    (StepStatus.FAILED, RetryScheduled): StepStatus.BACKING_OFF,
    (StepStatus.FAILED, RetryRequested): StepStatus.WAITING,
    (StepStatus.STOPPED, RetryRequested): StepStatus.WAITING,
    (StepStatus.BACKING_OFF, AttemptStarted): StepStatus.STARTING,
    (StepStatus.BACKING_OFF, AttemptStopped): StepStatus.STOPPED,  # the execution stops before the retry is due
}


@dataclass(frozen=True, kw_only=True)
class AttemptExecution:
    """One attempt of a step. Times are epoch seconds; `ended_at` None: it is under way. `launched_at`: its job runs since.

    `started_at` stays when a crashed attempt is done anew. `killed`: it was signalled after a kill had been asked for.
    `failed_host`: the host of its job that failed first, empty if none did. `awaits`: the place that its job waits for, in a
    sentence. `children`: its own jobs by number. `message`: what a Callback step has sent. `reused`: it was not made, since
    what the step gave elsewhere stands for it. `checks`: how it was compared with earlier results, by what was compared.
    """

    attempt: int
    job_name: str
    started_at: float
    ended_at: float | None = None
    reason: str = ""
    exception_type: str | None = None
    properties: JSON = None
    ends_execution: bool = False
    failed_host: str = ""
    log_files: tuple[str, ...] = ()
    repeat_command: str = ""
    outputs: tuple[str, ...] = ()
    launched_at: float | None = None
    killed: bool = False
    awaits: str = ""
    children: Mapping[int, ChildExecution] = field(default_factory=dict)
    message: MessageSent | None = None
    reused: StepReused | None = None
    checks: Mapping[str, CacheChecked] = field(default_factory=dict)

    @property
    def own_jobs(self) -> tuple[ChildExecution, ...]:
        """Its own jobs in the order of their numbers."""
        return tuple(self.children[number] for number in sorted(self.children))

    @property
    def all_log_files(self) -> tuple[str, ...]:
        """Those of its job, then those of its own jobs."""
        return (*self.log_files, *(log_file for child in self.own_jobs for log_file in child.log_files))

    @property
    def all_outputs(self) -> tuple[str, ...]:
        """Those of its job, then those of its own jobs."""
        return (*self.outputs, *(uri for child in self.own_jobs for uri in child.outputs))


@dataclass(frozen=True, kw_only=True)
class StepExecution:
    """The history of one step. What a single attempt has (`job_name`, `reason`, ...) is read from the last one.

    `attempts` are all of them, oldest first, those before a RetryPipelineExecution included. `tried_since`: start of the
    first attempt since then, from which ExpireAfterMin counts. `retries`: index of a policy → how often it was used since
    then. `due_at`: when the next attempt may start, while BackingOff. `branches_taken`: opened by its success.
    """

    step: str
    status: StepStatus = StepStatus.WAITING
    attempts: tuple[AttemptExecution, ...] = ()
    tried_since: float | None = None
    retries: Mapping[int, int] = field(default_factory=dict)
    due_at: float | None = None
    property_files: Mapping[str, str] = field(default_factory=dict)
    branches_taken: tuple[str, ...] = ()
    story: tuple[Recorded, ...] = field(default=(), repr=False)

    @property
    def last(self) -> AttemptExecution | None:
        """The last attempt, under way or ended; None before the first."""
        return self.attempts[-1] if self.attempts else None

    @property
    def attempt(self) -> int:
        """AttemptCount: the number of the last attempt, 0 before the first."""
        return self.last.attempt if self.last else 0

    @property
    def job_name(self) -> str:
        """The job of the last attempt; empty before the first."""
        return self.last.job_name if self.last else ""

    @property
    def started_at(self) -> float | None:
        """When the last attempt started; None before the first."""
        return self.last.started_at if self.last else None

    @property
    def ended_at(self) -> float | None:
        """When the step ended; None while it goes on, also between two attempts."""
        return self.last.ended_at if self.last and self.status in _ENDED else None

    @property
    def properties(self) -> JSON:
        """The last attempt's properties in Describe shape; None where it has none."""
        return self.last.properties if self.last else None

    @property
    def reason(self) -> str:
        """The last attempt's FailureReason; empty where it has none."""
        return self.last.reason if self.last else ""

    @property
    def failed_host(self) -> str:
        """The host of the last attempt's job that failed first; empty if none did."""
        return self.last.failed_host if self.last else ""

    @property
    def exception_type(self) -> str | None:
        """What RetryPolicies match on; None is never retried."""
        return self.last.exception_type if self.last else None

    @property
    def log_files(self) -> tuple[str, ...]:
        """Host paths of the logs of the last attempt and of its own jobs."""
        return self.last.all_log_files if self.last else ()

    @property
    def repeat_command(self) -> str:
        """Runs the last attempt's container again by hand; empty where there is none."""
        return self.last.repeat_command if self.last else ""

    @property
    def outputs(self) -> tuple[str, ...]:
        """S3 URIs under which the last attempt's job publishes, or its own jobs do."""
        return self.last.all_outputs if self.last else ()


_ENDED = frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.STOPPED})


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
        raise InvalidTransition(None, _label(event), "not started", _told(()))
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
        step = steps[name]
        steps[name] = StepExecution(
            step=name,
            status=TRANSITIONS[step.status, RetryRequested],
            attempts=step.attempts,
            story=(*step.story, recorded),
        )
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
    status = TRANSITIONS.get((before.status, type(event)))
    if state.finished or status is None or event.attempt != _expected_attempt(before, event):
        raise _impossible_step(before, event, finished=state.finished)
    after = _advance(before, event, status, recorded, kill=bool(state.stop and state.stop.kill))
    names = dict(state.names)
    names[before.status] = names.get(before.status, _NO_NAMES) - {event.step}
    names[status] = names.get(status, _NO_NAMES) | {event.step}
    return replace(state, steps={**state.steps, event.step: after}, names=names)


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
        case ChildStarted() | ChildLaunched() | ChildEnded():
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
        raise InvalidTransition(event.step, type(event).__name__, status, _told(step.story[:-1]))
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
        case AttemptStarted() | RetryScheduled() | StepReused() | ChildStarted() | ChildLaunched() | ChildEnded():
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


def _impossible(state: ExecutionState, recorded: Recorded) -> InvalidTransition:
    return InvalidTransition(None, type(recorded.event).__name__, state.status.value, _told(state.story))


def _impossible_step(step: StepExecution, event: StepEvent, *, finished: bool) -> InvalidTransition:
    """The attempt's number is told where it is part of what is wrong."""
    name, status = type(event).__name__, step.status.value
    if event.attempt != _expected_attempt(step, event):
        name, status = f"{name}({event.attempt})", f"{status}, attempt {step.attempt}"
    if finished:
        status = f"{status} in a finished execution"
    return InvalidTransition(event.step, name, status, _told(step.story))


def _told(story: Iterable[Recorded]) -> str:
    """For example `#12 AttemptStarted(1), #13 JobLaunched`."""
    return ", ".join(f"#{recorded.seq} {_label(recorded.event)}" for recorded in story) or "nothing before"


def _label(event: Event) -> str:
    name = type(event).__name__
    return f"{name}({event.attempt})" if isinstance(event, AttemptStarted) else name


def transitions_mermaid() -> str:
    """TRANSITIONS as a Mermaid state diagram, for the documentation."""
    lines = [f"    {before.value} --> {after.value}: {event.__name__}" for (before, event), after in TRANSITIONS.items()]
    return "\n".join(["stateDiagram-v2", "    [*] --> Waiting", *lines, "    Succeeded --> [*]"])

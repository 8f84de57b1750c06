"""The scheduler: from a plan, a state and the time to what is to be done next. Knows no step type, no job, no runner.

`decide` is a pure function, so a journal folded again gives the same commands. It is asked again after what it said has
been recorded; it says nothing twice that the state shows as done.
Follows: service.md sections 5.1, 5.4, 5.6, 5.7, 7, 11.3 and 13.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from localpipe.scheduling.events import AttemptStopped, ExecutionFinished, RetryScheduled
from localpipe.scheduling.history import BUSY, StepStatus
from localpipe.scheduling.messages import asking_to_stop, asks_to_stop
from localpipe.scheduling.plan import FailureMode
from localpipe.scheduling.retries import Retry, RetryDecision, decide_retry
from localpipe.scheduling.state import ExecutionStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpipe.scheduling.events import Event
    from localpipe.scheduling.graph import Node
    from localpipe.scheduling.history import StepExecution
    from localpipe.scheduling.plan import ExecutionPlan
    from localpipe.scheduling.state import ExecutionState

FAILURE_REASON = "Step failure: One or multiple steps failed."
"""The FailureReason of every failed execution, exactly. Follows: service.md section 5.4."""


@dataclass(frozen=True)
class StartAttempt:
    """Record AttemptStarted, then do the step."""

    step: str
    attempt: int


@dataclass(frozen=True)
class StopAttempt:
    """Record StopSignalled, then tell the attempt's job to stop, with its grace or (`kill`) without."""

    step: str
    attempt: int
    kill: bool


@dataclass(frozen=True)
class Record:
    """Write this fact; nothing else is to be done."""

    event: Event


@dataclass(frozen=True)
class WakeAt:
    """Decide again at `at` (epoch seconds) if nothing happens before."""

    at: float


@dataclass(frozen=True)
class PrepareAttempt:
    """Nothing is recorded: make what the step's job needs and can be made before it starts."""

    step: str
    attempt: int


Command: TypeAlias = StartAttempt | StopAttempt | Record | WakeAt


def decide(plan: ExecutionPlan, state: ExecutionState, now: float) -> list[Command]:
    """Return what is to be done now, in document order of the steps; empty: wait for the next event.

    `now`: epoch seconds; it only matters to steps that wait for a retry.
    """
    if state.finished:
        return []
    if state.stop or _ended_by_step(state):
        return _wind_down(plan, state, now)
    commands: list[Command] = [*_retries(plan, state), *_starts(plan, state, now), *_wake(plan, state, now)]
    if commands or state.having(*BUSY):
        return commands
    return [Record(_outcome(state))]


def foresee(plan: ExecutionPlan, state: ExecutionState, limit: int) -> list[PrepareAttempt]:
    """Return what can be made ready while others run: at most `limit` steps that come next, then those that follow them.

    The next are, in document order, those that could start if every running job had succeeded, and those that wait for room.
    None as long as no job runs, since what is about to start comes first, and none once something has failed or is to stop.
    """
    executing = state.having(StepStatus.EXECUTING)
    if not (limit and executing) or state.stop or state.having(StepStatus.FAILED, StepStatus.STOPPED):
        return []
    done = executing | state.having(StepStatus.SUCCEEDED)
    coming = [node.name for node in _ready(plan, state, done)]
    after = (node.name for node in _ready(plan, state, done.union(coming)) if node.name not in coming)
    return [PrepareAttempt(name, _next_attempt(state, name)) for name in islice((*coming, *after), limit)]


def _next_attempt(state: ExecutionState, name: str) -> int:
    step = state.steps.get(name)
    return step.attempt + 1 if step else 1


def _retries(plan: ExecutionPlan, state: ExecutionState) -> Iterator[Record]:
    for step in _steps(plan, state, StepStatus.FAILED):
        if retry := _retry(plan, step):
            yield Record(RetryScheduled(step.step, step.attempt, at=retry.at, policy=retry.policy))


def _retry(plan: ExecutionPlan, step: StepExecution) -> Retry | None:
    decision = retry_decision(plan, step)
    return decision if isinstance(decision, Retry) else None


def retry_decision(plan: ExecutionPlan, step: StepExecution) -> RetryDecision | None:
    """The retry that a failed step is entitled to, or why it is to none; None for one that has not failed.

    Follows from its history alone: asked later, the answer is the same.
    """
    if step.status is not StepStatus.FAILED or step.tried_since is None or step.ended_at is None:
        return None
    return decide_retry(
        plan.retry_policies(step.step),
        exception_type=step.exception_type,
        retries=step.retries,
        started_at=step.tried_since,
        failed_at=step.ended_at,
    )


def _starts(plan: ExecutionPlan, state: ExecutionState, now: float) -> Iterator[StartAttempt]:
    """Ready steps and due retries, as many as there is room for. What is not capped needs none (service.md 13, no. 17)."""
    nodes = plan.graph.nodes
    taken = sum(nodes[name].capped for name in state.having(*BUSY))
    for node in _startable(plan, state, now):
        if node.capped and state.max_parallel is not None:
            if taken >= state.max_parallel:
                continue
            taken += 1
        yield StartAttempt(node.name, _next_attempt(state, node.name))


def _startable(plan: ExecutionPlan, state: ExecutionState, now: float) -> list[Node]:
    """What could start now if there were room, in document order (Assumed: service.md section 5.1)."""
    due = [
        plan.graph.nodes[step.step] for step in _backing_off(plan, state) if step.due_at is not None and step.due_at <= now
    ]
    if plan.failure_mode is FailureMode.START_NOTHING_NEW and state.having(StepStatus.FAILED, StepStatus.STOPPED):
        return due  # a failure that a retry follows keeps others back only until the retry is recorded
    return sorted((*due, *_ready(plan, state, state.having(StepStatus.SUCCEEDED))), key=_index)


def _ready(plan: ExecutionPlan, state: ExecutionState, reached: frozenset[str]) -> Iterator[Node]:
    """Steps that have not started and whose needs are all reached.

    Never among them: a step in a branch that was not taken, or behind a step that failed, stopped or never ran.
    """
    succeeded, waiting = state.having(StepStatus.SUCCEEDED), state.having(StepStatus.WAITING)
    for name, node in plan.graph.nodes.items():
        if (name not in state.steps or name in waiting) and node.needs <= reached:
            guard = node.guard
            if guard is None or (guard.step in succeeded and guard.branch in state.steps[guard.step].branches_taken):
                yield node


def _wake(plan: ExecutionPlan, state: ExecutionState, now: float) -> list[WakeAt]:
    later = [step.due_at for step in _backing_off(plan, state) if step.due_at is not None and step.due_at > now]
    return [WakeAt(min(later))] if later else []


def _wind_down(plan: ExecutionPlan, state: ExecutionState, now: float) -> list[Command]:
    """Stop what runs and start nothing, because somebody asked or a step ended the execution.

    Follows: service.md sections 5.6 and 5.4 (Fail step while others run).
    """
    kill = state.stop is not None and state.stop.kill
    stops = [
        StopAttempt(step.step, step.attempt, kill=kill)
        for step in _steps(plan, state, *BUSY)
        if step.status is not StepStatus.STOPPING or (kill and not step.attempts[-1].killed)
    ]
    told = list(_tell_queues(plan, state, kill=kill))
    given_up = [Record(AttemptStopped(step.step, step.attempt)) for step in _backing_off(plan, state)]
    if stops or told or given_up or state.having(*BUSY):
        return [*stops, *told, *given_up]
    return [Record(_outcome_of_winding_down(plan, state, now))]


def _tell_queues(plan: ExecutionPlan, state: ExecutionState, *, kill: bool) -> Iterator[Record]:
    """A second message for each step that waits for an answer, and goes on waiting; one that is killed waits no more.

    Follows: service.md section 5.6.
    """
    for step in _steps(plan, state, *BUSY):
        sent = step.last.message if step.last else None
        if sent and kill:
            yield Record(AttemptStopped(step.step, step.attempt))
        elif sent and not asks_to_stop(sent):
            yield Record(asking_to_stop(sent))


def _outcome_of_winding_down(plan: ExecutionPlan, state: ExecutionState, now: float) -> ExecutionFinished:
    """A stop that found nothing left to do was too late: the execution ends as it would have."""
    if _ended_by_step(state):
        return _outcome(state)
    prevented = any(_retries(plan, state)) or _startable(plan, state, now)
    if (state.stop and state.stop.interrupts) or prevented:
        return ExecutionFinished(ExecutionStatus.STOPPED.value)
    return _outcome(state)


def _outcome(state: ExecutionState) -> ExecutionFinished:
    """A step that was stopped from outside counts as failed (Assumed: service.md section 13, no. 16)."""
    if state.having(StepStatus.FAILED, StepStatus.STOPPED):
        return ExecutionFinished(ExecutionStatus.FAILED.value, FAILURE_REASON)
    return ExecutionFinished(ExecutionStatus.SUCCEEDED.value)


def _ended_by_step(state: ExecutionState) -> bool:
    return any(state.steps[name].attempts[-1].ends_execution for name in state.having(StepStatus.FAILED))


def _backing_off(plan: ExecutionPlan, state: ExecutionState) -> list[StepExecution]:
    return _steps(plan, state, StepStatus.BACKING_OFF)


def _steps(plan: ExecutionPlan, state: ExecutionState, *statuses: StepStatus) -> list[StepExecution]:
    """Those with one of the statuses, in document order."""
    return [
        state.steps[node.name] for node in sorted((plan.graph.nodes[name] for name in state.having(*statuses)), key=_index)
    ]


def _index(node: Node) -> int:
    return node.index

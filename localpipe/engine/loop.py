"""Fold, decide, perform: one thread owns all decisions; workers only perform and hand back facts.

Every command is written down before it is carried out, and its end before its traces are removed. So a crash at any moment
leaves a journal from which `resume` goes on: an attempt without an end is looked for, taken up again or made anew. What was
handed back and what is decided on it are written in one commit.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

from localpipe.core.names import AttemptKey
from localpipe.engine.resolve import Attempt, step_values
from localpipe.engine.workers import working
from localpipe.errors import ConflictingAppend, HomeUnusable, LocalpipeError
from localpipe.scheduling.decide import Record, StartAttempt, StopAttempt, WakeAt, decide, foresee
from localpipe.scheduling.events import AttemptStarted, ChildEnded, MessageSent, StopSignalled, numbered
from localpipe.scheduling.history import BUSY, StepStatus
from localpipe.scheduling.state import apply, fold

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from localpipe.core.ports import Clock
    from localpipe.engine.perform import Performer
    from localpipe.engine.workers import Workers
    from localpipe.journal.sqlite import SqliteJournal
    from localpipe.scheduling.decide import Command
    from localpipe.scheduling.events import Event, Recorded
    from localpipe.scheduling.history import StepExecution
    from localpipe.scheduling.plan import ExecutionPlan
    from localpipe.scheduling.state import ExecutionState

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Drives one execution from wherever its journal stands to its end.

    `bell` is a descriptor that becomes readable when somebody else appended a fact. `observe` is called in the loop's thread
    with each fact, once, old ones first.
    """

    plan: ExecutionPlan
    execution_id: str
    journal: SqliteJournal
    performer: Performer
    clock: Clock
    bell: int
    job_name: Callable[[str, AttemptKey], str]
    observe: Callable[[Recorded], None]

    def run(self) -> ExecutionState:
        """Go on until the execution has finished; return its last state.

        Raises what a worker raised unexpectedly (a bug of ours), and HomeUnusable where the journal takes nothing any more:
        running jobs are killed, the journal stays resumable. In the second case jobs may have ended without a fact that
        says so: what is left of them stays for `resume` to find.
        """
        unended: Collection[AttemptKey] = ()
        try:
            with working(self.performer, self.bell, len(self.plan.graph.nodes)) as workers:
                loop = _Loop(self, workers, self._told_so_far())
                try:
                    return loop.run()
                except BaseException as error:
                    unended = loop.under_way if isinstance(error, HomeUnusable) else ()
                    loop.abandon()
                    raise
        finally:
            if self.performer.has_begun:
                self.sweep(unended)

    def _told_so_far(self) -> ExecutionState:
        facts = self.journal.read(self.execution_id)
        for fact in facts:
            self.observe(fact)
        return fold(facts)

    def sweep(self, unended: Collection[AttemptKey]) -> None:
        """Remove what is left of this execution's jobs, but for attempts without an end, as far as the engine answers."""
        try:
            self.performer.sweep(unended, self.execution_id)
        except (LocalpipeError, OSError) as error:
            _log.warning(
                "jobs of execution %s may be left behind; `localpipe gc` removes them: %s", self.execution_id, error
            )

    def tidy(self) -> None:
        """Remove what no job will want any more, as far as it can be removed."""
        try:
            self.performer.tidy()
        except (LocalpipeError, OSError) as error:
            _log.warning("what no job will want any more is kept; `localpipe gc` removes it: %s", error)


class _Loop:
    """The loop's thread. Mutable: holds the state folded so far, the attempts under way and those prepared ahead."""

    def __init__(self, engine: Engine, workers: Workers, state: ExecutionState) -> None:
        self._engine, self._workers, self._state = engine, workers, state
        self.under_way: set[AttemptKey] = set()
        self._tidied = False
        self._foreseen: set[tuple[AttemptKey, frozenset[str]]] = set()

    def run(self) -> ExecutionState:
        self._recover()
        arrived: Sequence[Event] = ()
        while True:
            wake_at = self._decide(arrived)
            self._clean()
            if self._state.finished:
                return self._state
            self._work_ahead()
            self._tidy_once()
            arrived = self._wait(wake_at)

    def abandon(self) -> None:
        """Leave no job behind that nobody waits for."""
        for key in self.under_way:
            self._workers.stop(key, kill=True)

    def _wait(self, wake_at: float | None) -> Sequence[Event]:
        """What workers handed back until something happened. Facts that came with a bug are written before it is raised."""
        messages = self._workers.wait(None if wake_at is None else max(0.0, wake_at - self._engine.clock.now()))
        facts = [message for message in messages if not isinstance(message, BaseException)]
        for message in messages:
            if isinstance(message, BaseException):
                self._write(facts)
                raise message
        if not facts:  # else writing them shows whether others have written
            self._read_on()
        return facts

    def _decide(self, arrived: Sequence[Event]) -> float | None:
        """Write down what arrived and what is decided on it; carry it out, until there is nothing to do.

        Returns when to look again, None for not before something happens.
        """
        while True:
            now = self._engine.clock.now()
            facts = numbered(arrived, after=self._state.seq, at=now)
            state = _after(self._state, facts)
            commands = decide(self._engine.plan, state, now)
            intents = numbered([event for command in commands for event in self._intents(command)], after=state.seq, at=now)
            if not facts and not intents:
                return min((command.at for command in commands if isinstance(command, WakeAt)), default=None)
            try:
                self._commit([*facts, *intents], _after(state, intents))
            except ConflictingAppend:
                self._read_on()
                continue
            arrived = ()
            for command in commands:
                self._carry_out(command)

    def _intents(self, command: Command) -> Sequence[Event]:
        match command:
            case StartAttempt(step=step, attempt=attempt):
                return [AttemptStarted(step, attempt, self._engine.job_name(step, self._key(step, attempt)))]
            case StopAttempt(step=step, attempt=attempt):
                return [StopSignalled(step, attempt)]
            case Record(event=event):
                return [event]
            case WakeAt():
                return []

    def _carry_out(self, command: Command) -> None:
        match command:
            case StartAttempt(step=step):
                self._start(self._state.steps[step], reattach=False)
            case StopAttempt(step=step, attempt=attempt, kill=kill):
                self._workers.stop(self._key(step, attempt), kill=kill)

    def _start(self, execution: StepExecution, *, reattach: bool) -> None:
        key, last = self._key(execution.step, execution.attempt), execution.attempts[-1]
        attempt = self._attempt(key, execution.job_name, last.started_at)
        self.under_way.add(key)
        self._workers.make(
            replace(
                attempt,
                reattach=reattach,
                launched_at=last.launched_at,
                children=last.children,
                message=last.message,
                checks=last.checks,
            )
        )

    def _attempt(self, key: AttemptKey, job_name: str, at: float) -> Attempt:
        node, succeeded = self._engine.plan.graph.nodes[key.step], self._state.having(StepStatus.SUCCEEDED)
        values = {name: step_values(self._state.steps[name]) for name in node.needs if name in succeeded}
        return Attempt(key=key, step=node.step, job_name=job_name, at=at, values=values)

    def _work_ahead(self) -> None:
        """Have the containers made of what comes next."""
        engine = self._engine
        for command in foresee(engine.plan, self._state, engine.performer.most_ahead):
            key = self._key(command.step, command.attempt)
            attempt = self._attempt(key, engine.job_name(command.step, key), engine.clock.now())
            known = (key, frozenset(attempt.values))
            if known not in self._foreseen:
                self._foreseen.add(known)
                self._workers.prepare(attempt)

    def _tidy_once(self) -> None:
        """Have what is kept looked through while a job runs, when there is time for it."""
        if not self._tidied and self._state.having(StepStatus.EXECUTING):
            self._tidied = True
            self._workers.aside(self._engine.tidy)

    def _write(self, events: Sequence[Event]) -> None:
        """Write down facts that hold whatever others have written meanwhile."""
        while events:
            facts = numbered(events, after=self._state.seq, at=self._engine.clock.now())
            try:
                return self._commit(facts, _after(self._state, facts))
            except ConflictingAppend:
                self._read_on()
        return None

    def _commit(self, facts: Sequence[Recorded], state: ExecutionState) -> None:
        """Write facts; `state` is the one after them. Raises ConflictingAppend if others have written meanwhile."""
        self._engine.journal.record(self._engine.execution_id, facts)
        self._take_up(facts, state)

    def _read_on(self) -> None:
        facts = self._engine.journal.read(self._engine.execution_id, after=self._state.seq)
        self._take_up(facts, _after(self._state, facts))

    def _take_up(self, facts: Sequence[Recorded], state: ExecutionState) -> None:
        self._state = state
        for fact in facts:
            self._engine.observe(fact)
            if isinstance(fact.event, ChildEnded):
                self._workers.clean(self._key(fact.event.step, fact.event.attempt, fact.event.child))
            if isinstance(fact.event, MessageSent):
                self._workers.deliver(self._key(fact.event.step, fact.event.attempt), fact.event)

    def _clean(self) -> None:
        """Remove the traces of attempts whose end is in the journal."""
        for key in tuple(self.under_way):
            execution = self._state.steps[key.step]
            if execution.attempt != key.attempt or execution.status not in BUSY:
                self.under_way.discard(key)
                self._workers.clean(key)

    def _recover(self) -> None:
        """Take up the attempts that a killed localpipe left without an end.

        Each is started again under the same name, and a job that still runs is found and waited for. One that was being
        stopped is told so again by the next decision. One that waits for an answer goes on waiting; its message is delivered
        again, since the crash may have come before.
        """
        if not self._state.steps:
            return
        left = [step for step in self._state.steps.values() if step.status in BUSY]
        self._engine.sweep([self._key(step.step, step.attempt) for step in left])
        begun = [step for step in left if step.attempts[-1].message is None]
        self._write([AttemptStarted(step.step, step.attempt, step.job_name) for step in begun])
        for step in begun:
            self._start(self._state.steps[step.step], reattach=True)
        for step in left:
            if sent := step.attempts[-1].message:
                key = self._key(step.step, step.attempt)
                self.under_way.add(key)
                self._workers.deliver(key, sent)

    def _key(self, step: str, attempt: int, child: int = 0) -> AttemptKey:
        return AttemptKey(execution_id=self._engine.execution_id, step=step, attempt=attempt, child=child)


def _after(state: ExecutionState, facts: Sequence[Recorded]) -> ExecutionState:
    return reduce(apply, facts, state)

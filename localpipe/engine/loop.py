"""Fold, decide, perform: one thread owns all decisions; workers only perform and hand back facts.

Every command is written down before it is carried out, and its end before its traces are removed. So a crash at any moment
leaves a journal from which `resume` goes on: an attempt without an end is looked for, taken up again or made anew.
"""

from __future__ import annotations

import logging
import os
import selectors
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from localpipe.core.names import AttemptKey
from localpipe.engine.resolve import Attempt, step_values
from localpipe.errors import ConflictingAppend, LocalpipeError
from localpipe.scheduling.decide import Record, StartAttempt, StopAttempt, WakeAt, decide
from localpipe.scheduling.events import AttemptStarted, StopSignalled
from localpipe.scheduling.state import BUSY, apply, fold

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localpipe.core.ports import Clock
    from localpipe.engine.perform import Performer
    from localpipe.journal.sqlite import SqliteJournal
    from localpipe.scheduling.decide import Command
    from localpipe.scheduling.events import Event, Recorded
    from localpipe.scheduling.plan import ExecutionPlan
    from localpipe.scheduling.state import ExecutionState, StepExecution

_MOST_WORKERS = 1024
_log = logging.getLogger(__name__)


class Engine:
    """Drives one execution from wherever its journal stands to its end.

    `bell` is a descriptor that becomes readable when somebody else appended a fact. `observe` is called in the loop's thread
    with each fact, once, old ones first. Mutable: holds the state folded so far and the attempts under way.
    """

    def __init__(
        self,
        plan: ExecutionPlan,
        execution_id: str,
        *,
        journal: SqliteJournal,
        performer: Performer,
        clock: Clock,
        bell: int,
        job_name: Callable[[str, AttemptKey], str],
        observe: Callable[[Recorded], None],
    ) -> None:
        self._plan, self._id = plan, execution_id
        self._journal, self._performer, self._clock = journal, performer, clock
        self._bell, self._job_name, self._observe = bell, job_name, observe
        self._inbox: deque[Event | BaseException] = deque()
        self._wake_reader, self._wake_writer = os.pipe()
        self._under_way: set[AttemptKey] = set()
        facts = journal.read(execution_id)
        self._state = fold(facts)
        for fact in facts:
            observe(fact)

    def run(self) -> ExecutionState:
        """Go on until the execution has finished; return its last state.

        Raises what a worker raised unexpectedly (a bug of ours): running jobs are killed, the journal stays resumable.
        """
        workers = ThreadPoolExecutor(_MOST_WORKERS, thread_name_prefix="attempt")
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._bell, selectors.EVENT_READ)
                selector.register(self._wake_reader, selectors.EVENT_READ)
                self._recover(workers)
                while not self._state.finished:
                    wake_at = self._decide(workers)
                    if not self._state.finished:
                        self._wait(selector, wake_at)
                        self._take_in()
                        self._clean(workers)
                self._clean(workers)
        except BaseException:
            self._abandon()
            raise
        finally:
            workers.shutdown(wait=True)
            self._sweep([])
            os.close(self._wake_reader)
            os.close(self._wake_writer)
        return self._state

    def _decide(self, workers: ThreadPoolExecutor) -> float | None:
        """Carry out commands until there are none; return when to look again, None for not before something happens."""
        while True:
            commands = decide(self._plan, self._state, self._clock.now())
            intents = [event for command in commands for event in self._intents(command)]
            if not intents:
                return min((command.at for command in commands if isinstance(command, WakeAt)), default=None)
            try:
                self._append(intents, after=self._state.seq)
            except ConflictingAppend:
                self._read_on()
                continue
            for command in commands:
                self._carry_out(command, workers)

    def _intents(self, command: Command) -> Sequence[Event]:
        match command:
            case StartAttempt(step=step, attempt=attempt):
                key = self._key(step, attempt)
                return [AttemptStarted(step, attempt, self._job_name(step, key))]
            case StopAttempt(step=step, attempt=attempt):
                return [StopSignalled(step, attempt)]
            case Record(event=event):
                return [event]
            case WakeAt():
                return []

    def _carry_out(self, command: Command, workers: ThreadPoolExecutor) -> None:
        match command:
            case StartAttempt(step=step):
                self._start(self._state.steps[step], workers, reattach=False)
            case StopAttempt(step=step, attempt=attempt, kill=kill):
                workers.submit(_logged, self._performer.stop, self._key(step, attempt), kill=kill)

    def _start(self, execution: StepExecution, workers: ThreadPoolExecutor, *, reattach: bool) -> None:
        key = self._key(execution.step, execution.attempt)
        node = self._plan.graph.nodes[execution.step]
        attempt = Attempt(
            key=key,
            step=node.step,
            job_name=execution.job_name,
            at=execution.attempts[-1].started_at,
            launched_at=execution.attempts[-1].launched_at,
            values={name: step_values(self._state.steps[name]) for name in node.needs if name in self._state.steps},
            reattach=reattach,
        )
        self._under_way.add(key)
        workers.submit(self._work, attempt)

    def _work(self, attempt: Attempt) -> None:
        """In a worker thread: make the attempt and hand its facts to the loop."""
        try:
            self._post(self._performer.make(attempt, self._post))
        except BaseException as error:  # noqa: BLE001 - raised again in the loop's thread, where it ends the run
            self._post(error)

    def _post(self, message: Event | BaseException) -> None:
        self._inbox.append(message)
        os.write(self._wake_writer, b"\n")

    def _wait(self, selector: selectors.BaseSelector, wake_at: float | None) -> None:
        timeout = None if wake_at is None else max(0.0, wake_at - self._clock.now())
        for ready, _ in selector.select(timeout):
            with suppress(BlockingIOError):
                os.read(ready.fd, 4096)

    def _take_in(self) -> None:
        """Fold what workers handed back and what others appended."""
        self._read_on()
        messages = [self._inbox.popleft() for _ in range(len(self._inbox))]
        facts = [message for message in messages if not isinstance(message, BaseException)]
        if facts:
            self._append(facts, after=None)
        for message in messages:
            if isinstance(message, BaseException):
                raise message

    def _append(self, events: Sequence[Event], *, after: int | None) -> None:
        if after is None:
            self._journal.append(self._id, events)
            self._read_on()
            return
        self._fold(self._journal.append(self._id, events, after=after))

    def _read_on(self) -> None:
        self._fold(self._journal.read(self._id, after=self._state.seq))

    def _fold(self, facts: Sequence[Recorded]) -> None:
        for fact in facts:
            self._state = apply(self._state, fact)
            self._observe(fact)

    def _clean(self, workers: ThreadPoolExecutor) -> None:
        """Remove the traces of attempts whose end is in the journal."""
        for key in tuple(self._under_way):
            execution = self._state.steps[key.step]
            if execution.attempt != key.attempt or execution.status not in BUSY:
                self._under_way.discard(key)
                workers.submit(_logged, self._performer.clean, key)

    def _recover(self, workers: ThreadPoolExecutor) -> None:
        """Take up the attempts that a killed localpipe left without an end.

        Each is started again under the same name, and a job that still runs is found and waited for. One that was being
        stopped is told so again by the next decision.
        """
        if not self._state.steps:
            return
        left = [step for step in self._state.steps.values() if step.status in BUSY]
        self._sweep([self._key(step.step, step.attempt) for step in left])
        if not left:
            return
        self._append([AttemptStarted(step.step, step.attempt, step.job_name) for step in left], after=None)
        for step in left:
            self._start(self._state.steps[step.step], workers, reattach=True)

    def _sweep(self, unended: Sequence[AttemptKey]) -> None:
        """Remove what is left of this execution's jobs, but for attempts without an end, as far as the engine answers."""
        try:
            self._performer.sweep(unended, self._id)
        except LocalpipeError as error:
            _log.warning("jobs of execution %s may be left behind; `localpipe gc` removes them: %s", self._id, error)

    def _abandon(self) -> None:
        """A bug of ours ends the run: leave no job behind that nobody waits for."""
        for key in self._under_way:
            _logged(self._performer.stop, key, kill=True)

    def _key(self, step: str, attempt: int) -> AttemptKey:
        return AttemptKey(execution_id=self._id, step=step, attempt=attempt)


def _logged(action: Callable[..., None], key: AttemptKey, **options: bool) -> None:
    """Stop or clean an attempt; that it could not be is logged, and never ends the run."""
    try:
        action(key, **options)
    except LocalpipeError as error:
        _log.warning("%s of %s failed: %s", action.__name__, key, error)
    except Exception:  # noqa: BLE001 - a bug of ours, told with its traceback where nobody waits for a result
        _log.exception("%s of %s failed", action.__name__, key)

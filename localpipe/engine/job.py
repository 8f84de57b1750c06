"""One job from `JobSpec` to `JobResult`: stage, prepare, start, wait, stop, collect."""

from __future__ import annotations

import logging
import signal
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localpipe.core.jobspec import JobEnd, JobExit, JobResult, Restart
from localpipe.engine.allowance import Allowance
from localpipe.engine.ending import Attended, end_of, lost_result, refused_result, result_of, wait_for_end
from localpipe.engine.place import Place
from localpipe.engine.signals import Signals
from localpipe.errors import InvalidTransition, LocalpipeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from localpipe.core.faults import Fault
    from localpipe.core.jobspec import JobSpec, StagedJob
    from localpipe.core.names import AttemptKey
    from localpipe.core.ports import Clock, Prepared, Runner, Running
    from localpipe.core.room import Size
    from localpipe.engine.allowance import Patience
    from localpipe.engine.slots import Slots
    from localpipe.staging import Serving, Stager

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class JobContext:
    """What the jobs of an execution share. `at_disk` is held while a job is staged and while its outputs are collected.

    A job has one of the `slots` from its start until its end is seen; it waits for one when it is prepared. Jobs that a
    killed localpipe left have theirs even beyond the limit. `size` says how much room a job takes. `made_ahead` gives, once,
    what was made ahead for exactly this job.
    """

    runner: Runner
    slots: Slots
    stager: Stager
    clock: Clock
    grace_seconds: float
    at_disk: AbstractContextManager[object]
    made_ahead: Callable[[StagedJob], Prepared | None]
    size: Callable[[JobSpec], Size]


@dataclass(frozen=True, kw_only=True)
class Launch:
    """That a job's containers run. `found`: a killed localpipe had left them running."""

    log_files: tuple[Path, ...]
    repeat_command: str
    found: bool


def _told_already(news: object) -> None:
    """Nobody waits for it: it stands in the journal."""


class JobRun:
    """A job of one attempt. One worker thread calls `run`; any thread may call `stop`; `clean` comes last.

    `fault`: what happens to it while it runs; nothing does to a job that a killed localpipe left.
    Mutable: holds the containers and whether they were told to stop, guarded by `_lock`; their place; and, for the thread
    that runs it, how often it was started again and what of its time is spent.
    """

    def __init__(self, spec: JobSpec, key: AttemptKey, context: JobContext, fault: Fault | None = None) -> None:
        self._spec, self._key, self._context = spec, key, context
        self._lock = threading.Lock()
        self._prepared: Prepared | None = None
        self._running: Running | None = None
        self._place = Place(context.slots, context.size(spec), self._is_stopped)
        self._signals: Signals | None = None
        self._stop_signal: signal.Signals | None = None
        self._restarts: tuple[Restart, ...] = ()
        self._allowance = Allowance(spec, fault, context.clock)

    def run(
        self,
        environment: Callable[[], Mapping[str, str]],
        launched: Callable[[Launch], None],
        *,
        created_at: float,
        reattach: bool,
        launched_at: float | None,
        waits: Callable[[str], None] = _told_already,
    ) -> JobResult:
        """Run the job to its end and publish its outputs. Never raises for what is the job's or the machine's fault.

        `environment` gives the whole environment; `launched` is called once the containers run, `waits` before that, with
        what there is too little of, if the job has to wait for room. `reattach`: look for containers that a killed localpipe
        left, running since `launched_at`, from when its time counts; one that fails then, or that nobody can go on serving,
        is run anew and its time counts anew, since an interruption of localpipe never counts against a job.
        """
        self._allowance.count_from(created_at)
        try:
            if reattach and (running := self._context.runner.find(self._key)):
                result = self._taken_up(running, environment, launched, created_at=created_at, launched_at=launched_at)
                if result:
                    return self._restarted(result, environment)
            if reattach:
                self._allowance.count_from(self._context.clock.now())
            self._remove_earlier()
            return self._restarted(self._once(environment, launched, waits, created_at), environment)
        except InvalidTransition:
            raise
        except (LocalpipeError, OSError) as error:
            return refused_result(error, created_at, self._context.clock.now())
        finally:
            self._place.give_back()

    def stop(self, *, kill: bool) -> None:
        """Tell the job to end: SIGTERM and, after the grace, SIGKILL; or SIGKILL at once. Follows: containers.md 2.11.

        One that has not started yet will not: it is taken back where it waits.
        """
        with self._lock:
            self._stop_signal = signum = signal.SIGKILL if kill else signal.SIGTERM
            prepared, signals = self._prepared, self._signals
        if signals:
            signals.send(signum)
        elif prepared:
            self._place.give_back()
            prepared.remove()

    def clean(self) -> None:
        """Remove the containers. Called when the result is in the journal, so that a crash before finds them again."""
        with self._lock:
            running, self._running = self._running, None
        if running:
            running.remove()

    def _once(
        self,
        environment: Callable[[], Mapping[str, str]],
        launched: Callable[[Launch], None],
        waits: Callable[[str], None],
        created_at: float,
    ) -> JobResult:
        staged = self._described(environment)
        attended = None
        try:
            self._make_ready(staged)
            with self._serving(staged) as serving:
                if started := self._start(staged, waits):
                    launched(self._launch(staged, found=False))
                    attended = self._attend(started, self._patience())
        finally:
            self._forget()
        if attended:
            return result_of(attended, self._spec, staged, serving, self._context, created_at=created_at)
        if trouble := serving.trouble():
            raise trouble
        end = JobEnd.STOPPED if self._is_stopped() else JobEnd.WAITED_OUT
        return JobResult(end=end, created_at=created_at, ended_at=self._context.clock.now())

    def _restarted(self, result: JobResult, environment: Callable[[], Mapping[str, str]]) -> JobResult:
        """The result of the first run that is neither interrupted nor lost, or of the last one that the job is allowed.

        The pipeline does not see it: it is one job of one attempt. Follows: containers.md 2.14, Spot and RetryStrategy.
        """
        while self._starts_again(result):
            ended, interrupted = result, result.end is JobEnd.INTERRUPTED
            try:
                self.clean()
                self._place.give_back()
                now = self._context.clock.now()
                self._restarts += (Restart(ended_at=result.ended_at, at=now, interrupted=interrupted),)
                result = self._once(environment, _told_already, _told_already, result.created_at)
            except (LocalpipeError, OSError) as error:
                _log.warning("%s: it cannot be started again: %s", self._key, error)
                return lost_result(ended, error) if interrupted else ended
            began_at = result.ended_at if result.started_at is None else result.started_at
            self._restarts = (*self._restarts[:-1], replace(self._restarts[-1], at=began_at))
            result = replace(result, started_at=ended.started_at, restarts=self._restarts)
        return replace(result, end=JobEnd.STOPPED) if result.end is JobEnd.INTERRUPTED else result

    def _starts_again(self, result: JobResult) -> bool:
        lost = sum(not restart.interrupted for restart in self._restarts)
        again = result.end is JobEnd.INTERRUPTED or (result.end is JobEnd.LOST and lost < self._spec.restarts)
        return again and not self._is_stopped()

    def _patience(self) -> Patience:
        """How long the next run of the job may last."""
        interruptions = sum(restart.interrupted for restart in self._restarts)
        return self._allowance.of_next_run(interruptions)

    def _taken_up(
        self,
        running: Running,
        environment: Callable[[], Mapping[str, str]],
        launched: Callable[[Launch], None],
        *,
        created_at: float,
        launched_at: float | None,
    ) -> JobResult | None:
        """The end of a job that was found; None, and nothing is left of it, if it must be run anew."""
        if not self._context.stager.can_go_on_serving(self._spec):
            running.remove()
            return None
        self._place.take()
        staged = self._described(environment)
        with self._serving(staged) as serving:
            launched(self._launch(staged, found=True))
            attended = self._attend(running, self._allowance.of_found(launched_at), launched_at)
        if attended.end is JobEnd.FAILED:
            self.clean()  # it may have failed only because nobody served its S3 for a while
            return None
        return result_of(attended, self._spec, staged, serving, self._context, created_at=created_at)

    def _remove_earlier(self) -> None:
        """Remove what earlier attempts of this step left: a job that was lost may run on."""
        if self._key.attempt > 1:
            self._context.runner.sweep(lambda key: not _is_earlier(key, self._key))

    def _described(self, environment: Callable[[], Mapping[str, str]]) -> StagedJob:
        context = self._context
        return context.stager.describe(self._spec, self._key, environment(), overlays=context.runner.overlays)

    def _make_ready(self, staged: StagedJob) -> None:
        """Make what the job finds in its directories, and those too unless a container made ahead has them mounted."""
        context, overlays = self._context, self._context.runner.overlays
        if made_ahead := context.made_ahead(staged):
            self._note(made_ahead)
        with context.at_disk:
            if not made_ahead:
                context.stager.lay_out(self._spec, self._key, overlays=overlays)
            context.stager.fill(self._spec, self._key, overlays=overlays)

    def _serving(self, staged: StagedJob) -> AbstractContextManager[Serving]:
        """Around the run of the containers; a job that cannot be served on is killed."""
        return self._context.stager.serving(self._spec, staged, self._give_up)

    def _give_up(self) -> None:
        try:
            self.stop(kill=True)
        except (LocalpipeError, OSError) as error:
            _log.warning("%s: it cannot be served on and cannot be killed: %s", self._key, error)

    def _launch(self, staged: StagedJob, *, found: bool) -> Launch:
        repeat_command = self._context.runner.repeat_command(staged)
        return Launch(log_files=_log_files(staged), repeat_command=repeat_command, found=found)

    def _start(self, staged: StagedJob, waits: Callable[[str], None]) -> Running | None:
        """Start the job; None if it was told to stop before it ran, or waited for room as long as it may."""
        prepared = self._prepared or self._note(self._prepare(staged))
        try:
            if self._place.wait(waits, self._allowance.of_waiting()):
                return self._started(prepared)
        except (LocalpipeError, OSError):
            if not self._is_stopped():  # else it was taken back while it started
                raise
        return None

    def _prepare(self, staged: StagedJob) -> Prepared:
        self._context.runner.ensure_image(self._spec.image_uri)
        return self._context.runner.prepare(staged)

    def _note(self, prepared: Prepared) -> Prepared:
        """Remember a preparation, so that whoever stops the job takes it back."""
        with self._lock:
            self._prepared = prepared
        return prepared

    def _started(self, prepared: Prepared) -> Running:
        running = prepared.start()
        with self._lock:
            self._running, self._prepared = running, None
        return running

    def _forget(self) -> None:
        """Take back a preparation that has not become a running job."""
        with self._lock:
            left, self._prepared = self._prepared, None
        if left:
            try:
                left.remove()
            except (LocalpipeError, OSError) as error:
                _log.warning("%s: its preparation is left behind: %s", self._key, error)

    def _is_stopped(self) -> bool:
        with self._lock:
            return self._stop_signal is not None

    def _attend(self, running: Running, patience: Patience, launched_at: float | None = None) -> Attended:
        """Wait for the end of a started job, passing on what it is told meanwhile."""
        started_at = self._context.clock.now() if launched_at is None else launched_at
        signals = Signals(self._key, running, self._context.grace_seconds)
        with self._lock:
            self._running, self._signals, stop_signal = running, signals, self._stop_signal
        try:
            if stop_signal:
                signals.try_to_send(stop_signal)
            exit_ = self._followed(running, signals, patience)
        except (LocalpipeError, OSError) as error:
            lost = JobExit(exit_code=0, message=str(error))
            return Attended(end=JobEnd.LOST, exit=lost, started_at=started_at, ended_at=self._context.clock.now())
        finally:
            signals.end()
            self._allowance.spend(self._context.clock.now() - started_at)
            with self._lock:
                self._signals = None
        self._place.give_back()
        end = end_of(exit_, signals, stopped=self._is_stopped())
        return Attended(end=end, exit=exit_, started_at=started_at, ended_at=self._context.clock.now())

    def _followed(self, running: Running, signals: Signals, patience: Patience) -> JobExit:
        """How the job ended. One whose engine went silent is asked for once more. Raises what then is in the way."""
        try:
            return wait_for_end(running, signals, patience)
        except (LocalpipeError, OSError):
            found = self._context.runner.find(self._key)
            if found is None:
                raise
        signals.turn_to(found)
        with self._lock:
            self._running = found
        return wait_for_end(found, signals, patience)


def _log_files(staged: StagedJob) -> tuple[Path, ...]:
    return tuple(host.log_file for host in staged.hosts)


def _is_earlier(key: AttemptKey, than: AttemptKey) -> bool:
    return (key.execution_id, key.step) == (than.execution_id, than.step) and key.attempt < than.attempt

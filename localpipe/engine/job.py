"""One job from `JobSpec` to `JobResult`: stage, prepare, start, wait, stop, collect."""

from __future__ import annotations

import logging
import signal
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localpipe.core.jobspec import JobEnd, JobExit, JobResult
from localpipe.engine.signals import Signals
from localpipe.errors import JOB_INTERNAL_ERROR, InvalidTransition, JobFailed, LocalpipeError, RunnerUnavailable
from localpipe.staging import Collected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from localpipe.core.jobspec import JobSpec, StagedJob
    from localpipe.core.names import AttemptKey
    from localpipe.core.ports import Clock, Prepared, Runner, Running
    from localpipe.engine.ahead import MadeAhead
    from localpipe.engine.slots import Slots, Ticket
    from localpipe.staging import Serving, Stager

_SERVICE_FAULT = "Step.SERVICE_FAULT"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class JobContext:
    """What the jobs of an execution share. `at_disk` is held while a job is staged and while its outputs are collected.

    A job has one of the `slots` from its start until its end is seen; it waits for one when it is prepared. Jobs that a
    killed localpipe left have theirs even beyond the limit. `made_ahead` gives, once, what was made ahead for an attempt.
    """

    runner: Runner
    slots: Slots
    stager: Stager
    clock: Clock
    grace_seconds: float
    at_disk: AbstractContextManager[object]
    made_ahead: Callable[[AttemptKey], MadeAhead | None]


@dataclass(frozen=True, kw_only=True)
class _Attended:
    """How a started job ended, before anything is published. Times are epoch seconds."""

    end: JobEnd
    exit: JobExit
    started_at: float
    ended_at: float


@dataclass(frozen=True, kw_only=True)
class Launch:
    """That a job's containers run. `found`: a killed localpipe had left them running."""

    log_files: tuple[Path, ...]
    repeat_command: str
    found: bool


class JobRun:
    """A job of one attempt. One worker thread calls `run`; any thread may call `stop`; `clean` comes last.

    Mutable: holds the containers, their place and whether they were told to stop. `_lock` guards all of it.
    """

    def __init__(self, spec: JobSpec, key: AttemptKey, context: JobContext) -> None:
        self._spec, self._key, self._context = spec, key, context
        self._lock = threading.Lock()
        self._prepared: Prepared | None = None
        self._running: Running | None = None
        self._place: Ticket | None = None
        self._signals: Signals | None = None
        self._stop_signal: signal.Signals | None = None

    def run(
        self,
        environment: Callable[[], Mapping[str, str]],
        launched: Callable[[Launch], None],
        *,
        created_at: float,
        reattach: bool,
        launched_at: float | None,
    ) -> JobResult:
        """Run the job to its end and publish its outputs. Never raises for what is the job's or the machine's fault.

        `environment` gives the whole environment; `launched` is called once the containers run. `reattach`: look for
        containers that a killed localpipe left, running since `launched_at`; one that fails then, or that nobody can go on
        serving, is run anew, since an interruption of localpipe never counts against a job.
        """
        try:
            if reattach and (running := self._context.runner.find(self._key)):
                result = self._taken_up(running, environment, launched, created_at=created_at, launched_at=launched_at)
                if result:
                    return self._restarted(result, environment)
            self._remove_earlier()
            return self._restarted(self._once(environment, launched, created_at), environment)
        except InvalidTransition:
            raise
        except (LocalpipeError, OSError) as error:
            return self._refused(error, created_at)
        finally:
            self._give_place_back()

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
            self._give_place_back()
            prepared.remove()

    def clean(self) -> None:
        """Remove the containers. Called when the result is in the journal, so that a crash before finds them again."""
        with self._lock:
            running, self._running = self._running, None
        if running:
            running.remove()

    def _once(
        self, environment: Callable[[], Mapping[str, str]], launched: Callable[[Launch], None], created_at: float
    ) -> JobResult:
        made = self._context.made_ahead(self._key)  # first: while it is made its directories must not be made anew
        staged = self._stage(environment, anew=True)
        attended = None
        with self._serving(staged) as serving:
            if started := self._start(staged, made):
                launched(self._launch(staged, found=False))
                attended = self._attend(started)
        if attended:
            return self._result(attended, staged, serving, created_at)
        if trouble := serving.trouble():
            raise trouble
        return JobResult(end=JobEnd.STOPPED, created_at=created_at, ended_at=self._context.clock.now())

    def _restarted(self, result: JobResult, environment: Callable[[], Mapping[str, str]]) -> JobResult:
        """The result of the first run that the engine does not lose, or of the last one that the job is allowed.

        The pipeline does not see it: it is one job of one attempt. Follows: containers.md 2.14, RetryStrategy.
        """
        started_at, restarted_at = result.started_at, result.restarted_at
        while result.end is JobEnd.LOST and len(restarted_at) < self._spec.restarts and not self._is_stopped():
            try:
                self.clean()
                self._give_place_back()
                restarted_at = (*restarted_at, self._context.clock.now())
                result = self._once(environment, _already_told, result.created_at)
            except (LocalpipeError, OSError) as error:
                _log.warning("%s: it cannot be started again: %s", self._key, error)
                return result
            result = replace(result, started_at=started_at, restarted_at=restarted_at)
        return result

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
        with self._lock:
            self._place = self._context.slots.take()
        staged = self._stage(environment, anew=False)
        with self._serving(staged) as serving:
            launched(self._launch(staged, found=True))
            attended = self._attend(running, launched_at)
        if attended.end is JobEnd.FAILED:
            self.clean()  # it may have failed only because nobody served its S3 for a while
            return None
        return self._result(attended, staged, serving, created_at)

    def _remove_earlier(self) -> None:
        """Remove what earlier attempts of this step left: a job that was lost may run on."""
        if self._key.attempt > 1:
            self._context.runner.sweep(lambda key: not _is_earlier(key, self._key))

    def _stage(self, environment: Callable[[], Mapping[str, str]], *, anew: bool) -> StagedJob:
        context = self._context
        with context.at_disk:
            return context.stager.stage(self._spec, self._key, environment(), anew=anew, overlays=context.runner.overlays)

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

    def _start(self, staged: StagedJob, made: MadeAhead | None) -> Running | None:
        """Start the job; None if it was told to stop before it ran, also while it waited for a slot."""
        prepared = self._prepare(staged, made)
        try:
            if self._wait_for_place(prepared):
                return self._started(prepared)
        except (LocalpipeError, OSError):
            if not self._is_stopped():  # else it was taken back while it started
                raise
        finally:
            self._forget(prepared)
        return None

    def _prepare(self, staged: StagedJob, made: MadeAhead | None) -> Prepared:
        """The containers of the job: what was made ahead, if the job is the one that was foreseen."""
        if made:
            if made.job == staged:
                return made.prepared
            made.prepared.remove()
        self._context.runner.ensure_image(self._spec.image_uri)
        return self._context.runner.prepare(staged)

    def _wait_for_place(self, prepared: Prepared) -> bool:
        """Block until it is the job's turn; False if it was told to stop before."""
        with self._lock:
            self._prepared = prepared
            if self._stop_signal is not None:
                return False
            self._place = place = self._context.slots.ask()
        return place.wait()

    def _give_place_back(self) -> None:
        with self._lock:
            place, self._place = self._place, None
        if place:
            self._context.slots.give_back(place)

    def _started(self, prepared: Prepared) -> Running:
        running = prepared.start()
        with self._lock:
            self._running, self._prepared = running, None
        return running

    def _forget(self, prepared: Prepared) -> None:
        """Take back a preparation that has not become a running job."""
        with self._lock:
            left, self._prepared = self._prepared is prepared, None
        if left:
            try:
                prepared.remove()
            except (LocalpipeError, OSError) as error:
                _log.warning("%s: its preparation is left behind: %s", self._key, error)

    def _is_stopped(self) -> bool:
        with self._lock:
            return self._stop_signal is not None

    def _attend(self, running: Running, launched_at: float | None = None) -> _Attended:
        """Wait for the end of a started job, passing on what it is told meanwhile."""
        started_at = self._context.clock.now() if launched_at is None else launched_at
        signals = Signals(self._key, running, self._context.grace_seconds)
        with self._lock:
            self._running, self._signals, stop_signal = running, signals, self._stop_signal
        try:
            if stop_signal:
                signals.try_to_send(stop_signal)
            exit_ = self._followed(running, signals)
        except (LocalpipeError, OSError) as error:
            lost = JobExit(exit_code=0, message=str(error))
            return _Attended(end=JobEnd.LOST, exit=lost, started_at=started_at, ended_at=self._context.clock.now())
        finally:
            signals.end()
            with self._lock:
                self._signals = None
        self._give_place_back()
        end = _end(exit_, stopped=self._is_stopped(), timed_out=signals.timed_out)
        return _Attended(end=end, exit=exit_, started_at=started_at, ended_at=self._context.clock.now())

    def _followed(self, running: Running, signals: Signals) -> JobExit:
        """How the job ended. One whose engine went silent is asked for once more. Raises what then is in the way."""
        try:
            return self._wait(running, signals)
        except (LocalpipeError, OSError):
            found = self._context.runner.find(self._key)
            if found is None:
                raise
        signals.turn_to(found)
        with self._lock:
            self._running = found
        return self._wait(found, signals)

    def _wait(self, running: Running, signals: Signals) -> JobExit:
        """Wait for the end, enforcing the time limit."""
        exit_ = None if signals.timed_out else running.wait(self._spec.max_runtime_seconds)
        if exit_ is None:
            signals.time_out()
        while exit_ is None:
            exit_ = running.wait()
        return exit_

    def _result(self, attended: _Attended, staged: StagedJob, serving: Serving, created_at: float) -> JobResult:
        """Publish what the job wrote, and tell what happened. A job that could not be served to its end was cut off."""
        context = self._context
        end, detail, collected = attended.end, attended.exit.message, Collected()
        exception_type = JOB_INTERNAL_ERROR if end is JobEnd.LOST else None
        failed_host = staged.hosts[attended.exit.host].name if end is JobEnd.FAILED else ""
        if trouble := serving.trouble():
            end, detail, exception_type = JobEnd.CUT_OFF, str(trouble), trouble.exception_type
        try:
            with context.at_disk:
                collected = context.stager.collect(
                    self._spec, staged, end, serving.uploads, now=attended.ended_at, failed_host=failed_host
                )
        except (LocalpipeError, OSError) as error:
            end, detail = JobEnd.UNPUBLISHED, str(error)
        return JobResult(
            end=end,
            exit_code=attended.exit.exit_code,
            out_of_memory=attended.exit.out_of_memory,
            created_at=created_at,
            started_at=attended.started_at,
            ended_at=attended.ended_at,
            failure=collected.failure,
            exit_message=collected.exit_message,
            message_undecodable=collected.message_undecodable,
            metrics=collected.metrics,
            property_files=collected.property_files,
            detail=detail,
            exception_type=exception_type,
            failed_host=failed_host,
        )

    def _refused(self, error: Exception, created_at: float) -> JobResult:
        """The result of a job that never started: trouble of the engine is the Create call's (service.md section 7)."""
        exception_type = error.exception_type if isinstance(error, JobFailed) else None
        if isinstance(error, RunnerUnavailable) or exception_type == JOB_INTERNAL_ERROR:
            exception_type = _SERVICE_FAULT
        ended_at = self._context.clock.now()
        return JobResult(
            end=JobEnd.REFUSED, created_at=created_at, ended_at=ended_at, detail=str(error), exception_type=exception_type
        )


def _already_told(launch: Launch) -> None:
    """The containers of a job that was started again run; its launch stands in the journal."""


def _log_files(staged: StagedJob) -> tuple[Path, ...]:
    return tuple(host.log_file for host in staged.hosts)


def _is_earlier(key: AttemptKey, than: AttemptKey) -> bool:
    return (key.execution_id, key.step) == (than.execution_id, than.step) and key.attempt < than.attempt


def _end(exit_: JobExit, *, stopped: bool, timed_out: bool) -> JobEnd:
    """Follows: containers.md 1.8, 2.11."""
    if timed_out:
        return JobEnd.TIMED_OUT
    if stopped:
        return JobEnd.STOPPED
    return JobEnd.COMPLETED if exit_.exit_code == 0 else JobEnd.FAILED

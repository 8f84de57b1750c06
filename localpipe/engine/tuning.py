"""One tuning job from `TuningSpec` to `TuningResult`: trials are training jobs, each in a thread of its own.

What to do next is decided by `tuning.moves`; here it is done and told. Every trial is written down before it is made.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from localpipe.core.faults import FaultKind
from localpipe.core.tuning import HALT_GRACE_SECONDS, TuningEnd, TuningResult
from localpipe.engine.job import JobRun
from localpipe.engine.quiet import deciding_by
from localpipe.engine.resolve import whole_environment
from localpipe.engine.trials import detail_of, ended, restored, trials_of_parents
from localpipe.errors import LocalpipeError
from localpipe.jobs.tuning import describe_trial, trial_name, trial_request, trial_spec
from localpipe.scheduling.events import ChildAwaitedRoom, ChildEnded, ChildLaunched, ChildStarted, JobLaunched
from localpipe.staging.running_metrics import following_metric
from localpipe.tuning.history import History
from localpipe.tuning.moves import (
    Halt,
    Over,
    StartTrial,
    losses_of,
    next_moves,
    reads_epochs,
    trials_without_improvement,
    why_over,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localpipe.core import JSON
    from localpipe.core.faults import Fault
    from localpipe.core.jobspec import JobSpec
    from localpipe.core.names import AttemptKey
    from localpipe.core.tuning import Trial, TuningSpec
    from localpipe.engine.job import JobContext, Launch
    from localpipe.engine.resolve import Attempt, World
    from localpipe.engine.runs import Runs
    from localpipe.scheduling.children import ChildExecution
    from localpipe.scheduling.events import Event

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Reported:
    """A trial has logged its objective."""

    number: int
    value: float


@dataclass(frozen=True, kw_only=True)
class _Ended:
    """A trial's training job has ended; its end has been posted."""

    number: int
    description: JSON
    unread: str


@dataclass(frozen=True, kw_only=True)
class _Told:
    """The tuning job has been told to stop, and so have its training jobs."""


class TuningRun:
    """A tuning job of one attempt. One worker thread calls `run`, which owns all but the inbox; any thread may call `stop`.

    It holds no slot: its training jobs do. `fault`: a time limit is its own, an interruption comes to each of its spot
    training jobs. `halt_grace_seconds`: how long one has to end that the tuning job stops itself.
    Mutable: holds its trials, the jobs of those that run, and the timers that kill those that were halted. `_in_order` has
    ends taken in as they are written down.
    """

    def __init__(
        self,
        spec: TuningSpec,
        attempt: Attempt,
        world: World,
        jobs: JobContext,
        *,
        runs: Runs,
        post: Callable[[Event], None],
        fault: Fault | None = None,
        halt_grace_seconds: float = HALT_GRACE_SECONDS,
    ) -> None:
        self._spec = _limited(_capped(spec, world.max_trials), fault)
        self._attempt, self._world = attempt, world
        self._interruption = fault if fault and fault.kind is FaultKind.SPOT_INTERRUPTION else None
        self._context, self._runs, self._post = jobs, runs, post
        self._inbox: SimpleQueue[_Reported | _Ended | _Told | BaseException] = SimpleQueue()
        self._history = History()
        self._in_order = threading.Lock()
        self._jobs: dict[int, JobRun] = {}
        self._halt_grace_seconds = min(halt_grace_seconds, jobs.grace_seconds)
        self._killers: dict[int, threading.Timer] = {}
        self._over: Over | None = None

    def run(self) -> TuningResult:
        """Run trials until there is none to run. Raises JobFailed for a parent that is not there."""
        key, spec = self._attempt.key, self._spec
        parents = trials_of_parents(spec, self._world.tuning_jobs)
        self._post(JobLaunched(key.step, key.attempt, found=self._attempt.launched_at is not None))
        self._remove_unknown()
        with ThreadPoolExecutor(spec.max_parallel, thread_name_prefix="trial") as threads:
            try:
                self._take_up(threads)
                self._go_on(threads, parents)
            except BaseException:  # else the pool would wait for its trials to end
                self._runs.stop(key, kill=True)
                raise
            finally:
                for killer in self._killers.values():
                    killer.cancel()
        return self._result(parents)

    def stop(self, *, kill: bool) -> None:
        """Start no further trial; those that run are told by who told this."""
        del kill
        self._inbox.put(_Told())

    def clean(self) -> None:
        """Leave nothing: it made nothing but its training jobs."""

    def _remove_unknown(self) -> None:
        """Remove jobs that were made and not written down: the localpipe that made them was killed in between."""
        if self._attempt.reattach:
            key, known = self._attempt.key, {0, *self._attempt.children}
            self._context.runner.sweep(lambda each: each.whole != key or each.child in known)

    def _take_up(self, threads: ThreadPoolExecutor) -> None:
        """Go on from what a killed localpipe left."""
        children = self._attempt.children
        self._history = restored(self._spec, children, with_epochs=reads_epochs(self._spec))
        for trial in self._history.trials:
            if not trial.status.ended:
                self._begin(threads, trial, children[trial.number])

    def _go_on(self, threads: ThreadPoolExecutor, parents: Sequence[Trial]) -> None:
        launched_at = self._attempt.launched_at
        began = self._world.clock.now() if launched_at is None else launched_at
        while True:
            while not self._inbox.empty():
                self._take_in(None)
            elapsed = self._world.clock.now() - began
            self._over = self._over or why_over(self._spec, self._history.in_order_of_end, elapsed)
            with deciding_by(self._spec.strategy):
                moves = next_moves(self._spec, self._history, self._over, parents)
            for move in moves:
                match move:
                    case StartTrial():
                        self._start(threads, move.trial(self._spec.job_name))
                    case Halt(number=number):
                        self._halt(number)
                    case _:
                        assert_never(move)
            if self._history.all_ended:
                return
            limit = None if self._over else self._spec.max_runtime_seconds
            self._take_in(None if limit is None else limit - elapsed)

    def _start(self, threads: ThreadPoolExecutor, trial: Trial) -> None:
        self._history = self._history.launched(trial)
        self._begin(threads, trial, None)

    def _begin(self, threads: ThreadPoolExecutor, trial: Trial, before: ChildExecution | None) -> None:
        """Have a trial trained. `before`: what a killed localpipe did of it."""
        key, spec = self._child(trial.number), self._spec
        name = trial_name(spec.job_name, trial.number)
        self._post(ChildStarted(key.step, key.attempt, key.child, name, detail_of(spec, trial).to_json()))
        request = trial_request(spec, trial.definition, trial.parameters, name)
        wanted = trial_spec(spec, request, name)
        job = self._jobs[trial.number] = JobRun(wanted, key, self._context, self._interruption if wanted.spot else None)
        self._runs.begin(key, job)
        threads.submit(self._train, trial, request, wanted, job, before)

    def _halt(self, number: int) -> None:
        """Tell a trial to stop and, unless that was done to the whole execution, kill it soon."""
        self._history = self._history.halted(number)
        self._tell(number, self._jobs[number], kill=False)
        if self._over is not Over.STOPPED:
            given = {"kill": True}
            killer = threading.Timer(self._halt_grace_seconds, self._tell, (number, self._jobs[number]), given)
            self._killers[number] = killer
            killer.daemon = True
            killer.start()

    def _tell(self, number: int, job: JobRun, *, kill: bool) -> None:
        try:
            job.stop(kill=kill)
        except (LocalpipeError, OSError) as error:
            _log.warning("%s: it goes on, since it could not be told to stop: %s", self._child(number), error)

    def _take_in(self, timeout_seconds: float | None) -> None:
        """Wait for news, or until the time is up. Raises what a trial's thread raised: a bug of ours."""
        try:
            news = self._inbox.get(timeout=None if timeout_seconds is None else max(0.0, timeout_seconds))
        except Empty:
            return
        match news:
            case _Reported(number=number, value=value):
                self._history = self._history.reported(number, value)
            case _Ended(number=number, description=description, unread=unread):
                trial = ended(self._history.trial(number), self._spec, description, unread)
                self._history = self._history.with_end(trial)
                del self._jobs[number]
                if killer := self._killers.pop(number, None):
                    killer.cancel()
            case _Told():
                self._over = Over.STOPPED
            case BaseException():
                raise news
            case _:
                assert_never(news)

    def _train(self, trial: Trial, request: JSON, wanted: JobSpec, job: JobRun, before: ChildExecution | None) -> None:
        """A trial's thread: run its training job, and tell how it ended."""
        key, created_at = self._child(trial.number), before.started_at if before else self._world.clock.now()
        try:
            with ExitStack() as following:
                result = job.run(
                    lambda: whole_environment(wanted, self._world),
                    lambda launch: self._launched(trial, wanted, launch, following),
                    created_at=created_at,
                    reattach=before is not None,
                    launched_at=before.launched_at if before else None,
                    waits=lambda lacking: self._post(ChildAwaitedRoom(key.step, key.attempt, key.child, lacking)),
                )
            description = describe_trial(self._spec, request, wanted, result)
            status, reason = description["TrainingJobStatus"], description.get("FailureReason", "")
            unread = result.unread_metrics.get(self._spec.definitions[trial.definition].objective.metric, "")
            with self._in_order:
                self._post(ChildEnded(key.step, key.attempt, key.child, status, reason, description, unread))
                self._inbox.put(_Ended(number=trial.number, description=description, unread=unread))
        except BaseException as error:  # noqa: BLE001 - raised again where the tuning job is run
            self._inbox.put(error)

    def _launched(self, trial: Trial, wanted: JobSpec, launch: Launch, following: ExitStack) -> None:
        """Tell that a trial's containers run, and follow what they report where that is asked for."""
        key, number = self._child(trial.number), trial.number
        outputs = tuple(str(output.uri) for output in wanted.outputs)
        log_files = tuple(map(str, launch.log_files))
        self._post(ChildLaunched(key.step, key.attempt, key.child, log_files, launch.repeat_command, outputs, launch.found))
        if reads_epochs(self._spec):
            metric = self._spec.definitions[trial.definition].objective.metric
            following.close()  # of containers that failed after an interruption and run anew
            following.enter_context(
                following_metric(
                    wanted.metrics,
                    metric,
                    launch.log_files,
                    lambda value: self._inbox.put(_Reported(number=number, value=value)),
                )
            )

    def _result(self, parents: Sequence[Trial]) -> TuningResult:
        spec, trials = self._spec, self._history.in_order_of_end
        now = self._world.clock.now()
        losses = losses_of(spec, trials)
        end = TuningEnd.STOPPED if self._over is Over.STOPPED else TuningEnd.COMPLETED if losses else TuningEnd.FAILED
        return TuningResult(
            end=end,
            trials=trials,
            created_at=self._attempt.at,
            ended_at=now,
            parents=tuple(parents),
            not_improving=trials_without_improvement(losses),
            converged_at=now if self._over is Over.CONVERGED else None,
        )

    def _child(self, number: int) -> AttemptKey:
        return replace(self._attempt.key, child=number)


def _capped(spec: TuningSpec, most: int | None) -> TuningSpec:
    """The tuning job with no more trials than `--max-trials` allows."""
    if most is None:
        return spec
    return replace(spec, max_trials=most if spec.max_trials is None else min(most, spec.max_trials))


def _limited(spec: TuningSpec, fault: Fault | None) -> TuningSpec:
    """The tuning job with the time limit that the fault gives it, if its own does not come sooner."""
    if fault is None or fault.limit_seconds is None:
        return spec
    own = spec.max_runtime_seconds
    return replace(spec, max_runtime_seconds=fault.limit_seconds if own is None else min(own, fault.limit_seconds))

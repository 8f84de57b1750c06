"""From a decision to its fact: resolve a step, do its work, and say what came of it as an event."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from localpipe.core.work import CreateResource, Failure, Immediate, RunJob, Stopped, Success
from localpipe.engine.ahead import WorkAhead
from localpipe.engine.job import JobContext, JobRun
from localpipe.engine.resolve import resolve, whole_environment
from localpipe.engine.runs import Runs
from localpipe.errors import ExpressionError, JobFailed, StoreError
from localpipe.scheduling.events import AttemptFailed, AttemptStopped, JobLaunched, StepSucceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from localpipe.core.jobspec import JobSpec
    from localpipe.core.names import AttemptKey
    from localpipe.core.work import Outcome, ResolvedStep, WorkResult
    from localpipe.engine.job import Launch
    from localpipe.engine.resolve import Attempt, World
    from localpipe.scheduling.events import Event
    from localpipe.steps.base import StepType


class Performer:
    """Makes attempts. `make` is called by worker threads, `stop` and `clean` by any."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.ahead = WorkAhead(world)
        self._context = JobContext(
            runner=world.runner,
            slots=world.slots,
            stager=world.stager,
            clock=world.clock,
            grace_seconds=world.grace_seconds,
            # More threads than cores among many small files only fight for the interpreter.
            at_disk=threading.Semaphore(os.cpu_count() or 1),
            made_ahead=self.ahead.take,
        )
        self._runs = Runs()

    @property
    def most_ahead(self) -> int:
        """For how many attempts containers may be made ahead: as many as run at once, if it is worth it at all."""
        return self._world.slots.count if self._world.runner.prepares_ahead else 0

    def make(self, attempt: Attempt, post: Callable[[Event], None]) -> Event | None:
        """Do the step's work and return the fact that ends the attempt; None if somebody else will write it down.

        `post` takes facts that come before it.
        """
        step_type = self._world.step_types[attempt.step.type]
        try:
            resolved = resolve(attempt, self._world)
            outcome = self._do(attempt, resolved, step_type, post)
        except (ExpressionError, JobFailed, StoreError) as error:
            outcome = Failure(reason=f"ClientError: {error}", exception_type=getattr(error, "exception_type", None))
        return _fact(attempt.key, outcome)

    def stop(self, key: AttemptKey, *, kill: bool) -> None:
        """Tell what the attempt runs to stop; what has not started yet will not."""
        self._runs.stop(key, kill=kill)

    def clean(self, key: AttemptKey) -> None:
        """Remove what the attempt, or one of its jobs, left behind, once its end is in the journal."""
        self._runs.clean(key)

    def sweep(self, unended: Collection[AttemptKey], execution_id: str) -> None:
        """Remove what a killed localpipe left of this execution's jobs, but for the attempts that have no end yet."""
        self._world.runner.sweep(lambda key: key.execution_id != execution_id or key.whole in unended)

    def tidy(self) -> None:
        """Remove what the runner keeps and no job will want any more."""
        self._world.runner.tidy()

    def _do(self, attempt: Attempt, resolved: ResolvedStep, step_type: StepType, post: Callable[[Event], None]) -> Outcome:
        work = step_type.work(resolved)
        result: WorkResult
        match work:
            case Immediate(outcome=outcome):
                return outcome
            case CreateResource():
                result = self._world.registry.create(work, attempt.at)
            case RunJob(spec=spec):
                result = self._job(attempt, spec).run(
                    lambda: whole_environment(spec, self._world),
                    _launch_poster(attempt.key, spec, post),
                    created_at=attempt.at,
                    reattach=attempt.reattach,
                    launched_at=attempt.launched_at,
                )
            case _:
                assert_never(work)
        return step_type.outcome(resolved, result)

    def _job(self, attempt: Attempt, spec: JobSpec) -> JobRun:
        job = JobRun(spec, attempt.key, self._context)
        self._runs.begin(attempt.key, job)
        return job


def _launch_poster(key: AttemptKey, spec: JobSpec, post: Callable[[Event], None]) -> Callable[[Launch], None]:
    outputs = tuple(str(output.uri) for output in spec.outputs)

    def launched(launch: Launch) -> None:
        log_files = tuple(str(path) for path in launch.log_files)
        post(JobLaunched(key.step, key.attempt, log_files, launch.repeat_command, outputs, launch.found))

    return launched


def _fact(key: AttemptKey, outcome: Outcome) -> Event:
    match outcome:
        case Success():
            return StepSucceeded(
                key.step,
                key.attempt,
                outcome.properties,
                dict(outcome.property_files),
                tuple(sorted(outcome.branches_taken)),
            )
        case Failure():
            return AttemptFailed(
                key.step,
                key.attempt,
                outcome.reason,
                outcome.exception_type,
                outcome.properties,
                outcome.ends_execution,
                outcome.failed_host,
            )
        case Stopped():
            return AttemptStopped(key.step, key.attempt, outcome.reason, outcome.properties)
        case _:
            assert_never(outcome)

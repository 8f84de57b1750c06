"""From a decision to its fact: resolve a step, do its work, and say what came of it as an event."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from localpipe.core.faults import fault_of
from localpipe.core.work import (
    CallFunction,
    CreateResource,
    Failure,
    Immediate,
    RunJob,
    RunTransform,
    RunTuning,
    SendMessage,
)
from localpipe.engine.ahead import WorkAhead
from localpipe.engine.faults import failed_instead
from localpipe.engine.function import FunctionRun
from localpipe.engine.job import JobContext, JobRun
from localpipe.engine.resolve import resolve, whole_environment
from localpipe.engine.reuse import LookUp, OutputsNoted
from localpipe.engine.runs import Runs
from localpipe.errors import ExpressionError, JobFailed, StoreError
from localpipe.jobs.serving import model_named, serving_specs
from localpipe.scheduling.ending import fact_of
from localpipe.scheduling.events import JobLaunched, RoomAwaited
from localpipe.scheduling.messages import message_sent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from localpipe.core.faults import Fault
    from localpipe.core.jobspec import JobResult, JobSpec
    from localpipe.core.names import AttemptKey
    from localpipe.core.transform import TransformSpec
    from localpipe.core.tuning import TuningResult, TuningSpec
    from localpipe.core.work import FunctionResult, Outcome, ResolvedStep, WorkResult
    from localpipe.engine.job import Launch
    from localpipe.engine.resolve import Attempt, World
    from localpipe.scheduling.events import Event, MessageSent
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
            size=world.size,
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
        found, outputs = LookUp(), OutputsNoted(attempt, post)
        try:
            resolved = resolve(attempt, self._world)
            found = self._world.results.look_up(attempt, resolved, step_type.signature)
            for check in found.checks:
                post(check)
            if found.reused:
                return found.reused
            outcome = self._do(attempt, resolved, step_type, outputs.post)
        except JobFailed as error:
            outcome = Failure(reason=f"ClientError: {error}", exception_type=error.exception_type)
        except (ExpressionError, StoreError) as error:
            outcome = Failure(reason=f"ClientError: {error}")
        if outcome is None:
            return None
        end = fact_of(attempt.key, outcome, step_type.never_retried, found.keys)
        return self._world.results.marked(end, outputs.all())

    @property
    def has_begun(self) -> bool:
        """Whether there may be traces of this execution's jobs: one where all is answered from the cache asks nobody."""
        return self._runs.has_begun or self.ahead.has_begun

    def stop(self, key: AttemptKey, *, kill: bool) -> None:
        """Tell what the attempt runs to stop; what has not started yet will not."""
        self._runs.stop(key, kill=kill)

    def clean(self, key: AttemptKey) -> None:
        """Remove what the attempt, or one of its jobs, left behind, once its end is in the journal."""
        self._runs.clean(key)

    def deliver(self, key: AttemptKey, *, sent: MessageSent) -> None:
        """Take a message that is written down to the command that serves its queue, if there is one."""
        self._world.queues.deliver(key, sent.queue_url, sent.message)

    def sweep(self, unended: Collection[AttemptKey], execution_id: str) -> None:
        """Remove what was made ahead, and what a killed localpipe left of this execution's jobs.

        But for the attempts that have no end yet.
        """
        self.ahead.take_back()
        self._world.runner.sweep(lambda key: key.execution_id != execution_id or key.whole in unended)

    def tidy(self) -> None:
        """Remove what the runner keeps and no job will want any more."""
        self._world.runner.tidy()

    def _do(
        self, attempt: Attempt, resolved: ResolvedStep, step_type: StepType, post: Callable[[Event], None]
    ) -> Outcome | None:
        """What came of the step's work; None if it is for somebody else to say."""
        work = step_type.work(resolved)
        fault = fault_of(self._world.faults, attempt.key.step, attempt.key.attempt)
        if failed := failed_instead(fault, work, resolved, step_type, attempt.step):
            return failed
        result: WorkResult
        match work:
            case Immediate(outcome=outcome):
                return outcome
            case CreateResource():
                result = self._world.registry.create(work, attempt.at)
            case RunJob(spec=spec):
                result = self._job(attempt, spec, fault, post)
            case RunTuning(spec=tuning):
                result = self._tuning(attempt, tuning, fault, post)
            case RunTransform(spec=transform):
                result = self._transform(attempt, transform, post)
            case CallFunction():
                result = self._call(attempt.key, work, fault, post)
            case SendMessage():
                post(self._message(attempt.key, work))
                return None
            case _:
                assert_never(work)
        return step_type.outcome(resolved, result)

    def _call(
        self, key: AttemptKey, call: CallFunction, fault: Fault | None, post: Callable[[Event], None]
    ) -> FunctionResult:
        function = FunctionRun(call, key, self._world.functions, fault)
        self._runs.begin(key, function)
        log_files = (str(self._world.functions.log_file(key)),)
        return function.run(lambda: post(JobLaunched(key.step, key.attempt, log_files)))

    def _message(self, key: AttemptKey, work: SendMessage) -> MessageSent:
        world = self._world
        log_files = tuple(map(str, world.queues.log_files(key, work.queue_url)))
        return message_sent(key, work.queue_url, work.arguments, world.execution.arn, log_files=log_files)

    def _tuning(
        self, attempt: Attempt, spec: TuningSpec, fault: Fault | None, post: Callable[[Event], None]
    ) -> TuningResult:
        from localpipe.engine.tuning import TuningRun

        tuning = TuningRun(spec, attempt, self._world, self._context, fault=fault, runs=self._runs, post=post)
        self._runs.begin(attempt.key, tuning)
        return tuning.run()

    def _transform(self, attempt: Attempt, spec: TransformSpec, post: Callable[[Event], None]) -> JobResult:
        from localpipe.engine.transform import TransformRun

        world, key = self._world, attempt.key
        containers = serving_specs(model_named(spec.model_name, world.registry.models()), spec, world.execution.identity)
        run = TransformRun(spec, containers, key, self._context, world.store)
        self._runs.begin(key, run)
        return run.run(
            lambda container: whole_environment(container, world),
            lambda logs, line: post(JobLaunched(key.step, key.attempt, tuple(map(str, logs)), line, (str(spec.output),))),
            created_at=attempt.at,
            waits=_room_poster(key, post),
        )

    def _job(self, attempt: Attempt, spec: JobSpec, fault: Fault | None, post: Callable[[Event], None]) -> JobResult:
        job = JobRun(spec, attempt.key, self._context, fault)
        self._runs.begin(attempt.key, job)
        return job.run(
            lambda: whole_environment(spec, self._world),
            _launch_poster(attempt.key, spec, post),
            created_at=attempt.at,
            reattach=attempt.reattach,
            launched_at=attempt.launched_at,
            waits=_room_poster(attempt.key, post),
        )


def _launch_poster(key: AttemptKey, spec: JobSpec, post: Callable[[Event], None]) -> Callable[[Launch], None]:
    outputs = tuple(str(output.uri) for output in spec.outputs)

    def launched(launch: Launch) -> None:
        log_files = tuple(str(path) for path in launch.log_files)
        post(JobLaunched(key.step, key.attempt, log_files, launch.repeat_command, outputs, launch.found))

    return launched


def _room_poster(key: AttemptKey, post: Callable[[Event], None]) -> Callable[[str], None]:
    return lambda lacking: post(RoomAwaited(key.step, key.attempt, lacking))

"""Training jobs that their tuning job stops, and that do not heed SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING

from support import pipeline, places
from tuning_support import tuning, tuning_request

from localpipe.core.names import AttemptKey
from localpipe.core.room import ONE_JOB
from localpipe.core.tuning import TrialStatus, TuningEnd, TuningResult
from localpipe.engine.job import JobContext
from localpipe.engine.resolve import Attempt
from localpipe.engine.runs import Runs
from localpipe.engine.tuning import TuningRun
from localpipe.jobs.tuning import tuning_spec
from localpipe.runners.scripted import ScriptedContainer, ScriptedRunner
from localpipe.scheduling.events import ChildLaunched
from localpipe.service.executions import PipelineExecution, endpoint_of, world_of

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.engine.runs import Run
    from localpipe.scheduling.events import Event

Start = Callable[..., PipelineExecution]
HALT_GRACE_SECONDS = 0.05


def tuned(
    start: Start, runner: ScriptedRunner, observe: Callable[[Event, Runs, AttemptKey], None], **config: JSON
) -> TuningResult:
    """The end of a tuning job whose trials have a minute of grace, and `HALT_GRACE_SECONDS` when it halts them."""
    execution = start(pipeline(tuning("Tune", config=config)), runner)
    home, key = execution.home, AttemptKey(execution_id=execution.name.execution_id, step="Tune", attempt=1)
    world = world_of(execution, runner, endpoint_of(execution, runner, home.execution_dir(key.execution_id)))
    context = JobContext(
        runner=runner,
        slots=places(1),
        stager=world.stager,
        clock=world.clock,
        grace_seconds=60,
        at_disk=nullcontext(),
        made_ahead=lambda _: None,
        size=lambda _: ONE_JOB,
    )
    spec = tuning_spec(tuning_request(config=config), job_name="tune", identity=home.settings.identity)
    attempt = Attempt(key=key, step=execution.pipeline.steps["Tune"], job_name="tune", at=world.clock.now(), values={})
    runs = Runs()
    run = TuningRun(
        spec,
        attempt,
        world,
        context,
        runs=runs,
        post=lambda event: observe(event, runs, key),
        halt_grace_seconds=HALT_GRACE_SECONDS,
    )
    begun: Run = run
    runs.begin(key, begun)
    result = run.run()
    runs.clean(key)
    return result


def test_one_that_falls_behind_is_killed_soon(start: Start) -> None:
    losses, killed = iter([1.0, 2.0, 3.0, 9.0]), threading.Event()

    def train(container: ScriptedContainer) -> int:
        loss = next(losses)
        container.log(f"loss={loss}")
        if loss == 9 and [container.next_signal(20), container.next_signal(20)] == [signal.SIGTERM, signal.SIGKILL]:
            killed.set()
        return 0

    result = tuned(start, ScriptedRunner(default=train), lambda *_: None, TrainingJobEarlyStoppingType="Auto")
    assert result.end is TuningEnd.COMPLETED
    assert [trial.status for trial in result.trials] == [*[TrialStatus.COMPLETED] * 3, TrialStatus.STOPPED]
    assert killed.wait(5)
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer) and thread.is_alive()]


def test_one_that_is_stopped_with_its_execution_has_the_whole_grace(start: Start) -> None:
    heard: list[int | None] = []

    def train(container: ScriptedContainer) -> int:
        heard.append(container.next_signal(20))
        heard.append(container.next_signal(5 * HALT_GRACE_SECONDS))
        return 1

    def stop(event: Event, runs: Runs, key: AttemptKey) -> None:
        if isinstance(event, ChildLaunched):
            runs.stop(key, kill=False)

    result = tuned(start, ScriptedRunner(default=train), stop)
    assert result.end is TuningEnd.STOPPED
    assert heard == [signal.SIGTERM, None]

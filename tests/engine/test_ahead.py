"""Containers that are made before their inputs are there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest
from support import PROCESSING, output_of, pipeline, processing

from localpipe.core.jobspec import JobExit
from localpipe.core.times import iso_time
from localpipe.runners.scripted import ScriptedContainer, ScriptedRunner

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.core.jobspec import StagedJob
    from localpipe.core.ports import Prepared, Running
    from localpipe.service.executions import PipelineExecution
    from localpipe.service.wiring import Home

Run = Callable[..., "PipelineExecution"]


@dataclass(frozen=True)
class Announced:
    """A preparation that tells when it is taken back."""

    prepared: Prepared
    taken_back: Callable[[], None]

    def start(self) -> Running:
        return self.prepared.start()

    def remove(self) -> None:
        self.taken_back()


class Announcing(ScriptedRunner):
    """Tells when a step's job has been prepared, and remembers which preparations were taken back."""

    def __init__(self, **behaviours: Callable[[ScriptedContainer], JobExit | int]) -> None:
        super().__init__(behaviours, prepares_ahead=True)
        self.announced = {name: threading.Event() for name in ("A", "B")}
        self.jobs: list[StagedJob] = []
        self.taken_back: list[StagedJob] = []

    def prepare(self, job: StagedJob, *, ahead: bool = False) -> Prepared:  # type: ignore[override]  # what a runner gives is a Prepared
        self.jobs.append(job)
        prepared = super().prepare(job, ahead=ahead)
        self.announced[job.key.step].set()
        return Announced(prepared, lambda: self.taken_back.append(job))


def chain(**arguments: JSON) -> JSON:
    """A, then B, which reads what A wrote."""
    second = processing("B", inputs={"data": output_of("A", "out")}, outputs=("out",))
    second["Arguments"] |= arguments
    return pipeline(processing("A", outputs=("out",)), second)


def writes(container: ScriptedContainer) -> int:
    container.write(PurePosixPath(PROCESSING) / "out" / "file", "x")
    return 0


def test_the_next_container_is_made_while_its_input_is_being_made(run: Run) -> None:
    made_in_time = []

    def first(container: ScriptedContainer) -> int:
        made_in_time.append(runner.announced["B"].wait(10))
        return writes(container)

    runner = Announcing(A=first)
    assert run(chain(), runner).status == "Succeeded"
    assert made_in_time == [True]
    assert [job.key.step for job in runner.jobs] == ["A", "B"]


@pytest.mark.parametrize(
    "argument", [output_of("A", "out"), {"Std:Join": {"On": "/", "Values": [output_of("A", "out"), "file"]}}]
)
def test_nothing_is_made_ahead_of_a_command_that_is_not_known_yet(run: Run, argument: JSON) -> None:
    application = {**processing("B")["Arguments"]["AppSpecification"], "ContainerArguments": [argument]}
    runner = Announcing(A=writes)
    assert run(chain(AppSpecification=application), runner).status == "Succeeded"
    assert [job.key.step for job in runner.jobs] == ["A", "B"]
    assert "s3://bucket/A/out" in (runner.jobs[1].arguments or ("",))[0]


def test_a_container_that_was_foreseen_wrongly_is_removed_and_made_again(run: Run, home: Home) -> None:
    def first(container: ScriptedContainer) -> int:
        assert runner.announced["B"].wait(10)
        while iso_time(home.clock.now()) == runner.jobs[-1].environment["NOW"]:
            pass  # a millisecond, which the text of a time shows
        return writes(container)

    runner = Announcing(A=first)
    ended = run(chain(Environment={"NOW": {"Get": "Execution.CurrentDateTime"}}), runner)
    assert ended.status == "Succeeded"
    made = [job.environment["NOW"] for job in runner.jobs if job.key.step == "B"]
    assert (len(made), len(set(made))) == (2, 2)
    assert [job.environment["NOW"] for job in runner.taken_back] == made[:1]


def test_a_container_made_ahead_of_a_step_that_never_runs_does_no_harm(run: Run) -> None:
    def first(container: ScriptedContainer) -> int:
        del container
        assert runner.announced["B"].wait(10)
        return 1

    runner = Announcing(A=first)
    assert run(chain(), runner).status == "Failed"
    assert [key.step for key in runner.started] == ["A"]


def test_nothing_is_made_ahead_of_a_step_without_a_job(run: Run) -> None:
    def first(container: ScriptedContainer) -> int:
        del container
        assert runner.announced["B"].wait(10)
        return 1

    runner = Announcing(A=first)
    first_step, second = chain()["Steps"]
    queue = "https://sqs.us-east-1.amazonaws.com/111122223333/approvals"
    ask = {"Name": "Ask", "Type": "Callback", "SqsQueueUrl": queue, "DependsOn": ["A"], "OutputParameters": []}
    assert run(pipeline(first_step, ask, second), runner).status == "Failed"
    assert [job.key.step for job in runner.jobs] == ["A", "B"]

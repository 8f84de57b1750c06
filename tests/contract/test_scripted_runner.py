from __future__ import annotations

import signal
import threading
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest
from runner_contract import OUTPUT, UNKNOWN_IMAGE, LifecycleContract, Workplace, run

from localpipe.core.jobspec import JobExit
from localpipe.errors import JobFailed, NotSupported
from localpipe.runners.scripted import ScriptedRunner

if TYPE_CHECKING:
    from pathlib import Path

    from localpipe.core.ports import Runner
    from localpipe.runners.scripted import Behaviour, ScriptedContainer


def prints(*lines: str, code: int = 0) -> Behaviour:
    def behave(container: ScriptedContainer) -> int:
        for line in lines:
            container.log(line)
        return code

    return behave


def reads_go(code: int, *, before: str = "", after: str = "", ready: bool = False) -> Behaviour:
    def behave(container: ScriptedContainer) -> int:
        if before:
            container.log(before)
        if ready:
            container.path(OUTPUT / "ready").write_text("x\n")
        container.path(OUTPUT / "go").read_text()
        if after:
            container.log(after)
        return code

    return behave


def writes(name: str, text: str) -> Behaviour:
    def behave(container: ScriptedContainer) -> int:
        container.write(OUTPUT / name, text)
        return 0

    return behave


def traps_sigterm(container: ScriptedContainer) -> int:
    container.path(OUTPUT / "ready").write_text("x\n")
    assert container.next_signal() == signal.SIGTERM
    container.log("stopping")
    return 7


def ignores_sigterm(container: ScriptedContainer) -> int:
    container.path(OUTPUT / "ready").write_text("x\n")
    container.path(OUTPUT / "answer").read_text()
    container.path(OUTPUT / "ready").write_text("x\n")
    while container.next_signal() != signal.SIGKILL:
        pass
    return 0


BEHAVIOURS: dict[str, Behaviour] = {
    **{f"exit {code}": prints(code=code) for code in range(10)},
    "mkdir -p /opt/ml/output/a && echo hello > /opt/ml/output/a/b": writes("a/b", "hello\n"),
    "echo first; read x < /opt/ml/output/go; echo second": reads_go(0, before="first", after="second"),
    "read x < /opt/ml/output/go; exit 4": reads_go(4),
    "trap 'echo stopping; exit 7' TERM; echo x > /opt/ml/output/ready; sleep 600 & wait": traps_sigterm,
    "cd /opt/ml/output; echo x > ready; read x < answer; echo x > ready; sleep 600": ignores_sigterm,
    "echo never > /opt/ml/output/never": writes("never", "never"),
    "echo before; echo x > /opt/ml/output/ready; read x < /opt/ml/output/go; echo after; exit 5": reads_go(
        5, before="before", after="after", ready=True
    ),
    "echo done; exit 5": prints("done", code=5),
}
"""What the contract's shell scripts do, in Python."""


def scripted_runner() -> ScriptedRunner:
    return ScriptedRunner(
        default=lambda container: BEHAVIOURS[(container.job.arguments or ())[-1]](container), missing_images=[UNKNOWN_IMAGE]
    )


class TestScriptedRunner(LifecycleContract):
    @pytest.fixture
    def runner(self) -> Runner:
        return scripted_runner()

    @pytest.fixture
    def image(self) -> str:
        return "any-image:1"


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path, "any-image:1")


def test_behaviours_are_chosen_by_the_name_of_the_step(place: Workplace) -> None:
    runner = ScriptedRunner({"Train": lambda _: JobExit(exit_code=137, out_of_memory=True)})
    assert run(runner, place.job("train", step="Train")) == JobExit(exit_code=137, out_of_memory=True)
    assert run(runner, place.job("train", step="Other")) == JobExit(exit_code=0)
    assert [key.step for key in runner.started] == ["Train", "Other"]


def test_a_refusal_is_raised_at_the_start(place: Workplace) -> None:
    runner = ScriptedRunner(refusals={"Train": JobFailed("no room", "SageMaker.CAPACITY_ERROR")})
    prepared = runner.prepare(place.job("train", step="Train"))
    with pytest.raises(JobFailed, match="no room"):
        prepared.start()
    assert runner.started == []


def test_a_mistake_in_a_behaviour_is_raised_where_the_job_is_waited_for(place: Workplace) -> None:
    running = ScriptedRunner({"Step": lambda container: container.path(PurePosixPath("/elsewhere")).stat().st_size})
    with pytest.raises(FileNotFoundError, match="no mount of job-Step holds /elsewhere"):
        running.prepare(place.job("x")).start().wait()


def test_a_killed_job_prints_no_more(place: Workplace) -> None:
    killed, went_on = threading.Event(), threading.Event()

    def stubborn(container: ScriptedContainer) -> int:
        container.log("before")
        killed.wait()
        container.log("after")
        went_on.set()
        return 0

    running = ScriptedRunner({"Step": stubborn}).prepare(place.job("x")).start()
    running.signal(signal.SIGKILL)
    killed.set()
    assert went_on.wait(10)
    assert running.wait() == JobExit(exit_code=137)
    assert "after" not in place.log()


def test_there_is_no_shell(place: Workplace) -> None:
    with pytest.raises(NotSupported, match="A shell in job-Step"):
        ScriptedRunner().shell(place.job("x"), ["sh"], terminal=True)

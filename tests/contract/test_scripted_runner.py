from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest
from runner_contract import OUTPUT, UNKNOWN_IMAGE, LifecycleContract, Workplace, run

from localpipe.core.jobspec import JobExit
from localpipe.errors import JobFailed, NotSupported
from localpipe.runners.limited import LimitedRunner, Slots
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


class TestLimitedRunner(TestScriptedRunner):
    @pytest.fixture
    def runner(self) -> Runner:
        return LimitedRunner(scripted_runner(), slots=1)


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


# The limit


def test_places_are_given_in_the_order_they_are_asked_for() -> None:
    slots = Slots(2)
    first, second, third, fourth = (slots.ask() for _ in range(4))
    assert [ticket.served for ticket in (first, second, third, fourth)] == [True, True, False, False]
    slots.give_back(second)
    assert (third.served, fourth.served) == (True, False)
    slots.give_back(second)
    assert not fourth.served
    slots.give_back(first)
    assert fourth.served


def test_a_place_in_the_line_can_be_given_up() -> None:
    slots = Slots(1)
    first, second, third = (slots.ask() for _ in range(3))
    slots.give_back(second)
    assert not second.wait()
    slots.give_back(first)
    assert third.wait()


def test_jobs_that_run_already_count_beyond_the_limit() -> None:
    slots = Slots(1)
    first, found = slots.ask(), slots.take()
    second = slots.ask()
    slots.give_back(first)
    assert not second.served
    slots.give_back(found)
    assert second.served


class Jobs:
    """Two jobs on a runner with one place; A waits to be let go."""

    def __init__(self, directory: Path) -> None:
        self.let_a_go = threading.Event()
        self.inner = ScriptedRunner({"A": lambda _: 0 if self.let_a_go.wait() else 1})
        self.runner = LimitedRunner(self.inner, slots=1)
        for step in "AB":
            (directory / step).mkdir()
        jobs = [Workplace(directory / step, "any:1").job("x", step=step) for step in "AB"]
        self.key_of_a = jobs[0].key
        self.a, self.b = map(self.runner.prepare, jobs)


def test_a_job_without_a_place_is_not_started_before_another_has_ended(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    running = jobs.a.start()
    ended = []
    waiting = threading.Thread(target=lambda: ended.append(jobs.b.start().wait()))
    waiting.start()
    assert running.wait(0.02) is None
    assert [key.step for key in jobs.inner.started] == ["A"]
    jobs.let_a_go.set()
    assert running.wait() == JobExit(exit_code=0)
    waiting.join()
    assert ended == [JobExit(exit_code=0)]
    assert [key.step for key in jobs.inner.started] == ["A", "B"]


def test_a_waiting_job_can_be_taken_back(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    running = jobs.a.start()
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(jobs.b.start)
        jobs.b.remove()
        with pytest.raises(JobFailed, match="Job job-B was taken back before it was its turn"):
            starting.result()
    running.remove()
    assert [key.step for key in jobs.inner.started] == ["A"]


def test_a_mistake_found_while_waiting_frees_the_place(tmp_path: Path) -> None:
    place = Workplace(tmp_path, "any:1")
    runner = LimitedRunner(ScriptedRunner({"A": lambda _: 1 // 0}), slots=1)
    with pytest.raises(ZeroDivisionError):
        runner.prepare(place.job("x", step="A")).start().wait()
    assert run(runner, place.job("x", step="B")) == JobExit(exit_code=0)


def test_looking_into_a_job_takes_no_place(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    running = jobs.a.start()
    assert jobs.runner.enter(jobs.key_of_a, ["true"], terminal=False) == ["true"]
    jobs.let_a_go.set()
    running.wait()
    assert jobs.b.start().wait() == JobExit(exit_code=0)


def test_closing_closes_the_runner_inside() -> None:
    class Inner(ScriptedRunner):
        closed = False

        def close(self) -> None:
            self.closed = True

    inner = Inner()
    LimitedRunner(inner, slots=1).close()
    assert inner.closed


def test_removing_a_job_frees_its_place(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    jobs.a.start().remove()
    assert jobs.b.start().wait() == JobExit(exit_code=0)


def test_a_job_that_cannot_be_started_frees_its_place(tmp_path: Path) -> None:
    place = Workplace(tmp_path, "any:1")
    runner = LimitedRunner(ScriptedRunner(refusals={"A": JobFailed("no")}), slots=1)
    with pytest.raises(JobFailed):
        runner.prepare(place.job("x", step="A")).start()
    assert run(runner, place.job("x", step="B")) == JobExit(exit_code=0)

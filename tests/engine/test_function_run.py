"""A call of a function from a step's view: what a stop and a kill do to it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from localpipe.core.faults import parse_fault
from localpipe.core.functions import FunctionEnd, FunctionExit
from localpipe.core.names import AttemptKey
from localpipe.core.work import CallFunction, FunctionResult
from localpipe.engine.function import FunctionRun
from localpipe.errors import JobFailed

KEY = AttemptKey(execution_id="abcdefghij12", step="Tell", attempt=1)
CALL = CallFunction(arn="arn", event={})
RETURNED = FunctionExit(end=FunctionEnd.RETURNED, text="{}")
DIED = FunctionExit(end=FunctionEnd.EXITED, text="its process ended with signal 9.")


class Host:
    """Functions that end when they are told to: `end` returns, `kill` dies."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.refusal, self.exit = refusal, RETURNED
        self.started = 0
        self.most_seconds: float | None = None
        self.ended = threading.Event()

    def log_file(self, key: AttemptKey) -> Path:
        return Path(key.step)

    def start(self, key: AttemptKey, call: CallFunction) -> Host:
        assert (key, call) == (KEY, CALL)
        if self.refusal:
            raise self.refusal
        self.started += 1
        return self

    def wait(self, most_seconds: float | None = None) -> FunctionExit:
        self.most_seconds = most_seconds
        assert self.ended.wait(10)
        return self.exit

    def end(self) -> None:
        self.ended.set()

    def kill(self) -> None:
        self.exit = DIED
        self.ended.set()


def test_a_function_that_is_let_alone_gives_its_answer_when_it_has_begun() -> None:
    host = Host()
    assert FunctionRun(CALL, KEY, host).run(host.end) == FunctionResult(exit=RETURNED)


@pytest.mark.parametrize(("fault", "most_seconds"), [("Notify=time-limit@3", 3.0), ("Notify=Step.THROTTLING", None)])
def test_a_fault_may_bring_its_time_limit_forward(fault: str, most_seconds: float | None) -> None:
    host = Host()
    FunctionRun(CALL, KEY, host, parse_fault(fault)).run(host.end)
    assert host.most_seconds == most_seconds


def test_a_stop_lets_it_go_on_to_its_end() -> None:
    host = Host()
    run = FunctionRun(CALL, KEY, host)

    def stopped() -> None:
        run.stop(kill=False)
        assert not host.ended.is_set()
        host.end()

    assert run.run(stopped) == FunctionResult(exit=RETURNED, stopped=True)
    run.clean()


def test_a_kill_ends_it_at_once_also_after_a_stop() -> None:
    for presses in ([True], [False, True]):
        host = Host()
        run = FunctionRun(CALL, KEY, host)

        def killed(run: FunctionRun = run, presses: list[bool] = presses) -> None:
            for kill in presses:
                run.stop(kill=kill)

        assert run.run(killed) == FunctionResult(exit=FunctionExit(end=FunctionEnd.STOPPED), stopped=True)


def test_one_that_was_told_to_stop_before_it_began_never_begins() -> None:
    host = Host()
    run = FunctionRun(CALL, KEY, host)
    run.stop(kill=False)
    assert run.run(host.end) == FunctionResult(exit=FunctionExit(end=FunctionEnd.STOPPED), stopped=True)
    assert host.started == 0


def test_a_stop_comes_before_or_after_it_begins() -> None:
    class SlowHost(Host):
        def start(self, key: AttemptKey, call: CallFunction) -> Host:
            stop.start()
            stop.join(0.1)
            assert stop.is_alive(), "it has begun although it was told to stop"
            return super().start(key, call)

    host = SlowHost()
    run = FunctionRun(CALL, KEY, host)
    stop = threading.Thread(target=run.stop, kwargs={"kill": True})
    assert run.run(lambda: None) == FunctionResult(exit=FunctionExit(end=FunctionEnd.STOPPED), stopped=True)


def test_one_that_cannot_be_started_is_refused_with_the_reason() -> None:
    for refusal in (JobFailed("it is not there"), OSError("it is not there")):
        result = FunctionRun(CALL, KEY, Host(refusal)).run(lambda: None)
        assert result == FunctionResult(exit=FunctionExit(end=FunctionEnd.REFUSED, text="it is not there"))

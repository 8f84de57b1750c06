"""What a running job is told: once, again if it failed, and killed at last."""

from __future__ import annotations

import signal
import threading

import pytest

from localpipe.core.jobspec import JobEnd, JobExit
from localpipe.core.names import AttemptKey
from localpipe.engine.signals import Signals
from localpipe.errors import JobFailed

KEY = AttemptKey(execution_id="e" * 12, step="S", attempt=1)
TERM, KILL = signal.SIGTERM, signal.SIGKILL


class Told:
    """A job that keeps what it is told; its engine refuses the first signals of a kind."""

    def __init__(self, **refusals: int) -> None:
        self.told: list[int] = []
        self.killed = threading.Event()
        self._refusals = refusals

    def signal(self, signum: int) -> None:
        name = signal.Signals(signum).name
        if self._refusals.get(name):
            self._refusals[name] -= 1
            raise JobFailed("the engine does not answer")
        self.told.append(signum)
        if signum == KILL:
            self.killed.set()

    def wait(self, timeout_seconds: float | None = None) -> JobExit | None:
        raise NotImplementedError

    def address(self, port: int) -> tuple[str, int]:
        raise NotImplementedError

    def remove(self) -> None:
        raise NotImplementedError


def test_a_signal_is_sent_once() -> None:
    signals = Signals(KEY, job := Told(), grace_seconds=60)
    for signum in (TERM, TERM, KILL, KILL):
        signals.send(signum)
    signals.end()
    assert job.told == [TERM, KILL]


def test_a_signal_that_could_not_be_sent_is_sent_when_it_is_asked_for_again() -> None:
    signals = Signals(KEY, job := Told(SIGKILL=1), grace_seconds=60)
    with pytest.raises(JobFailed):
        signals.send(KILL)
    for _ in range(2):
        signals.send(KILL)
    signals.end()
    assert job.told == [KILL]


def test_after_the_grace_the_job_is_killed_however_often_that_fails_at_first(caplog: pytest.LogCaptureFixture) -> None:
    signals = Signals(KEY, job := Told(SIGTERM=1, SIGKILL=1), grace_seconds=0.01)
    signals.call_time(JobEnd.TIMED_OUT)
    assert job.killed.wait(10)
    signals.end()
    assert (job.told, signals.time_up) == ([KILL], JobEnd.TIMED_OUT)
    assert "SIGTERM cannot be sent: the engine does not answer" in caplog.text
    assert "SIGKILL cannot be sent: the engine does not answer" in caplog.text


def test_the_one_who_kills_goes_when_the_job_has_ended() -> None:
    before = set(threading.enumerate())
    signals = Signals(KEY, job := Told(), grace_seconds=60)
    signals.send(TERM)
    (killer,) = set(threading.enumerate()) - before
    signals.end()
    killer.join(10)
    assert not killer.is_alive()
    assert job.told == [TERM]


def test_a_job_that_was_found_again_is_told_what_it_was_not_told_yet() -> None:
    signals = Signals(KEY, lost := Told(), grace_seconds=60)
    signals.send(TERM)
    signals.turn_to(found := Told())
    signals.send(TERM)
    signals.send(KILL)
    signals.end()
    assert (lost.told, found.told) == ([TERM], [KILL])

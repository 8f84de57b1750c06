"""Several hosts as one job: one that cannot be reached does not keep the others from what they are told."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from localpipe.core.jobspec import JobExit
from localpipe.errors import JobFailed
from localpipe.runners._shared_fate import SharedFate

if TYPE_CHECKING:
    from collections.abc import Callable


class Host:
    """A host that runs until it is removed, killed or gets one of the signals `ends`; `error` is what its engine says to
    everything else.
    """

    def __init__(
        self, name: str, done: list[str], error: Exception | None = None, *, ends: tuple[int, ...] = (), exit_code: int = 0
    ) -> None:
        self._name, self._done, self._error = name, done, error
        self._ends, self._exit_code = ends, exit_code
        self.over = threading.Event()

    def wait(self, timeout_seconds: float | None = None) -> JobExit | None:
        return JobExit(exit_code=self._exit_code) if self.over.wait(timeout_seconds) else None

    def signal(self, signum: int) -> None:
        self._do(f"{signal.Signals(signum).name} {self._name}")
        if signum in self._ends:
            self.over.set()

    def address(self, port: int) -> tuple[str, int]:
        return self._name, port

    def remove(self) -> None:
        self.over.set()
        self._do(f"remove {self._name}")

    def _do(self, what: str) -> None:
        if self._error:
            raise self._error
        self._done.append(what)


@pytest.mark.parametrize(
    ("use", "done"),
    [
        (lambda job: job.signal(signal.SIGTERM), ["SIGTERM algo-2"]),
        (SharedFate.remove, ["remove algo-2", "network away"]),
    ],
)
@pytest.mark.parametrize("error", [JobFailed("algo-1 does not answer"), ConnectionResetError("algo-1 does not answer")])
def test_all_hosts_are_told_and_the_first_error_is_raised(
    use: Callable[[SharedFate], None], done: list[str], error: Exception
) -> None:
    seen: list[str] = []
    hosts = [Host("algo-1", seen, error), Host("algo-2", seen), Host("algo-3", seen, JobFailed("nor does algo-3"))]
    job = SharedFate(hosts, lambda: seen.append("network away"), grace_seconds=60)
    with pytest.raises(type(error), match="algo-1 does not answer"):
        use(job)
    assert seen == done
    for host in hosts:
        host.over.set()


def test_a_host_that_fails_has_the_others_told_to_end_and_those_that_do_not_killed_after_the_grace() -> None:
    seen: list[str] = []
    failing = Host("algo-1", seen, exit_code=3)
    saves, ignores = Host("algo-2", seen, ends=(signal.SIGTERM,)), Host("algo-3", seen, ends=(signal.SIGKILL,))
    job = SharedFate([failing, saves, ignores], lambda: None, grace_seconds=0.01)
    failing.over.set()
    assert job.wait(20) == JobExit(exit_code=3)
    assert seen == ["SIGTERM algo-2", "SIGTERM algo-3", "SIGKILL algo-2", "SIGKILL algo-3"]


def test_the_grace_ends_with_the_last_host() -> None:
    seen: list[str] = []
    failing, saves = Host("algo-1", seen, exit_code=3), Host("algo-2", seen, ends=(signal.SIGTERM,))
    job = SharedFate([failing, saves], lambda: None, grace_seconds=60)
    failing.over.set()
    assert job.wait(20) == JobExit(exit_code=3)
    assert seen == ["SIGTERM algo-2"]


def test_hosts_that_have_been_told_to_end_are_not_told_again_when_one_ends_badly_of_it() -> None:
    seen: list[str] = []
    badly = Host("algo-1", seen, ends=(signal.SIGTERM,), exit_code=143)
    saves = Host("algo-2", seen, ends=(signal.SIGKILL,))
    job = SharedFate([badly, saves], lambda: None, grace_seconds=0.01)
    job.signal(signal.SIGTERM)
    assert job.wait(20) == JobExit(exit_code=143)
    assert seen == ["SIGTERM algo-1", "SIGTERM algo-2", "SIGKILL algo-2"]

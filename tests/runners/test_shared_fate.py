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
    """A host that runs until it is removed; `error` is what its engine says to everything else."""

    def __init__(self, name: str, done: list[str], error: Exception | None = None) -> None:
        self._name, self._done, self._error = name, done, error
        self.over = threading.Event()

    def wait(self, timeout_seconds: float | None = None) -> JobExit | None:
        return JobExit(exit_code=0) if self.over.wait(timeout_seconds) else None

    def signal(self, signum: int) -> None:
        self._do(f"{signal.Signals(signum).name} {self._name}")

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
    job = SharedFate(hosts, lambda: seen.append("network away"))
    with pytest.raises(type(error), match="algo-1 does not answer"):
        use(job)
    assert seen == done
    for host in hosts:
        host.over.set()

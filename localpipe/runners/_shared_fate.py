"""Several hosts of one job as one running job: when one fails the others are ended. Follows: containers.md 2.11, 2.14."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from localpipe.errors import LocalpipeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from localpipe.core.jobspec import JobExit
    from localpipe.core.ports import Running

FATE_GRACE_SECONDS = 10.0
"""Between SIGTERM and SIGKILL for the other hosts of a job that has failed, at most. Ours: no rule gives a time, and most
first processes heed no SIGTERM, so that a stopped job's 120 s would hold up each failure.
"""


class SharedFate:
    """Started hosts, each with a thread that waits for its end. Any thread may call it.

    When one has failed the others get SIGTERM, unless they were told to end before, and SIGKILL `grace_seconds` later, at
    most FATE_GRACE_SECONDS; its exit is the job's. `take_away` removes what the hosts shared, once they are removed.
    Mutable: `_lock` guards how hosts ended; `_told` is what all were sent.
    """

    def __init__(self, hosts: Sequence[Running], take_away: Callable[[], None], *, grace_seconds: float) -> None:
        self._hosts, self._take_away = tuple(hosts), take_away
        self._grace_seconds = min(grace_seconds, FATE_GRACE_SECONDS)
        self._lock = threading.Lock()
        self._told: set[int] = set()
        self._ended: list[JobExit | BaseException] = []
        self._over = threading.Event()
        for index in range(len(self._hosts)):
            threading.Thread(target=self._attend, args=(index,), daemon=True).start()

    def wait(self, timeout_seconds: float | None = None) -> JobExit | None:
        """Block until every host has ended; the exit of the first that failed. Raises what kept one from being followed."""
        if not self._over.wait(timeout_seconds):
            return None
        end = next(filter(_failed, self._ended), self._ended[0])
        if isinstance(end, BaseException):
            raise end
        return end

    def signal(self, signum: int) -> None:
        """Send a signal to the first process of every host. Raises the first error when all have been tried."""
        self._told.add(signum)
        _do_all(partial(host.signal, signum) for host in self._hosts)

    def address(self, port: int) -> tuple[str, int]:
        """Where the first host's port can be reached."""
        return self._hosts[0].address(port)

    def remove(self) -> None:
        """Kill what still runs and remove all hosts, then what they shared. Raises as `signal`."""
        _do_all([*(host.remove for host in self._hosts), self._take_away])

    def _attend(self, index: int) -> None:
        host = self._hosts[index]
        end = _end_of(host, index)
        with self._lock:
            first_failure = _failed(end) and not any(map(_failed, self._ended))
            self._ended.append(end)
            over = len(self._ended) == len(self._hosts)
        if over:
            self._over.set()
        elif first_failure:
            self._end_others(host)

    def _end_others(self, failed: Running) -> None:
        if signal.SIGTERM not in self._told:
            self._tell_others(failed, signal.SIGTERM)
        if not self._over.wait(self._grace_seconds):
            self._tell_others(failed, signal.SIGKILL)

    def _tell_others(self, failed: Running, signum: int) -> None:
        for host in self._hosts:
            if host is not failed:
                with suppress(LocalpipeError, OSError):  # who waits for that host is told
                    host.signal(signum)


def _do_all(actions: Iterable[Callable[[], None]]) -> None:
    """Do each, whatever becomes of the others; then raise the first error."""
    errors = [error for error in map(_error_of, actions) if error]
    if errors:
        raise errors[0]


def _error_of(action: Callable[[], None]) -> LocalpipeError | OSError | None:
    try:
        action()
    except (LocalpipeError, OSError) as error:
        return error
    return None


def _end_of(host: Running, index: int) -> JobExit | BaseException:
    """How a host ended, or what kept it from being followed."""
    try:
        while True:
            if (end := host.wait()) is not None:
                return replace(end, host=index)
    except BaseException as error:  # noqa: BLE001 - raised where the job is waited for
        return error


def _failed(end: JobExit | BaseException) -> bool:
    return isinstance(end, BaseException) or end.exit_code != 0

"""A runner that lets only so many jobs run at once; the others wait, first come, first served, and are not started."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from localpipe.errors import JobFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from localpipe.core.jobspec import JobExit, StagedJob
    from localpipe.core.names import AttemptKey
    from localpipe.core.ports import Availability, CommandLine, ImageStatus, Prepared, Runner, Running


class Slots:
    """Places for running jobs, given out in the order they are asked for. Any thread may call it."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = threading.Lock()
        self._waiting: deque[Ticket] = deque()

    def ask(self) -> Ticket:
        """Stand in line. The ticket is `served` at once if a place is free."""
        ticket = Ticket()
        with self._lock:
            self._waiting.append(ticket)
            self._serve()
        return ticket

    def take(self) -> Ticket:
        """Count a job that runs already; there may be more of those than places."""
        ticket = Ticket()
        with self._lock:
            self._free -= 1
            ticket.give()
        return ticket

    def give_back(self, ticket: Ticket) -> None:
        """Leave the place, or the line. Once is enough; again does nothing."""
        with self._lock:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                ticket.withdraw()
            elif ticket.end():
                self._free += 1
                self._serve()

    def _serve(self) -> None:
        while self._waiting and self._free > 0:
            self._free -= 1
            self._waiting.popleft().give()


class Ticket:
    """A claim to a place. `served`: it has one now. `wait` tells how it ends: with a place (True) or withdrawn (False)."""

    def __init__(self) -> None:
        self._decided = threading.Event()
        self.served = False

    def wait(self) -> bool:
        """Block until there is a place, or the claim was withdrawn."""
        self._decided.wait()
        return self.served

    def give(self) -> None:
        """There is a place."""
        self.served = True
        self._decided.set()

    def withdraw(self) -> None:
        """The claim is off."""
        self._decided.set()

    def end(self) -> bool:
        """Give up the place; False if there was none to give up."""
        held, self.served = self.served, False
        return held


class LimitedRunner:
    """Another runner with at most `slots` jobs at once; `start` blocks until it is the job's turn.

    A job's place is free again when a `wait` for it has seen its end, or when it is removed. Jobs that `find` gives run
    already and have their place even beyond the limit.
    """

    def __init__(self, runner: Runner, slots: int) -> None:
        self._runner = runner
        self._slots = Slots(slots)

    @property
    def name(self) -> str:
        """The inner runner's."""
        return self._runner.name

    @property
    def overlays(self) -> bool:
        """The inner runner's."""
        return self._runner.overlays

    def check(self) -> Availability:
        """The inner runner's."""
        return self._runner.check()

    def image(self, image_uri: str) -> ImageStatus:
        """The inner runner's."""
        return self._runner.image(image_uri)

    def ensure_image(self, image_uri: str) -> None:
        """The inner runner's."""
        self._runner.ensure_image(image_uri)

    def endpoint_host(self) -> str:
        """The inner runner's."""
        return self._runner.endpoint_host()

    def endpoint_url_host(self) -> str:
        """The inner runner's."""
        return self._runner.endpoint_url_host()

    def prepare(self, job: StagedJob) -> LimitedPrepared:
        """Prepare at once, without a place."""
        return LimitedPrepared(self._runner.prepare(job), self._slots, job.job_name)

    def find(self, key: AttemptKey) -> LimitedRunning | None:
        """The inner runner's, with a place."""
        found = self._runner.find(key)
        return None if found is None else LimitedRunning(found, self._slots, self._slots.take())

    def sweep(self, keep: Callable[[AttemptKey], bool]) -> int:
        """The inner runner's."""
        return self._runner.sweep(keep)

    def enter(self, key: AttemptKey, command: Sequence[str], *, terminal: bool) -> Sequence[str] | None:
        """The inner runner's; takes no place."""
        return self._runner.enter(key, command, terminal=terminal)

    def job_command(self, job: StagedJob) -> Sequence[str]:
        """The inner runner's."""
        return self._runner.job_command(job)

    def shell(self, job: StagedJob, command: Sequence[str], *, terminal: bool) -> CommandLine:
        """The inner runner's; takes no place."""
        return self._runner.shell(job, command, terminal=terminal)

    def reclaim(self, directory: Path, image_uri: str) -> None:
        """The inner runner's."""
        self._runner.reclaim(directory, image_uri)

    def repeat_command(self, job: StagedJob) -> str:
        """The inner runner's."""
        return self._runner.repeat_command(job)

    def close(self) -> None:
        """Close the inner runner."""
        self._runner.close()


class LimitedPrepared:
    """A prepared job that asks for a place when it is to start. `remove` takes it out of the line."""

    def __init__(self, prepared: Prepared, slots: Slots, job_name: str) -> None:
        self._prepared, self._slots, self._job_name = prepared, slots, job_name
        self._lock = threading.Lock()
        self._ticket: Ticket | None = None
        self._removed = False

    def start(self) -> LimitedRunning:
        """Wait for a place, then start. Raises JobFailed if the job is removed meanwhile."""
        ticket = self._line_up()
        if ticket is None or not ticket.wait():
            raise JobFailed(f"Job {self._job_name} was taken back before it was its turn.")
        try:
            return LimitedRunning(self._prepared.start(), self._slots, ticket)
        except BaseException:
            self._slots.give_back(ticket)
            raise

    def remove(self) -> None:
        """Take the job back; a `start` that waits for a place ends."""
        with self._lock:
            self._removed = True
            if self._ticket is not None:
                self._slots.give_back(self._ticket)
        self._prepared.remove()

    def _line_up(self) -> Ticket | None:
        with self._lock:
            if not self._removed:
                self._ticket = self._slots.ask()
            return self._ticket


class LimitedRunning:
    """A running job that gives its place back when its end is seen."""

    def __init__(self, running: Running, slots: Slots, ticket: Ticket) -> None:
        self._running, self._slots, self._ticket = running, slots, ticket

    def wait(self, timeout_seconds: float | None = None) -> JobExit | None:
        """The inner job's; its end frees the place."""
        try:
            ended = self._running.wait(timeout_seconds)
        except BaseException:
            self._slots.give_back(self._ticket)
            raise
        if ended is not None:
            self._slots.give_back(self._ticket)
        return ended

    def signal(self, signum: int) -> None:
        """The inner job's."""
        self._running.signal(signum)

    def address(self, port: int) -> tuple[str, int]:
        """The inner job's."""
        return self._running.address(port)

    def remove(self) -> None:
        """The inner job's; frees the place."""
        self._running.remove()
        self._slots.give_back(self._ticket)

"""Claims to room, of all executions of a user on this machine: the line in which they stand, and the board they are on.

Each claim is a FIFO in one directory, open for writing in the process whose claim it is; its name says all there is to know.
So the kernel takes a claim back with its process, however that ends, and whoever waits for one to end, polling the FIFO's
other end, is told by it. See docs/decisions/0031.
"""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localpipe.core.room import Size
from localpipe.errors import HomeUnusable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_LOCK = "lock"
_HELD, _WAITS = "held", "waits"
_MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Claim:
    """An execution's claim to room; `number` orders all claims by when they were made. `held`: it has the room."""

    number: int
    held: bool
    execution_id: str
    size: Size

    @property
    def name(self) -> str:
        """The claim as the name of a file."""
        size = self.size
        numbers = (size.jobs, round(size.cpus * 1000), -(-size.memory_bytes // _MIB), size.gpus)
        return ".".join(map(str, (self.number, _HELD if self.held else _WAITS, self.execution_id, *numbers)))


def parse_claim(name: str) -> Claim | None:
    """The claim of that name, None for the name of something else."""
    try:
        number, state, execution_id, jobs, cpus, memory, gpus = name.split(".")
        size = Size(jobs=int(jobs), cpus=int(cpus) / 1000, memory_bytes=int(memory) * _MIB, gpus=int(gpus))
        return Claim(number=int(number), held=state == _HELD, execution_id=execution_id, size=size)
    except ValueError:
        return None


def first_in_line(claims: Collection[Claim]) -> Claim | None:
    """Whose turn it is: of the executions that wait that which has the fewest jobs running, and of equals who came first.

    Nobody passes who is next, however small, so that a job that takes much gets its room at last.
    """
    running = Counter(claim.execution_id for claim in claims if claim.held)
    waiting = (claim for claim in claims if not claim.held)
    return min(waiting, key=lambda claim: (running[claim.execution_id], claim.number), default=None)


@dataclass(frozen=True)
class Posted:
    """A claim of this process that is on the board as long as `fifo`, a descriptor, is open."""

    claim: Claim
    fifo: int


class Board:
    """The directory of claims. Used with its lock held (`locked`) but for `withdraw`. Any thread and process may use it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else looks at the board or puts a claim on it. Raises HomeUnusable."""
        lock = self._open_lock()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def claims(self) -> list[Claim]:
        """All claims, oldest first. Those of processes that are no more are removed."""
        claims = []
        for claim, fifo in self.watched():
            os.close(fifo)
            claims.append(claim)
        return claims

    def watched(self) -> Iterator[tuple[Claim, int]]:
        """All claims, oldest first, each with a descriptor that hangs up when the claim ends, to be closed by the caller."""
        found = filter(None, (parse_claim(path.name) for path in self._directory.iterdir()))
        for claim in sorted(found, key=lambda each: each.number):
            fifo = self._watch(claim)
            if fifo is not None:
                yield claim, fifo

    def post(self, claim: Claim) -> Posted:
        """Put a claim on the board."""
        path = self._directory / claim.name
        os.mkfifo(path, 0o600)
        # Read and write: opening a FIFO for writing alone waits for a reader.
        return Posted(claim, os.open(path, os.O_RDWR | os.O_NONBLOCK))

    def grant(self, posted: Posted) -> Posted:
        """Turn a claim that waits into one that is held."""
        held = self.post(replace(posted.claim, held=True))
        self.withdraw(posted)
        return held

    def withdraw(self, posted: Posted) -> None:
        """Take a claim off the board: those who watch it are told."""
        with suppress(FileNotFoundError):
            os.unlink(self._directory / posted.claim.name)  # noqa: PTH108 - before the close, which is what tells
        os.close(posted.fifo)

    def _watch(self, claim: Claim) -> int | None:
        """A descriptor that hangs up when the claim ends; None, and nothing is left of it, if it has ended already."""
        path = self._directory / claim.name
        try:
            fifo = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        try:
            os.read(fifo, 1)
        except BlockingIOError:
            return fifo  # there is nothing to read yet: the other end is open
        os.close(fifo)
        path.unlink(missing_ok=True)
        return None

    def _open_lock(self) -> int:
        path = self._directory / _LOCK
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self._unusable(error.strerror) from None
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._unusable(error.strerror) from None

    def _unusable(self, reason: str | None) -> HomeUnusable:
        return HomeUnusable(
            f"The directory {self._directory}, where executions share the room of this machine, cannot be used: {reason}. "
            "Set XDG_RUNTIME_DIR to a directory of yours."
        )

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
from typing import TYPE_CHECKING, NamedTuple

from localpipe.core.room import Room, Size
from localpipe.errors import HomeUnusable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

_LOCK = "lock"
_HELD, _WAITS = "held", "waits"
_UNCOUNTED = "-"
_MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Claim:
    """An execution's claim to room; `number` orders all claims by when they were made. `held`: it has the room.

    `room`: how much there is by the settings of that execution.
    """

    number: int
    held: bool
    execution_id: str
    size: Size
    room: Room

    @property
    def name(self) -> str:
        """The claim as the name of a file."""
        state = _HELD if self.held else _WAITS
        return ".".join(map(str, (self.number, state, self.execution_id, *_numbers(self.size), *_numbers(self.room))))


def parse_claim(name: str) -> Claim | None:
    """The claim of that name, None for the name of something else."""
    try:
        number, state, execution_id, *numbers = name.split(".")
        jobs, cpus, memory, gpus, of_jobs, of_cpus, of_memory, of_gpus = (
            None if text == _UNCOUNTED else int(text) for text in numbers
        )
        return Claim(
            number=int(number),
            held=state == _HELD,
            execution_id=execution_id,
            size=Size(jobs=jobs or 0, cpus=(cpus or 0) / 1000, memory_bytes=(memory or 0) * _MIB, gpus=gpus or 0),
            room=Room(
                jobs=of_jobs or 0,
                cpus=None if of_cpus is None else of_cpus / 1000,
                memory_bytes=None if of_memory is None else of_memory * _MIB,
                gpus=of_gpus,
            ),
        )
    except ValueError:
        return None


def _numbers(size: Size | Room) -> Iterator[int | str]:
    """Whole numbers, in the order in which they stand in a name."""
    yield size.jobs
    yield _UNCOUNTED if size.cpus is None else round(size.cpus * 1000)
    yield _UNCOUNTED if size.memory_bytes is None else -(-size.memory_bytes // _MIB)
    yield _UNCOUNTED if size.gpus is None else size.gpus


class Before(NamedTuple):
    """Who waits before a claim, and for what that it wants too, by name."""

    claim: Claim
    wanted: frozenset[str]


def who_is_before(claim: Claim, others: Collection[Claim]) -> Before | None:
    """Whom a claim has to let go first, although there is room for it; None: it is its turn.

    First in line is who belongs to the execution that has the fewest jobs running, of equals who came first. Who waits
    holds the line for what it is short of: nobody passes who wants of that, however little, so that a job that takes much
    gets its room at last. Whoever lacks nothing is about to take its room, which is left to it. Who is kept out by settings
    of its own that are stricter than those of `claim` holds the line for nobody.
    """
    running = Counter(each.execution_id for each in others if each.held)
    taken = [each.size for each in others if each.held]
    wanted = claim.room.counted(claim.size)
    awaited: frozenset[str] = frozenset()
    about_to: Claim | None = None
    line = sorted((each for each in (*others, claim) if not each.held), key=lambda each: _place(each, running))
    for each in line[: line.index(claim)]:
        short = claim.room.short_of(each.size, taken)
        if each.room.short_of(each.size, taken) - short:
            continue
        if short & wanted:
            return Before(each, short & wanted)
        awaited |= short
        if awaited.isdisjoint(claim.room.counted(each.size)):
            about_to, taken = each, [*taken, each.size]
    short = claim.room.short_of(claim.size, taken)
    return Before(about_to, short) if about_to and short else None


def _place(claim: Claim, running: Mapping[str, int]) -> tuple[int, int]:
    return running.get(claim.execution_id, 0), claim.number


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
        """Put a claim on the board. Raises OSError, and leaves nothing."""
        path = self._directory / claim.name
        os.mkfifo(path, 0o600)
        try:
            # Read and write: opening a FIFO for writing alone waits for a reader.
            return Posted(claim, os.open(path, os.O_RDWR | os.O_NONBLOCK))
        except OSError:
            path.unlink()
            raise

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

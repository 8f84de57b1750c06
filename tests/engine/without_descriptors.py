"""A program: what becomes of slots when the process has no descriptors left. Alone, since all its threads share them."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localpipe.core.room import Room
from localpipe.engine.slots import Slots
from localpipe.errors import HomeUnusable


@contextmanager
def descriptors(count: int) -> Iterator[None]:
    """Have so many descriptors beyond those that are open now, and no more."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    fillers = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(fillers) + 1, limits[1]))
    for _ in range(count):
        os.close(fillers.pop())
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for filler in fillers:
            os.close(filler)


def are_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def ask(directory: Path) -> None:
    """Ask with too few: at the lock, at the claims, at the watcher."""
    one = Slots(Room(jobs=1), directory, "a" * 12)
    for count in range(3):
        running, before = one.ask(), are_open()
        try:
            with descriptors(count):
                one.ask()
        except (OSError, HomeUnusable) as error:
            print(count, are_open() - before, len(list(directory.iterdir())), str(error).partition("Too many")[1])
        one.give_back(running)
        following = one.ask()
        print(following.served)
        one.give_back(following)


def look(directory: Path) -> None:
    """Look at the board, where there is more to watch than can be."""
    one, other = (Slots(Room(jobs=3), directory, letter * 12) for letter in "ab")
    _, _, _, before = other.ask(), other.ask(), other.ask(), are_open()
    try:
        with descriptors(3):
            one.look_again()
    except OSError as error:
        print(are_open() - before, error.strerror)


if __name__ == "__main__":
    {"ask": ask, "look": look}[sys.argv[1]](Path(sys.argv[2]))

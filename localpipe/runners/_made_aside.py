"""Directories that are whole whenever they bear their name: made under another one, and renamed before they are removed."""

from __future__ import annotations

import fcntl
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.runners._sandbox_directory import remove_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

_ASIDE, _LOCK = ".making-", ".lock"


def is_aside(place: Path) -> bool:
    """Whether it is half made, or half removed."""
    return place.name.startswith(_ASIDE)


@contextmanager
def made_aside(place: Path) -> Iterator[Path]:
    """Yield an empty directory, for the user alone, that becomes `place` if the block succeeds and no other has by then.

    Raises OSError where it cannot be made or renamed.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=place.parent))
    try:
        yield making
        try:
            making.rename(place)
        except OSError:
            if not place.is_dir():  # else another process was faster
                raise
    finally:
        remove_directory(making)


def removed_aside(place: Path) -> None:
    """Remove a directory; one that is not there is no error. Killed midway, what is left bears another name."""
    if not is_aside(place):
        aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=place.parent))
        with suppress(FileNotFoundError):
            place.rename(aside)
        place = aside
    remove_directory(place)


@contextmanager
def locked(directory: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold a directory, which is made if it is not there, against every thread and process that does the same.

    Yield whether it is held, which it always is after waiting.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / _LOCK).open("a") as lock:
        held = True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            held = False
        yield held

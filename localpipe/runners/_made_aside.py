"""Directories that are whole whenever they bear their name: made under another one, and renamed before they are removed."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.runners._sandbox_directory import remove_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

_ASIDE, _LOCK = ".making-", ".lock"
_TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST})


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
        except OSError as error:
            if error.errno not in _TAKEN:  # else another was faster, whose directory may be gone again by now
                raise
    finally:
        remove_directory(making)


def removed_aside(place: Path) -> None:
    """Remove a directory; one that is not there is no error. Killed midway, what is left bears another name."""
    remove_directory(place if is_aside(place) else _put_aside(place))


def hold(place: Path) -> int | None:
    """Hold a directory, as any number of threads and processes may: `removed_if_free` leaves it. None if it is not there.

    It is held for as long as the descriptor that is given stays open, and so no longer than this process lives.
    """
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    fcntl.flock(descriptor, fcntl.LOCK_SH)  # who removes it has it to itself for a rename alone
    if _is_at(place, descriptor):
        return descriptor
    os.close(descriptor)
    return None


def removed_if_free(place: Path) -> bool:
    """Remove a directory unless somebody holds it; whether it is gone by then."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        aside = place if is_aside(place) else _put_aside(place)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    remove_directory(aside)
    return True


def _is_at(place: Path, descriptor: int) -> bool:
    """Whether an open directory still is the one of that name."""
    try:
        return os.path.samestat(place.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _put_aside(place: Path) -> Path:
    """Give a directory the name of one that is being removed."""
    aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=place.parent))
    with suppress(FileNotFoundError):
        place.rename(aside)
    return aside


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

"""One driver per execution, and a doorbell to wake it: a lock that the kernel frees with the process, and a FIFO."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from localpipe.errors import ExecutionBusy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCK = "driver.lock"
_DOORBELL = "doorbell"
_LOOKS = 5
_LOOK_SECONDS = 0.02


@contextmanager
def driving(execution_dir: Path) -> Iterator[int]:
    """Be the only process that drives this execution; yields the doorbell's descriptor, readable when it has been rung.

    Raises ExecutionBusy, with the process that drives it.
    """
    execution_dir.mkdir(parents=True, exist_ok=True)
    lock = os.open(execution_dir / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _locked(lock):
            owner = os.pread(lock, 32, 0).decode() or "unknown"
            raise ExecutionBusy(f"Process {owner} drives execution {execution_dir.name} already.")
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        with _doorbell(execution_dir) as bell:
            yield bell
    finally:
        os.close(lock)


def _locked(lock: int) -> bool:
    """Take the lock, if no driver has it. Whoever looks whether there is a driver holds it for a moment: `is_driven`."""
    for _ in range(_LOOKS):
        if _try_lock(lock):
            return True
        time.sleep(_LOOK_SECONDS)
    return False


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        return False
    return True


def is_driven(execution_dir: Path) -> bool:
    """Whether a process drives this execution now."""
    try:
        lock = os.open(execution_dir / _LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def ring(execution_dir: Path) -> None:
    """Tell the driver, if there is one, to read the journal again."""
    with suppress(OSError):  # ENXIO: nobody listens; the journal is the truth and will be read at the next start
        bell = os.open(execution_dir / _DOORBELL, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(bell, b"\n")
        finally:
            os.close(bell)


@contextmanager
def _doorbell(execution_dir: Path) -> Iterator[int]:
    path = execution_dir / _DOORBELL
    with suppress(FileExistsError):
        os.mkfifo(path, 0o600)
    # Read and write: so that the FIFO never reports end of file when a ringer leaves.
    bell = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        yield bell
    finally:
        os.close(bell)
        path.unlink(missing_ok=True)

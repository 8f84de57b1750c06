"""Making what a container finds: directories, links that share a stored object's content, private copies.

Paths are text here: a job may have ten thousand files, and a `Path` costs more than the link.
"""
# ruff: noqa: PTH101, PTH102, PTH112, PTH116, PTH120, PTH123

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys

_FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file, copied when one of them is written
_ANYONE_DIR = 0o777  # the image's user, whoever that is, may write
_ANYONE_FILE = 0o666
_READABLE_FILE = 0o644
_BLOCK_BYTES = 1 << 20
_LINK_REFUSED = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES})


def make_dirs(path: str, *, below: str) -> None:
    """Make a directory and its parents below `below`, all open to the container's user. Raises NotADirectoryError."""
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise NotADirectoryError(errno.ENOTDIR, "is a file", path) from None
        return
    except FileNotFoundError:
        if path == below:
            raise
        make_dirs(os.path.dirname(path), below=below)
        os.mkdir(path)
    os.chmod(path, _ANYONE_DIR)


def write_text(path: str, text: str) -> None:
    """Write a file that every user may read."""
    with open(path, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), _READABLE_FILE)
        file.write(text)


def link(source: str, target: str) -> None:
    """Make `target` show the content of `source`: a hard link, or a copy where there can be none.

    Only for directories that a container cannot write to: a hard link is the stored object itself. What a symbolic link
    leads to is shown, since the link would lead elsewhere in the container. Another user's or group's file is copied:
    a sandbox knows one user and one group, and its root may neither read such a file nor write over it.
    """
    status = os.lstat(source)
    if stat.S_ISLNK(status.st_mode):
        source = os.path.realpath(source)
        status = os.stat(source)
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        copy(source, target)
        return
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _LINK_REFUSED:
            raise
        copy(source, target)


def copy(source: str, target: str) -> None:
    """Make a private, writable copy that shares blocks with `source` where the file system can do that."""
    with open(source, "rb") as reading, open(target, "xb") as writing:
        os.fchmod(writing.fileno(), _ANYONE_FILE)
        if not _clone(reading.fileno(), writing.fileno()):
            shutil.copyfileobj(reading, writing, _BLOCK_BYTES)


def copy_dated(source: str, target: str) -> None:
    """`copy`, which keeps the time of the last change: a file that the job leaves alone can be told from one it writes."""
    copy(source, target)
    status = os.stat(source)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _clone(source: int, target: int) -> bool:
    """Share the blocks of an open file with another; False where the file system cannot."""
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True

"""A directory that somebody else filled, made into one of the store's: each file the object that its path names.

Pure renaming is what makes it cheap, so it is all or nothing: a directory with anything that is no object as it stands (a
link, a name to be escaped, another's file) is left to the puts of its files one by one.
"""
# ruff: noqa: PTH101, PTH106 - paths are text here, as in `tree.py`

from __future__ import annotations

import contextlib
import os
import stat

from localpipe.store.keys import KEY_LIMIT_BYTES, is_text, names_of

_DIRECTORY_MODE = 0o755


def made_ready(directory: str, prefix: str, file_mode: int, now_ns: int) -> bool:
    """Whether all below a directory are objects by the keys `prefix` and their path; they have mode and time of such then.

    `prefix` ends with a slash. Empty directories below it are removed. Raises OSError.
    """
    os.chmod(directory, _DIRECTORY_MODE)
    with os.scandir(directory) as items:
        entries = list(items)
    for entry in entries:
        key = prefix + entry.name
        if not _is_plain(entry.name) or len(key.encode()) > KEY_LIMIT_BYTES:
            return False
        if entry.is_dir(follow_symlinks=False):
            if not made_ready(entry.path, f"{key}/", file_mode, now_ns):
                return False
            _remove_if_empty(entry.path)
        elif not _file_made_ready(entry, file_mode, now_ns):
            return False
    return True


def _is_plain(name: str) -> bool:
    return is_text(name) and names_of(name) == (name,)


def _file_made_ready(entry: os.DirEntry[str], mode: int, now_ns: int) -> bool:
    """Only an ordinary file of ours with this one name: nothing else changes with it."""
    status = entry.stat(follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_uid != os.geteuid():
        return False
    if stat.S_IMODE(status.st_mode) != mode:
        os.chmod(entry.path, mode)
    os.utime(entry.path, ns=(now_ns, now_ns))
    return True


def _remove_if_empty(directory: str) -> None:
    """An empty prefix is nothing in S3."""
    with contextlib.suppress(OSError):
        os.rmdir(directory)

"""A directory of objects that is written: putting files into place and taking them away.

Several processes use one directory at once. Every step below is one atomic operation of the file system, and whoever finds
that another has changed the ground tries again:

- an object appears and is replaced by a rename, so it is whole or not there; many may appear by one, of their directory;
- a directory emptied by a removal is removed too; a rename that finds its directory gone makes it again;
- an object whose name is needed for a directory moves beside it (`keys.py`). Objects move in this direction only and are
  looked for at the plain path first, so nobody misses one that moves;
- directories are made under a lock, the only one: what is moved out of the way is a file and not another's new directory.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from typing import TYPE_CHECKING

from localpipe.errors import StoreError
from localpipe.store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from localpipe.store.keys import Naming

_ATTEMPTS = 1000
"""How often a rename is tried while others remove its directory. Each try fails only if another process got on."""


class WritableTree(Tree):
    """`lock_file` is the same for all who write into the directory; it and its directory are made when needed."""

    def __init__(self, directory: str, naming: Naming, lock_file: str) -> None:
        super().__init__(directory, naming)
        self._lock_file = lock_file

    def place(self, source: str, key: str) -> str:
        """Rename the file `source` to be the object, and return its path. Raises StoreError `SlowDown`, OSError."""
        components = key.split("/")
        for _ in range(_ATTEMPTS):
            target = self._target(components)
            try:
                os.replace(source, target)  # noqa: PTH105 - paths are text here: listing makes one per object
            except IsADirectoryError:
                continue
            except (FileNotFoundError, NotADirectoryError):
                os.stat(source)  # noqa: PTH116 - raises if it is the source that is missing
                with _locked(self._lock_file):
                    self._make_parents(components, target)
            else:
                return target
        raise StoreError("SlowDown", f"The object {key!r} could not be put: other processes keep removing its directory.")

    def place_directory(self, source: str, key: str) -> None:
        """Rename a directory to be all objects that begin with `key` and a slash, if there are none. Raises OSError.

        It stands under the lock, since a file that is moved out of the way must not turn into this directory meanwhile.
        """
        components = key.split("/")
        target = self._path(components)
        if target is None:
            raise NotADirectoryError(errno.ENOTDIR, "cannot exist here", key)
        with _locked(self._lock_file):
            self._make_parents(components, target)
            os.rename(source, target)  # noqa: PTH104 - replaces an empty directory and nothing else

    def remove(self, key: str) -> None:
        """Remove the object, if it is there, and the directories that this leaves empty. Raises OSError."""
        components = key.split("/")
        for path in (self._path(components), self._beside(components)):
            if path and _is_object_or_link(path):
                _unlink(path)
                self._prune(os.path.dirname(path))  # noqa: PTH120

    def _target(self, components: Sequence[str]) -> str:
        """The path that a put writes: the one where the object is, so that no other stays behind."""
        plain, beside = self._path(components), self._beside(components)
        if plain is None or beside is None:
            raise StoreError("InvalidArgument", f"No object can have the key {'/'.join(components)!r} here.")
        if os.path.lexists(plain):
            return beside if os.path.isdir(plain) else plain  # noqa: PTH112
        return beside if os.path.lexists(beside) else plain

    def _make_parents(self, components: Sequence[str], target: str) -> None:
        """Make the directory of `target`; objects that have the name of a directory above move beside it."""
        for count in range(1, len(components)):
            plain, beside = self._path(components[:count]), self._beside(components[:count])
            if plain and beside and _is_object_or_link(plain):
                _make_directories(os.path.dirname(beside))  # noqa: PTH120
                with contextlib.suppress(FileNotFoundError):
                    os.replace(plain, beside)  # noqa: PTH105
        with contextlib.suppress(FileNotFoundError, FileExistsError, NotADirectoryError):
            _make_directories(os.path.dirname(target))  # noqa: PTH120

    def _prune(self, directory: str) -> None:
        with contextlib.suppress(OSError):  # not empty, or another process was faster
            while directory != self.directory:
                os.rmdir(directory)  # noqa: PTH106
                directory = os.path.dirname(directory)  # noqa: PTH120


@contextlib.contextmanager
def _locked(lock_file: str) -> Iterator[None]:
    """Keep other threads and processes out of it. The kernel frees the lock with the process."""
    os.makedirs(os.path.dirname(lock_file), exist_ok=True)  # noqa: PTH103, PTH120
    with open(lock_file, "ab") as file:  # noqa: PTH123
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make_directories(directory: str) -> None:
    """As os.makedirs, which recurses and so cannot make the thousand levels that a key may have."""
    missing = []
    while not os.path.isdir(directory):  # noqa: PTH112
        missing.append(directory)
        directory = os.path.dirname(directory)  # noqa: PTH120
    for path in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(path)  # noqa: PTH102


def _unlink(path: str) -> None:
    """Remove a file, unless it has gone or made room for a directory since it was looked at."""
    try:
        os.unlink(path)  # noqa: PTH108
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        pass
    except PermissionError:  # what macOS says of a directory
        if not os.path.isdir(path):  # noqa: PTH112
            raise


def _is_object_or_link(path: str) -> bool:
    return os.path.lexists(path) and not os.path.isdir(path)  # noqa: PTH112

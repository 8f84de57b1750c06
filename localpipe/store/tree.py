"""A directory of objects: finding them and listing them in key order, while others may change it (`writing.py`)."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from localpipe.store.keys import Naming


@dataclass(frozen=True)
class Found:
    """An object's key in its tree and the file that holds it. `path` may be a symbolic link; `status` is of its target."""

    key: str
    path: str
    status: os.stat_result


@dataclass(frozen=True)
class _Entry:
    """A file or directory of one level. `key` of a directory ends with a slash: all keys below begin with it."""

    key: str
    path: str
    is_directory: bool


class Tree:
    """The objects in `directory`. Keys are relative to it."""

    def __init__(self, directory: str, naming: Naming) -> None:
        self.directory, self._naming = directory, naming

    def find(self, key: str) -> Found | None:
        """The object with exactly this key."""
        components = key.split("/")
        for path in (self._path(components), self._beside(components)):
            status = _file_status(path) if path else None
            if path and status:
                return Found(key, path, status)
        return None

    def scan(self, prefix: str, start_after: str = "") -> Iterator[Found]:
        """Objects whose key begins with `prefix` and comes after `start_after`, in UTF-8 byte order.

        Python compares text by code points, which is the order of its UTF-8 bytes. Reads one directory at a time and none
        that holds no such key. What is removed meanwhile is left out.
        """
        folder, slash, _ = prefix.rpartition("/")
        directory = self._path(folder.split("/")) if slash else self.directory
        if directory is None:
            return
        levels = [iter(self._level(directory, folder + slash, prefix, start_after))]
        while levels:
            entry = next(levels[-1], None)
            if entry is None:
                levels.pop()
            elif entry.is_directory:
                levels.append(iter(self._level(entry.path, entry.key, prefix, start_after)))
            elif found := self._at(entry):
                yield found

    def _path(self, components: Sequence[str]) -> str | None:
        path = self._naming.path(components)
        return None if path is None else f"{self.directory}/{path}"

    def _beside(self, components: Sequence[str]) -> str | None:
        path = self._naming.beside(components)
        return None if path is None else f"{self.directory}/{path}"

    def _at(self, entry: _Entry) -> Found | None:
        status = _file_status(entry.path)
        return Found(entry.key, entry.path, status) if status else self.find(entry.key)

    def _level(self, directory: str, head: str, prefix: str, start_after: str) -> list[_Entry]:
        """The wanted entries of one directory, in the order of their keys. `head` begins the keys of all of them."""
        entries: dict[str, _Entry] = {}
        wanted = prefix[len(head) :].partition("/")[0]
        for names, item in self._items(directory, ()):
            # Most names of a flat bucket belong to other keys; an escaped one (with a `%`) tells only once it is decoded.
            if "%" not in names[0] and "%" not in wanted and not names[0].startswith(wanted):
                continue
            component = self._naming.component(names)
            if component is None:
                continue
            is_directory = _is_directory(item)
            key = f"{head}{component}/" if is_directory else head + component
            reached = key > start_after or (is_directory and start_after.startswith(key))
            # While an object moves, it may be seen at both its paths; `find` would take the plain one.
            if key.startswith(prefix) and reached and (key not in entries or item.name == component):
                entries[key] = _Entry(key, item.path, is_directory)
        return [entries[key] for key in sorted(entries)]

    def _items(self, directory: str, before: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], os.DirEntry[str]]]:
        """Each entry with its names, those in directories that hold the rest of a long name included."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(directory) as items:
            for item in items:
                names = (*before, item.name)
                if self._naming.goes_on(item.name):
                    yield from self._items(item.path, names)
                else:
                    yield names, item


def _file_status(path: str) -> os.stat_result | None:
    """None if there is no ordinary file. Raises PermissionError."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except PermissionError:
        raise
    except OSError:  # not there, a name too long to be there, a link that leads nowhere
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _is_directory(item: os.DirEntry[str]) -> bool:
    """A link to a directory above itself counts as none: following it would not end."""
    try:
        if not item.is_dir():
            return False
    except OSError:  # a link that leads nowhere or in a circle
        return False
    if not item.is_symlink():
        return True
    target = os.path.realpath(item.path)
    return not f"{os.path.realpath(os.path.dirname(item.path))}/".startswith(f"{target}/")  # noqa: PTH120

"""Digests of what objects hold, kept by file, so that large ones are read once."""

from __future__ import annotations

import hashlib
import lzma
import os
import sqlite3
import tarfile
import zlib
from contextlib import closing, suppress
from typing import IO, TYPE_CHECKING, TypeVar

from localpipe.databases import BUSY_TIMEOUT_SECONDS
from localpipe.errors import HomeUnusable, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from localpipe.core.names import S3Uri
    from localpipe.core.ports import ObjectInfo, ObjectStore

_Result = TypeVar("_Result")

_ARCHIVES = (".tar.gz", ".tgz", ".tar")
_NO_ARCHIVE = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError)
"""What a damaged archive raises, beside an OSError that has no errno."""
_GONE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""What the file of an object that has been removed meanwhile may say, or moved beside a directory of its name."""
_TABLE = """
CREATE TABLE IF NOT EXISTS contents (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, digest TEXT NOT NULL
) WITHOUT ROWID
"""


class ContentDigests:
    """Digests of the objects of a store. Any thread or process may call it.

    `file`: where they are kept by path, size, inode and times of change, that of the inode too: a file that is replaced by
    one of its size and time (`cp -p`) has another. A hard link changes it as well, and costs a second reading. `file` may be
    removed at any time; one that is damaged is begun anew.
    All methods raise StoreError for an object that cannot be read, HomeUnusable.
    """

    def __init__(self, store: ObjectStore, file: Path) -> None:
        self._store, self._file = store, file

    def under(self, prefix: S3Uri) -> str | None:
        """One digest of all objects that a prefix matches, each with its key as jobs see it; None where there is none.

        The same objects under another prefix give the same digest; one that is removed meanwhile does not count.
        Follows: containers.md 1.6.
        """

        def entries(kept: sqlite3.Connection) -> list[str]:
            found = ((info.uri.key, _kept_digest(info, kept)) for info in self._store.list(prefix))
            return sorted(f"{_relative(prefix.key, key)} {digest}" for key, digest in found if digest)

        lines = self._using(entries)
        return _digest("\n".join(lines)) if lines else None

    def of_each(self, uris: Iterable[S3Uri]) -> str:
        """One digest of single objects in their order, those that are not there included."""
        wanted = tuple(uris)

        def entries(kept: sqlite3.Connection) -> list[str]:
            found = map(self._store.head, wanted)
            return [_kept_digest(info, kept) if info else "" for info in found]

        return _digest("\n".join(self._using(entries)))

    def of_objects(self, objects: Iterable[ObjectInfo]) -> str:
        """One digest of objects in their order, each with its URI; one that is removed meanwhile does not count."""
        wanted = tuple(objects)

        def entries(kept: sqlite3.Connection) -> list[str]:
            found = ((info.uri, _kept_digest(info, kept)) for info in wanted)
            return [f"{uri} {digest}" for uri, digest in found if digest]

        return _digest("\n".join(self._using(entries)))

    def _using(self, task: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Do a task that may be done twice: what a damaged file kept is computed again."""
        try:
            try:
                return self._once(task)
            except sqlite3.OperationalError:
                raise  # locked, a full disk: the file is sound
            except sqlite3.DatabaseError:
                self._file.unlink(missing_ok=True)
                return self._once(task)
        except sqlite3.Error as error:
            raise HomeUnusable(f"The digests in {self._file} cannot be used: {error}. Remove that file.") from error

    def _once(self, task: Callable[[sqlite3.Connection], _Result]) -> _Result:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HomeUnusable(f"{error.filename} cannot be made: {error.strerror}.") from error
        with closing(sqlite3.connect(self._file, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)) as kept:
            kept.execute("PRAGMA synchronous = OFF")  # what is lost is computed again
            kept.execute(_TABLE)
            return task(kept)


def state_of(objects: Iterable[ObjectInfo]) -> str:
    """A digest of names, sizes and times, by which earlier versions marked outputs. It reads none."""
    return _digest("\n".join(f"{info.uri} {info.size} {info.modified_at}" for info in objects))


def _relative(prefix: str, key: str) -> str:
    """The key below the directory part of a prefix, which counts as a directory where the key goes on with a slash."""
    folder = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
    return key[len(folder) :] if key.startswith(folder) else key[prefix.rfind("/") + 1 :]


def _kept_digest(info: ObjectInfo, kept: sqlite3.Connection) -> str:
    """The digest of an object's file, read only if it has changed; empty for one that is not there any more."""
    try:
        status = info.path.stat()
        identity = (str(info.path), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        query = (
            "SELECT digest FROM contents WHERE path = ? AND size = ? AND modified_ns = ? AND changed_ns = ? AND inode = ?"
        )
        if row := kept.execute(query, identity).fetchone():
            return str(row[0])
        digest = _content_digest(info)
    except _GONE:
        return ""
    except OSError as error:
        raise StoreError("AccessDenied", f"{info.uri} cannot be read: {info.path}: {error.strerror or error}.") from error
    kept.execute("INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?, ?, ?)", (*identity, digest))
    return digest


def _content_digest(info: ObjectInfo) -> str:
    """Of an archive the digest of its members: their times, and those that gzip writes, differ in each build."""
    digest = _archive_digest(info.path) if info.uri.key.endswith(_ARCHIVES) else None
    if digest:
        return digest
    with info.path.open("rb") as content:
        return _file_digest(content)


def _archive_digest(path: Path) -> str | None:
    """None for a file that is no archive, whatever its name says, or a damaged one. Raises OSError if it cannot be read."""
    with suppress(*_NO_ARCHIVE):
        try:
            with tarfile.open(path) as archive:
                return _digest("\n".join(sorted(_members(archive))))
        except OSError as error:
            if error.errno is not None:
                raise
    return None


def _members(archive: tarfile.TarFile) -> Iterator[str]:
    for member in archive:
        name = os.path.normpath(member.name)
        if member.isfile():
            content = archive.extractfile(member)
            assert content is not None  # noqa: S101 - regular files have one
            yield f"{name} {bool(member.mode & 0o100)} {_file_digest(content)}"
        elif not member.isdir():
            yield f"{name} -> {member.linkname}"


def _file_digest(content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := content.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()

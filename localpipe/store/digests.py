"""Digests of what objects hold, kept by file, so that large ones are read once."""

from __future__ import annotations

import gzip
import hashlib
import os
import sqlite3
import tarfile
import zlib
from contextlib import closing, contextmanager, suppress
from typing import IO, TYPE_CHECKING

from localpipe.errors import HomeUnusable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from localpipe.core.names import S3Uri
    from localpipe.core.ports import ObjectInfo, ObjectStore

_ARCHIVES = (".tar.gz", ".tgz", ".tar")
_BUSY_TIMEOUT_SECONDS = 30
_TABLE = """
CREATE TABLE IF NOT EXISTS digests (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL, inode INTEGER NOT NULL, digest TEXT NOT NULL
) WITHOUT ROWID
"""


class ContentDigests:
    """Digests of the objects of a store. Any thread or process may call it.

    `file`: where they are kept by path, size, time of change and inode; it may be removed at any time.
    """

    def __init__(self, store: ObjectStore, file: Path) -> None:
        self._store, self._file = store, file

    def under(self, prefix: S3Uri) -> str | None:
        """One digest of all objects that a prefix matches, each with its key as jobs see it; None where there is none.

        The same objects under another prefix give the same digest; one that is removed meanwhile does not count.
        Raises HomeUnusable. Follows: containers.md 1.6.
        """
        entries = []
        with self._opened() as kept:
            for info in self._store.list(prefix):
                with suppress(FileNotFoundError):
                    entries.append(f"{_relative(prefix.key, info.uri.key)} {self._of(info, kept)}")
        return _digest("\n".join(sorted(entries))) if entries else None

    def of_each(self, uris: Iterable[S3Uri]) -> str:
        """One digest of single objects in their order, those that are not there included. Raises HomeUnusable."""
        entries = []
        with self._opened() as kept:
            for uri in uris:
                found = self._store.head(uri)
                entries.append(self._of(found, kept) if found else "")
        return _digest("\n".join(entries))

    def _of(self, info: ObjectInfo, kept: sqlite3.Connection) -> str:
        status = info.path.stat()
        identity = (str(info.path), status.st_size, status.st_mtime_ns, status.st_ino)
        query = "SELECT digest FROM digests WHERE path = ? AND size = ? AND modified_ns = ? AND inode = ?"
        if row := kept.execute(query, identity).fetchone():
            return str(row[0])
        digest = _content_digest(info)
        kept.execute("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?)", (*identity, digest))
        return digest

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._file, timeout=_BUSY_TIMEOUT_SECONDS, isolation_level=None)) as kept:
                kept.execute("PRAGMA synchronous = OFF")  # what is lost is computed again
                kept.execute(_TABLE)
                yield kept
        except sqlite3.Error as error:
            raise HomeUnusable(f"The digests in {self._file} cannot be used: {error}. Remove that file.") from error
        except OSError as error:
            raise HomeUnusable(f"{error.filename or self._file} cannot be read: {error.strerror}.") from error


def state_of(objects: Iterable[ObjectInfo]) -> str:
    """A digest of names, sizes and times: it changes when an object is written anew, and reads none."""
    return _digest("\n".join(f"{info.uri} {info.size} {info.modified_at}" for info in objects))


def _relative(prefix: str, key: str) -> str:
    """The key below the directory part of a prefix, which counts as a directory where the key goes on with a slash."""
    folder = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
    return key[len(folder) :] if key.startswith(folder) else key[prefix.rfind("/") + 1 :]


def _content_digest(info: ObjectInfo) -> str:
    """Of an archive the digest of its members: their times, and those that gzip writes, differ in each build."""
    if info.uri.key.endswith(_ARCHIVES):
        try:
            with tarfile.open(info.path) as archive:
                return _digest("\n".join(sorted(_members(archive))))
        except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError):
            pass  # no archive, whatever its name says
    with info.path.open("rb") as content:
        return _file_digest(content)


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

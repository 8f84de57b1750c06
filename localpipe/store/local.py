"""The local S3: a directory with one directory a bucket, in them the objects as ordinary files.

    <root>/<bucket>/<key>          the objects; a plain key is the path, others are escaped (`keys.py`)
    <root>/.meta/records/          content types, user metadata and ETags; what buckets are configured with (`records.py`)
    <root>/.meta/scratch/          files that are not objects yet
    <root>/.meta/lock              held while directories are made (`writing.py`)

A file that a person puts into a bucket's directory is an object.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from localpipe.core.names import LOCAL_FILES, S3Uri
from localpipe.core.ports import ObjectInfo
from localpipe.errors import HomeUnusable, StoreError
from localpipe.store.contents import content_type_of, md5_of, opaque_etag
from localpipe.store.keys import KEY_LIMIT_BYTES, EscapedNaming, is_text, is_unfinished, new_unfinished_name
from localpipe.store.mounts import mounts_by_bucket
from localpipe.store.records import Record, Records
from localpipe.store.spelling import merges_spellings, other_spelling
from localpipe.store.tree import Found
from localpipe.store.whole import made_ready
from localpipe.store.writing import WritableTree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from localpipe.store.mounts import S3Mount

_BUCKET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
"""Wider than the rules for new buckets, since old ones have such names. Follows: botocore, `handlers.py`, VALID_BUCKET."""

_META = ".meta"
_OBJECT_MODE = 0o644
_BLOCK_BYTES = 1024 * 1024
_NONE: Mapping[S3Uri, Path] = {}
_LARGEST_DIGESTED_BYTES = 8 * 1024 * 1024
"""Objects up to this size have the md5 of the content as their ETag. boto3 uploads larger ones in parts, so that nobody can
rely on the md5 there; and reading them would cost more than most steps."""

_GONE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""What a file that was an object just now may say: it is removed, or moved beside a directory of its name."""

_SCRATCH_LIFETIME_SECONDS = 24 * 3600.0


class LocalStore:
    """An `ObjectStore` in the directory `root`, made at the first write. `mounts`: prefix → directory, read-only; `outputs`:
    prefix → directory that puts there write into.

    Threads and processes may share it freely. Raises UsageError if a mounted directory is not there.
    """

    def __init__(self, root: Path, mounts: Mapping[S3Uri, Path], outputs: Mapping[S3Uri, Path] = _NONE) -> None:
        self._root = Path(os.path.abspath(root))  # noqa: PTH100 - `resolve` would follow links, which the user may change
        self._naming = EscapedNaming()
        self._lock_file = str(self._root / _META / "lock")
        self._mounts = mounts_by_bucket(mounts, outputs, self._lock_file)
        self._records = Records(self._root / _META / "records", self._place_text)
        self._merges_spellings = merges_spellings(self._root)
        self._sweep(time.time() - _SCRATCH_LIFETIME_SECONDS)

    def buckets(self) -> Sequence[str]:
        """Names of all buckets, sorted; mounted ones included."""
        try:
            ours = {item.name for item in os.scandir(self._root) if item.is_dir() and _BUCKET_NAME.fullmatch(item.name)}
        except FileNotFoundError:
            ours = set()
        except OSError as error:
            raise self._unusable(error) from error
        return sorted(ours | set(self._mounts))

    def create_bucket(self, bucket: str) -> None:
        """Make a bucket; one that exists is no error."""
        with self._home():
            self._bucket_dir(bucket).mkdir(parents=True, exist_ok=True)

    def delete_bucket(self, bucket: str) -> None:
        """Remove an empty bucket. Raises StoreError `NoSuchBucket`, `BucketNotEmpty`, `AccessDenied` (mounted)."""
        for mount in self._mounts.get(bucket, ()):
            raise _read_only(mount, f"s3://{bucket}")
        directory = self._bucket_dir(bucket)
        with self._home():
            if not directory.is_dir():
                raise _no_such_bucket(bucket)
            if next(self._tree(bucket).scan(""), None) or not _remove_empty_directories(directory):
                raise StoreError("BucketNotEmpty", f"The bucket {bucket!r} is not empty.")
            self._records.forget_bucket(bucket)

    def bucket_document(self, bucket: str, name: str) -> str | None:
        """What was put with the bucket under a name, or None."""
        with self._home():
            return self._records.document(bucket, name)

    def put_bucket_document(self, bucket: str, name: str, document: str | None) -> None:
        """Keep a document with a bucket under a name; None removes it."""
        with self._home():
            self._records.write_document(bucket, name, document)

    def head(self, uri: S3Uri) -> ObjectInfo | None:
        """The object with exactly this key, or None."""
        found = self._find(uri)
        return self._info(uri, found, self._records.read(uri, found.status)) if found else None

    def list(self, prefix: S3Uri, *, start_after: str = "") -> Iterator[ObjectInfo]:
        """Objects whose key begins with `prefix.key`, in UTF-8 byte order; none if there is no such bucket."""
        with self._home():
            read = self._records.reader(prefix.bucket)
            for found in heapq.merge(*self._sources(prefix, start_after), key=lambda found: found.key):
                uri = S3Uri(prefix.bucket, found.key)
                if not self._misspelled(uri.bucket, found):
                    yield self._info(uri, found, read(uri, found.status))

    def open(self, uri: S3Uri) -> BinaryIO:
        """Read the object. Raises StoreError `NoSuchKey`, `NoSuchBucket`."""
        while found := self._find(uri):
            with self._home(), contextlib.suppress(*_GONE):  # moved or removed since: look again
                return open(found.path, "rb")  # noqa: PTH123 - `Path.open` adds nothing
        if uri.bucket not in self._mounts and not self._bucket_dir(uri.bucket).is_dir():
            raise _no_such_bucket(uri.bucket)
        raise StoreError("NoSuchKey", f"There is no object {uri}.")

    def put(
        self,
        uri: S3Uri,
        source: BinaryIO | bytes | Path,
        *,
        move: bool = False,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
        etag: str = "",
    ) -> ObjectInfo:
        """Write an object atomically, making its bucket if need be. See the port.

        A source that cannot be renamed (other file system, another's file, other links to it) is copied, then removed.
        """
        self._check_writable(uri)
        record = Record(content_type=content_type, metadata=metadata or {}, etag=etag)
        with self._home():
            if move and isinstance(source, Path):
                return self._put_moved(uri, source, record)
            return self._put_copy(uri, source, record)

    def put_directory(self, prefix: S3Uri, directory: Path) -> bool:
        """Put all files below a directory by renaming it. See the port."""
        key = prefix.key[:-1]
        if not key or self._merges_spellings or self._meets_mount(prefix):
            return False
        self._check_writable(S3Uri(prefix.bucket, key))
        tree = self._tree(prefix.bucket)
        with contextlib.suppress(OSError):  # what stands against the puts too is said by them
            free = next(tree.scan(prefix.key), None) is None
            if free and made_ready(str(directory), prefix.key, _OBJECT_MODE, time.time_ns()):
                if os.listdir(directory):  # noqa: PTH208 - names are all that is wanted
                    tree.place_directory(str(directory), key)
                return True
        return False

    def delete(self, uri: S3Uri) -> None:
        """Remove the object; one that is not there is no error. Raises StoreError `AccessDenied` (mounted)."""
        self._check_writable(uri)
        with self._home():
            found = self._find(uri)
            if found:
                tree, key = self._written(uri)
                tree.remove(key)
                self._records.forget(uri, found.status)

    def etag(self, info: ObjectInfo) -> str:
        """The md5 of a small object; of a large one, or one removed since, what tells its identity, in multipart form."""
        with self._home():
            try:
                status = info.path.stat()
                known = self._records.read(info.uri, status)
                return known.etag or self._compute_etag(info, status, known)
            except _GONE:
                moved = self.head(info.uri)
                if moved and moved.path != info.path:
                    return self.etag(moved)
                return opaque_etag(info.uri, info.modified_at, info.size, _LARGEST_DIGESTED_BYTES)

    def scratch_dir(self) -> Path:
        """A directory on the store's file system for files that are to be put with `move`; swept after a day."""
        directory = self._root / _META / "scratch"
        with self._home():
            directory.mkdir(parents=True, exist_ok=True)
        return directory

    def _compute_etag(self, info: ObjectInfo, status: os.stat_result, known: Record) -> str:
        if status.st_size > _LARGEST_DIGESTED_BYTES:
            return opaque_etag(info.uri, status.st_mtime, status.st_size, _LARGEST_DIGESTED_BYTES)
        with info.path.open("rb") as content:
            etag = md5_of(content)
            unchanged = _same_identity(os.fstat(content.fileno()), status)
        if unchanged:
            with contextlib.suppress(OSError):  # a store on a read-only disk can still be read
                self._records.write(info.uri, status, replace(known, etag=etag))
        return etag

    def _bucket_dir(self, bucket: str) -> Path:
        if not _BUCKET_NAME.fullmatch(bucket):
            raise StoreError(
                "InvalidBucketName", f"{bucket!r} is no bucket name: letters, digits, dots, hyphens, underscores."
            )
        return self._root / bucket

    def _tree(self, bucket: str) -> WritableTree:
        return WritableTree(str(self._bucket_dir(bucket)), self._naming, self._lock_file)

    def _written(self, uri: S3Uri) -> tuple[WritableTree, str]:
        """The tree that a put of a URI writes into, and the object's key in it; the URI is one that can be written."""
        mount = self._mount_of(uri)
        if mount and mount.writable:
            return mount.writable, uri.key[len(mount.prefix) :]
        return self._tree(uri.bucket), uri.key

    def _mount_of(self, uri: S3Uri) -> S3Mount | None:
        return next((mount for mount in self._mounts.get(uri.bucket, ()) if mount.holds(uri.key)), None)

    def _meets_mount(self, prefix: S3Uri) -> bool:
        mounts = self._mounts.get(prefix.bucket, ())
        return any(mount.prefix.startswith(prefix.key) or mount.holds(prefix.key) for mount in mounts)

    def _find(self, uri: S3Uri) -> Found | None:
        if not is_text(uri.key) or len(uri.key.encode()) > KEY_LIMIT_BYTES:
            return None
        mount = self._mount_of(uri)
        with self._home():
            if mount:
                found = mount.tree.find(uri.key[len(mount.prefix) :])
            else:
                found = self._tree(uri.bucket).find(uri.key) if uri.key else None
        return None if found and self._misspelled(uri.bucket, found) else found

    def _sources(self, prefix: S3Uri, start_after: str) -> Iterator[Iterator[Found]]:
        """The objects of the bucket's own directory and of each mount; each without what a mount inside it hides."""
        mounts = self._mounts.get(prefix.bucket, ())
        yield self._visible(self._tree(prefix.bucket).scan(prefix.key, start_after), prefix.bucket, None)
        for mount in mounts:
            yield self._visible(_scan_mount(mount, prefix.key, start_after), prefix.bucket, mount)

    def _visible(self, objects: Iterator[Found], bucket: str, source: S3Mount | None) -> Iterator[Found]:
        mounts = self._mounts.get(bucket, ())
        return (found for found in objects if next((mount for mount in mounts if mount.holds(found.key)), None) is source)

    def _misspelled(self, bucket: str, found: Found) -> bool:
        if not self._merges_spellings:
            return False
        directory = str(self._root / bucket)
        return found.path.startswith(f"{directory}/") and other_spelling(directory, found.path) is not None

    def _info(self, uri: S3Uri, found: Found, record: Record) -> ObjectInfo:
        return ObjectInfo(
            uri=uri,
            size=found.status.st_size,
            modified_at=found.status.st_mtime,
            file=found.path,
            content_type=record.content_type or content_type_of(uri.key),
            metadata=record.metadata,
        )

    def _check_writable(self, uri: S3Uri) -> None:
        self._bucket_dir(uri.bucket)
        mount = self._mount_of(uri)
        if mount and not mount.writable:
            raise _read_only(mount, str(uri))
        if not uri.key or not is_text(uri.key):
            raise StoreError("InvalidArgument", f"{uri.key!r} cannot be the key of an object.")
        if len(uri.key.encode()) > KEY_LIMIT_BYTES:
            raise StoreError("KeyTooLongError", f"The key {uri.key!r} is longer than {KEY_LIMIT_BYTES} bytes.")

    def _put_moved(self, uri: S3Uri, source: Path, record: Record) -> ObjectInfo:
        if _may_be_renamed(source):
            with contextlib.suppress(OSError):  # what stands against a copy too is said by it
                return self._place(uri, source, record)
        info = self._put_copy(uri, source, record)
        with contextlib.suppress(OSError):
            source.unlink()
        return info

    def _put_copy(self, uri: S3Uri, source: BinaryIO | bytes | Path, record: Record) -> ObjectInfo:
        temporary = self._scratch_file(uri)
        try:
            _write(source, temporary)
            return self._place(uri, temporary, record)
        finally:
            temporary.unlink(missing_ok=True)

    def _scratch_file(self, uri: S3Uri) -> Path:
        """A file that does not exist yet and can be renamed to be the object, which may be on another file system."""
        mount = self._mount_of(uri)
        if mount is None:
            return self.scratch_dir() / secrets.token_hex(8)
        mount.directory.mkdir(parents=True, exist_ok=True)
        return mount.directory / new_unfinished_name()

    def _place(self, uri: S3Uri, file: Path, record: Record) -> ObjectInfo:
        """Rename a file of this file system to be the object. The record comes first: it says nothing of the old one."""
        tree, key = self._written(uri)
        self._refuse_merging(uri)
        if stat.S_IMODE(file.stat().st_mode) != _OBJECT_MODE:
            file.chmod(_OBJECT_MODE)
        now = time.time_ns()
        os.utime(file, ns=(now, now))
        status = file.stat()
        replaced = tree.find(key)
        if record != Record():
            self._records.write(uri, status, record)
        path = tree.place(str(file), key)
        if replaced and (record == Record() or not _same_identity(replaced.status, status)):
            self._records.forget(uri, replaced.status)
        return self._info(uri, Found(uri.key, path, status), record)

    def _refuse_merging(self, uri: S3Uri) -> None:
        directory = self._bucket_dir(uri.bucket)
        if self._merges_spellings:
            there = other_spelling(str(directory), f"{directory}/{self._naming.path(uri.key.split('/'))}")
            if there:
                raise StoreError(
                    "InvalidRequest",
                    f"{uri} cannot be put: the file system does not tell it from {there}, which is there already. "
                    "Use another key, or a home on a file system that tells upper from lower case.",
                )

    def _place_text(self, text: str, path: Path) -> None:
        temporary = self.scratch_dir() / secrets.token_hex(8)
        try:
            temporary.write_text(text)
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def _sweep(self, before: float) -> None:
        """Remove what killed processes left unfinished before that time, epoch seconds."""
        written = [mount.directory for mounts in self._mounts.values() for mount in mounts if mount.writable]
        items = _entries(self._root / _META / "scratch")
        for item in (*items, *(item for each in written for item in _entries(each) if is_unfinished(item.name))):
            with contextlib.suppress(OSError):  # another's file, or another process sweeps too
                if item.stat(follow_symlinks=False).st_mtime < before:
                    shutil.rmtree(item.path) if item.is_dir(follow_symlinks=False) else Path(item.path).unlink()

    @contextlib.contextmanager
    def _home(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> HomeUnusable:
        place = error.filename2 or error.filename or self._root  # of a copy, the second is its target
        return HomeUnusable(f"The local S3 cannot use {place}: {error.strerror or error}.")


def _same_identity(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_mtime_ns, one.st_size) == (other.st_mtime_ns, other.st_size)


def _entries(directory: Path) -> Sequence[os.DirEntry[str]]:
    """What is in a directory that may not be there."""
    with contextlib.suppress(OSError), os.scandir(directory) as items:
        return list(items)
    return ()


def _scan_mount(mount: S3Mount, prefix: str, start_after: str) -> Iterator[Found]:
    """The mount's objects with their keys in the bucket."""
    if not (prefix.startswith(mount.prefix) or mount.prefix.startswith(prefix)):
        return
    if start_after > mount.prefix and not mount.holds(start_after):
        return
    below = start_after[len(mount.prefix) :] if mount.holds(start_after) else ""
    for found in mount.tree.scan(prefix[len(mount.prefix) :], below):
        yield Found(mount.prefix + found.key, found.path, found.status)


def _may_be_renamed(file: Path) -> bool:
    """Whether it is an ordinary file with this one name, so that nothing else changes with it."""
    status = file.lstat()
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def _write(source: BinaryIO | bytes | Path, file: Path) -> None:
    if isinstance(source, Path):
        shutil.copyfile(source, file)
    elif isinstance(source, bytes):
        file.write_bytes(source)
    else:
        with file.open("wb") as target:
            shutil.copyfileobj(source, target, _BLOCK_BYTES)


def _remove_empty_directories(directory: Path) -> bool:
    """Remove a directory of directories; False if a file is in it."""
    directories = [path for path, _, _ in os.walk(directory)]
    try:
        for path in reversed(directories):
            os.rmdir(path)  # noqa: PTH106
    except OSError:
        return False
    return True


def _no_such_bucket(bucket: str) -> StoreError:
    return StoreError("NoSuchBucket", f"There is no bucket {bucket!r}.")


def _read_only(mount: S3Mount, what: str) -> StoreError:
    return StoreError(
        "AccessDenied",
        f"{what} cannot be changed: it is in {mount.directory}, which the pipeline reads."
        if mount.uri.bucket == LOCAL_FILES
        else f'{what} cannot be changed: [s3.mounts] shows {mount.directory} there, read-only ("{mount.uri}"). '
        "Write to another prefix, or take the mount out of localpipe.toml.",
    )

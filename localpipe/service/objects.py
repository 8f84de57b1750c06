"""What `localpipe s3` does: list, copy, remove and read objects of the local S3. Nothing is printed here."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from localpipe.core import names
from localpipe.core.listing import Grouped, grouped
from localpipe.core.names import LOCAL_FILES, S3Uri
from localpipe.core.ports import ObjectInfo
from localpipe.errors import NotFound, UsageError
from localpipe.store.nearest import nearest_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from localpipe.core.ports import ObjectStore

_SCHEME = "s3://"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A line of a listing: an object, or what has objects below it (size and time are 0 then). Time: epoch seconds."""

    uri: S3Uri
    size: int
    modified_at: float
    is_prefix: bool


@dataclass(frozen=True, kw_only=True)
class Copied:
    """One object or file that was copied; each end is a `s3://` URI or a local path."""

    source: str
    destination: str


def list_objects(store: ObjectStore, uri_text: str, recursive: bool) -> Iterator[Listed]:  # noqa: FBT001 - of the command line
    """Yield what begins with a URI, a string prefix as on S3, in key order; grouped at the next slash unless `recursive`.

    `s3://` alone lists the buckets. A URI with nothing below it gives nothing. Raises UsageError for text that is no URI.
    """
    if uri_text in {"", _SCHEME}:
        return (_listed(S3Uri(bucket)) for bucket in store.buckets())
    return (_listed(item) for item in grouped(store, _uri(uri_text), "" if recursive else "/"))


def copy(store: ObjectStore, source: str, destination: str, recursive: bool) -> Sequence[Copied]:  # noqa: FBT001 - same
    """Copy a file or object, or with `recursive` all below a directory or prefix, to, from or within the store.

    A destination that ends with a slash, is a bucket or a local directory keeps the source's last name. With `recursive`
    both ends are directories: names below the source are kept below the destination. A bucket is made where there is none.
    Raises UsageError (nothing is copied then), NotFound.
    """
    match _is_s3(source), _is_s3(destination):
        case True, True:
            pairs = _within_store(store, _uri(source), _target(destination), recursive=recursive)
        case True, False:
            return _download(store, _uri(source), destination, recursive=recursive)
        case False, True:
            return _upload(store, Path(source), _target(destination), recursive=recursive)
        case _:
            raise UsageError(f"Neither {source!r} nor {destination!r} is an S3 URI (s3://bucket/key).")
    for info, target in pairs:
        with store.open(info.uri) as content:
            store.put(target, content, content_type=info.content_type, metadata=info.metadata)
    return [Copied(source=str(info.uri), destination=str(target)) for info, target in pairs]


def remove(store: ObjectStore, uri_text: str, recursive: bool) -> Sequence[S3Uri]:  # noqa: FBT001 - of the command line
    """Remove an object, or with `recursive` all objects below a directory-like prefix. Raises UsageError, NotFound."""
    uri = _uri(uri_text)
    infos = _below(store, uri) if recursive else [_object(store, uri)]
    for info in infos:
        store.delete(info.uri)
    return [info.uri for info in infos]


def cat(store: ObjectStore, uri_text: str) -> BinaryIO:
    """The content of an object, to be read and closed by the caller. Raises UsageError, NotFound."""
    return store.open(_object(store, _uri(uri_text)).uri)


def put_stream(store: ObjectStore, content: BinaryIO, destination: str) -> S3Uri:
    """Put all that is left of `content` as an object; a bucket is made where there is none. Raises UsageError."""
    uri = _target(destination)
    if not uri.key or uri.key.endswith("/"):
        raise UsageError(f"{destination} names no object: what comes from standard input needs a whole key.")
    store.put(uri, content)
    return uri


def new_bucket_note(store: ObjectStore, destination: str) -> str | None:
    """What to know of the bucket that a copy to `destination` would make; None for nothing. Raises UsageError."""
    if not _is_s3(destination):
        return None
    bucket = _uri(destination).bucket
    return None if bucket in store.buckets() else names.new_bucket_note(bucket)


def shown(uri: S3Uri | str) -> str:
    """A URI or path as it is printed, on one line: control characters percent-encoded (`%0A` for a line feed)."""
    return _CONTROL.sub(lambda match: f"%{ord(match[0]):02X}", str(uri))


def _upload(store: ObjectStore, source: Path, destination: S3Uri, *, recursive: bool) -> Sequence[Copied]:
    if not source.exists():
        raise NotFound("file", str(source))
    if source.is_dir() and not recursive:
        raise UsageError(f"{source} is a directory: add --recursive to copy all files below it.")
    if source.is_dir():
        files = sorted(Path(folder) / name for folder, _, names in os.walk(source) for name in names)
        pairs = [(file, destination.child(file.relative_to(source).as_posix())) for file in files]
    else:
        pairs = [(source, _named(destination, source.name))]
    store.create_bucket(destination.bucket)
    for file, target in pairs:
        store.put(target, file)
    return [Copied(source=str(file), destination=str(target)) for file, target in pairs]


def _within_store(
    store: ObjectStore, source: S3Uri, destination: S3Uri, *, recursive: bool
) -> Sequence[tuple[ObjectInfo, S3Uri]]:
    """Each object with its new URI."""
    if not recursive:
        info = _object(store, source)
        return [(info, _named(destination, info.uri.key.rpartition("/")[2]))]
    folder = _folder(source)
    head = _folder(destination)
    return [(info, S3Uri(destination.bucket, head + info.uri.key[len(folder) :])) for info in _below(store, source)]


def _download(store: ObjectStore, source: S3Uri, destination: str, *, recursive: bool) -> Sequence[Copied]:
    root = Path(destination)
    if not recursive:
        info = _object(store, source)
        name = info.uri.key.rpartition("/")[2]
        into_directory = destination.endswith("/") or root.is_dir()
        if into_directory:
            _check_relative(info.uri, name, root)
        target = root / name if into_directory else root
        _write(store, info, target)
        return [Copied(source=str(info.uri), destination=str(target))]
    folder = _folder(source)
    files = {info.uri.key[len(folder) :]: info for info in _below(store, source)}
    for name, info in files.items():
        _check_relative(info.uri, name.removesuffix("/"), root)
        if any(other.startswith(f"{name}/") for other in files):
            raise UsageError(f"{info.uri} cannot be a file below {root}: other objects need a directory of that name.")
        _check_inside(info.uri, root / name, root)
    copied = []
    for name, info in files.items():
        target = root / name
        if name.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
        else:
            _write(store, info, target)
        copied.append(Copied(source=str(info.uri), destination=str(target)))
    return copied


def _write(store: ObjectStore, info: ObjectInfo, target: Path) -> None:
    """Write a local file, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with store.open(info.uri) as content, temporary.open("xb") as file:
            shutil.copyfileobj(content, file)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _check_relative(uri: S3Uri, name: str, root: Path) -> None:
    """Raises UsageError if a name is none that lies below a directory."""
    parts = name.split("/")
    if "\0" in name or any(part in {"", ".", ".."} for part in parts):
        raise UsageError(f"{uri} cannot be a file below {root}: {name!r} is no path there. Copy it alone, to a file.")


def _check_inside(uri: S3Uri, target: Path, root: Path) -> None:
    """Raises UsageError if a symbolic link below the destination leads the file out of it."""
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise UsageError(f"{uri} is not written: {target.parent} is a link that leads out of {root}.")


def _object(store: ObjectStore, uri: S3Uri) -> ObjectInfo:
    info = store.head(uri)
    if info:
        return info
    if next(iter(_below_or_none(store, uri)), None):
        raise UsageError(f"{uri} is no object but a prefix of some: add --recursive to mean all below it.")
    raise NotFound("object", str(uri), _near(store, uri))


def _below(store: ObjectStore, uri: S3Uri) -> Sequence[ObjectInfo]:
    """The objects below a directory-like prefix, at least one. Raises NotFound."""
    infos = list(_below_or_none(store, uri))
    if infos:
        return infos
    raise NotFound("object below", str(uri), _near(store, uri))


def _below_or_none(store: ObjectStore, uri: S3Uri) -> Iterator[ObjectInfo]:
    return iter(store.list(S3Uri(uri.bucket, _folder(uri))))


def _near(store: ObjectStore, uri: S3Uri) -> Sequence[str]:
    near = nearest_prefix(store, uri)
    return [str(near)] if near else []


def _folder(uri: S3Uri) -> str:
    """The key as the beginning of the keys below it: "" or with a slash at its end."""
    return uri.key if not uri.key or uri.key.endswith("/") else f"{uri.key}/"


def _named(destination: S3Uri, name: str) -> S3Uri:
    """The destination of one file: with the file's own name, if it is a directory."""
    return S3Uri(destination.bucket, destination.key + name) if _folder(destination) == destination.key else destination


def _listed(item: Grouped) -> Listed:
    if isinstance(item, ObjectInfo):
        return Listed(uri=item.uri, size=item.size, modified_at=item.modified_at, is_prefix=False)
    return Listed(uri=item, size=0, modified_at=0.0, is_prefix=True)


def _is_s3(text: str) -> bool:
    return text.startswith(_SCHEME)


def _target(text: str) -> S3Uri:
    """Where something is to be put. Raises UsageError for a bucket that only shows what lies elsewhere."""
    uri = _uri(text)
    if uri.bucket == LOCAL_FILES:
        raise UsageError(f"{text} shows a file or directory of this machine: write to /{uri.key} instead.")
    return uri


def _uri(text: str) -> S3Uri:
    try:
        return S3Uri.parse(text)
    except ValueError as error:
        raise UsageError(f"{error}.") from error

"""Which file of a channel's directory stands for which object. Pure. Follows: containers.md 1.6."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from localpipe.errors import JobFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from localpipe.core.jobspec import Channel
    from localpipe.core.ports import ObjectInfo

_T = TypeVar("_T")
_NAME_LIMIT_BYTES = 255


@dataclass(frozen=True, kw_only=True)
class ChannelFiles:
    """What a channel's directory is to hold: each file with its object, and all directories, itself included if not empty.

    Paths are relative to it and text, since there may be very many; "" is the directory itself.
    """

    files: dict[str, ObjectInfo]
    directories: frozenset[str]


def channel_files(channel: Channel, objects: Iterable[ObjectInfo]) -> ChannelFiles:
    """Place the objects that a channel's prefix matches. The same object twice, as a manifest may have it, is one file.

    Raises JobFailed, naming the key, for an object that cannot be a file there: `..` in its key, or its place is taken.
    """
    files: dict[str, ObjectInfo] = {}
    holding: set[str] = set()
    for info in objects:
        path = _relative_path(channel, info)
        if is_folder_marker(info):
            holding.add(path)
            continue
        if path in files and files[path].uri != info.uri:
            raise _unplaceable(channel, info, f"'{files[path].uri}' is the same file '{path}'")
        files[path] = info
        holding.add(parent_of(path))
    directories = with_parents(holding)
    _check_conflicts(channel, files, directories)
    return ChannelFiles(files=files, directories=directories)


def parent_of(path: str) -> str:
    """The directory of a relative path, "" for one without."""
    return path.rpartition("/")[0]


def with_parents(directories: Iterable[str]) -> frozenset[str]:
    """The directories and all in which they lie."""
    found: set[str] = set()
    for directory in directories:
        path = directory
        while path not in found:
            found.add(path)
            path = parent_of(path)
    return frozenset(found)


def is_folder_marker(info: ObjectInfo) -> bool:
    """Whether an object only stands for a directory."""
    return info.uri.key.endswith("/") and info.size == 0


def _relative_path(channel: Channel, info: ObjectInfo) -> str:
    """The object's key without the directory part of the channel's prefix.

    A prefix that is followed by a slash in the key counts as a directory although its own last slash is missing.
    """
    prefix, key = channel.uri.key, info.uri.key
    folder = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
    if not key.startswith(folder):
        folder = prefix[: prefix.rfind("/") + 1]
    rest = key[len(folder) :]
    path = rest.rstrip("/") if is_folder_marker(info) else rest
    if rest and not all(map(_can_be_name, path.split("/"))):
        raise _unplaceable(channel, info, f"'{rest}' is no relative path with proper names")
    if not rest and not is_folder_marker(info):
        raise _unplaceable(channel, info, "its name would be empty")
    return path


def _can_be_name(part: str) -> bool:
    return part not in {"", ".", ".."} and "\0" not in part and len(part.encode(errors="replace")) <= _NAME_LIMIT_BYTES


def _check_conflicts(channel: Channel, files: dict[str, ObjectInfo], directories: frozenset[str]) -> None:
    """Raise JobFailed if a file would have to be a directory too."""
    for path in sorted(directories & files.keys()):
        raise _unplaceable(channel, files[path], f"other objects need '{path}' as a directory")


def _unplaceable(channel: Channel, info: ObjectInfo, reason: str) -> JobFailed:
    return JobFailed(
        f"Input {channel.name!r}: object '{info.uri}' cannot be a file under '{channel.container_dir}': {reason}. "
        "Rename the object or narrow the S3 URI."
    )


def shard(objects: Sequence[_T], host_index: int, host_count: int) -> Sequence[_T]:
    """One host's share of objects in key order, round robin. Assumed: containers.md 1.6, 7 no. 8."""
    return objects[host_index::host_count]

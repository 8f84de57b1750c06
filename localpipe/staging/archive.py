"""The archive of an output directory: the same bytes for the same files, whoever wrote them."""

from __future__ import annotations

import gzip
import os
import tarfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_COMPRESSION_LEVEL = 6  # gzip's own default; 9 takes twice the time for one percent
_LATEST = 8**11 - 1  # what a plain tar header can say, in seconds


def write_archive(sources: Sequence[Path], target: Path) -> None:
    """Write a gzip tar of what all `sources` hold; one that is a file becomes a member itself.

    Members have no leading directory (containers.md 2.12), come in order of their path and keep the second of their last
    change. Owner and permissions other than executability say nothing. Symbolic links are kept as links, special files are
    left out.
    """
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=_COMPRESSION_LEVEL) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, path in _merged(map(_members, sources)):
            _add(archive, path, name)


def read_archive(archive: Path, directory: Path) -> None:
    """Unpack a tar that may be compressed, for every user to read.

    Raises TarError for what is none and for a member that would lie elsewhere or be no file, directory or link; EOFError,
    zlib.error and OSError as reading does.
    """
    try:
        opened = tarfile.open(archive, mode="r:*")  # noqa: SIM115 - closed below
    except tarfile.ReadError as error:  # it tells of each compression on a line of its own
        raise tarfile.ReadError("it is no tar archive, or a damaged one") from error
    with opened as packed:
        packed.extractall(directory, filter=_readable)  # noqa: S202 - every member is judged


def _readable(member: tarfile.TarInfo, directory: str) -> tarfile.TarInfo:
    member = tarfile.data_filter(member, directory)
    if member.mode is None or not (member.isreg() or member.isdir()):
        return member
    return member.replace(mode=member.mode | (0o755 if member.isdir() else 0o644), deep=False)


def _merged(sources: Iterable[dict[str, Path]]) -> list[tuple[str, Path]]:
    """The members of all sources by name, parents first.

    UNVERIFIED: of members with the same name the last source's wins, a file also over all below a directory.
    """
    merged: dict[str, Path] = {}
    for members in sources:
        merged = {name: path for name, path in merged.items() if not _below_a_file(name, members)} | members
    return sorted(merged.items(), key=lambda member: member[0].split("/"))


def _below_a_file(name: str, members: Mapping[str, Path]) -> bool:
    found = (members.get(str(parent)) for parent in PurePosixPath(name).parents)
    return any(path is not None and (path.is_symlink() or not path.is_dir()) for path in found)


def _members(source: Path) -> dict[str, Path]:
    """What goes into the archive by its name there."""
    return {source.name: source} if source.is_file() else {name: path for path, name in _below(source, "")}


def _below(directory: Path, prefix: str) -> Iterator[tuple[Path, str]]:
    """Everything below a directory with its name in the archive, parents first, without following links."""
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        name = f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield Path(entry.path), name
            yield from _below(Path(entry.path), f"{name}/")
        elif entry.is_file(follow_symlinks=False) or entry.is_symlink():
            yield Path(entry.path), name


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    """Add one member with everything made neutral that depends on who made it. Hard links become files of their own."""
    status = path.lstat()
    member = tarfile.TarInfo(name)
    member.mtime = min(max(int(status.st_mtime), 0), _LATEST)
    member.uname = member.gname = "root"
    if path.is_symlink():
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
        archive.addfile(member)
    elif path.is_dir():
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(member)
    else:
        member.size, member.mode = status.st_size, 0o755 if status.st_mode & 0o100 else 0o644
        with path.open("rb") as content:
            archive.addfile(member, content)

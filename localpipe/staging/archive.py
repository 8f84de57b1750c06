"""The archive of an output directory: the same bytes for the same files, whoever wrote them and when."""

from __future__ import annotations

import gzip
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_COMPRESSION_LEVEL = 6  # gzip's own default; 9 takes twice the time for one percent


def write_archive(source: Path | None, target: Path) -> None:
    """Write a gzip tar of what `source` holds; a `source` that is a file becomes its only member, None gives no member.

    Members have no leading directory (containers.md 2.12) and come in order of their path. Owner, times and permissions
    other than executability say nothing. Symbolic links are kept as links, special files are left out.
    """
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=_COMPRESSION_LEVEL) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path, name in _members(source):
            _add(archive, path, name)


def _members(source: Path | None) -> Iterable[tuple[Path, str]]:
    """What goes into the archive, each with its name there."""
    if source is None:
        return ()
    return [(source, source.name)] if source.is_file() else _below(source, "")


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

"""Reading what a container left, whatever it left."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.errors import HomeUnusable, JobFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import PurePosixPath

    from localpipe.core.jobspec import OutputSpec
    from localpipe.core.names import S3Uri


def open_up(path: Path) -> None:
    """Let the user read a file, or all below a directory and change its directories, whatever modes a container gave them.

    Root in a container may do that in any case; on this machine its files are the user's. Symbolic links are left alone.
    Raises PermissionError if one is not the user's.
    """
    mode = path.lstat().st_mode
    _allow(path, mode)
    if stat.S_ISDIR(mode):
        for inner in list(path.iterdir()):
            open_up(inner)


def _allow(path: Path, mode: int) -> None:
    """Add what the user lacks to the mode of a file or directory."""
    needed = stat.S_IRWXU if stat.S_ISDIR(mode) else stat.S_IRUSR if stat.S_ISREG(mode) else 0
    if needed & ~mode:
        path.chmod(stat.S_IMODE(mode) | needed)


def delete_tree(path: Path) -> None:
    """Remove a directory with all it holds, also from directories without write permission. Raises OSError."""
    try:
        shutil.rmtree(path)
    except PermissionError:
        open_up(path)
        shutil.rmtree(path)


def remove_tree(path: Path) -> None:
    """Remove an attempt's directory with all it holds; one that is not there is no error. Raises HomeUnusable."""
    try:
        delete_tree(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise HomeUnusable(
            f"{path} is left of an earlier attempt and cannot be removed: {error.strerror} ({error.filename}). "
            f"Remove it with: sudo rm -rf '{path}'"
        ) from error


def named_files(path: Path) -> Iterator[tuple[str, Path]]:
    """Every regular file below a directory with its relative path, or a path that is a file with its name.

    In order of the path; symbolic links are neither followed nor given.
    """
    base, found = (path.parent, [path]) if path.is_file() else (path, regular_files(path))
    start = len(str(base)) + 1
    return ((str(file)[start:], file) for file in found)


def object_of(output: OutputSpec, name: str) -> S3Uri:
    """The object that stands for a file of an output. Raises JobFailed for a name that is not UTF-8."""
    if any("\ud800" <= character <= "\udfff" for character in name):  # how bytes come that are no UTF-8
        raise JobFailed(f"Output {output.name!r}: the file name {name!r} is not UTF-8, so no object can have it.")
    return output.uri.child(name)


def regular_files(directory: Path) -> Iterator[Path]:
    """Every regular file below a directory, in order of its path; symbolic links are neither followed nor given."""
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            yield from regular_files(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


def resolve_inside(root: Path, container_path: PurePosixPath) -> Path | None:
    """The host file for a container path below `root`; None if it is not there or a symbolic link stands in the way.

    A container can put a link to any file of this machine where a directory was. What is on the way, the file included, is
    made readable.
    """
    current = root
    for part in container_path.relative_to("/").parts:
        current /= part
        try:
            mode = current.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISLNK(mode):
            return None
        _allow(current, mode)
    return current


def open_below(root: Path, path: Path) -> int:
    """A descriptor to read what lies at a path below `root`, through no symbolic link. Raises OSError if there is one.

    `root` is this machine's; what lies below it a container may exchange for links at any moment, so that each part of the
    way is opened in the one before. Does not wait for the writer of a FIFO.
    """
    *directories, name = path.relative_to(root).parts
    parent = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in directories:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
            os.close(parent)
            parent = inner
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
    finally:
        os.close(parent)


def leads_elsewhere(path: Path, root: Path) -> bool:
    """Whether a path below `root` is a symbolic link or goes through one: a container may have put it there."""
    inner = path.relative_to(root)
    return any((root / part).is_symlink() for part in (inner, *inner.parents))


def read_start(root: Path, container_path: PurePosixPath, limit: int) -> bytes | None:
    """The first `limit` bytes of a regular file that a container wrote; None if there is none."""
    path = resolve_inside(root, container_path)
    if path is None or not path.is_file():
        return None
    with path.open("rb") as stream:
        return stream.read(limit)

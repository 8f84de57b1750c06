"""An image's root file system as plain files of the user's, and what the image says of its jobs."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from localpipe.errors import JOB_INTERNAL_ERROR, JobFailed
from localpipe.runners._sandbox_plan import User

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from localpipe.core import JSON

_ROOT = PurePosixPath("/")
_PIECE = 1 << 20
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
"""What of the layers below is gone: the name after it; all that is in the directory."""
_SETS_ID = stat.S_ISUID | stat.S_ISGID
"""What would run a program of the image as this machine's user; a job has one user and no way to become another."""
_OWNERS_DIRECTORY, _OWNERS_FILE = 0o700, 0o600
"""What the owner may do with everything: the root of a sandbox owns it all, and has no capability to go past a mode."""


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    """What an image sets for its jobs. `user` is as the image writes it; empty: root."""

    environment: Mapping[str, str]
    entrypoint: tuple[str, ...]
    arguments: tuple[str, ...]
    working_dir: PurePosixPath
    user: str


def parse_config(config: JSON) -> ImageConfig:
    """From the `Config` of an image as engines and OCI archives have it."""
    return ImageConfig(
        environment=dict(line.partition("=")[::2] for line in config.get("Env") or ()),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        arguments=tuple(config.get("Cmd") or ()),
        working_dir=_ROOT / (config.get("WorkingDir") or "/"),
        user=config.get("User") or "",
    )


def user_of(text: str, root: Path) -> User:
    """Who `user`, `user:group`, `uid` or `uid:gid` is by the image's own `/etc/passwd` and `/etc/group`.

    Raises JobFailed for a name that is not there. Follows: OCI image specification, "Image configuration", `User`.
    """
    name, _, group = (text or "0").partition(":")
    users, groups = _entries(root / "etc/passwd"), _entries(root / "etc/group")
    found = next((entry for entry in users if name in (entry[0], entry[2])), None)
    if found is None and not name.isdecimal():
        raise JobFailed(f"The image runs as user {name!r}, which its /etc/passwd does not have.")
    uid, gid, home = (int(found[2]), int(found[3]), found[5]) if found else (int(name), 0, "/")
    if not group:
        return User(uid=uid, gid=gid, home=home)
    held = next((entry for entry in groups if group in (entry[0], entry[2])), None)
    if held is None and not group.isdecimal():
        raise JobFailed(f"The image runs as group {group!r}, which its /etc/group does not have.")
    return User(uid=uid, gid=int(held[2]) if held else int(group), home=home)


def _entries(path: Path) -> list[list[str]]:
    """The lines of a user database that are whole; none where it is no file of the image's own."""
    if path.is_symlink() or not path.is_file():
        return []
    lines = (line.split(":") for line in path.read_text(errors="replace").splitlines())
    return [entry for entry in lines if len(entry) > 3 and entry[2].isdecimal()]  # noqa: PLR2004 - name, password, number, rest


def unpack(layers: Iterable[Iterable[bytes]], root: Path) -> None:
    """Make a file system of the archives of its layers, the lowest first, each in pieces, in an empty directory.

    Everything becomes the user's own and writable by them; devices are left out. Raises JobFailed for a name that leads out
    of the directory, and for what is no whole archive. Follows: OCI image specification, "Image Layer Filesystem Changeset".
    """
    try:
        for pieces in layers:
            layer = _Layer(root)
            with tarfile.open(fileobj=io.BufferedReader(_Pieces(iter(pieces)), _PIECE), mode="r|*") as archive:
                for member in archive:
                    with _named(member):
                        layer.apply(archive, member)
    except tarfile.TarError as error:
        raise JobFailed(f"The image's archive cannot be read: {error}.", JOB_INTERNAL_ERROR) from error


@contextmanager
def _named(member: tarfile.TarInfo) -> Iterator[None]:
    """Turn what a file system says against a member into JobFailed. Errors without a number are those of a connection."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        what = f"The image's archive holds {member.name!r}, which cannot be made: {error.strerror}."
        raise JobFailed(what, JOB_INTERNAL_ERROR) from error


class _Pieces(io.RawIOBase):
    """Pieces of bytes as a stream. Mutable: holds what of a piece is not read yet."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces, self._left = pieces, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # a buffer is all that BufferedReader gives
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


class _Layer:
    """A layer that is put over those below. Mutable: knows its own paths, and directories that lie in the root."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._own: set[Path] = set()
        self._safe = {root}

    def apply(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Make a file of the layer, or remove what it hides. Raises JobFailed."""
        place = self._place(member.name)
        if place == self._root:
            return
        if not place.name.startswith(_WHITEOUT):
            self._make(archive, member, place)
        elif place.name == _OPAQUE:
            for below in place.parent.iterdir():
                self._hide(below)
        elif not place.name.startswith(_WHITEOUT * 2):  # else notes of a storage driver
            hidden = place.name.removeprefix(_WHITEOUT)
            if hidden in {"", ".", ".."}:
                raise JobFailed(f"The image's archive holds {member.name!r}, which leads out of it.")
            self._hide(place.parent / hidden)

    def _place(self, name: str) -> Path:
        """Where a member goes; no link is followed on the way."""
        parts = PurePosixPath("/", name).parts[1:]
        if ".." in parts:
            raise JobFailed(f"The image's archive holds {name!r}, which leads out of it.")
        place = self._root.joinpath(*parts)
        if place == self._root or place.parent in self._safe:
            return place
        for name_of_parent in reversed(place.relative_to(self._root).parents[:-1]):
            parent = self._root / name_of_parent
            if parent.is_symlink():
                raise JobFailed(f"The image's archive holds {name!r} behind the link {name_of_parent}.")
            if not parent.is_dir():
                self._remove(parent)
                parent.mkdir()
            self._safe.add(parent)
            self._own.add(parent)
        return place

    def _hide(self, place: Path) -> None:
        """Remove a path and all below it as far as it is of the layers below."""
        if place.is_dir() and not place.is_symlink():
            for below in place.iterdir():
                self._hide(below)
        if place not in self._own:
            self._remove(place)

    def _remove(self, place: Path) -> None:
        """Remove whatever is there."""
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
            self._safe = {self._root}
        else:
            place.unlink(missing_ok=True)

    def _make(self, archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
        self._own.add(place)
        if not member.isdir() or place.is_symlink() or not place.is_dir():
            self._remove(place)
        mode = stat.S_IMODE(member.mode) & ~_SETS_ID
        if member.isdir():
            place.mkdir(exist_ok=True)
            place.chmod(mode | _OWNERS_DIRECTORY)
        elif member.issym():
            place.symlink_to(member.linkname)
        elif member.islnk():
            self._link(self._place(member.linkname), place)
        elif member.isfifo():
            os.mkfifo(place, mode | _OWNERS_FILE)
        elif member.isreg() and (content := archive.extractfile(member)):
            with place.open("xb") as file:
                shutil.copyfileobj(content, file, _PIECE)
            place.chmod(mode | _OWNERS_FILE)
            os.utime(place, (member.mtime, member.mtime))  # by which Python knows its compiled files

    def _link(self, target: Path, place: Path) -> None:
        try:
            os.link(target, place, follow_symlinks=False)
        except OSError as error:
            what = f"{place.relative_to(self._root)} as a link to {target.relative_to(self._root)}: {error.strerror}"
            raise JobFailed(f"The image's archive holds {what}.") from error

"""An image's root file system as plain files of the user's, and what the image says of its jobs."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tarfile
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


def unpack(pieces: Iterable[bytes], root: Path) -> None:
    """Make files of an archive of a whole file system, given in pieces, in an empty directory.

    Everything becomes the user's own and writable by them; devices are left out. Raises JobFailed for a name that leads out
    of the directory, and for what is no whole archive.
    """
    safe = {root}
    try:
        with tarfile.open(fileobj=io.BufferedReader(_Pieces(iter(pieces)), _PIECE), mode="r|") as archive:
            for member in archive:
                place = _place(root, member.name, safe)
                if place != root:
                    _make(archive, member, place, root, safe)
    except tarfile.TarError as error:
        raise JobFailed(f"The image's archive cannot be read: {error}.", JOB_INTERNAL_ERROR) from error


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


def _place(root: Path, name: str, safe: set[Path]) -> Path:
    """Where a member goes. `safe`: directories that are known to lie in the root; no link is followed on the way."""
    parts = PurePosixPath("/", name).parts[1:]
    if ".." in parts:
        raise JobFailed(f"The image's archive holds {name!r}, which leads out of it.")
    place = root.joinpath(*parts)
    if place == root or place.parent in safe:
        return place
    for parent in reversed(place.relative_to(root).parents[:-1]):
        if (root / parent).is_symlink():
            raise JobFailed(f"The image's archive holds {name!r} behind the link {parent}.")
        (root / parent).mkdir(exist_ok=True)
        safe.add(root / parent)
    return place


def _make(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path, root: Path, safe: set[Path]) -> None:
    mode = stat.S_IMODE(member.mode)
    if member.isdir():
        place.mkdir(exist_ok=True)
        place.chmod(mode | _OWNERS_DIRECTORY)
    elif member.issym():
        place.symlink_to(member.linkname)
    elif member.islnk():
        os.link(_place(root, member.linkname, safe), place, follow_symlinks=False)
    elif member.isfifo():
        os.mkfifo(place, mode | _OWNERS_FILE)
    elif member.isreg() and (content := archive.extractfile(member)):
        with place.open("xb") as file:
            shutil.copyfileobj(content, file, _PIECE)
        place.chmod(mode | _OWNERS_FILE)
        os.utime(place, (member.mtime, member.mtime))  # by which Python knows its compiled files

"""This machine's own root file system as sandboxes show it: what is bound, and a small tree below that is made once."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING

from localpipe.runners._made_aside import made_aside, removed_aside
from localpipe.runners._sandbox_plan import HOME, Bind, RootFileSystem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_ROOT = PurePosixPath("/")
_SYSTEM_DIRS = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
_CPU_INFO = "sys/devices/system"

# What programs look up in /etc and what is no secret. The rest (shadow, ssh keys, keys of host certificates) is not shown.
_ETC_FILES = (
    *("ld.so.cache", "localtime", "mime.types", "nsswitch.conf", "os-release", "protocols", "resolv.conf"),
    *("services", "ssl/openssl.cnf", "pki/tls/cert.pem", "pki/tls/openssl.cnf"),
)
_ETC_DIRS = ("alternatives", "crypto-policies", "ssl/certs", "pki/ca-trust", "pki/tls/certs", "java-*")

_STICKY, _PRIVATE, _PLAIN = 0o1777, 0o700, 0o755
_DIRECTORIES = {
    **dict.fromkeys(("/dev", "/home", "/mnt", "/opt", "/proc", "/run", "/var/lib", "/var/log"), _PLAIN),
    **dict.fromkeys(("/tmp", "/var/tmp"), _STICKY),  # noqa: S108 - the sandbox's own
    HOME: _PRIVATE,
}
_USERS = b"root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
_UNUSED_SECONDS = 30 * 86_400.0
"""After which a tree goes. No job runs so long (containers.md 2.1: 28 days)."""
_GROUPS = b"root:x:0:\nnogroup:x:65534:\n"


@dataclass(frozen=True, kw_only=True)
class MachineRoot:
    """What sandboxes show of this machine.

    `binds` are directories. `directories` (path → mode), `links` (path → absolute target) and `files` (path → content) are
    what is made for them.
    """

    binds: tuple[Bind, ...]
    links: Mapping[PurePosixPath, PurePosixPath]
    directories: Mapping[str, int]
    files: Mapping[PurePosixPath, bytes] = field(repr=False)

    def beside(self, places: Iterable[PurePosixPath], links: Mapping[PurePosixPath, PurePosixPath]) -> MachineRoot:
        """The same with more directories, as places of mounts, and more links."""
        more = {str(place): _PLAIN for place in places if not is_system(place)}
        return replace(self, links={**self.links, **links}, directories={**more, **self.directories})

    def made(self, roots_dir: Path) -> RootFileSystem:
        """The root file system, whose tree is made below `roots_dir` if it is not there; any process may."""
        what = repr((sorted(map(str, self._places())), sorted(self.directories.items()), self._texts()))
        tree = roots_dir / hashlib.sha256(what.encode()).hexdigest()[:16]
        root = RootFileSystem(below=tree, binds=self.binds)
        if not touch_root(root):
            with made_aside(tree) as making:
                self._make(making)
        return root

    def _places(self) -> Iterator[PurePosixPath]:
        return (bind.target for bind in self.binds)

    def _texts(self) -> list[tuple[str, object]]:
        return sorted((str(path), value) for path, value in (*self.links.items(), *self.files.items()))

    def _make(self, tree: Path) -> None:
        tree.chmod(_PLAIN)
        for path in (*self._places(), *(PurePosixPath(name) for name in self.directories)):
            _below(tree, path).mkdir(parents=True, exist_ok=True)
        for name, mode in self.directories.items():
            _below(tree, PurePosixPath(name)).chmod(mode)
        for path in (*self.links, *self.files):
            _below(tree, path.parent).mkdir(parents=True, exist_ok=True)
        for link, target in self.links.items():
            _below(tree, link).symlink_to(os.path.relpath(target, link.parent))
        for path, content in self.files.items():
            _below(tree, path).write_bytes(content)


def touch_root(root: RootFileSystem) -> bool:
    """Have a root file system count as used now; False if its tree is gone."""
    try:
        os.utime(root.below)
    except FileNotFoundError:
        return False
    return True


def clean_roots(roots_dir: Path) -> None:
    """Remove the trees below a directory, half made ones too, that no job can stand on any more."""
    for tree in roots_dir.iterdir() if roots_dir.is_dir() else ():
        if time.time() - tree.stat().st_mtime > _UNUSED_SECONDS:
            removed_aside(tree)


def _below(tree: Path, path: PurePosixPath) -> Path:
    return tree / path.relative_to(_ROOT)


def machine_root(root: Path = Path("/")) -> MachineRoot:
    """This machine's own root: its programs and libraries read-only, of `/etc` what is no secret, the rest private."""
    system = [root / name for name in _SYSTEM_DIRS if (root / name).exists()]
    shown = [*(path for path in system if not path.is_symlink()), root / _CPU_INFO, *_etc_dirs(root / "etc")]
    etc = [root / "etc" / name for name in _ETC_FILES]
    kept = [path for path in (*system, *etc) if path.is_symlink() and is_system(_target(path, root))]
    files = {_inside(path, root): _content(path) for path in etc if path not in kept}
    return MachineRoot(
        binds=tuple(Bind(path.resolve(), _inside(path, root)) for path in shown),
        links={**{_inside(path, root): _target(path, root) for path in kept}, _ROOT / "var" / "run": _ROOT / "run"},
        directories=_DIRECTORIES,
        files={
            _ROOT / "etc" / "passwd": _USERS,
            _ROOT / "etc" / "group": _GROUPS,
            **{path: content for path, content in files.items() if content is not None},
        },
    )


def _inside(path: Path, root: Path) -> PurePosixPath:
    return _ROOT / path.relative_to(root)


def _target(link: Path, root: Path) -> PurePosixPath:
    """The absolute path inside of `root` that a link names."""
    return PurePosixPath(os.path.normpath(_inside(link, root).parent / link.readlink()))


def is_system(path: PurePath) -> bool:
    """Whether it is shown anyway, as part of `/usr`, or the root itself."""
    return path == _ROOT or _ROOT / "usr" in (path, *path.parents)


def _etc_dirs(etc: Path) -> Iterator[Path]:
    return (path for pattern in _ETC_DIRS for path in sorted(etc.glob(pattern)) if path.is_dir())


def _content(path: Path) -> bytes | None:
    """A file's content; None if it is not there or not for this user."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None

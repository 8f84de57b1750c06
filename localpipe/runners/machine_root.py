"""This machine's own root file system as sandboxes show it."""

from __future__ import annotations

import os
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING

from localpipe.runners._sandbox_plan import HOME, Bind, RootFileSystem

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = PurePosixPath("/")
_SYSTEM_DIRS = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
_CPU_INFO = "sys/devices/system"

# What programs look up in /etc and what is no secret. The rest (shadow, ssh keys, keys of host certificates) is not shown.
_ETC_FILES = (
    *("ld.so.cache", "localtime", "mime.types", "nsswitch.conf", "os-release", "pip.conf", "protocols", "resolv.conf"),
    *("services", "ssl/openssl.cnf", "pki/tls/cert.pem", "pki/tls/openssl.cnf"),
)
_ETC_DIRS = ("alternatives", "crypto-policies", "ssl/certs", "pki/ca-trust", "pki/tls/certs", "java-*")

_STICKY, _PRIVATE, _PLAIN = 0o1777, 0o700, 0o755
_DIRECTORIES = {
    **dict.fromkeys(("/home", "/mnt", "/opt", "/run", "/var", "/var/lib", "/var/log"), _PLAIN),
    **dict.fromkeys(("/tmp", "/var/tmp"), _STICKY),  # noqa: S108 - the sandbox's own
    HOME: _PRIVATE,
}
_USERS = b"root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
_GROUPS = b"root:x:0:\nnogroup:x:65534:\n"


def machine_root(root: Path = Path("/")) -> RootFileSystem:
    """This machine's own root: its programs and libraries read-only, of `/etc` what is no secret, the rest private."""
    system = [root / name for name in _SYSTEM_DIRS if (root / name).exists()]
    shown = [*(path for path in system if not path.is_symlink()), root / _CPU_INFO, *_etc_dirs(root / "etc")]
    etc = [root / "etc" / name for name in _ETC_FILES]
    kept = [path for path in (*system, *etc) if path.is_symlink() and is_system(_target(path, root))]
    files = {_inside(path, root): _content(path) for path in etc if path not in kept}
    return RootFileSystem(
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

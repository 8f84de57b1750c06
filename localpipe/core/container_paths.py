"""Which paths of a container a job may have a directory at. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath

_SYSTEM = frozenset(
    PurePosixPath(path)
    for path in ("/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr", "/var")
)
_KERNEL = frozenset(PurePosixPath(path) for path in ("/dev", "/proc", "/sys"))


def path_fault(path: PurePosixPath) -> str:
    """Why a container cannot have a directory of the job at a path, as what follows its name; empty if it can."""
    if not path.is_absolute() or ".." in path.parts or path.root != "/":
        return "is not an absolute path"
    if path in _SYSTEM or any(lies_in(path, kernel) for kernel in _KERNEL):
        return "belongs to the system"
    return ""


def lies_in(path: PurePosixPath, directory: PurePosixPath) -> bool:
    """Whether a path is the directory or below it: `is_relative_to` without its cost, which staging would pay often."""
    return path.parts[: len(directory.parts)] == directory.parts

"""Whether a sandbox's program can be executed: told before its start, in the steps of a container engine.

The launchers themselves would tell by an exit code that a program could also have, and would give a script without `#!` to
a shell, which neither an engine nor the kernel does.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from localpipe.runners._never_ran import not_executable, not_found, refused_by_kernel
from localpipe.runners._sandbox_plan import merged

if TYPE_CHECKING:
    from localpipe.runners._never_ran import NotExecuted
    from localpipe.runners._sandbox_plan import SandboxPlan

_KERNELS_OWN = ("/proc", "/dev")
_MAX_LINKS, _MAX_INTERPRETERS = 40, 5  # of the kernel: path_resolution(7), execve(2)
_HEAD_BYTES = 256
_SCRIPT = b"#!"
_ANYBODY = 0o111


def not_executed(plan: SandboxPlan) -> NotExecuted | None:
    """Why the plan's program cannot be executed; None if it can, or if only the kernel knows.

    For a plan whose directory is made and whose sandbox is not.
    """
    program = plan.command[0]
    path = program if "/" in program else _on_path(plan, program)
    if path is None:
        return not_found(program)
    try:
        host = _executable(plan, PurePosixPath(path))
    except PermissionError:
        return not_executable(program)
    except OSError:
        return not_found(program)
    try:
        _check_format(plan, host, _MAX_INTERPRETERS)
    except OSError as error:
        return refused_by_kernel(path, error.errno or errno.ENOEXEC)
    return None


def _on_path(plan: SandboxPlan, name: str) -> str | None:
    """Where PATH finds a program; what is there and cannot be executed does not count."""
    for place in plan.environment["PATH"].split(":"):
        with suppress(OSError):
            _executable(plan, PurePosixPath(place, name))
            return f"{place}/{name}"
    return None


def _executable(plan: SandboxPlan, path: PurePosixPath) -> Path | None:
    """The host's file behind a path, None where only the kernel knows. Raises OSError if there is none to execute."""
    host = host_path(plan, path)
    if host is not None:
        mode = host.stat().st_mode
        if stat.S_ISDIR(mode) or not mode & _ANYBODY:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return host


def _check_format(plan: SandboxPlan, host: Path | None, interpreters: int) -> None:
    """Raise the OSError by which the kernel would refuse an executable file, as far as its first line tells."""
    head = _head(host)
    if head is None or head.startswith(b"\x7fELF"):
        return
    interpreter = _interpreter(head)
    if not interpreter:
        raise OSError(errno.ENOEXEC, os.strerror(errno.ENOEXEC))
    if not interpreters:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    _check_format(plan, _executable(plan, PurePosixPath(os.fsdecode(interpreter))), interpreters - 1)


def _interpreter(head: bytes) -> bytes:
    """What the first line of a script names, empty if it is none. Only blanks and tabs end the name: a CR is part of it."""
    line = head.split(b"\n")[0].replace(b"\t", b" ")
    return line.removeprefix(_SCRIPT).strip(b" ").split(b" ")[0] if line.startswith(_SCRIPT) else b""


def _head(host: Path | None) -> bytes | None:
    """A file's first bytes; None where nobody here can read them."""
    if host is None or not host.is_file() or not os.access(host, os.R_OK):
        return None
    with host.open("rb") as file:
        return file.read(_HEAD_BYTES)


def host_path(plan: SandboxPlan, path: PurePosixPath) -> Path | None:
    """Where a path of the sandbox is on the host before it starts, links followed as the job would follow them.

    None: below `/proc` or `/dev`, which the kernel makes. A relative path begins where the job does. Raises OSError where
    links go round.
    """
    shown = _shown(plan)
    here, links = "", 0
    ahead = _names(plan.working_dir / path)
    while ahead:
        name = ahead.pop()
        step = here.rpartition("/")[0] if name == ".." else f"{here}/{name}"
        host = Path(_host(shown, step))
        if not host.is_symlink():
            here = step
        elif links == _MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        else:
            links += 1
            target = PurePosixPath(host.readlink())
            here = "" if target.is_absolute() else here
            ahead += _names(target)
        if here in _KERNELS_OWN:
            return None
    return Path(_host(shown, here))


def _names(path: PurePosixPath) -> list[str]:
    """The names on a path, last first, without the root."""
    return [name for name in reversed(path.parts) if name.strip("/")]


def _shown(plan: SandboxPlan) -> list[tuple[str, str]]:
    """What is mounted where, the uppermost first: a path of the sandbox and what is there on the host.

    Texts, since a program is looked for at every start and paths cost ten times as much.
    """
    lowers = {merged(plan.directory, layer): layer.lower for layer in plan.layers}
    binds = [(str(bind.target), str(lowers.get(bind.source, bind.source))) for bind in (*plan.root.binds, *plan.binds)]
    return [*reversed(binds), ("", str(plan.directory / plan.own_dir)), ("", str(plan.root.below))]


def _host(shown: list[tuple[str, str]], path: str) -> str:
    """The host's path behind one of the sandbox (no `/` at its end). A file of the job's own `/` hides one below."""
    for target, source in shown[:-1]:
        if path == target or path.startswith(f"{target}/"):
            host = source + path[len(target) :]
            if target or os.path.lexists(host):
                return host
    return shown[-1][1] + path

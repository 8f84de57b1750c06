"""Jobs whose program could not be executed, as every runner tells of them.

The container was made and its job failed (containers.md 1.8, 2.11): exit code and log are what a container engine gives, so
that a step fails alike wherever it runs. On the service, too, the log ends with the engine's line.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.core.jobspec import JobExit
from localpipe.errors import JobFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126  # as `docker run` and every shell have it
REFUSED_BY_KERNEL = 1
"""runc's exit code when the kernel refuses the program; newer ones say 255. UNVERIFIED: which of them the service runs."""


@dataclass(frozen=True, kw_only=True)
class NotExecuted:
    """Why a program was not executed: how its job ended, and the line that is all of its log."""

    exit: JobExit
    log_line: str


def not_found(program: str) -> NotExecuted:
    """No file of this name or path, or on PATH none that can be executed."""
    trouble = f"stat {program}: no such file or directory" if "/" in program else "executable file not found in $PATH"
    return NotExecuted(
        exit=JobExit(exit_code=_NOT_FOUND, message=f"The image has no executable {program!r}"),
        log_line=f'exec: "{program}": {trouble}',
    )


def not_executable(program: str) -> NotExecuted:
    """A file that nobody may execute, or a directory."""
    return NotExecuted(
        exit=JobExit(exit_code=_NOT_EXECUTABLE, message=f"{program!r} in the image is not executable"),
        log_line=f'exec: "{program}": permission denied',
    )


def refused_by_kernel(path: str, error_number: int) -> NotExecuted:
    """An executable file that the kernel cannot execute: it, or the interpreter that its first line names.

    Only the log says why: by then the engine has handed the container over to the program.
    """
    return NotExecuted(
        exit=JobExit(exit_code=REFUSED_BY_KERNEL), log_line=f"exec {path}: {os.strerror(error_number).lower()}"
    )


@dataclass(frozen=True)
class NeverRan:
    """A started job that is over, since its program could not be executed. `take_away` removes what was made for it."""

    exit: JobExit
    take_away: Callable[[], None]

    def wait(self, timeout_seconds: float | None = None) -> JobExit:  # noqa: ARG002 - the port's signature
        """How it ended, at once."""
        return self.exit

    def signal(self, signum: int) -> None:
        """There is nothing to signal."""

    def address(self, port: int) -> tuple[str, int]:
        """None. Raises JobFailed."""
        raise JobFailed(f"Nothing listens on port {port} of a job that never ran.")

    def remove(self) -> None:
        """Remove what was made for it."""
        self.take_away()


def never_ran(why: NotExecuted, log_file: Path, take_away: Callable[[], None]) -> NeverRan:
    """The job as it ended, its log written."""
    log_file.write_text(f"{why.log_line}\n", encoding="utf-8", errors="surrogateescape")
    return NeverRan(why.exit, take_away)

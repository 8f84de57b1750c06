"""The end of a log, or of those of several hosts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from localpipe.service.host_logs import name_of_log

if TYPE_CHECKING:
    from collections.abc import Sequence

_TAIL_BYTES = 4096


def newest_line(log_files: Sequence[str]) -> str:
    """The last line, that is not blank, of the log that was written to last; empty if there is none yet.

    Of several logs it begins with the name of its own.
    """
    for log_file in sorted(log_files, key=_written_at, reverse=True):
        for line in tail(log_file, 1):
            return line if len(log_files) == 1 else f"{name_of_log(log_file)} | {line}"
    return ""


def _written_at(log_file: str) -> int:
    """In nanoseconds; a log that is not there is older than any."""
    try:
        return os.stat(log_file).st_mtime_ns  # noqa: PTH116 - a hot path of the live view
    except OSError:
        return 0


def tail(log_file: str, count: int) -> list[str]:
    """The last `count` lines of a log that are not blank."""
    try:
        with open(log_file, "rb") as stream:  # noqa: PTH123 - a hot path of the live view
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - max(_TAIL_BYTES, 200 * count)))
            lines = stream.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [line for line in lines if line.strip()][-count:]

"""The end of a log."""

from __future__ import annotations

_TAIL_BYTES = 4096


def last_line(log_file: str) -> str:
    """The last line of a log that is not blank; empty if there is none yet."""
    lines = tail(log_file, 1)
    return lines[-1] if lines else ""


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

"""Times as text. Everywhere else a time is a float: epoch seconds."""

from __future__ import annotations

from datetime import datetime, timezone


def iso_time(at: float) -> str:
    """ISO 8601 UTC with milliseconds and `Z`.

    The format of `Execution.StartDateTime` and of `--json`. Assumed: service.md section 13, no. 5.
    """
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")

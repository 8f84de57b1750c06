"""ISO 8601 durations in every spelling that pipelines have: `P30D`, `p30d`, `30d`, `PT1H`, `T12H`, `30dT5h`."""

from __future__ import annotations

import re

_DURATION = re.compile(
    r"P?(?=.)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?",
    re.IGNORECASE | re.ASCII,
)
_DAY_SECONDS = 86_400
_UNIT_SECONDS = (365 * _DAY_SECONDS, 30 * _DAY_SECONDS, 7 * _DAY_SECONDS, _DAY_SECONDS, 3600, 60, 1)
"""Years, months, weeks, days, hours, minutes, seconds. UNVERIFIED: that a year has 365 days and a month 30."""


def duration_seconds(text: str) -> int | None:
    """How long it is; None if it is no duration. Follows: service.md section 6, `ExpireAfter` grammar."""
    match = _DURATION.fullmatch(text)
    return sum(int(count or 0) * unit for count, unit in zip(match.groups(), _UNIT_SECONDS, strict=True)) if match else None

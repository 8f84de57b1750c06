from __future__ import annotations

import pytest

from localpipe.definition.durations import duration_seconds

HOUR, DAY = 3600, 86_400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("P30D", 30 * DAY),
        ("p30d", 30 * DAY),
        ("30d", 30 * DAY),
        ("PT1H", HOUR),
        ("T12H", 12 * HOUR),
        ("T16m", 16 * 60),
        ("P4DT12H", 4 * DAY + 12 * HOUR),
        ("30dT5h", 30 * DAY + 5 * HOUR),
        ("P1W", 7 * DAY),
        ("5y", 5 * 365 * DAY),
        ("P2M", 60 * DAY),
        ("PT2M", 120),
        ("PT90S", 90),
        ("P0D", 0),
    ],
)
def test_every_spelling_of_a_duration_is_read(text: str, seconds: int) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "30", "1H", "P1H", "30d ", "P1.5D", "-1D", "P1D1Y"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert duration_seconds(text) is None

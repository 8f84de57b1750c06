"""Lines that tell how an execution goes on, where there is no terminal."""

from __future__ import annotations

import pytest

from localpipe.cli.progress import PlainProgress, duration_words
from localpipe.scheduling.events import (
    AttemptFailed,
    AttemptStarted,
    ChildAwaitedRoom,
    ChildStarted,
    ExecutionStarted,
    JobLaunched,
    Recorded,
    RetryScheduled,
)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.0123456, "0.01235 s"),
        (1.5, "1.5 s"),
        (119.5, "119.5 s"),
        (120, "2 min"),
        (150.4, "2 min 30 s"),
        (3599.9, "1 h"),
        (10_000, "2 h 47 min"),
        (90_000, "1 d 1 h"),
        (2_419_200, "28 d"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


@pytest.mark.parametrize(("policy", "by"), [(0, "its retry policy"), (1, "the service's default retry policy")])
def test_a_retry_says_whose_policy_it_follows(capsys: pytest.CaptureFixture[str], policy: int, by: str) -> None:
    progress = PlainProgress({"A": 1})
    events = (
        ExecutionStarted("pipe", "abc", {}, {}, None, {}),
        AttemptStarted("A", 1, ""),
        AttemptFailed("A", 1, "no"),
        RetryScheduled("A", 1, 7204.0, policy),
    )
    for seq, event in enumerate(events, 1):
        progress(Recorded(seq, float(seq), event))
    assert capsys.readouterr().err.splitlines()[-1].partition("  ")[2] == f"A: attempt 2 follows in 2 h by {by}"


def test_a_job_of_a_step_that_waits_for_room_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    progress = PlainProgress({})
    events = (
        ExecutionStarted("pipe", "abc", {}, {}, None, {}),
        AttemptStarted("Tune", 1, ""),
        JobLaunched("Tune", 1),
        ChildStarted("Tune", 1, 2, "tune-2"),
        ChildAwaitedRoom("Tune", 1, 2, "waits for room: wants 1 job slot"),
    )
    for seq, event in enumerate(events, 1):
        progress(Recorded(seq, float(seq), event))
    told = [line.partition("  ")[2] for line in capsys.readouterr().err.splitlines()[-2:]]
    assert told == ["Tune: job 2 Starting", "Tune: job 2 waits for room: wants 1 job slot"]

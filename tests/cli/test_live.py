"""The live view, drawn on consoles of several sizes."""

from __future__ import annotations

import io
import os
from pathlib import Path

from rich.console import Console

from localpipe.cli.live import LiveProgress
from localpipe.scheduling.events import (
    AttemptFailed,
    AttemptStarted,
    Event,
    ExecutionStarted,
    JobLaunched,
    Recorded,
    RetryScheduled,
    StepSucceeded,
    StopRequested,
    StopSignalled,
)

BEGUN = ExecutionStarted("pipe", "abc", {}, {}, None, {})


def drawn(*events: Event, width: int = 80, height: int = 24, now: float = 100.0) -> list[str]:
    """The lines of the view after these events, each a second after the one before."""
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    view = LiveProgress(console)
    for seq, event in enumerate((BEGUN, *events)):
        view(Recorded(seq + 1, float(seq), event))
    with console.capture() as captured:
        console.print(view.view(now))
    return [line.rstrip() for line in captured.get().splitlines()]


def begun(*names: str) -> list[Event]:
    return [AttemptStarted(name, 1, "") for name in names]


def test_state_time_last_line_and_counts(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("one\n\x1b[31mtwo\x1b[0m\n\n")
    events = [
        *begun("Prepare", "Train", "Check"),
        StepSucceeded("Prepare", 1, {}),
        JobLaunched("Train", 1, (str(log),)),
        StepSucceeded("Check", 1, {}, {}, ("IfSteps",)),
    ]
    assert drawn(*events, now=130.0) == [
        "Pipeline pipe, execution abc",
        "Step     Status           Time  Last line",
        "Prepare  Succeeded         3 s",
        "Train    Executing  2 min 08 s  two",
        "Check    Succeeded         3 s  → IfSteps",
        "1 Executing  2 Succeeded",
    ]


def test_of_several_hosts_the_newest_line_is_shown_with_its_host(tmp_path: Path) -> None:
    logs = [tmp_path / f"algo-{number}.log" for number in (1, 2, 3)]
    for at, log in zip((20, 30, 10), logs, strict=True):
        log.write_text(f"written at {at}\n")
        os.utime(log, (at, at))
    events = [*begun("Train"), JobLaunched("Train", 1, tuple(map(str, logs)))]
    assert drawn(*events)[2].endswith("  algo-2 | written at 30")


def test_a_narrow_terminal_has_no_last_line_and_long_names_lose_their_middle() -> None:
    names = ("AStepNameThatIsFarTooLongForIt-01", "AStepNameThatIsFarTooLongForIt-02")
    assert drawn(*begun(*names), width=40, now=70.0) == [
        "Pipeline pipe, execution abc",
        "Step               Status           Time",
        "AStepNam…orIt-01   Starting   1 min 09 s",
        "AStepNam…orIt-02   Starting   1 min 08 s",
        "2 Starting",
    ]


def test_where_not_all_fit_those_that_run_are_shown_first() -> None:
    names = [f"S{i:02}" for i in range(30)]
    events = [*begun(*names), JobLaunched("S29", 1), AttemptFailed("S05", 1, "why\nmore"), StepSucceeded("S00", 1, {})]
    lines = drawn(*events, height=10)
    assert len(lines) <= 9
    assert lines[1] == "(25 more steps)"
    assert [line.split()[0] for line in lines[3:8]] == ["S01", "S02", "S03", "S05", "S29"]
    assert lines[6].endswith("why")
    assert lines[8] == "27 Starting  1 Executing  1 Succeeded  1 Failed"


def test_a_stopping_step_stays_so_when_its_job_comes_up() -> None:
    lines = drawn(*begun("Train"), StopRequested(), StopSignalled("Train", 1), JobLaunched("Train", 1))
    assert lines[0].endswith("  Stopping")
    assert lines[2].split()[:2] == ["Train", "Stopping"]


def test_a_later_attempt_says_so() -> None:
    failed = (AttemptStarted("Train", 1, ""), AttemptFailed("Train", 1, "no room"), RetryScheduled("Train", 1, 9.0, 0))
    waiting = drawn(*failed)[2]
    assert waiting.split()[:2] == ["Train", "Executing"]
    assert waiting.endswith("waits for attempt 2, due 1970-01-01T00:00:09.000Z…")
    assert drawn(*failed, AttemptStarted("Train", 2, ""))[2].startswith("Train (attempt 2)")

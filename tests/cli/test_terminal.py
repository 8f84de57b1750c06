"""What a terminal sees, and what where there is none."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from commands import Write, decision


def on_a_terminal(place: Path, *arguments: str, **environment: str) -> tuple[str, str]:
    """Give a command whose standard error is a terminal; return standard output and what the terminal got."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in {"CI", "NO_COLOR"}}
    ended = subprocess.run(
        [sys.executable, "-m", "localpipe", *arguments],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        cwd=place,
        env={**kept, "TERM": "xterm", **environment},
        check=True,
    )
    os.close(theirs)
    seen = b""
    with suppress(OSError):  # EIO: the other side is closed
        while piece := os.read(ours, 1 << 16):
            seen += piece
    os.close(ours)
    return ended.stdout, seen.decode().replace("\r\n", "\n")


def test_a_terminal_gets_a_live_view_and_then_the_report(place: Path, write: Write) -> None:
    out, seen = on_a_terminal(place, "run", write(decision()), "--json")
    assert out.startswith('{\n  "PipelineName": "pipe",')
    assert "\x1b[?25l" in seen
    assert "\x1b[?25h" in seen[seen.index("\x1b[?25l") :]
    assert "Check: Starting" not in seen
    assert seen.rstrip().splitlines()[-2] == "Pipeline pipe: Succeeded."


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"CI": "true"}, {"TERM": "dumb"}])
def test_plain_lines_where_they_are_wanted(place: Path, write: Write, variable: dict[str, str]) -> None:
    _, seen = on_a_terminal(place, "run", write(decision()), **variable)
    assert "\x1b" not in seen
    assert "Check: Succeeded, taking ElseSteps\n" in seen


def test_a_reader_that_goes_away_does_not_end_the_execution(place: Path, write: Write) -> None:
    command = f"{sys.executable} -m localpipe run {write(decision())} 2>&1 >/dev/null | head -n 1; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=place)
    assert ended.stdout.count("\n") == 1
    shown = subprocess.run([sys.executable, "-m", "localpipe", "ls"], capture_output=True, text=True, check=True, cwd=place)
    assert "Succeeded" in shown.stdout


def in_a_shell(place: Path, command: str) -> subprocess.CompletedProcess[str]:
    """A command of localpipe as a shell starts it, with redirections."""
    line = f"{sys.executable} -m localpipe {command}"
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, cwd=place)


def test_a_full_disk_below_standard_output_is_no_bug(place: Path, write: Write) -> None:
    ended = in_a_shell(place, f"check {write(decision())} >/dev/full")
    assert ended.returncode == 3
    assert ended.stderr == (
        "Error: Nothing more can be written: No space left on device. "
        "Make room: `localpipe resume last` goes on with a run.\n"
    )


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", "<&- 2>&-"])
def test_a_run_goes_on_whatever_becomes_of_its_messages(place: Path, write: Write, redirection: str) -> None:
    ended = in_a_shell(place, f"run {write(decision())} --json {redirection}")
    assert (ended.returncode, json.loads(ended.stdout)["PipelineExecutionStatus"]) == (0, "Succeeded")

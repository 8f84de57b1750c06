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
    assert seen.rstrip().splitlines()[-2] == "Pipeline pipe: \x1b[32mSucceeded.\x1b[0m"


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
    """A command of localpipe as a shell starts it, with redirections; the status is that of the first of a pipe."""
    line = f"{sys.executable} -m localpipe {command}; exit ${{PIPESTATUS[0]}}"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, cwd=place, env=environment)


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


@pytest.mark.parametrize(("threshold", "status"), [("0.5", 0), ("2", 1)])
def test_a_run_keeps_its_own_status_when_nobody_reads_its_document(
    place: Path, write: Write, threshold: str, status: int
) -> None:
    ended = in_a_shell(place, f"run {write(decision())} -p Threshold={threshold} --json 2>/dev/null | true")
    assert (ended.returncode, ended.stderr) == (status, "")


@pytest.mark.parametrize("command", ["--help", "run --help", "ls --json"])
def test_a_command_whose_output_nobody_reads_ends_well_and_quietly(place: Path, command: str) -> None:
    ended = in_a_shell(place, f"{command} | true")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_refusal_that_nobody_reads_is_one_all_the_same(place: Path) -> None:
    ended = in_a_shell(place, "show last 2>&1 | true")
    assert ended.returncode == 2


def test_a_copy_is_made_although_nobody_reads_of_it(place: Path) -> None:
    (place / "a").write_text("1")
    ended = in_a_shell(place, "s3 cp a s3://bucket/a 2>/dev/full")
    assert (ended.returncode, (place / ".localpipe/s3/bucket/a").read_text()) == (0, "1")

"""`shell` on steps of an execution that another process drives: it must not disturb them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import Cli, Spawn, Write
from support import pipeline, processing

pytestmark = pytest.mark.sandbox

# It goes on for a moment, so that the shell in it ends by itself.
UNTIL_LET_GO = ["sh", "-c", "echo begun; until [ -e /tmp/go ]; do sleep 0.02; done; sleep 0.5"]


def running_and_waiting(place: Path) -> tuple[str, str]:
    """Names of the step whose job has begun and of the one that is ready and has not."""
    for _ in range(1000):
        logs = {path.parts[-4]: path for path in place.glob(".localpipe/runs/*/*/1/logs/algo-1.log")}
        begun = {step for step, log in logs.items() if "begun" in log.read_text()}
        ready = {path.parts[-4] for path in place.glob(".localpipe/runs/*/*/1/sandbox/filter")} - begun
        if len(begun) == len(ready) == 1:
            return *begun, *ready
        time.sleep(0.02)
    raise AssertionError("no job has begun")


def let_go(step: str) -> subprocess.CompletedProcess[str]:
    """End the job of a step from a shell in it."""
    command = [sys.executable, "-m", "localpipe", "shell", "last", step]
    return subprocess.run(command, input="touch /tmp/go; exit 7\n", capture_output=True, text=True, check=False)


def test_a_job_is_entered_while_it_runs_and_left_alone_while_it_waits(
    cli: Cli, spawn: Spawn, write: Write, place: Path
) -> None:
    (place / "localpipe.toml").write_text("[slots]\njobs = 1\n")
    steps = [processing(name, outputs=("out",)) for name in "AB"]
    for step in steps:
        step["Arguments"]["AppSpecification"]["ContainerEntrypoint"] = UNTIL_LET_GO
    process = spawn("run", write(pipeline(*steps)), "--runner", "process", "--json")
    first, second = running_and_waiting(place)
    refused = cli("shell", "last", second)
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith(f"Error: Step '{second}' is Starting, and its job does not run at this moment: it waits")
    assert let_go(first).returncode == 7
    while "begun" not in cli("logs", "last", second).out:
        time.sleep(0.02)
    assert let_go(second).returncode == 7
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert {row["AttemptCount"] for row in json.loads(out)["Steps"]} == {1}
    assert cli("logs", "last", first).out == "begun\n"


def test_a_step_without_a_container_has_nothing_to_enter(cli: Cli, write: Write) -> None:
    fails = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}
    cli("run", write(pipeline(fails)), "--runner", "process")
    refused = cli("shell", "last", "Stop")
    assert re.search(r"There is nothing to enter in step 'Stop': ", refused.err)

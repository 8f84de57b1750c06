"""What a person sees of a job on several hosts: the report of its failure, its logs, a shell on one of its hosts."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from commands import Cli, Spawn, Write
from support import pipeline, processing

from localpipe.runners._host_network import can_be_made

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.sandbox, pytest.mark.skipif(not can_be_made(), reason="one host at a time")]

SECOND_FAILS = 'echo "here is $(hostname)"; test "$(hostname)" = algo-1 && exec sleep 600; exit 3'


@pytest.fixture
def failed(cli: Cli, write: Write, place: Path) -> str:
    """The report of a run whose second host failed; the first does not hear that it is to end."""
    (place / "localpipe.toml").write_text("stop_grace_seconds = 0.1\n")
    step = processing("Bad", outputs=("out",))
    step["Arguments"]["AppSpecification"]["ContainerEntrypoint"] = ["sh", "-c", SECOND_FAILS]
    step["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = 2
    ended = cli("run", write(pipeline(step)), "--runner", "process")
    assert ended.status == 1
    return ended.err


def test_the_report_shows_the_log_of_the_host_that_failed_first(failed: str, place: Path) -> None:
    attempt = next(place.glob(".localpipe/runs/*/Bad/1"))
    report = failed[failed.index("\nStep Bad failed") :].splitlines()
    assert report[2:9] == [
        f"  whole log on algo-1: {attempt}/logs/algo-1.log",
        f"  working directory:  {attempt}/algo-1/root",
        "  the last lines of its log on algo-2, which failed first:",
        "  | here is algo-2",
        f"  whole log on algo-2: {attempt}/logs/algo-2.log",
        f"  working directory:  {attempt}/algo-2/root",
        f"  look around:        localpipe shell {attempt.parts[-3]} Bad --host algo-2",
    ]
    assert report[10] == (
        "                      (algo-1 alone, without the local S3, which ends with the run; a shell as above has it)"
    )


@pytest.mark.usefixtures("failed")
def test_a_shell_is_of_the_host_that_is_named(cli: Cli, spawn: Spawn) -> None:
    shell = subprocess.Popen(
        spawn("shell", "last", "Bad", "--host", "algo-2").args,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, err = shell.communicate("hostname; getent hosts algo-1 || echo no other\n", timeout=30)
    assert (shell.returncode, out) == (0, "algo-2\nno other\n")
    assert err.startswith("This is algo-2 alone; the other hosts of the job do not run.\n")
    refused = cli("shell", "last", "Bad", "--host", "algo-3")
    assert (refused.status, refused.err) == (2, "Error: Step 'Bad' has no host 'algo-3'. Its hosts: algo-1, algo-2.\n")

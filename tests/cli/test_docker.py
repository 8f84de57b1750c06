"""The report of a failed step and a shell in it, on Docker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from commands import Cli, Write
from support import pipeline, processing

pytestmark = pytest.mark.docker


def test_a_failed_step_is_repeated_by_the_line_of_its_report(
    cli: Cli, write: Write, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST")
    step = processing("Bad", outputs=("out",))
    step["Arguments"]["AppSpecification"]["ContainerEntrypoint"] = ["python3", "-c", "print('why'); raise SystemExit(3)"]
    definition = write(pipeline(step))
    if cli("check", definition, "--runner", "docker").status == 3:
        pytest.skip("the image of the step is not there: localpipe images build scikit-learn:1.2-1")
    ended = cli("run", definition, "--runner", "docker")
    assert ended.status == 1
    assert "  the last lines of its log:\n  | why\n  whole log:          " in ended.err
    line = ended.err.partition("  repeat:             ")[2].splitlines()[0]
    assert line.startswith("docker run --rm ")
    again = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (3, "why\n")


def test_a_shell_takes_commands_from_a_pipe_too(
    cli: Cli, write: Write, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST")
    definition = write(pipeline(processing("Fine", outputs=("out",))))
    if cli("check", definition, "--runner", "docker").status == 3:
        pytest.skip("the image of the step is not there: localpipe images build scikit-learn:1.2-1")
    assert cli("run", definition, "--runner", "docker").status == 0
    command = [sys.executable, "-m", "localpipe", "shell", "last", "Fine"]
    typed = 'ls /opt/ml/processing; eval "$LOCALPIPE_COMMAND"; echo "$?"; exit 7\n'
    shell = subprocess.run(command, input=typed, capture_output=True, text=True, check=False)
    assert shell.returncode == 7
    assert shell.stdout.splitlines()[-2:] == ["out", "0"]

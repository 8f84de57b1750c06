"""The report of a failed step and a shell in it, on Docker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import Cli, Write
from support import pipeline, processing

from localpipe.service.executions import describe_pipeline_execution, drive, start_pipeline_execution
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

BASE = os.environ.get("LOCALPIPE_TEST_BASE_IMAGE", "localpipe-base:bookworm")
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


def test_an_image_that_is_removed_in_mid_run_fails_its_step_and_a_retry_goes_on(
    cli: Cli, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST")
    tag, untag = ["docker", "tag", BASE, "test-gone:1"], ["docker", "rmi", "test-gone:1"]
    if subprocess.run(tag, capture_output=True, check=False).returncode:
        pytest.skip(f"there is no image {BASE}")
    step = processing("Use")
    step["Arguments"]["AppSpecification"]["ImageUri"] = "test-gone:1"
    home = Home(load_settings({"runner": "docker"}, {}, Path()))
    ready = preflight(home, pipeline(step), "pipe", {})
    subprocess.run(untag, capture_output=True, check=True)
    failed = drive(describe_pipeline_execution(home, start_pipeline_execution(home, ready)), lambda _: None)
    home.close()
    assert failed.status == "Failed"
    assert failed.state.steps["Use"].reason == (
        "ClientError: Failed to invoke sagemaker:CreateProcessingJob. Error Details: Image test-gone:1: the image was "
        "removed a moment ago. Pull or build it again."
    )
    subprocess.run(tag, capture_output=True, check=True)
    try:
        assert cli("retry", "last").status == 0
    finally:
        subprocess.run(untag, capture_output=True, check=True)

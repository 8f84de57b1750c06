"""Unmodified `@step` scripts of both SDKs, on both runners, in the Python of the SDK."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from localpipe.core import JSON

RUNNERS = [pytest.param("docker", marks=pytest.mark.docker), pytest.param("process", marks=pytest.mark.sandbox)]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SCRIPT = """
from sagemaker.{package}.pipeline import Pipeline
from sagemaker.{package}.function_step import step

ROLE = "arn:aws:iam::123456789012:role/R"

@step(instance_type="ml.m5.large", name="Square", role=ROLE)
def square(x):
    return x * x

@step(instance_type="ml.m5.large", name="Add", role=ROLE)
def add(x, y):
    assert x + y == 13
    return x + y

def get_pipeline():
    return Pipeline("functions", steps=[add(square(3), 4)])
"""


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize(("sdk", "package"), [("V2", "workflow"), ("V3", "mlops.workflow")])
def test_a_functions_result_is_the_next_ones_argument(
    sdk: str, package: str, runner: str, tmp_path: Path, strangers: Callable[[JSON], list[str]]
) -> None:
    python = os.environ.get(f"LOCALPIPE_TEST_SDK_{sdk}")
    if not python:
        pytest.skip(f"LOCALPIPE_TEST_SDK_{sdk} names no Python with that SDK")
    (tmp_path / "pipeline.py").write_text(SCRIPT.format(package=package))
    image = f"SAGEMAKER_INTERNAL_IMAGE_URI=localpipe/base-python-{version_of(python)}:1.0"
    command = [sys.executable, "-m", "localpipe", "run", "pipeline.py", "--python", python, "--runner", runner, "--json"]
    ended = subprocess.run([*command, "--env", image], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert document["PipelineExecutionStatus"] == "Succeeded"
    assert strangers(document) == []


def version_of(python: str) -> str:
    """`311`: how the base Python images are called."""
    script = "import sys; print(*sys.version_info[:2], sep='')"
    return subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip()

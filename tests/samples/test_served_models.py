"""The stand-ins serve models as the SDK makes them, end to end: by XGBoost's algorithm and by a script that S3 holds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from localpipe.core import JSON

SCRIPTS = Path(__file__).parent / "served_models"
RUNNERS = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("process", marks=pytest.mark.sandbox),
    pytest.param("sandbox", marks=[pytest.mark.docker, pytest.mark.sandbox]),
]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def localpipe(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "localpipe", *arguments]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_algorithm_and_a_script_answer_a_transform_job_alike(
    runner: str, tmp_path: Path, strangers: Callable[[JSON], list[str]]
) -> None:
    python = os.environ.get("LOCALPIPE_TEST_SDK_V2")
    if not python:
        pytest.skip("LOCALPIPE_TEST_SDK_V2 names no Python with that SDK")
    shutil.copytree(SCRIPTS, tmp_path, dirs_exist_ok=True)
    run = json.loads(localpipe(tmp_path, "run", "pipeline.py", "--python", python, "--runner", runner, "--json"))
    assert strangers(run) == []
    steps = {row["StepName"]: row for row in run["Steps"]}
    answers = {}
    for name in ("AskAlgorithm", "AskScript"):
        output = steps[name]["Properties"]["TransformOutput"]["S3OutputPath"]
        answers[name] = [float(line) for line in localpipe(tmp_path, "s3", "cat", f"{output}/rows.csv.out").split()]
    truth = [first + 0.5 + 2 * (second + 0.5) for first in range(6) for second in range(6)]
    assert answers["AskAlgorithm"] == pytest.approx(truth, abs=0.5)
    assert answers["AskScript"] == pytest.approx(answers["AskAlgorithm"], rel=1e-5)

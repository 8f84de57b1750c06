"""Unmodified SDK scripts with the network cut, no credential and no AWS configuration on the machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).resolve().parents[2] / "sample_pipelines"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.sandbox,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.getuid() != 0, reason="only root can make a network namespace"),
]
WITHOUT_NETWORK = ["unshare", "--net", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


@pytest.mark.parametrize(
    ("folder", "target", "sdk"),
    [
        ("abalone", "pipelines/abalone/pipeline.py", "LOCALPIPE_TEST_SDK_V2"),
        ("champion", "pipeline.py", "LOCALPIPE_TEST_SDK_V2"),
        ("digits", "pipeline.py", "LOCALPIPE_TEST_SDK_V3"),
    ],
)
def test_a_script_runs_without_network_credentials_or_configuration(
    folder: str, target: str, sdk: str, tmp_path: Path
) -> None:
    python = os.environ.get(sdk)
    if not python:
        pytest.skip(f"{sdk} names no Python with that SDK")
    work = tmp_path / folder
    shutil.copytree(SAMPLES / folder, work)
    (tmp_path / "home").mkdir()
    command = [sys.executable, "-m", "localpipe", "run", target, "--python", python, "--runner", "process", "--json"]
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    environment = {"HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"], "XDG_CACHE_HOME": cache}
    make_environments(work, target, python, environment)
    ended = subprocess.run(
        [*WITHOUT_NETWORK, *command], cwd=work, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["PipelineExecutionStatus"] == "Succeeded"


def make_environments(work: Path, target: str, python: str, environment: dict[str, str]) -> None:
    """Have the virtual environments of the process runner, which need the network once."""
    with_network = {**os.environ, **environment}
    command = [sys.executable, "-m", "localpipe", "run", target, "--python", python, "--runner", "process"]
    subprocess.run(command, cwd=work, env=with_network, capture_output=True, check=True)

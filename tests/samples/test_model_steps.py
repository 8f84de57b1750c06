"""Models as both SDKs create and register them, end to end; code is put into an archive by a real job."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from localpipe.core import JSON

SCRIPTS = Path(__file__).parent / "model_steps"
RUNNERS = [pytest.param("docker", marks=pytest.mark.docker), pytest.param("process", marks=pytest.mark.sandbox)]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def localpipe(folder: Path, *arguments: str) -> JSON:
    command = [sys.executable, "-m", "localpipe", *arguments, "--json"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def run(folder: Path, sdk: str, runner: str, strangers: Callable[[JSON], list[str]]) -> dict[str, JSON]:
    """Step → its row."""
    python = os.environ.get(f"LOCALPIPE_TEST_SDK_{sdk}")
    if not python:
        pytest.skip(f"LOCALPIPE_TEST_SDK_{sdk} names no Python with that SDK")
    shutil.copytree(SCRIPTS, folder, dirs_exist_ok=True)
    document = localpipe(folder, "run", f"pipeline_{sdk.lower()}.py", "--python", python, "--runner", runner)
    assert document["PipelineExecutionStatus"] == "Succeeded", document
    assert strangers(document) == []
    return {row["StepName"]: row for row in document["Steps"]}


def names_in(archive: Path) -> set[str]:
    with tarfile.open(archive) as tar:
        return {member.name.removeprefix("./") for member in tar if member.isfile()}


@pytest.mark.parametrize("runner", RUNNERS)
def test_version_2_repacks_registers_and_creates_a_model_of_two_containers(
    runner: str, tmp_path: Path, strangers: Callable[[JSON], list[str]]
) -> None:
    steps = run(tmp_path, "V2", runner, strangers)
    assert set(steps) == {
        "Train",
        "Register-RepackModel-0",
        "Register-RegisterModel",
        "Create-RepackModel-1",
        "Create-CreateModel",
    }

    trained = steps["Train"]["Properties"]["ModelArtifacts"]["S3ModelArtifacts"]
    repacked = steps["Register-RepackModel-0"]["Properties"]["ModelArtifacts"]["S3ModelArtifacts"]
    shown = localpipe(tmp_path, "models", "show", "Torches")
    (container,) = shown["ModelPackage"]["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"] == repacked
    assert {"model.json", "code/inference.py", "code/lib/lib/helper.py"} <= names_in(Path(shown["ModelData"][0]["Path"]))
    assert [row["StepName"] for row in shown["Lineage"]] == ["Train", "Register-RepackModel-0"]
    assert shown["Lineage"][0]["Metrics"] == {"train:rmse": 1.5}

    first, second = steps["Create-CreateModel"]["Properties"]["Containers"]
    assert first["ModelDataUrl"] == trained
    assert second["ModelDataUrl"] == steps["Create-RepackModel-1"]["Properties"]["ModelArtifacts"]["S3ModelArtifacts"]
    assert (first["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"][:5], second["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"]) == (
        "s3://",
        "/opt/ml/model/code",
    )

    has_all_that_was_registered(steps["Register-RegisterModel"]["Properties"])


def has_all_that_was_registered(package: JSON) -> None:
    statistics = {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://metrics/statistics.json"}}
    assert package["ModelMetrics"]["ModelQuality"] == statistics
    assert package["DriftCheckBaselines"]["ModelQuality"] == statistics
    assert package["MetadataProperties"] == {"CommitId": "abc"}
    assert package["CustomerMetadataProperties"] == {"team": "trees"}
    assert (package["Domain"], package["Task"]) == ("COMPUTER_VISION", "CLASSIFICATION")
    assert (package["SamplePayloadUrl"], package["SkipModelValidation"]) == ("s3://metrics/payload.tar.gz", "All")
    assert (package["ModelPackageDescription"], package["ModelApprovalStatus"]) == (
        "A model with its code",
        "PendingManualApproval",
    )


@pytest.mark.sandbox
def test_version_3_gives_its_steps_the_names_that_they_are_given(
    tmp_path: Path, strangers: Callable[[JSON], list[str]]
) -> None:
    steps = run(tmp_path, "V3", "process", strangers)
    assert set(steps) == {"Train", "Create", "Register"}
    archive = steps["Train"]["Properties"]["ModelArtifacts"]["S3ModelArtifacts"]
    containers = steps["Create"]["Properties"].get("Containers") or [steps["Create"]["Properties"]["PrimaryContainer"]]
    assert [container["ModelDataUrl"] for container in containers] == [archive]
    package = localpipe(tmp_path, "models", "show", "Trees/1")
    assert package["ModelPackage"]["ModelApprovalStatus"] == "Approved"
    assert [row["StepName"] for row in package["Lineage"]] == ["Train"]

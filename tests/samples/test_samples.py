"""The sample pipelines end to end, as a user runs them; and the same on both runners but for the times in archives."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from localpipe.core import JSON

SAMPLES = Path(__file__).resolve().parents[2] / "sample_pipelines"
RUNNERS = [pytest.param("docker", marks=pytest.mark.docker), pytest.param("process", marks=pytest.mark.sandbox)]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Sample:
    """A sample, the target to run in its folder, and the variable that names the Python of its SDK, if it needs one."""

    folder: str
    target: str
    sdk: str = ""

    def __str__(self) -> str:
        return f"{self.folder}-{Path(self.target).name}"


ALL = [
    Sample("abalone", "definition.json"),
    Sample("abalone", "pipelines/abalone/pipeline.py", "LOCALPIPE_TEST_SDK_V2"),
    Sample("champion", "pipeline.py", "LOCALPIPE_TEST_SDK_V2"),
    Sample("digits", "pipeline.py", "LOCALPIPE_TEST_SDK_V3"),
    Sample("transform", "pipeline.py", "LOCALPIPE_TEST_SDK_V2"),
    Sample("transform", "serial.py", "LOCALPIPE_TEST_SDK_V2"),
]

UPLOADING = {"digits-pipeline.py", "transform-pipeline.py"}
"""Those whose SDK uploads code to a new place each time: the v3 trainer, and v2 with `source_dir`."""


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    shutil.copytree(SAMPLES, tmp_path / "samples")
    return tmp_path / "samples"


def localpipe(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "localpipe", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def run(folder: Path, sample: Sample, runner: str, *more: str) -> tuple[int, JSON]:
    python = ()
    if sample.sdk:
        interpreter = os.environ.get(sample.sdk)
        if not interpreter:
            pytest.skip(f"{sample.sdk} names no Python with that SDK")
        python = ("--python", interpreter)
    home = ("--home", str(folder / f".home-{runner}"))
    ended = localpipe(folder, "run", sample.target, "--runner", runner, "--json", *home, *python, *more)
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


@pytest.mark.docker
@pytest.mark.sandbox
@pytest.mark.parametrize("sample", ALL, ids=str)
def test_both_runners_give_the_same_states_properties_and_artifacts(
    sample: Sample, workplace: Path, strangers: Callable[[JSON], list[str]]
) -> None:
    folder = workplace / sample.folder
    seen = []
    for runner in ("docker", "process"):
        status, document = run(folder, sample, runner)
        assert status == 0, json.dumps(document, indent=1)
        assert document["PipelineExecutionStatus"] == "Succeeded"
        assert strangers(document) == []
        seen.append((comparable(document), artifacts(folder, document, runner)))
    (docker_document, docker_artifacts), (process_document, process_artifacts) = seen
    assert docker_document == process_document
    assert docker_artifacts == process_artifacts


@pytest.mark.parametrize("runner", RUNNERS)
def test_abalone_takes_the_other_branch_when_the_threshold_cannot_be_met(runner: str, workplace: Path) -> None:
    status, document = run(workplace / "abalone", ALL[0], runner, "-p", "MseThreshold=0.5")
    assert status == 1
    assert document["PipelineExecutionStatus"] == "Failed"
    last = document["Steps"][-1]
    assert (last["StepName"], last["StepStatus"]) == ("FailAbaloneModel", "Failed")
    assert last["FailureReason"].startswith("The model is not good enough: its MSE is above 0.5")


def comparable(document: JSON) -> JSON:
    """The document without times, and with the execution's own names made alike."""
    execution_id = document["PipelineExecutionArn"].rpartition("/")[2]
    text = json.dumps(document["Steps"], sort_keys=True)
    text = named_alike(text, execution_id)
    rows = json.loads(text)
    for row in rows:
        del row["LogFiles"]
    return sorted((without_times(row) for row in rows), key=lambda row: row["StepName"])


def named_alike(text: str, execution_id: str) -> str:
    text = re.sub(rf"pipelines-{execution_id}-([\w-]*?)-[a-zA-Z0-9]{{10}}(?![\w-])", r"pipelines-EXECUTION-\1-TOKEN", text)
    text = text.replace(execution_id, "EXECUTION")
    return re.sub(r"-\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-\d{3}|-\d{14,}", "-STAMP", text)


def without_times(value: JSON) -> JSON:
    if isinstance(value, list):
        return [without_times(each) for each in value]
    if isinstance(value, dict):
        return {
            key: without_times(each) for key, each in value.items() if not re.search(r"Time$|Timestamp$|InSeconds$", key)
        }
    return value


def artifacts(folder: Path, document: JSON, runner: str) -> dict[str, str]:
    """URI, made alike → digest of the content."""
    execution_id = document["PipelineExecutionArn"].rpartition("/")[2]
    listed = localpipe(folder, "artifacts", execution_id, "--json", "--home", str(folder / f".home-{runner}"))
    rows = json.loads(listed.stdout)
    assert rows
    return {named_alike(row["S3Uri"], execution_id): digest(Path(row["Path"])) for row in rows}


def digest(path: Path) -> str:
    """Of a file, or of what an archive unpacks to: its members have the times at which the job wrote them."""
    if not path.name.endswith(".tar.gz"):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with tarfile.open(path) as archive:
        members = [(member.name, member.mode, member.size) for member in archive]
        contents = [file.read() for member in archive.getmembers() if (file := archive.extractfile(member))]
    return hashlib.sha256(repr((members, contents)).encode()).hexdigest()


@pytest.mark.parametrize("runner", RUNNERS)
def test_abalone_again_runs_no_job_and_after_an_edit_only_what_the_edit_is_for(runner: str, workplace: Path) -> None:
    folder = workplace / "abalone"
    contents = ("--cache", "content")
    _, first = run(folder, ALL[0], runner, *contents)
    status, second = run(folder, ALL[0], runner, *contents)
    jobs = ["PreprocessAbaloneData", "TrainAbaloneModel", "EvaluateAbaloneModel"]
    assert (status, done_again(first), done_again(second)) == (0, jobs, [])
    evaluate = folder / "pipelines/abalone/evaluate.py"
    evaluate.write_text(f"{evaluate.read_text()}\n# edited\n")
    _, third = run(folder, ALL[0], runner, *contents)
    assert done_again(third) == ["EvaluateAbaloneModel"]


@pytest.mark.sandbox
@pytest.mark.parametrize("sample", [each for each in ALL if str(each) in UPLOADING], ids=str)
def test_what_the_sdk_uploads_anew_is_not_done_again_by_contents(sample: Sample, workplace: Path) -> None:
    folder = workplace / sample.folder
    run(folder, sample, "process", "--cache", "content")
    status, second = run(folder, sample, "process", "--cache", "content")
    assert (status, done_again(second)) == (0, [])


def done_again(document: JSON) -> list[str]:
    """The steps whose jobs ran in this execution."""
    return [row["StepName"] for row in document["Steps"] if row["LogFiles"] and "CacheHitResult" not in row]

"""Tuning, Transform and Fail steps as SDK 3 makes them, end to end: their ends by content."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from test_samples import RUNNERS, SAMPLES, Sample, localpipe, run

from localpipe.core import JSON

SCRIPTS = Path(__file__).parent / "version_3"
SDK = "LOCALPIPE_TEST_SDK_V3"
Strangers = Callable[[JSON], list[str]]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SCRIPTS, tmp_path / "version_3")
    return tmp_path / "version_3"


def steps_of(document: JSON) -> dict[str, JSON]:
    return {row["StepName"]: row for row in document["Steps"]}


def content(folder: Path, runner: str, uri: str) -> str:
    return localpipe(folder, "s3", "cat", uri, "--home", str(folder / f".home-{runner}")).stdout


def loss(tuned: JSON) -> float:
    """What train.py measures: its curve is 2 high where it is lowest, at 3."""
    away = abs(int(tuned["place"]) - 3)
    return 2 + float(tuned["slope"]) * (away**2 if tuned["kind"] == "square" else away)


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_tuning_step_tries_what_it_draws_and_the_best_model_is_the_next_ones_input(
    runner: str, folder: Path, strangers: Strangers
) -> None:
    status, document = run(folder, Sample("version_3", "tuning.py", SDK), runner)
    assert status == 0, json.dumps(document, indent=1)
    assert strangers(document) == []
    steps = steps_of(document)
    summaries = steps["Tune"]["Properties"]["TrainingJobSummaries"]
    losses = [each["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for each in summaries]
    assert losses == pytest.approx([loss(each["TunedHyperParameters"]) for each in summaries], abs=1e-6)
    assert losses == sorted(losses)
    assert len(set(losses)) == 3
    (output,) = steps["Unpack"]["Properties"]["ProcessingOutputConfig"]["Outputs"]
    best = summaries[0]["TunedHyperParameters"]
    assert json.loads(content(folder, runner, f"{output['S3Output']['S3Uri']}/model.json")) == {
        "height": 2.0,
        "place": int(best["place"]),
        "slope": float(best["slope"]),
        "kind": best["kind"],
    }


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_transform_step_asks_the_model_that_was_created_before_it(runner: str, folder: Path, strangers: Strangers) -> None:
    status, document = run(folder, Sample("version_3", "transform.py", SDK), runner)
    assert status == 0, json.dumps(document, indent=1)
    assert strangers(document) == []
    steps = steps_of(document)
    ask = steps["Ask"]["Properties"]
    assert ask["ModelName"] == steps["Create"]["Properties"]["ModelName"]
    lines = content(folder, runner, f"{ask['TransformOutput']['S3OutputPath']}/rows.csv.out").splitlines()
    asked = [[float(cell) for cell in line.split(",")] for line in lines]
    rows = [(first + 0.5, second + 0.5) for first in range(6) for second in range(6)]
    assert [first for first, _ in asked] == [first for first, _ in rows]
    assert [answer for _, answer in asked] == pytest.approx([first + 2 * second for first, second in rows], abs=0.5)


@pytest.mark.sandbox
def test_a_fail_step_ends_the_execution_with_its_message(tmp_path: Path, strangers: Strangers) -> None:
    digits = tmp_path / "digits"
    shutil.copytree(SAMPLES / "digits", digits)
    status, document = run(digits, Sample("digits", "pipeline.py", SDK), "process", "-p", "AccuracyThreshold=1.1")
    assert (status, document["PipelineExecutionStatus"]) == (1, "Failed")
    assert strangers(document) == []
    last = document["Steps"][-1]
    assert last["Metadata"] == {"Fail": {"ErrorMessage": "The accuracy is below 1.1"}}
    assert last["FailureReason"] == "The accuracy is below 1.1"

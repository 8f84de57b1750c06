"""The sample that tunes a model: its end by content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from test_samples import RUNNERS, Sample, run, workplace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from localpipe.core import JSON

__all__ = ["workplace"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
TUNING = Sample("tuning", "pipeline.py", "LOCALPIPE_TEST_SDK_V2")


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_best_model_is_registered_and_better_than_the_worst(
    runner: str, workplace: Path, strangers: Callable[[JSON], list[str]]
) -> None:
    folder = workplace / TUNING.folder
    status, document = run(folder, TUNING, runner, "--max-trials", "4")
    assert status == 0, document
    assert strangers(document) == []
    steps = {row["StepName"]: row for row in document["Steps"]}
    summaries = steps["TuneRents"]["Properties"]["TrainingJobSummaries"]
    losses = [each["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for each in summaries]
    assert len(losses) == 4
    assert losses == sorted(losses)
    assert losses[0] < losses[-1]
    assert all(map(in_range, summaries))
    registered = steps["Rents-RegisterModel"]["Properties"]["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    assert registered.endswith(f"/rents/models/{summaries[0]['TrainingJobName']}/output/model.tar.gz")
    metrics = {job["JobName"]: job["Objective"]["Value"] for job in steps["TuneRents"]["Jobs"]}
    assert metrics[summaries[0]["TrainingJobName"]] == min(metrics.values())


def in_range(summary: JSON) -> bool:
    tuned = summary["TunedHyperParameters"]
    rate, trees = float(tuned["learning-rate"]), int(tuned["trees"])
    return 0.005 <= rate <= 0.5 and 10 <= trees <= 150 and tuned["loss"] in {'"squared_error"', '"absolute_error"'}

"""What is written down of a trial."""

from __future__ import annotations

import json

import pytest

from localpipe.core.tuning import Objective, TrialDetail


@pytest.mark.parametrize("name", [None, "trees"])
@pytest.mark.parametrize("maximize", [True, False])
def test_what_is_written_down_of_a_trial_is_read_again(name: str | None, *, maximize: bool) -> None:
    objective = Objective(metric="loss", maximize=maximize)
    detail = TrialDetail(parameters={"eta": "0.1"}, definition=1, definition_name=name, objective=objective)
    assert TrialDetail.from_json(json.loads(json.dumps(detail.to_json()))) == detail


def test_a_trial_that_an_earlier_localpipe_wrote_down_is_read() -> None:
    written = {
        "TunedHyperParameters": {"eta": "0.1"},
        "TrainingJobDefinition": 0,
        "Objective": {"Type": "Minimize", "MetricName": "loss"},
    }
    assert TrialDetail.from_json(written) == TrialDetail(
        parameters={"eta": "0.1"}, definition=0, definition_name=None, objective=Objective(metric="loss", maximize=False)
    )

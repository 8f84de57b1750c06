"""kill -9 in the midst of a tuning job; then resume: no finished training job runs again, and the trials are the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import pipeline
from test_crash import KILLED, drive, execution_id
from tuning_support import OWN_IMAGE, training_definition, training_python, tuning

from localpipe.core.names import S3Uri
from localpipe.scheduling.events import ChildEnded
from localpipe.service.executions import describe_pipeline_execution
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from localpipe.core import JSON

TRAIN = """\
import json, pathlib, uuid

given = json.loads(pathlib.Path("/opt/ml/input/config/hyperparameters.json").read_text())
pathlib.Path("/opt/ml/model/run").write_text(str(uuid.uuid4()))
print(f"loss={float(given['x'])}")
"""


def definition() -> JSON:
    return pipeline(tuning("Tune", jobs=3, parallel=2, TrainingJobDefinition=training_definition(OWN_IMAGE)))


@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_tuning_job_killed_at_any_moment_repeats_no_finished_training_job(tmp_path: Path) -> None:
    file = tmp_path / "definition.json"
    file.write_text(json.dumps(definition()))
    training_python(tmp_path, TRAIN)
    whole = opened(tmp_path / "whole")
    assert drive("start", whole.directory, "process", file, "never") == 0
    expected = end_state(whole)
    assert expected["status"] == "Succeeded"
    events = len(whole.journal.read(execution_id(whole)))
    whole.close()
    between = ("started:1", "started:2", "ended:2", "stored:1", "stored:2", "removing:1")
    for point in [*(f"event:{number}" for number in range(3, events)), *between]:
        home = opened(tmp_path / point.replace(":", "-"))
        assert drive("start", home.directory, "process", file, point) == KILLED, point
        facts = home.journal.read(execution_id(home))
        finished = [fact.event.properties["TrainingJobName"] for fact in facts if isinstance(fact.event, ChildEnded)]
        before = {name: digest_of_model(home, name) for name in finished}
        assert drive("resume", home.directory, "process", file, "never") == 0, point
        assert end_state(home) == expected, point
        assert {name: digest_of_model(home, name) for name in finished} == before, point
        assert home.runner("process").sweep(lambda key: False) == 0, point
        home.close()


def opened(directory: Path) -> Home:
    return Home(load_settings({"home": str(directory), "runner": "process"}, {}, directory.parent))


def digest_of_model(home: Home, training_job: str) -> bytes:
    """The archive holds what only one run of the job has written."""
    found = home.store.head(S3Uri("bucket", f"models/{training_job}/output/model.tar.gz"))
    assert found is not None
    return found.path.read_bytes()


def end_state(home: Home) -> JSON:
    execution = describe_pipeline_execution(home, "last")
    (row,) = execution.document()["Steps"]
    tuned = [(job["JobStatus"], job["TunedHyperParameters"], job["Objective"]) for job in row["Jobs"]]
    models = sorted(info.uri.key.rpartition("/")[2] for info in home.store.list(S3Uri("bucket")))
    return {"status": execution.status, "step": (row["StepStatus"], row["AttemptCount"]), "jobs": tuned, "models": models}

"""kill -9 after each journal event in turn, and between effects and their facts; then resume.

The end is the uninterrupted run's, and no finished step is done again.

Every job leaves an object of its own in S3 by boto3, so that what really ran is counted, not what the journal says.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import PROCESSING, output_of, pipeline, processing

from localpipe.core.names import S3Uri
from localpipe.scheduling.events import AttemptFailed, StepSucceeded
from localpipe.service.executions import describe_pipeline_execution
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from localpipe.core import JSON

DRIVER = Path(__file__).with_name("killed_run.py")
KILLED = -9

JOB = """
import json, pathlib, sys, uuid, boto3
step = sys.argv[1]
boto3.client("s3").put_object(Bucket="ran", Key=f"{step}/{uuid.uuid4()}", Body=b"")
out = pathlib.Path("/opt/ml/processing/out")
before = pathlib.Path("/opt/ml/processing/in/e.json")
number = json.loads(before.read_text())["mse"] if before.exists() else 0
(out / "e.json").write_text(json.dumps({"mse": number + 1}))
(out / "more").mkdir()
(out / "more" / "step.txt").write_text(step)
"""


def job(name: str, after: str = "") -> JSON:
    inputs = {"code": "s3://code/job.py", **({"in": output_of(after, "out")} if after else {})}
    step = processing(
        name,
        inputs=inputs,
        outputs=("out",),
        PropertyFiles=[{"PropertyFileName": "R", "OutputName": "out", "FilePath": "e.json"}],
    )
    step["Arguments"]["AppSpecification"]["ContainerEntrypoint"] = ["python3", f"{PROCESSING}/code/job.py", name]
    return step


def definition() -> JSON:
    """Two jobs in a row, one beside them, and a condition whose chosen branch has a job and a model."""
    check = {
        "Name": "Check",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [
                {
                    "Type": "Equals",
                    "LeftValue": {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.B.PropertyFiles.R"}, "Path": "mse"}},
                    "RightValue": 2,
                }
            ],
            "IfSteps": [job("Yes", "B"), model("Mod")],
            "ElseSteps": [job("No")],
        },
    }
    return pipeline(job("A"), job("B", "A"), job("Beside"), check)


def model(name: str) -> JSON:
    return {
        "Name": name,
        "Type": "Model",
        "Arguments": {
            "ExecutionRoleArn": "arn:aws:iam::111122223333:role/test",
            "PrimaryContainer": {"Image": "some-image", "Environment": {}},
        },
    }


def end_state(home: Home) -> JSON:
    """What must not differ: each step's status, attempt and outcome, what the steps wrote, and the models."""
    execution = describe_pipeline_execution(home, "last")
    rows = {
        row["StepName"]: (row["StepStatus"], row["AttemptCount"], row["Metadata"].get("Condition"))
        for row in execution.document()["Steps"]
    }
    written = {str(info.uri): info.path.read_bytes() for info in home.store.list(S3Uri("bucket"))}
    return {"status": execution.status, "steps": rows, "written": written, "models": len(home.registry.models())}


def ran(home: Home) -> dict[str, int]:
    counts: dict[str, int] = {}
    for info in home.store.list(S3Uri("ran")):
        step = info.uri.key.partition("/")[0]
        counts[step] = counts.get(step, 0) + 1
    return counts


def drive(what: str, home_dir: Path, runner: str, file: Path, point: str) -> int:
    command = [sys.executable, str(DRIVER), what, str(home_dir), runner, str(file), point]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert ended.returncode in (0, KILLED), ended.stderr
    return ended.returncode


@pytest.mark.parametrize(
    "runner", [pytest.param("docker", marks=pytest.mark.docker), pytest.param("process", marks=pytest.mark.sandbox)]
)
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_killed_after_any_event_ends_as_the_uninterrupted_run(runner: str, tmp_path: Path) -> None:
    file = tmp_path / "definition.json"
    file.write_text(json.dumps(definition()))
    whole = opened(tmp_path / "whole", runner)
    assert drive("start", whole.directory, runner, file, "never") == 0
    expected = end_state(whole)
    assert expected["status"] == "Succeeded"
    events = len(whole.journal.read(execution_id(whole)))
    whole.close()
    between = [f"{kind}:{count}" for kind in ("started", "ended", "removing", "listed") for count in (1, 3)]
    between += [f"stored:{count}" for count in range(2, 8)]
    for point in [*(f"event:{number}" for number in range(1, events)), *between]:
        home = opened(tmp_path / point.replace(":", "-"), runner)
        assert drive("start", home.directory, runner, file, point) == KILLED, point
        facts = home.journal.read(execution_id(home))
        finished = {fact.event.step for fact in facts if isinstance(fact.event, StepSucceeded | AttemptFailed)}
        before = ran(home)
        assert drive("resume", home.directory, runner, file, "never") == 0, point
        assert end_state(home) == expected, point
        after = ran(home)
        assert {step for step in finished if after.get(step) != before.get(step)} == set(), point
        assert home.runner(runner).sweep(lambda key: False) == 0, point
        home.close()


def opened(directory: Path, runner: str) -> Home:
    home = Home(load_settings({"home": str(directory), "runner": runner}, {}, directory.parent))
    home.store.create_bucket("ran")
    home.store.put(S3Uri("code", "job.py"), JOB.encode())
    home.store.put(S3Uri("bucket", "Beside/out/earlier.txt"), b"")  # so this output is put file by file, the others whole
    return home


def execution_id(home: Home) -> str:
    return home.journal.executions()[-1].execution_id

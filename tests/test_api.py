"""The Python API on steps that need no runner, and one that does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import IMAGE, ROLE, pipeline, processing

import localpipe
from localpipe.errors import AuthoringError, DefinitionError, HomeUnusable, NotFound, ParameterError, UsageError
from localpipe.scheduling.events import MessageSent, Recorded

if TYPE_CHECKING:
    from localpipe.core import JSON

CHECK: JSON = {
    "Name": "Check",
    "Type": "Condition",
    "Arguments": {
        "Conditions": [{"Type": "GreaterThan", "LeftValue": {"Get": "Parameters.Threshold"}, "RightValue": 1.0}],
        "IfSteps": [{"Name": "TooHigh", "Type": "Fail", "Arguments": {"ErrorMessage": "too high"}}],
        "ElseSteps": [],
    },
}
DEFINITION = pipeline(CHECK, parameters=({"Name": "Threshold", "Type": "Float", "DefaultValue": 0.5},))


def test_callbacks_are_answered_from_python_while_the_run_goes_on(tmp_path: Path) -> None:
    ask = {
        "Name": "Ask",
        "Type": "Callback",
        "SqsQueueUrl": "https://sqs.us-east-1.amazonaws.com/111122223333/approvals",
        "OutputParameters": [{"OutputName": "ok", "OutputType": "Boolean"}, {"OutputName": "n", "OutputType": "Integer"}],
    }
    assert localpipe.callbacks(home=tmp_path) == []

    def answer(fact: Recorded) -> None:
        if isinstance(fact.event, MessageSent):
            (message,) = localpipe.callbacks(home=tmp_path)
            assert message["token"] == fact.event.token
            if message["step"] == "Ask":
                localpipe.succeed_callback(message["token"], {"ok": True, "n": 3}, home=tmp_path)
            else:
                localpipe.fail_callback(message["token"], "not this one", home=tmp_path)

    again = ask | {"Name": "Again", "DependsOn": ["Ask"]}
    execution = localpipe.run(pipeline(ask, again), home=tmp_path, observe=answer)
    assert execution.steps["Ask"].properties["OutputParameters"] == {"ok": True, "n": 3}
    assert (execution.steps["Again"].status, execution.steps["Again"].failure_reason) == ("Failed", "not this one")
    with pytest.raises(NotFound):
        localpipe.succeed_callback("nobodyhas1", home=tmp_path)


def test_a_definition_is_run_to_its_end(tmp_path: Path) -> None:
    execution = localpipe.run(DEFINITION, home=tmp_path)
    assert (execution.status, execution.failure_reason, list(execution.steps)) == ("Succeeded", "", ["Check"])
    assert execution.pipeline_name == "pipeline"
    assert execution.arn.startswith("arn:aws:sagemaker:us-east-1:111122223333:pipeline/pipeline/execution/")
    check = execution.steps["Check"]
    assert (check.status, check.branch_taken, check.attempt_count, check.log, check.artifacts) == (
        "Succeeded",
        "ElseSteps",
        1,
        "",
        {},
    )
    assert execution.document["PipelineExecutionArn"] == execution.arn
    assert [row["StepName"] for row in execution.document["Steps"]] == ["Check"]


def test_a_failed_pipeline_is_returned(tmp_path: Path) -> None:
    facts = []
    file = tmp_path / "of-a-file.json"
    file.write_text(json.dumps(DEFINITION))
    execution = localpipe.run(file, {"Threshold": 2}, home=tmp_path / "home", observe=facts.append)
    assert (execution.status, execution.pipeline_name) == ("Failed", "of-a-file")
    assert execution.steps["Check"].branch_taken == "IfSteps"
    assert execution.steps["TooHigh"].failure_reason == "too high"
    assert [fact.seq for fact in facts] == list(range(1, len(facts) + 1))


def test_what_is_refused_is_raised(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="Did you mean 'Threshold'"):
        localpipe.run(DEFINITION, {"Treshold": 1}, home=tmp_path)
    with pytest.raises(DefinitionError, match="no objects under s3://bucket/nowhere"):
        localpipe.check(pipeline(processing("Use", inputs={"in": "s3://bucket/nowhere"})), home=tmp_path)
    with pytest.raises(UsageError, match="runner = 'podman'"):
        localpipe.check(DEFINITION, home=tmp_path, runner="podman")
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeUnusable):
        localpipe.check(DEFINITION, home=tmp_path / "file")


def test_check_returns_notes_and_runs_nothing(tmp_path: Path) -> None:
    assert localpipe.check(DEFINITION, home=tmp_path) == ()
    assert not (tmp_path / "runs").exists()


@pytest.mark.sandbox
def test_a_job_has_log_properties_and_artifacts(tmp_path: Path) -> None:
    step = processing("Make", outputs=("out",))
    program = "print('hello'); open('/opt/ml/processing/out/x.txt', 'w').write('1')"
    step["Arguments"]["AppSpecification"]["ContainerEntrypoint"] = ["python3", "-c", program]
    make = localpipe.run(pipeline(step), home=tmp_path, runner="process").steps["Make"]
    assert (make.status, make.log) == ("Succeeded", "hello\n")
    assert make.properties["ProcessingJobStatus"] == "Completed"
    assert {uri: path.read_text() for uri, path in make.artifacts.items()} == {"s3://bucket/Make/out/x.txt": "1"}


def test_a_script_is_given_arguments(tmp_path: Path) -> None:
    script = tmp_path / "pipeline.py"
    script.write_text("def get_pipeline(size):\n    raise ValueError(size + 1)\n")
    with pytest.raises(AuthoringError, match="ValueError: 4"):
        localpipe.check(script, home=tmp_path / "home", arguments={"size": 3})


def test_an_execution_tells_what_differed_from_the_service(tmp_path: Path) -> None:
    container = {"Image": IMAGE, "ModelDataUrl": "s3://bucket/model.tar.gz"}
    keep = {"Name": "Keep", "Type": "Model", "Arguments": {"ExecutionRoleArn": ROLE, "PrimaryContainer": container}}
    (finding,) = localpipe.run(pipeline(keep), home=tmp_path).fidelity
    assert (finding.step, finding.member, finding.verdict.value) == ("Keep", "ExecutionRoleArn", "Approximated")

"""What is refused before anything runs since nobody could write it, and what is left to the start of the step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import IMAGE, ROLE, output_of, pipeline, processing

from localpipe.core.names import S3Uri
from localpipe.errors import DefinitionError
from localpipe.runners.scripted import ScriptedRunner
from localpipe.service.executions import describe_pipeline_execution, drive, start_pipeline_execution
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from localpipe.core import JSON


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = Home(load_settings({"home": str(tmp_path / "home")}, {}, tmp_path))
    opened.store.put(S3Uri("bucket", "raw/data.csv"), b"1\n")
    yield opened
    opened.close()


def problems(home: Home, *steps: JSON, parameters: tuple[JSON, ...] = ()) -> list[str]:
    try:
        preflight(home, pipeline(*steps, parameters=parameters), "test", {}, runner=ScriptedRunner())
    except DefinitionError as error:
        return [str(problem) for problem in error.problems]
    return []


def notes(home: Home, *steps: JSON) -> list[str]:
    return list(preflight(home, pipeline(*steps), "test", {}, runner=ScriptedRunner()).notes)


def isolated(step: JSON) -> JSON:
    step["Arguments"]["NetworkConfig"] = {"EnableNetworkIsolation": True}
    return step


def told(step: JSON, *arguments: str) -> JSON:
    step["Arguments"]["AppSpecification"]["ContainerArguments"] = list(arguments)
    return step


def training(name: str, output: str) -> JSON:
    """A Training step without channels."""
    arguments = {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": output},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30},
        "RoleArn": ROLE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    return {"Name": name, "Type": "Training", "Arguments": arguments}


def test_what_lies_there_is_no_problem(home: Home) -> None:
    assert problems(home, processing("Use", inputs={"in": "s3://bucket/raw"})) == []


def test_every_input_that_nobody_writes_is_told(home: Home) -> None:
    use = processing("Use", inputs={"a": "s3://bucket/ra/", "b": "s3://other/b"})
    place = "$.Steps[0].Arguments.ProcessingInputs[{}].S3Input.S3Uri: step 'Use': input '{}' has no objects under {}, "
    assert problems(home, use) == [
        place.format(0, "a", "s3://bucket/ra/") + "and no step writes there. Did you mean s3://bucket/raw/ ?",
        place.format(1, "b", "s3://other/b") + "and no step writes there. Put it there: localpipe s3 cp FILE s3://other/b",
    ]


def test_a_parameter_is_followed(home: Home) -> None:
    parameter = {"Name": "Where", "Type": "String", "DefaultValue": "s3://bucket/nowhere"}
    assert problems(home, processing("Use", inputs={"in": {"Get": "Parameters.Where"}}), parameters=(parameter,))


def test_a_step_before_may_write_it(home: Home) -> None:
    make = processing("Make", outputs=("out",))
    assert problems(home, make, processing("Use", inputs={"in": output_of("Make", "out")})) == []
    literal = processing("Use", inputs={"in": "s3://bucket/Make/out"})
    assert problems(home, make, literal | {"DependsOn": ["Make"]}) == []
    assert problems(home, make, literal)  # it does not wait for the step


def test_what_only_the_run_can_tell_of_a_uri_is_left_to_the_run(home: Home) -> None:
    name = {"Get": "Steps.Fit.TrainingJobName"}
    archive = {"Std:Join": {"On": "/", "Values": ["s3://bucket/fits", name, "output", "output.tar.gz"]}}
    assert problems(home, training("Fit", "s3://bucket/fits"), processing("Use", inputs={"in": archive})) == []


def test_a_step_that_is_told_of_the_place_may_write_it(home: Home) -> None:
    use = processing("Use", inputs={"in": "s3://bucket/deep/data"}) | {"DependsOn": ["Make"]}
    assert notes(home, told(processing("Make"), "--to", "s3://bucket/deep"), use) == []
    assert len(notes(home, told(processing("Make"), "--to", "s3://bucket/elsewhere"), use)) == 1


@pytest.mark.parametrize("bucket", ["bucket", "not-made-yet"])
def test_a_script_before_may_write_what_nobody_handed_to_it_and_that_is_noted(home: Home, bucket: str) -> None:
    use = processing("Use", inputs={"in": f"s3://{bucket}/ra/"}) | {"DependsOn": ["Make"]}
    near = {"bucket": "Did you mean s3://bucket/raw/ ?"}
    remedy = near.get(bucket, f"Put it there: localpipe s3 cp FILE s3://{bucket}/ra/")
    note = (
        f"Step 'Use': input 'in' has no objects under s3://{bucket}/ra/, and no output goes there: "
        f"the step fails unless a script of a step before writes there by itself. {remedy}"
    )
    assert notes(home, processing("Make"), use) == [note]
    assert problems(home, processing("Make"), {**use, "DependsOn": []})  # it does not wait for the job
    assert problems(home, isolated(processing("Make")), use)


def test_a_job_without_a_network_writes_its_outputs_alone(home: Home) -> None:
    make = isolated(told(processing("Make", outputs=("out",)), "s3://bucket/deep"))
    use = processing("Use", inputs={"a": "s3://bucket/Make/out", "b": "s3://bucket/deep"}) | {"DependsOn": ["Make"]}
    (problem,) = problems(home, make, use)
    assert "input 'b' has no objects" in problem


def test_a_job_of_which_nothing_is_known_may_write_anywhere(home: Home) -> None:
    make = processing("Make", outputs=("out",))
    unclear = processing("Unclear", outputs=("out",))
    cluster = unclear["Arguments"]["ProcessingResources"]["ClusterConfig"]
    cluster["InstanceCount"] = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Make.PropertyFiles.counts"}, "Path": "n"}}
    make["PropertyFiles"] = [{"PropertyFileName": "counts", "OutputName": "out", "FilePath": "counts.json"}]
    use = processing("Use", inputs={"in": "s3://own/data"}) | {"DependsOn": ["Unclear"]}
    assert problems(home, make, unclear, use) == []


def test_a_long_chain_written_backwards(home: Home) -> None:
    chain = [processing(f"S{i}") | {"DependsOn": [f"S{i - 1}"]} for i in range(1, 1100)]
    last = processing("Last", inputs={"in": "s3://bucket/data"}) | {"DependsOn": ["S1099"]}
    assert len(notes(home, last, *reversed(chain), processing("S0"))) == 1


def with_value(member_path: str, default: JSON, step: JSON, kind: str = "String") -> list[JSON]:
    """The parameter `V` with a default, and the step whose argument at a dotted path takes it."""
    *parents, last = member_path.split(".")
    place = step["Arguments"]
    for name in parents:
        place = place[int(name)] if name.isdigit() else place.setdefault(name, {})
    place[int(last) if last.isdigit() else last] = {"Get": "Parameters.V"}
    return [{"Name": "V", "Type": kind, "DefaultValue": default}, step]


CLUSTER = "ProcessingResources.ClusterConfig"


@pytest.mark.parametrize(
    ("where", "kind", "default", "message"),
    [
        ("Environment.A", "String", "x" * 300, "constraint: length at most 256. It has 300 characters."),
        (
            "RoleArn",
            "String",
            "this is no role at all",
            "Value 'this is no role at all' for 'RoleArn' failed to satisfy regular expression",
        ),
        (f"{CLUSTER}.VolumeSizeInGB", "Integer", 0, "Value '0' for 'ProcessingVolumeSizeInGB' failed to satisfy constraint"),
        (f"{CLUSTER}.InstanceCount", "Integer", 101, "Value '101' for 'ProcessingInstanceCount' failed to satisfy"),
        ("ProcessingInputs.0.S3Input.S3CompressionType", "String", "Gzip", "Gzip goes with Pipe mode only"),
        ("ProcessingInputs.0.S3Input.S3Uri", "String", "not-a-uri", "'not-a-uri' is not an S3 URI (s3://bucket/key)."),
    ],
)
def test_what_a_parameter_puts_into_a_request_is_checked_before_the_run(
    home: Home, where: str, kind: str, default: JSON, message: str
) -> None:
    parameter, step = with_value(where, default, processing("Use", inputs={"in": "s3://bucket/raw"}), kind)
    problem = problems(home, step, parameters=(parameter,))[-1]
    assert problem.startswith(f"$.Steps[0].Arguments.{where.replace('.0.', '[0].')}: ")
    assert message in problem
    assert "Unable to parse" not in problem


@pytest.mark.parametrize("uri", ["not-a-uri", {"Get": "Parameters.V"}])
def test_a_wrong_uri_is_told_once(home: Home, uri: JSON) -> None:
    parameter = {"Name": "V", "Type": "String", "DefaultValue": "not-a-uri"}
    assert problems(home, processing("Use", inputs={"in": uri}), parameters=(parameter,)) == [
        "$.Steps[0].Arguments.ProcessingInputs[0].S3Input.S3Uri: 'not-a-uri' is not an S3 URI (s3://bucket/key)."
    ]


@pytest.fixture
def home_with_mounts(tmp_path: Path) -> Iterator[Home]:
    (tmp_path / "data").mkdir()
    (tmp_path / "localpipe.toml").write_text('[s3.mounts]\n"s3://bucket/Make" = "./data"\n"s3://company" = "./data"\n')
    opened = Home(load_settings({"home": str(tmp_path / "home")}, {}, tmp_path))
    yield opened
    opened.close()


def test_an_output_below_a_mount_is_refused(home_with_mounts: Home, tmp_path: Path) -> None:
    text = (
        "step 'Make': output 'out' cannot be written: "
        f'[s3.mounts] shows {tmp_path}/data there, read-only ("s3://bucket/Make"). '
        "Write to another prefix, or take the mount out of localpipe.toml."
    )
    place = "Arguments.ProcessingOutputConfig.Outputs[0].S3Output.S3Uri"
    assert problems(home_with_mounts, processing("Make", outputs=("out",))) == [f"$.Steps[0].{place}: {text}"]
    assert problems(home_with_mounts, processing("Maker", outputs=("out",))) == []
    outcome = {"Type": "Equals", "LeftValue": 1, "RightValue": 2}
    step = processing("Make", outputs=("out",))
    branch = {"Name": "C", "Type": "Condition", "Arguments": {"Conditions": [outcome], "IfSteps": [step]}}
    ready = preflight(home_with_mounts, pipeline(branch), "test", {}, runner=ScriptedRunner())
    assert ready.notes == (f"Step 'Make' fails if it is reached: $.Steps[0].Arguments.IfSteps[0].{place}: {text}",)


def test_the_archives_of_a_training_job_below_a_mounted_bucket_are_told_once(home_with_mounts: Home) -> None:
    (problem,) = problems(home_with_mounts, training("Train", "s3://company/models"))
    assert problem.startswith(
        "$.Steps[0].Arguments.OutputDataConfig.S3OutputPath: step 'Train': output 'model' cannot be written: "
    )


def test_what_a_step_may_never_take_is_noted_and_left_to_its_start(home: Home) -> None:
    parameter, step = with_value("RoleArn", "not a role", processing("Use"))
    outcome = {"Type": "Equals", "LeftValue": 1, "RightValue": 2}
    branch = {"Name": "C", "Type": "Condition", "Arguments": {"Conditions": [outcome], "IfSteps": [step]}}
    after = processing("After") | {"DependsOn": ["Use"]}
    after["Arguments"]["RoleArn"] = {"Get": "Parameters.V"}
    ready = preflight(home, pipeline(branch, after, parameters=(parameter,)), "test", {}, runner=ScriptedRunner())
    text = "Model Validation failed: Value 'not a role' for 'RoleArn' failed to satisfy constraint: length at least 20."
    assert ready.notes == (
        f"Step 'Use' fails if it is reached: $.Steps[0].Arguments.IfSteps[0].Arguments.RoleArn: {text}",
        f"Step 'After' fails if it is reached: $.Steps[1].Arguments.RoleArn: {text}",
    )


def test_a_value_that_only_the_run_gives_is_refused_as_the_create_call_does(home: Home) -> None:
    parameter, step = with_value("Environment.A", "x" * 300, processing("Use"))
    always = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}
    branch = {"Name": "C", "Type": "Condition", "Arguments": {"Conditions": [always], "IfSteps": [step]}}
    ready = preflight(home, pipeline(branch, parameters=(parameter,)), "test", {}, runner=ScriptedRunner())
    started = describe_pipeline_execution(home, start_pipeline_execution(home, ready))
    use = drive(started, lambda _: None, ScriptedRunner()).state.steps["Use"]
    assert use.reason.startswith(
        "ClientError: Failed to invoke sagemaker:CreateProcessingJob. Error Details: "
        "$.Steps[0].Arguments.IfSteps[0].Arguments.Environment.A: Model Validation failed: Value 'xxx"
    )
    assert use.reason.endswith("failed to satisfy constraint: length at most 256. It has 300 characters.")


def test_what_the_script_sets_holds_unless_the_settings_say_otherwise(home: Home, tmp_path: Path) -> None:
    source = pipeline(processing("Use"))
    assert preflight(home, source, "test", {}, runner=ScriptedRunner(), max_parallel=3).max_parallel == 3
    limited = Home(load_settings({"home": str(tmp_path / "home"), "max_parallel": 1}, {}, tmp_path))
    assert preflight(limited, source, "test", {}, runner=ScriptedRunner(), max_parallel=3).max_parallel == 1
    limited.close()

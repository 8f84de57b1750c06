"""Models and packages looked at: what they came from, their metrics, two side by side; and that `gc` takes nothing of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
from support import IMAGE, ROLE, output_of, pipeline, processing

from localpipe.core.names import S3Uri
from localpipe.errors import NotFound
from localpipe.runners.scripted import ScriptedContainer, ScriptedRunner
from localpipe.service.cleaning import removable_executions, remove_execution
from localpipe.service.executions import PipelineExecution, describe_pipeline_execution, drive, start_pipeline_execution
from localpipe.service.models import side_by_side, view_model
from localpipe.service.parts import WHOLE, Part
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from localpipe.core import JSON

JOB = "arn:aws:sagemaker:us-east-1:111122223333"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = Home(load_settings({"home": str(tmp_path / "home")}, {}, tmp_path))
    yield opened
    opened.close()


def training(name: str, hyperparameters: JSON, *inputs: JSON) -> JSON:
    arguments = {
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "train:rmse", "Regex": "rmse=([0-9.]+)"}],
        },
        "HyperParameters": hyperparameters,
        "InputDataConfig": [
            {
                "ChannelName": f"c{index}",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
            }
            for index, uri in enumerate(inputs)
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30},
        "RoleArn": ROLE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    if not inputs:
        del arguments["InputDataConfig"]
    return {"Name": name, "Type": "Training", "Arguments": arguments}


def artifacts_of(step: str) -> JSON:
    return {"Get": f"Steps.{step}.ModelArtifacts.S3ModelArtifacts"}


REPACK = {"sagemaker_program": '"_repack_script_launcher.sh"', "model_archive": "x"}


def registering(depth: str) -> JSON:
    """Train, repack, measure, register: as an SDK's pipeline does. `Unrelated` has no part in it."""
    report = {"Std:Join": {"On": "/", "Values": [output_of("Measure", "report"), "report.json"]}}
    measure = processing("Measure", inputs={"model": artifacts_of("Train")}, outputs=("report",))
    measure["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = {
        "Std:Join": {"On": "/", "Values": ["s3://bucket", {"Get": "Execution.PipelineExecutionId"}]}
    }
    register = {
        "ModelPackageGroupName": "Trees",
        "InferenceSpecification": {"Containers": [{"Image": IMAGE, "ModelDataUrl": artifacts_of("Repack")}]},
        "ModelMetrics": {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": report}}, "Bias": {}},
    }
    return pipeline(
        training("Train", {"depth": depth, "eta": "0.1", "sagemaker_job_name": f"job-{depth}"}),
        training("Unrelated", {"depth": "9"}),
        training("Repack", REPACK, artifacts_of("Train")),
        measure,
        {"Name": "Register", "Type": "RegisterModel", "Arguments": register},
    )


def run(home: Home, definition: JSON, mse: float = 4.5, part: Part = WHOLE) -> PipelineExecution:
    def train(container: ScriptedContainer) -> int:
        container.write(PurePosixPath("/opt/ml/model/model"), "a model")
        container.log(f"rmse={mse / 2}")
        return 0

    def measure(container: ScriptedContainer) -> int:
        report = {"metrics": {"mse": {"value": mse, "good": True}}, "rows": [1, "two"]}
        container.write(PurePosixPath("/opt/ml/processing/report/report.json"), json.dumps(report))
        return 0

    runner = ScriptedRunner({"Measure": measure}, default=train)
    ready = preflight(home, definition, "trees", {}, runner=runner, part=part)
    execution = describe_pipeline_execution(home, start_pipeline_execution(home, ready))
    ended = drive(execution, lambda _: None, runner)
    assert ended.status == "Succeeded", ended.document()
    return ended


def test_a_package_tells_the_steps_that_it_came_from_and_its_metrics(home: Home) -> None:
    execution = run(home, registering("3"))
    view = view_model(home, "Trees/1")
    lineage = view.lineage
    assert lineage is not None
    assert [row["StepName"] for row in lineage] == ["Train", "Repack", "Measure"]
    train = execution.state.steps["Train"]
    assert lineage[0] == {
        "StepName": "Train",
        "StepType": "Training",
        "Arn": f"{JOB}:training-job/{train.job_name}",
        "HyperParameters": {"depth": "3", "eta": "0.1", "sagemaker_job_name": "job-3"},
        "Metrics": {"train:rmse": 2.25},
    }
    (report,) = view.metrics
    assert (report.source, report.found) == ("ModelQuality.Statistics", True)
    assert report.values == {"metrics.mse.value": 4.5, "rows[0]": 1}
    (data,) = view.data
    assert data.path
    assert Path(data.path).is_file()
    assert view.resource.origin
    assert (view.resource.origin.execution_arn, view.resource.origin.step) == (execution.name.arn, "Register")


def test_a_name_may_be_an_arn_a_version_or_a_group_for_its_newest(home: Home) -> None:
    run(home, registering("3"))
    run(home, registering("4"))
    newest = view_model(home, "Trees/2").resource
    assert view_model(home, newest.arn).resource == newest
    assert view_model(home, "Trees").resource == newest
    assert view_model(home, f"{JOB}:model-package-group/Trees").resource == newest
    with pytest.raises(
        NotFound, match=r"^There is no model or model package 'Trees/3'\. Did you mean 'Trees/2' or 'Trees/1'\?"
    ):
        view_model(home, "Trees/3")


def test_a_package_of_a_part_tells_the_steps_that_it_took_over(home: Home) -> None:
    run(home, registering("3"))
    run(home, registering("3"), part=Part(only="Register"))
    lineage = view_model(home, "Trees/2").lineage
    assert lineage is not None
    assert [row["StepName"] for row in lineage] == ["Train", "Repack", "Measure"]


def test_two_packages_are_compared_by_metrics_hyperparameters_and_containers(home: Home) -> None:
    run(home, registering("3"), mse=4.5)
    run(home, registering("4"), mse=3.5)
    left, right = view_model(home, "Trees/1"), view_model(home, "Trees/2")
    sides = [(side.kind, side.name, side.left, side.right) for side in side_by_side(left, right)]
    assert sides == [
        ("metric", "ModelQuality.Statistics: metrics.mse.value", 4.5, 3.5),
        ("metric", "ModelQuality.Statistics: rows[0]", 1, 1),
        ("metric", "Train: train:rmse", 2.25, 1.75),
        ("metric", "Repack: train:rmse", 2.25, 1.75),
        ("hyperparameter", "depth", "3", "4"),
        ("container", "[0].ModelDataUrl", left.data[0].uri, right.data[0].uri),
    ]


def test_a_report_that_is_not_there_is_told(home: Home) -> None:
    definition = registering("3")
    register = definition["Steps"][-1]["Arguments"]
    register["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"] = "s3://elsewhere/report.json"
    run(home, definition)
    (report,) = view_model(home, "Trees").metrics
    assert (report.uri, report.found, report.values) == ("s3://elsewhere/report.json", False, {})


def test_a_report_that_a_later_run_wrote_over_is_told(home: Home) -> None:
    run(home, registering("3"))
    (before,) = view_model(home, "Trees").metrics
    home.store.put(S3Uri.parse(before.uri), b'{"mse": 1}')
    (after,) = view_model(home, "Trees").metrics
    assert (before.newer, after.newer, after.values) == (False, True, {"mse": 1})


def test_what_a_package_came_from_is_known_when_its_execution_has_been_removed(home: Home) -> None:
    execution = run(home, registering("3"))
    before = view_model(home, "Trees/1")
    (removable,) = removable_executions(home, older_than_days=0, keep=0)
    assert removable.models == ("Trees/1",)
    assert remove_execution(home, execution.name.execution_id)
    after = view_model(home, "Trees/1")
    assert after.lineage == before.lineage
    assert (after.metrics, after.data) == (before.metrics, before.data)


def test_what_is_printed_as_json_has_the_describe_shape_with_times_as_text(home: Home) -> None:
    execution = run(home, registering("3"))
    document = view_model(home, "Trees").document(home.model)
    assert document["ModelPackage"]["ModelPackageVersion"] == 1
    assert document["ModelPackage"]["CreationTime"].endswith("Z")
    assert (document["PipelineExecutionArn"], document["StepName"]) == (execution.name.arn, "Register")
    assert [row["ModelApprovalStatus"] for row in document["ApprovalHistory"]] == ["PendingManualApproval"]
    assert list(document) == [
        *("ModelPackage", "PipelineExecutionArn", "StepName", "Lineage", "Metrics", "ModelData", "ApprovalHistory")
    ]


def test_a_model_of_a_later_pipeline_is_made_of_a_package_that_a_parameter_names(home: Home) -> None:
    run(home, registering("3"))
    arn = view_model(home, "Trees/1").resource.arn
    container = {"ModelPackageName": {"Get": "Parameters.Package"}, "Environment": {"MODE": "fast"}}
    later = pipeline(
        {"Name": "Make", "Type": "Model", "Arguments": {"ExecutionRoleArn": ROLE, "PrimaryContainer": container}},
        parameters=({"Name": "Package", "Type": "String", "DefaultValue": arn},),
    )
    made = run(home, later).state.steps["Make"].properties
    assert made["PrimaryContainer"] == {
        "Mode": "SingleModel",
        "Image": IMAGE,
        "ModelDataUrl": view_model(home, "Trees/1").data[0].uri,
        "ModelPackageName": arn,
        "Environment": {"MODE": "fast"},
    }
    assert view_model(home, made["ModelName"]).data == view_model(home, "Trees/1").data


def test_the_image_of_a_package_that_a_model_names_is_looked_for_before_the_run(home: Home) -> None:
    run(home, registering("3"))
    home.store.put(S3Uri.parse("s3://bucket/in/a.csv"), b"1,2\n")
    container = {"ModelPackageName": {"Get": "Parameters.Package"}}
    transform = {
        "ModelName": {"Get": "Steps.Make.ModelName"},
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in"}}},
        "TransformOutput": {"S3OutputPath": "s3://bucket/out"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    definition = pipeline(
        {"Name": "Make", "Type": "Model", "Arguments": {"ExecutionRoleArn": ROLE, "PrimaryContainer": container}},
        {"Name": "Predict", "Type": "Transform", "Arguments": transform},
        parameters=({"Name": "Package", "Type": "String", "DefaultValue": "Trees/1"},),
    )
    assert [image.image_uri for image in preflight(home, definition, "p", {}, runner=ScriptedRunner()).images] == [IMAGE]

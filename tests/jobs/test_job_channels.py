"""How the data of a job comes: what a request means, and what it may not combine."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from localpipe.core.jobspec import Channel, DataType, InputMode, JobSpec
from localpipe.core.names import Identity, S3Uri
from localpipe.errors import JobFailed
from localpipe.jobs.processing import processing_problems, processing_spec
from localpipe.jobs.training import training_problems, training_spec

if TYPE_CHECKING:
    from localpipe.core import JSON

IDENTITY = Identity(account="123456789012", region="us-east-1", role_arn="arn:aws:iam::123456789012:role/SageMaker")
GET = {"Get": "Parameters.X"}


def training(*channels: JSON, mode: JSON = "File") -> JSON:
    return {
        "AlgorithmSpecification": {"TrainingImage": "my-image:1", "TrainingInputMode": mode},
        "InputDataConfig": list(channels),
        "OutputDataConfig": {"S3OutputPath": "s3://b/models/"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "RoleArn": IDENTITY.role_arn,
    }


def a_channel(name: str = "train", source: JSON = None, **changes: JSON) -> JSON:
    s3_source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://b/{name}", **(source or {})}
    return {"ChannelName": name, "DataSource": {"S3DataSource": s3_source}, **changes}


def processing(*inputs: JSON, outputs: tuple[JSON, ...] = ()) -> JSON:
    return {
        "AppSpecification": {"ImageUri": "my-image:1"},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
        "ProcessingInputs": list(inputs),
        "ProcessingOutputConfig": {"Outputs": list(outputs)},
        "RoleArn": IDENTITY.role_arn,
    }


def an_input(**changes: JSON) -> JSON:
    s3_input = {"S3Uri": "s3://b/in", "LocalPath": "/opt/ml/processing/in", "S3DataType": "S3Prefix", **changes}
    return {"InputName": "in", "S3Input": s3_input}


def training_job(request: JSON) -> JobSpec:
    return training_spec(request, job_name="job-1", identity=IDENTITY)


def processing_job(request: JSON) -> JobSpec:
    return processing_spec(request, job_name="job-1", identity=IDENTITY)


def file_of(spec: JobSpec, name: str) -> JSON:
    return next(json.loads(file.text) for file in spec.hosts[0].files if file.container_path.name == name)


@pytest.mark.documented
def test_a_training_channel_says_all_of_its_stream() -> None:
    source = {
        "S3DataType": "AugmentedManifestFile",
        "S3DataDistributionType": "ShardedByS3Key",
        "AttributeNames": ["image-ref", "label"],
    }
    changes = {"CompressionType": "Gzip", "RecordWrapperType": "RecordIO", "ShuffleConfig": {"Seed": 0}}
    (channel,) = training_job(training(a_channel(source=source, **changes), mode="Pipe")).channels
    assert channel == Channel(
        name="train",
        uri=S3Uri("b", "train"),
        container_dir=PurePosixPath("/opt/ml/input/data/train"),
        mode=InputMode.PIPE,
        data_type=DataType.AUGMENTED_MANIFEST_FILE,
        attribute_names=("image-ref", "label"),
        sharded=True,
        gunzip=True,
        record_io=True,
        shuffle_seed=0,
    )


@pytest.mark.documented
def test_a_channel_s_mode_goes_before_the_job_s() -> None:
    spec = training_job(training(a_channel("a"), a_channel("b", InputMode="File"), mode="Pipe"))
    assert [channel.mode for channel in spec.channels] == [InputMode.PIPE, InputMode.FILE]


@pytest.mark.documented
def test_inputdataconfig_tells_how_each_channel_comes() -> None:
    sharded = {"S3DataDistributionType": "ShardedByS3Key"}
    spec = training_job(
        training(
            a_channel("a", sharded, RecordWrapperType="RecordIO", CompressionType="Gzip", ContentType="x/y"),
            a_channel("b", InputMode="File"),
            mode="Pipe",
        )
    )
    assert file_of(spec, "inputdataconfig.json") == {
        "a": {
            "TrainingInputMode": "Pipe",
            "S3DistributionType": "ShardedByS3Key",
            "RecordWrapperType": "RecordIO",
            "CompressionType": "Gzip",
            "ContentType": "x/y",
        },
        "b": {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"},
    }


@pytest.mark.parametrize(
    ("channel", "text"),
    [
        (
            a_channel(CompressionType="Gzip"),
            ".CompressionType: Gzip goes with Pipe mode only, and this input comes in File mode. Use Pipe mode.",
        ),
        (
            a_channel(RecordWrapperType="RecordIO", InputMode="FastFile"),
            ".RecordWrapperType: RecordIO goes with Pipe mode only, and this input comes in FastFile mode. Use Pipe mode.",
        ),
        (
            a_channel(source={"S3DataType": "AugmentedManifestFile", "AttributeNames": ["a"]}),
            (
                ".DataSource.S3DataSource.S3DataType: AugmentedManifestFile goes with Pipe mode only, and this input comes "
                "in File mode. Use Pipe mode."
            ),
        ),
        (
            a_channel(source={"S3DataType": "AugmentedManifestFile"}, InputMode="Pipe"),
            (
                ".DataSource.S3DataSource.S3DataType: AttributeNames is missing: it says which attributes of a line are "
                "streamed."
            ),
        ),
        (
            a_channel(source={"S3DataType": "ManifestFile"}, InputMode="FastFile"),
            ".DataSource.S3DataSource.S3DataType: FastFile mode takes S3Prefix only. Use File mode.",
        ),
    ],
)
def test_what_does_not_go_together_in_a_channel_is_told_with_its_place(channel: JSON, text: str) -> None:
    request = training(a_channel("other"), channel)
    assert [str(problem) for problem in training_problems(request, "$")] == [f"$.InputDataConfig[1]{text}"]
    with pytest.raises(JobFailed, match="Failed to invoke sagemaker:CreateTrainingJob"):
        training_job(request)


@pytest.mark.observed
def test_pipe_and_fast_file_in_one_job_are_refused_in_the_service_s_words() -> None:
    request = training(a_channel("a", InputMode="FastFile"), a_channel("b"), mode="Pipe")
    assert [str(problem) for problem in training_problems(request, "$.A")] == [
        "$.A.InputDataConfig: Cannot use both 'Pipe' and 'FastFile' TrainingInputMode on the same Training Job."
    ]


def test_what_goes_with_pipe_mode_is_accepted_there_and_while_the_mode_is_not_known() -> None:
    piped = {"CompressionType": "Gzip", "RecordWrapperType": "RecordIO"}
    augmented = {"S3DataType": "AugmentedManifestFile", "AttributeNames": ["a"]}
    assert training_problems(training(a_channel(source=augmented, **piped), mode="Pipe"), "$") == []
    assert training_problems(training(a_channel(source=augmented, **piped), mode=GET), "$") == []
    assert training_problems(training(a_channel(source=augmented, InputMode=GET, **piped)), "$") == []
    assert processing_problems(processing(an_input(S3InputMode="Pipe", S3CompressionType="Gzip")), "$") == []
    assert processing_problems(processing(an_input(S3InputMode=GET, S3CompressionType="Gzip")), "$") == []


@pytest.mark.parametrize(
    ("source", "mode", "text"),
    [({}, "Stream", "'Stream' is no input mode."), ({"S3DataType": "List"}, "File", "'List' is no S3DataType.")],
)
def test_a_value_that_an_expression_gave_is_judged_too(source: JSON, mode: str, text: str) -> None:
    with pytest.raises(JobFailed) as failed:
        training_job(training(a_channel(source=source, InputMode=mode)))
    assert str(failed.value) == f"Failed to invoke sagemaker:CreateTrainingJob. Error Details: {text}"


@pytest.mark.documented
def test_a_processing_input_says_all_of_its_stream() -> None:
    given = {"S3InputMode": "Pipe", "S3CompressionType": "Gzip", "S3DataType": "ManifestFile"}
    (channel,) = processing_job(processing(an_input(**given, S3DataDistributionType="ShardedByS3Key"))).channels
    assert (channel.mode, channel.data_type) == (InputMode.PIPE, DataType.MANIFEST_FILE)
    assert (channel.sharded, channel.gunzip, channel.record_io) == (True, True, False)


@pytest.mark.documented
def test_gzip_of_a_processing_input_is_refused_without_pipe_mode() -> None:
    (problem,) = processing_problems(processing(an_input(S3CompressionType="Gzip")), "$")
    assert str(problem) == (
        "$.ProcessingInputs[0].S3Input.S3CompressionType: Gzip goes with Pipe mode only, and this input comes in File mode. "
        "Use Pipe mode."
    )


@pytest.mark.documented
def test_what_the_container_manages_is_neither_fetched_nor_made_nor_uploaded() -> None:
    managed_input = {"InputName": "own", "AppManaged": True, "S3Input": {"S3Uri": "s3://b/own", "S3DataType": "S3Prefix"}}
    managed_output = {"OutputName": "own", "AppManaged": True, "S3Output": {"S3Uri": "s3://b/o", "S3UploadMode": "EndOfJob"}}
    request = processing(an_input(), managed_input, outputs=(managed_output,))
    assert processing_problems(request, "$") == []
    spec = processing_job(request)
    assert [channel.name for channel in spec.channels] == ["in"]
    assert spec.outputs == ()
    config = file_of(spec, "processingjobconfig.json")
    assert [(entry["InputName"], entry["AppManaged"]) for entry in config["ProcessingInputs"]] == [
        ("in", False),
        ("own", True),
    ]
    assert config["ProcessingInputs"][1]["S3Input"]["LocalPath"] is None


def test_a_place_is_wanted_of_what_the_service_manages() -> None:
    unplaced = {"InputName": "in", "S3Input": {"S3Uri": "s3://b/in", "S3DataType": "S3Prefix"}}
    assert [str(problem) for problem in processing_problems(processing(unplaced), "$")] == [
        "$.ProcessingInputs[0].S3Input: LocalPath is missing."
    ]

"""The rules about requests (containers.md 1.1, 1.6, 1.7, 2.1, 2.4): refused before any runner is asked, with the place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from real_jobs import IMAGE, a_channel, a_pipeline, an_input, an_output, processing, training

from localpipe.core.names import S3Uri
from localpipe.errors import LocalpipeError
from localpipe.runners.scripted import ScriptedRunner
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from localpipe.core import JSON

Check = Callable[..., None]
ARGUMENTS = "$.Steps[0].Arguments"
FILE_SYSTEM = {
    "FileSystemDataSource": {
        "FileSystemId": "fs-12345678901",
        "FileSystemAccessMode": "ro",
        "FileSystemType": "EFS",
        "DirectoryPath": "/x",
    }
}
CLUSTER = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}


@pytest.fixture
def check(tmp_path: Path) -> Iterator[Check]:
    """Check a pipeline of these steps as `localpipe check` does."""
    home = Home(load_settings({"home": tmp_path / "home"}, {}, tmp_path))
    for key in ("code/look.py", "data/x"):
        home.store.put(S3Uri("bucket", key), b"")

    def check_them(*steps: JSON) -> None:
        preflight(home, a_pipeline(steps), "contract", {}, runner=ScriptedRunner())

    yield check_them
    home.close()


def a_processing(**request: JSON) -> JSON:
    return processing("P", **request)


def a_training(**request: JSON) -> JSON:
    return training("T", **request)


def application(**members: JSON) -> JSON:
    return {"AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["x"], **members}}


def variables(count: int, name: str = "N", value: str = "v") -> dict[str, str]:
    return {f"{name}{index}": value for index in range(count)}


def inputs(count: int) -> list[JSON]:
    return [an_input(f"i{index}", "s3://bucket/data/") for index in range(count)]


def outputs(count: int) -> list[JSON]:
    return [an_output(f"o{index}", f"s3://bucket/out/{index}") for index in range(count)]


def channels(count: int) -> list[JSON]:
    return [a_channel(f"c{index}", "s3://bucket/data/") for index in range(count)]


def metrics(count: int) -> JSON:
    return {"MetricDefinitions": [{"Name": f"m{index}", "Regex": "x"} for index in range(count)]}


def named(limits: list[tuple[str, JSON, str]]) -> list[str]:
    return [f"{number} {place}" for number, _, place in limits]


PROCESSING_LIMITS = [
    ("1.1-2", a_processing(inputs=inputs(10)), "ProcessingInputs"),
    ("1.1-2", a_processing(outputs=outputs(11)), "ProcessingOutputConfig.Outputs"),
    ("1.1-3", a_processing(AppSpecification={"ContainerEntrypoint": ["x"]}), "AppSpecification"),
    ("1.1-4", a_processing(**application(ContainerArguments=["x" * 257])), "AppSpecification.ContainerArguments[0]"),
    ("1.1-4", a_processing(**application(ContainerArguments=["x"] * 101)), "AppSpecification.ContainerArguments"),
    ("1.1-4", a_processing(**application(ContainerEntrypoint=["x" * 257])), "AppSpecification.ContainerEntrypoint[0]"),
    ("1.1-4", a_processing(**application(ContainerEntrypoint=[])), "AppSpecification.ContainerEntrypoint"),
    ("1.1-5", a_processing(Environment=variables(101)), "Environment"),
    ("1.1-5", a_processing(Environment={"K": "v" * 257}), "Environment.K"),
    ("1.1-5", a_processing(Environment={"K" * 257: "v"}), "Environment"),
    ("1.1-5", a_processing(Environment={"1K": "v"}), "Environment"),
    ("1.1-6", a_processing(cluster={"InstanceCount": 0}), "ProcessingResources.ClusterConfig.InstanceCount"),
    ("1.1-6", a_processing(cluster={"InstanceCount": 101}), "ProcessingResources.ClusterConfig.InstanceCount"),
    ("1.1-6", a_processing(cluster={"VolumeSizeInGB": 16385}), "ProcessingResources.ClusterConfig.VolumeSizeInGB"),
    ("1.1-6", a_processing(cluster={"InstanceType": "ml.none"}), "ProcessingResources.ClusterConfig.InstanceType"),
    ("1.1-7", a_processing(StoppingCondition={"MaxRuntimeInSeconds": 777601}), "StoppingCondition.MaxRuntimeInSeconds"),
    ("1.1-7", a_processing(StoppingCondition={"MaxRuntimeInSeconds": 0}), "StoppingCondition.MaxRuntimeInSeconds"),
    ("1.1-8", a_processing(NetworkConfig={"EnableNetworkIsolation": "x"}), "NetworkConfig.EnableNetworkIsolation"),
    ("1.6-2", a_processing(inputs=[an_input("i", "s3://bucket/data/", "/data")]), "ProcessingInputs[1].S3Input.LocalPath"),
    ("1.6-4", a_processing(inputs=[an_input("i", "s3://bucket/data/", S3InputMode="FastFile")]), "S3InputMode"),
    (
        "1.6-11",
        a_processing(inputs=[*inputs(1), an_input("j", "s3://bucket/data/", "/opt/ml/processing/input/i0")]),
        "LocalPath",
    ),
    ("1.6-11", a_processing(inputs=[*inputs(1), an_input("i0", "s3://bucket/data/", "/opt/ml/processing/x")]), "InputName"),
    ("1.7-2", a_processing(outputs=[an_output("o", "s3://bucket/o", "/data")]), "Outputs[0].S3Output.LocalPath"),
    ("1.6-1", a_processing(inputs=[{"InputName": "none"}]), "ProcessingInputs[1]"),
    ("1.7-1", a_processing(outputs=[{"OutputName": "none"}]), "ProcessingOutputConfig.Outputs[0]"),
]
TRAINING_LIMITS = [
    ("2.1-2", a_training(HyperParameters=variables(101)), "HyperParameters"),
    ("2.1-2", a_training(HyperParameters={"k" * 257: "v"}), "HyperParameters"),
    ("2.1-2", a_training(HyperParameters={"k": "v" * 2501}), "HyperParameters.k"),
    ("2.1-3", a_training(channels=channels(20)), "InputDataConfig"),
    ("2.1-3", a_training(channels=[a_channel("a b", "s3://bucket/data/")]), "InputDataConfig[1].ChannelName"),
    ("2.1-3", a_training(channels=[a_channel("c" * 65, "s3://bucket/data/")]), "InputDataConfig[1].ChannelName"),
    ("2.1-4", a_training(Environment=variables(101)), "Environment"),
    ("2.1-4", a_training(Environment={"K": "v" * 513}), "Environment.K"),
    ("2.1-4", a_training(Environment={"1K": "v"}), "Environment"),
    ("2.1-5", a_training(algorithm={"TrainingInputMode": "Fast"}), "AlgorithmSpecification.TrainingInputMode"),
    ("2.1-5", a_training(algorithm={"ContainerArguments": ["x" * 257]}), "AlgorithmSpecification.ContainerArguments[0]"),
    ("2.1-5", a_training(algorithm=metrics(41)), "AlgorithmSpecification.MetricDefinitions"),
    (
        "2.13-3",
        a_training(algorithm={"MetricDefinitions": [{"Name": "m", "Regex": "x" * 501}]}),
        "MetricDefinitions[0].Regex",
    ),
    ("2.1-6", a_training(cluster={**CLUSTER, "InstanceCount": 0}), "ResourceConfig.InstanceCount"),
    ("2.1-6", a_training(cluster={**CLUSTER, "KeepAlivePeriodInSeconds": 21601}), "ResourceConfig.KeepAlivePeriodInSeconds"),
    ("2.1-6", a_training(cluster={"VolumeSizeInGB": 30}), "ResourceConfig"),
    ("2.1-7", a_training(OutputDataConfig={}), "OutputDataConfig"),
    ("2.1-7", a_training(OutputDataConfig={"S3OutputPath": "s3://b/", "CompressionType": "ZIP"}), "CompressionType"),
    ("2.1-8", a_training(StoppingCondition={"MaxRuntimeInSeconds": 0}), "StoppingCondition.MaxRuntimeInSeconds"),
    ("2.1-8", a_training(StoppingCondition={"MaxRuntimeInSeconds": 9, "MaxWaitTimeInSeconds": 8}), "MaxWaitTimeInSeconds"),
    ("2.1-9", a_training(RetryStrategy={"MaximumRetryAttempts": 31}), "RetryStrategy.MaximumRetryAttempts"),
    ("2.4-7", a_training(channels=[a_channel("c", "s3://bucket/data/", ContentType="x" * 257)]), "ContentType"),
    ("2.4-9", a_training(channels=[{"ChannelName": "c", "DataSource": FILE_SYSTEM}]), "FileSystemDataSource"),
    ("2.14-7", a_training(EnableManagedSpotTraining=True), "StoppingCondition"),
    ("2.14-11", a_training(algorithm={"AlgorithmName": "mine"}), "AlgorithmSpecification"),
]


@pytest.mark.parametrize(("step", "place"), [row[1:] for row in PROCESSING_LIMITS], ids=named(PROCESSING_LIMITS))
def test_a_processing_request_beyond_a_limit_is_refused_with_its_place(check: Check, step: JSON, place: str) -> None:
    with pytest.raises(LocalpipeError, match=rf"{re.escape(ARGUMENTS)}.*{re.escape(place)}"):
        check(step)


@pytest.mark.parametrize(("step", "place"), [row[1:] for row in TRAINING_LIMITS], ids=named(TRAINING_LIMITS))
def test_a_training_request_beyond_a_limit_is_refused_with_its_place(check: Check, step: JSON, place: str) -> None:
    with pytest.raises(LocalpipeError, match=rf"{re.escape(ARGUMENTS)}.*{re.escape(place)}"):
        check(step)


@pytest.mark.parametrize(
    "step",
    [
        a_processing(inputs=inputs(9), outputs=outputs(10)),
        a_processing(**application(ContainerArguments=["x" * 256] * 100)),
        a_processing(Environment={"K" * 256: "v" * 256, **variables(99)}),
        a_processing(cluster={"VolumeSizeInGB": 16384}),
        a_processing(StoppingCondition={"MaxRuntimeInSeconds": 777600}),
        a_training(HyperParameters={"k" * 256: "v" * 2500, **variables(99)}),
        a_training(channels=channels(19)),
        a_training(Environment={"K": "v" * 512, **variables(99)}),
        a_training(algorithm=metrics(40)),
        a_training(StoppingCondition={"MaxRuntimeInSeconds": 9, "MaxWaitTimeInSeconds": 9}, EnableManagedSpotTraining=True),
        a_training(RetryStrategy={"MaximumRetryAttempts": 30}),
    ],
    ids=lambda step: f"{step['Name']}",
)
def test_a_request_at_its_limits_is_taken(check: Check, step: JSON) -> None:
    check(step)

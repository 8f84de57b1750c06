"""Every row of the two tables of request limits is judged before the run: containers.md 1.1, 2.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import botocore.session
import pytest

from localpipe.definition.requests import value_problems
from localpipe.jobs.processing import processing_problems
from localpipe.jobs.training import training_problems

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.definition.property_paths import ServiceModel


@pytest.fixture(scope="module")
def model() -> ServiceModel:
    return botocore.session.Session().get_component("data_loader").load_service_model("sagemaker", "service-2")


def processing(place: str = "", value: JSON = None) -> JSON:
    request = {
        "ProcessingJobName": "job",
        "AppSpecification": {"ImageUri": "image"},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
        "RoleArn": "arn:aws:iam::123456789012:role/SageMaker",
    }
    return changed(request, place, value)


def training(place: str = "", value: JSON = None) -> JSON:
    request = {
        "TrainingJobName": "job",
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "RoleArn": "arn:aws:iam::123456789012:role/SageMaker",
    }
    return changed(request, place, value)


def changed(request: JSON, place: str, value: JSON) -> JSON:
    """The request with one member, at a dotted path, set; an empty path changes nothing."""
    if place:
        *parents, last = place.split(".")
        inner = request
        for name in parents:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return request


def an_input(number: int) -> JSON:
    path = f"/opt/ml/processing/{number}"
    source = {"S3Uri": "s3://b/i", "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": str(number), "S3Input": source}


def an_output(number: int) -> JSON:
    target = {"S3Uri": "s3://b/o", "LocalPath": f"/opt/ml/processing/{number}", "S3UploadMode": "EndOfJob"}
    return {"OutputName": str(number), "S3Output": target}


def a_channel(name: str = "c") -> JSON:
    return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/c"}}}


def groups(count: int) -> JSON:
    return [{"InstanceGroupName": str(i), "InstanceType": "ml.m5.large", "InstanceCount": 1} for i in range(count)]


def a_metric(name: str = "m", regex: str = "r") -> JSON:
    return {"Name": name, "Regex": regex}


CLUSTER = "ProcessingResources.ClusterConfig"
ALGORITHM = "AlgorithmSpecification"


@pytest.mark.documented
@pytest.mark.parametrize(
    ("place", "good", "bad", "where"),
    [
        ("ProcessingJobName", "a-" * 31 + "a", "a" * 64, ""),
        ("ProcessingJobName", "a", "-a", ""),
        ("ProcessingInputs", [an_input(i) for i in range(10)], [an_input(i) for i in range(11)], ""),
        ("ProcessingOutputConfig.Outputs", [an_output(i) for i in range(10)], [an_output(i) for i in range(11)], ""),
        ("AppSpecification.ImageUri", "image", None, ""),
        ("AppSpecification.ContainerEntrypoint", ["a" * 256] * 100, ["a"] * 101, ""),
        ("AppSpecification.ContainerEntrypoint", ["a"], [], ""),
        ("AppSpecification.ContainerEntrypoint", ["a"], ["a" * 257], "[0]"),
        ("AppSpecification.ContainerArguments", ["a" * 256] * 100, ["a"] * 101, ""),
        ("AppSpecification.ContainerArguments", ["a"], [], ""),
        ("AppSpecification.ContainerArguments", ["a"], ["a", "a" * 257], "[1]"),
        ("Environment", {f"k{n}": "v" for n in range(100)}, {f"k{n}": "v" for n in range(101)}, ""),
        ("Environment", {"k" * 256: "v" * 256}, {"k" * 257: "v"}, f".{'k' * 257}"),
        ("Environment", {"_k1": ""}, {"1k": "v"}, ".1k"),
        ("Environment", {"k": "v" * 256}, {"k": "v" * 257}, ".k"),
        (f"{CLUSTER}.InstanceCount", 100, 101, ""),
        (f"{CLUSTER}.InstanceCount", 1, 0, ""),
        (f"{CLUSTER}.InstanceType", "ml.m5.large", "ml.none", ""),
        (f"{CLUSTER}.VolumeSizeInGB", 16384, 16385, ""),
        (f"{CLUSTER}.VolumeSizeInGB", 1, 0, ""),
        ("StoppingCondition.MaxRuntimeInSeconds", 777_600, 777_601, ""),
        ("StoppingCondition.MaxRuntimeInSeconds", 1, 0, ""),
    ],
)
def test_limits_of_processing(model: ServiceModel, place: str, good: JSON, bad: JSON, where: str) -> None:
    assert processing_found(model, processing(place, good)) == []
    assert processing_found(model, processing(place, bad)) in ([f"$.{place}{where}"], [parent(f"$.{place}")])


@pytest.mark.documented
@pytest.mark.parametrize(
    ("place", "good", "bad", "where"),
    [
        ("TrainingJobName", "a" * 63, "a" * 64, ""),
        ("HyperParameters", {str(n): "v" for n in range(100)}, {str(n): "v" for n in range(101)}, ""),
        ("HyperParameters", {"k" * 256: "v"}, {"k" * 257: "v"}, f".{'k' * 257}"),
        ("HyperParameters", {"k": "v" * 2500}, {"k": "v" * 2501}, ".k"),
        ("InputDataConfig", [a_channel(str(n)) for n in range(20)], [a_channel(str(n)) for n in range(21)], ""),
        ("InputDataConfig", [a_channel("c" * 64)], [a_channel("c" * 65)], "[0].ChannelName"),
        ("InputDataConfig", [a_channel("A.b-1_")], [a_channel("a/b")], "[0].ChannelName"),
        ("Environment", {f"k{n}": "v" for n in range(100)}, {f"k{n}": "v" for n in range(101)}, ""),
        ("Environment", {"k" * 512: "v" * 512}, {"k" * 513: "v"}, f".{'k' * 513}"),
        ("Environment", {"_k1": ""}, {"1k": "v"}, ".1k"),
        ("Environment", {"k": "v"}, {"k": "v" * 513}, ".k"),
        (f"{ALGORITHM}.TrainingInputMode", "FastFile", "Fast", ""),
        (f"{ALGORITHM}.TrainingImage", "image", None, ""),
        (f"{ALGORITHM}.ContainerEntrypoint", ["a"] * 100, ["a"] * 101, ""),
        (f"{ALGORITHM}.ContainerEntrypoint", ["a"], [], ""),
        (f"{ALGORITHM}.ContainerArguments", ["a" * 256] * 100, ["a"] * 101, ""),
        (f"{ALGORITHM}.ContainerArguments", ["a"], ["a" * 257], "[0]"),
        (f"{ALGORITHM}.MetricDefinitions", [a_metric()] * 40, [a_metric()] * 41, ""),
        (f"{ALGORITHM}.MetricDefinitions", [a_metric("m" * 255)], [a_metric("m" * 256)], "[0].Name"),
        (f"{ALGORITHM}.MetricDefinitions", [a_metric("m", "r" * 500)], [a_metric("m", "r" * 501)], "[0].Regex"),
        (f"{ALGORITHM}.MetricDefinitions", [a_metric("m", "r")], [a_metric("m", "")], "[0].Regex"),
        ("ResourceConfig", {"InstanceGroups": groups(5)}, {"InstanceGroups": groups(6)}, ".InstanceGroups"),
        ("ResourceConfig.InstanceType", "ml.m5.large", None, ""),
        ("ResourceConfig.InstanceCount", 3, None, ""),
        ("ResourceConfig.KeepAlivePeriodInSeconds", 21_600, 21_601, ""),
        ("OutputDataConfig.S3OutputPath", "s3://b/o", None, ""),
        ("OutputDataConfig.CompressionType", "NONE", "ZIP", ""),
        ("StoppingCondition.MaxRuntimeInSeconds", 2_419_200, 2_419_201, ""),
        ("StoppingCondition.MaxRuntimeInSeconds", 1, 0, ""),
        ("StoppingCondition.MaxWaitTimeInSeconds", 60, 59, ""),
        ("RetryStrategy.MaximumRetryAttempts", 30, 31, ""),
        ("RetryStrategy.MaximumRetryAttempts", 1, 0, ""),
    ],
)
def test_limits_of_training(model: ServiceModel, place: str, good: JSON, bad: JSON, where: str) -> None:
    assert training_found(model, training(place, good)) == []
    assert training_found(model, training(place, bad)) in ([f"$.{place}{where}"], [parent(f"$.{place}")])


def parent(path: str) -> str:
    """Where a member that is missing is told."""
    return path.rpartition(".")[0]


def processing_found(model: ServiceModel, request: JSON) -> list[str]:
    problems = value_problems("CreateProcessingJobRequest", request, model, "$")
    return [problem.path for problem in [*problems, *processing_problems(request, "$")]]


def training_found(model: ServiceModel, request: JSON) -> list[str]:
    problems = value_problems("CreateTrainingJobRequest", request, model, "$")
    return [problem.path for problem in [*problems, *training_problems(request, "$")]]

"""The rules about requests (containers.md 1.1, 1.6, 1.7, 2.1, 2.4, 3.1, 3.3, 3.8, 4.1, 4.2).

What is beyond them is refused before any runner is asked, with the place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from real_jobs import IMAGE, ROLE, a_channel, a_pipeline, an_input, an_output, processing, training
from tuning_support import categorical, continuous, ranges, training_definition, tuning

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


def a_model(*containers: JSON, **more: JSON) -> JSON:
    return {"Name": "M", "Type": "Model", "Arguments": {"ExecutionRoleArn": ROLE, "Containers": list(containers), **more}}


def a_container(**more: JSON) -> JSON:
    return {"Image": IMAGE, **more}


def a_transform(source: JSON = None, output: JSON = None, **request: JSON) -> JSON:
    """Of the model that `a_model` makes."""
    s3_source = {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/data/"}
    arguments = {
        "ModelName": {"Get": "Steps.M.ModelName"},
        "TransformInput": {"DataSource": {"S3DataSource": s3_source}, **(source or {})},
        "TransformOutput": {"S3OutputPath": "s3://bucket/out", **(output or {})},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **request,
    }
    return {"Name": "A", "Type": "Transform", "Arguments": arguments}


def a_tuning(limits: JSON = None, **request: JSON) -> JSON:
    step = tuning("H", **request)
    step["Arguments"]["HyperParameterTuningJobConfig"]["ResourceLimits"] |= limits or {}
    return step


def of_several(*definitions: JSON) -> JSON:
    """A tuning step in the plural form, of which a definition has its ranges and objective."""
    step = a_tuning(TrainingJobDefinitions=list(definitions))
    del step["Arguments"]["TrainingJobDefinition"]
    for member in ("ParameterRanges", "HyperParameterTuningJobObjective"):
        del step["Arguments"]["HyperParameterTuningJobConfig"][member]
    return step


def a_definition(name: str, **more: JSON) -> JSON:
    return training_definition(
        DefinitionName=name,
        TuningObjective={"Type": "Minimize", "MetricName": "loss"},
        HyperParameterRanges=ranges(continuous=[continuous("x", "0", "1")]),
        **more,
    )


def warm(count: int, kind: str = "TransferLearning") -> JSON:
    parents = [{"HyperParameterTuningJobName": f"parent-{number}"} for number in range(count)]
    return {"WarmStartConfig": {"ParentHyperParameterTuningJobs": parents, "WarmStartType": kind}}


def continuous_ranges(count: int) -> JSON:
    return ranges(continuous=[continuous(f"x{number}", "0", "1") for number in range(count)])


def completing(**criteria: JSON) -> JSON:
    return {"TuningJobCompletionCriteria": criteria}


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

TRANSFORM_LIMITS = [
    ("3.3-1", a_transform(BatchStrategy="Many"), "BatchStrategy"),
    ("3.3-2", a_transform(MaxConcurrentTransforms=-1), "MaxConcurrentTransforms"),
    ("3.3-3", a_transform(MaxPayloadInMB=-1), "MaxPayloadInMB"),
    ("3.3-3", a_transform(MaxPayloadInMB=101), "MaxPayloadInMB"),
    ("3.3-3", a_transform(MaxPayloadInMB=51, MaxConcurrentTransforms=2), "MaxPayloadInMB"),
    ("3.3-4", a_transform(ModelClientConfig={"InvocationsTimeoutInSeconds": 0}), "InvocationsTimeoutInSeconds"),
    ("3.3-4", a_transform(ModelClientConfig={"InvocationsTimeoutInSeconds": 3601}), "InvocationsTimeoutInSeconds"),
    ("3.3-4", a_transform(ModelClientConfig={"InvocationsMaxRetries": 4}), "InvocationsMaxRetries"),
    ("3.3-5", a_transform(TransformInput={"ContentType": "text/csv"}), "TransformInput"),
    ("3.3-5", a_transform({"ContentType": "x" * 257}), "TransformInput.ContentType"),
    ("3.3-5", a_transform({"CompressionType": "Zip"}), "TransformInput.CompressionType"),
    ("3.3-5", a_transform({"SplitType": "CSV"}), "TransformInput.SplitType"),
    ("3.3-6", a_transform(TransformOutput={"Accept": "text/csv"}), "TransformOutput"),
    ("3.3-6", a_transform(output={"AssembleWith": "Tab"}), "TransformOutput.AssembleWith"),
    ("3.3-7", a_transform(DataProcessing={"InputFilter": f"$.{'x' * 62}"}), "DataProcessing.InputFilter"),
    ("3.3-7", a_transform(DataProcessing={"JoinSource": "Output"}), "DataProcessing.JoinSource"),
    ("3.3-8", a_transform(Environment=variables(17)), "Environment"),
    ("3.3-8", a_transform(Environment={"K" * 1025: "v"}), "Environment"),
    ("3.3-8", a_transform(Environment={"K": "v" * 10241}), "Environment.K"),
]
MODEL_LIMITS = [
    ("3.1-4", a_model(a_container(Environment=variables(101))), "Containers[0].Environment"),
    ("3.1-4", a_model(a_container(Environment={"K": "v" * 1025})), "Containers[0].Environment.K"),
    ("3.8-1", a_model(*[a_container()] * 16), "Containers"),
    ("3.8-1", a_model(a_container(), InferenceExecutionConfig={"Mode": "Parallel"}), "InferenceExecutionConfig.Mode"),
]
TUNING_LIMITS = [
    ("4.1-1", a_tuning(HyperParameterTuningJobName="n" * 33), "HyperParameterTuningJobName"),
    ("4.1-1", a_tuning(HyperParameterTuningJobName="-n"), "HyperParameterTuningJobName"),
    ("4.1-2", a_tuning(strategy="Guess"), "Strategy"),
    ("4.1-3", a_tuning(strategy="Hyperband", config={"StrategyConfig": {"HyperbandStrategyConfig": {}}}), "MaxResource"),
    (
        "4.1-3",
        a_tuning(strategy="Hyperband", config={"StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 0}}}),
        "MinResource",
    ),
    ("4.1-4", a_tuning(config={"HyperParameterTuningJobObjective": {"Type": "Least", "MetricName": "loss"}}), "Type"),
    ("4.1-4", a_tuning(config={"HyperParameterTuningJobObjective": {"Type": "Minimize"}}), "Objective"),
    ("4.1-5", a_tuning(parallel=0), "ResourceLimits.MaxParallelTrainingJobs"),
    ("4.1-5", a_tuning(jobs=0), "ResourceLimits.MaxNumberOfTrainingJobs"),
    ("4.1-5", a_tuning({"MaxRuntimeInSeconds": 119}), "ResourceLimits.MaxRuntimeInSeconds"),
    ("4.1-5", a_tuning({"MaxRuntimeInSeconds": 15768001}), "ResourceLimits.MaxRuntimeInSeconds"),
    ("4.1-6", a_tuning(ranges=continuous_ranges(31)), "ContinuousParameterRanges"),
    ("4.1-6", a_tuning(ranges=ranges(categories=[categorical("x", *map(str, range(31)))])), "Values"),
    ("4.1-6", a_tuning(ranges=ranges(categories=[categorical("x", "v" * 257)])), "Values[0]"),
    (
        "4.1-6",
        a_tuning(
            Autotune={"Mode": "Enabled"},
            ranges={"AutoParameters": [{"Name": f"x{number}", "ValueHint": "1"} for number in range(101)]},
        ),
        "AutoParameters",
    ),
    ("4.1-7", a_tuning(config={"TrainingJobEarlyStoppingType": "On"}), "TrainingJobEarlyStoppingType"),
    (
        "4.1-8",
        a_tuning(config=completing(BestObjectiveNotImproving={"MaxNumberOfTrainingJobsNotImproving": 2})),
        "MaxNumberOfTrainingJobsNotImproving",
    ),
    (
        "4.1-8",
        a_tuning(config=completing(ConvergenceDetected={"CompleteOnConvergence": "Yes"})),
        "CompleteOnConvergence",
    ),
    ("4.1-9", a_tuning(config={"RandomSeed": -1}), "RandomSeed"),
    ("4.1-10", of_several(*(a_definition(f"d{number}") for number in range(11))), "TrainingJobDefinitions"),
    ("4.1-10", of_several({**a_definition("d"), "DefinitionName": None}), "TrainingJobDefinitions[0]"),
    ("4.1-10", a_tuning(TrainingJobDefinitions=[a_definition("d")]), ""),
    ("4.1-11", a_tuning(**warm(6)), "ParentHyperParameterTuningJobs"),
    ("4.1-11", a_tuning(**warm(1, "Lukewarm")), "WarmStartConfig.WarmStartType"),
    ("4.1-12", a_tuning(Autotune={"Mode": "Disabled"}), "Autotune.Mode"),
    ("4.1-13", a_tuning(TrainingJobDefinition={"RoleArn": ROLE}), "TrainingJobDefinition"),
    ("4.2-4", a_tuning(ranges=ranges(continuous=[continuous("x", "0", "1", ScalingType="Cubic")])), "ScalingType"),
]


@pytest.mark.parametrize(("step", "place"), [row[1:] for row in PROCESSING_LIMITS], ids=named(PROCESSING_LIMITS))
def test_a_processing_request_beyond_a_limit_is_refused_with_its_place(check: Check, step: JSON, place: str) -> None:
    with pytest.raises(LocalpipeError, match=rf"{re.escape(ARGUMENTS)}.*{re.escape(place)}"):
        check(step)


@pytest.mark.parametrize(("step", "place"), [row[1:] for row in TRAINING_LIMITS], ids=named(TRAINING_LIMITS))
def test_a_training_request_beyond_a_limit_is_refused_with_its_place(check: Check, step: JSON, place: str) -> None:
    with pytest.raises(LocalpipeError, match=rf"{re.escape(ARGUMENTS)}.*{re.escape(place)}"):
        check(step)


@pytest.mark.parametrize(("step", "place"), [row[1:] for row in TRANSFORM_LIMITS], ids=named(TRANSFORM_LIMITS))
def test_a_transform_request_beyond_a_limit_is_refused_with_its_place(check: Check, step: JSON, place: str) -> None:
    with pytest.raises(LocalpipeError, match=rf"{re.escape(ARGUMENTS)}.*{re.escape(place)}"):
        check(step, a_model(a_container()))


@pytest.mark.parametrize(("step", "place"), [row[1:] for row in MODEL_LIMITS], ids=named(MODEL_LIMITS))
def test_a_model_request_beyond_a_limit_is_refused_with_its_place(check: Check, step: JSON, place: str) -> None:
    with pytest.raises(LocalpipeError, match=rf"{re.escape(ARGUMENTS)}.*{re.escape(place)}"):
        check(step)


@pytest.mark.parametrize(("step", "place"), [row[1:] for row in TUNING_LIMITS], ids=named(TUNING_LIMITS))
def test_a_tuning_request_beyond_a_limit_is_refused_with_its_place(check: Check, step: JSON, place: str) -> None:
    with pytest.raises(LocalpipeError, match=rf"{re.escape(ARGUMENTS)}.*{re.escape(place)}"):
        check(step)


@pytest.mark.parametrize(
    "step",
    [
        a_transform(MaxPayloadInMB=50, MaxConcurrentTransforms=2, BatchStrategy="MultiRecord"),
        a_transform(MaxPayloadInMB=0, MaxConcurrentTransforms=0),
        a_transform(ModelClientConfig={"InvocationsTimeoutInSeconds": 3600, "InvocationsMaxRetries": 3}),
        a_transform({"ContentType": "text/csv", "CompressionType": "Gzip", "SplitType": "TFRecord"}),
        a_transform({"ContentType": "application/json"}, DataProcessing={"InputFilter": f"$.{'x' * 61}"}),
        a_transform(Environment={"K" * 1024: "v" * 10240, **variables(15)}),
    ],
)
def test_a_transform_request_at_its_limits_is_taken(check: Check, step: JSON) -> None:
    check(step, a_model(a_container(Environment={"K": "v" * 1024, **variables(99)}), *[a_container()] * 14))


@pytest.mark.parametrize(
    "step",
    [
        a_tuning({"MaxRuntimeInSeconds": 15768000}, HyperParameterTuningJobName="n" * 32),
        a_tuning(ranges=continuous_ranges(30)),
        a_tuning(ranges=ranges(categories=[categorical("x", "v" * 256, *map(str, range(29)))])),
        a_tuning(config=completing(BestObjectiveNotImproving={"MaxNumberOfTrainingJobsNotImproving": 3})),
        a_tuning(config=completing(ConvergenceDetected={"CompleteOnConvergence": "Enabled"})),
        of_several(*(a_definition(f"d{number}") for number in range(10))),
    ],
)
def test_a_tuning_request_at_its_limits_is_taken(check: Check, step: JSON) -> None:
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

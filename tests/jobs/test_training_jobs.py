from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import PurePosixPath

import pytest

from localpipe.core import JSON
from localpipe.core.jobspec import (
    InputMode,
    JobEnd,
    JobResult,
    JobSpec,
    MetricDatum,
    MetricDefinition,
    OutputForm,
    Restart,
)
from localpipe.core.names import Identity
from localpipe.errors import JobFailed
from localpipe.jobs.training import training_problems, training_spec
from localpipe.jobs.training_description import describe_training_job, failure_reason

IDENTITY = Identity(account="123456789012", region="us-east-1", role_arn="arn:aws:iam::123456789012:role/SageMaker")
SDK_REQUESTS = ["v2_xgboost_estimator", "v2_sklearn_estimator", "v2_repack", "v3_model_trainer"]
SdkRequest = Callable[[str], JSON]
Misfits = Callable[[str, JSON], list[str]]


def a_request(**changes: JSON) -> JSON:
    return {
        "AlgorithmSpecification": {"TrainingImage": "my-image:1", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://b/models/"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "RoleArn": IDENTITY.role_arn,
        **changes,
    }


def a_channel(name: str = "train", source: JSON = None, **changes: JSON) -> JSON:
    s3_source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://b/{name}", **(source or {})}
    return {"ChannelName": name, "DataSource": {"S3DataSource": s3_source}, **changes}


def a_group(name: str = "g", **changes: JSON) -> JSON:
    return {"InstanceGroupName": name, "InstanceType": "ml.m5.large", "InstanceCount": 1, **changes}


def an_algorithm(**changes: JSON) -> JSON:
    return {"TrainingImage": "my-image:1", "TrainingInputMode": "File", **changes}


def spec_of(request: JSON) -> JobSpec:
    return training_spec(request, job_name="job-1", identity=IDENTITY)


def a_result(end: JobEnd = JobEnd.COMPLETED, **changes: JSON) -> JobResult:
    return JobResult(**{"end": end, "created_at": 100.0, "started_at": 101.5, "ended_at": 110.0, "exit_code": 0, **changes})


@pytest.mark.documented
@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, (None, ("train",))),
        ({"ContainerEntrypoint": ["/bin/bash"]}, (("/bin/bash",), None)),
        ({"ContainerArguments": ["--fast"]}, (None, ("--fast",))),
        ({"ContainerEntrypoint": ["/bin/bash"], "ContainerArguments": ["-c", "x"]}, (("/bin/bash",), ("-c", "x"))),
    ],
)
def test_train_is_the_argument_only_where_nothing_is_given(given: JSON, wanted: tuple[JSON, JSON]) -> None:
    spec = spec_of(a_request(AlgorithmSpecification=an_algorithm(**given)))
    assert (spec.entrypoint, spec.arguments) == wanted


@pytest.mark.documented
@pytest.mark.parametrize("path", ["s3://b/models", "s3://b/models/"])
def test_archives_lie_under_the_job_s_name_without_a_doubled_slash(path: str) -> None:
    model, output = spec_of(a_request(OutputDataConfig={"S3OutputPath": path})).outputs
    assert (str(model.uri), model.container_dir) == (
        "s3://b/models/job-1/output/model.tar.gz",
        PurePosixPath("/opt/ml/model"),
    )
    assert (str(output.uri), output.container_dir) == (
        "s3://b/models/job-1/output/output.tar.gz",
        PurePosixPath("/opt/ml/output/data"),
    )
    assert (model.form, model.even_if_empty) == (OutputForm.TAR_GZ, True)
    assert model.published_on == {JobEnd.COMPLETED, JobEnd.STOPPED, JobEnd.TIMED_OUT, JobEnd.WAITED_OUT}
    assert (output.form, output.even_if_empty) == (OutputForm.TAR_GZ, False)


@pytest.mark.documented
def test_an_uncompressed_model_lies_under_a_prefix(misfits: Misfits) -> None:
    request = a_request(OutputDataConfig={"S3OutputPath": "s3://b/models", "CompressionType": "NONE"})
    model, output = spec_of(request).outputs
    assert (str(model.uri), model.form) == ("s3://b/models/job-1/output/model/", OutputForm.TREE)
    assert str(output.uri) == "s3://b/models/job-1/output/output.tar.gz"
    document = describe_training_job(request, spec_of(request), a_result(), IDENTITY)
    assert document["ModelArtifacts"] == {"S3ModelArtifacts": "s3://b/models/job-1/output/model/"}
    assert misfits("DescribeTrainingJobResponse", document) == []


@pytest.mark.documented
@pytest.mark.parametrize(("given", "directory"), [({}, "/opt/ml/checkpoints"), ({"LocalPath": "/ckpt"}, "/ckpt")])
def test_checkpoints_are_mirrored_under_the_very_prefix_whatever_the_end(given: JSON, directory: str) -> None:
    spec = spec_of(a_request(CheckpointConfig={"S3Uri": "s3://b/ckpt", **given}))
    checkpoints = spec.outputs[-1]
    assert (str(checkpoints.uri), str(checkpoints.container_dir)) == ("s3://b/ckpt", directory)
    assert (checkpoints.continuous, checkpoints.mirrored) == (True, True)
    assert checkpoints.published_on == set(JobEnd)
    assert checkpoints.path == "$.CheckpointConfig.S3Uri"
    (config,) = [
        json.loads(file.text) for file in spec.hosts[0].files if file.container_path.name == "checkpointconfig.json"
    ]
    assert config == {"LocalPath": directory, "S3Uri": "s3://b/ckpt"}


@pytest.mark.parametrize(
    ("directory", "taken"),
    [
        ("/opt/ml/input/data/train/", "/opt/ml/input/data"),
        ("/opt/ml/model", "/opt/ml/model"),
        ("/opt/ml/output/data/ckpt", "/opt/ml/output"),
        ("/opt/ml/input", "/opt/ml/input/config"),
        ("/opt/ml", "/opt/ml/input/config"),
    ],
)
def test_checkpoints_among_other_things_of_the_job_are_refused(directory: str, taken: str) -> None:
    (problem,) = training_problems(a_request(CheckpointConfig={"S3Uri": "s3://b/c", "LocalPath": directory}), "$")
    assert problem.unsupported
    assert str(problem) == (
        f"$.CheckpointConfig.LocalPath: Checkpoints in '{directory.rstrip('/')}' would mix with what the job has in {taken},"
        " which is not supported. Name a directory of their own, like /opt/ml/checkpoints."
    )


@pytest.mark.documented
def test_a_job_of_instance_groups_gives_a_channel_to_the_hosts_that_are_named() -> None:
    spec = spec_of(
        a_request(
            ResourceConfig={
                "InstanceGroups": [a_group("cpu", InstanceCount=2), a_group("gpu", InstanceType="ml.g5.xlarge")],
                "VolumeSizeInGB": 1,
            },
            InputDataConfig=[
                a_channel("some", {"InstanceGroupNames": ["gpu"], "S3DataDistributionType": "ShardedByS3Key"}),
                a_channel("all"),
            ],
        )
    )
    assert [host.name for host in spec.hosts] == ["algo-1", "algo-2", "algo-3"]
    assert [(channel.hosts, channel.sharded) for channel in spec.channels] == [({"algo-3"}, True), (None, False)]
    assert [host.instance_type for host in spec.hosts] == ["ml.m5.large", "ml.m5.large", "ml.g5.xlarge"]
    void = {"NVIDIA_VISIBLE_DEVICES": "void"}
    assert [host.environment for host in spec.hosts] == [void, void, {}]


@pytest.mark.documented
def test_a_warm_pool_has_a_cache_directory() -> None:
    resources = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1, "KeepAlivePeriodInSeconds": 60}
    spec = spec_of(a_request(ResourceConfig=resources))
    cache = spec.environment["SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY"]
    assert PurePosixPath(cache) in spec.directories


def test_a_retry_strategy_is_the_job_s_own() -> None:
    assert spec_of(a_request(RetryStrategy={"MaximumRetryAttempts": 3})).restarts == 3
    assert spec_of(a_request()).restarts == 0


def test_a_bucket_may_be_the_output_path() -> None:
    assert str(spec_of(a_request(OutputDataConfig={"S3OutputPath": "s3://b"})).outputs[0].uri) == (
        "s3://b/job-1/output/model.tar.gz"
    )


@pytest.mark.documented
def test_directories_leave_room_for_code_that_the_image_ships() -> None:
    spec = spec_of(a_request())
    assert [str(root) for root in spec.mount_roots] == ["/opt/ml/input", "/opt/ml/model", "/opt/ml/output"]
    assert [str(path) for path in spec.directories] == [
        "/opt/ml/input/data",
        "/opt/ml/output",
        "/opt/ml/output/metrics/sagemaker",
    ]
    assert str(spec.failure_file) == "/opt/ml/output/failure"
    assert spec.message_file is None


@pytest.mark.documented
def test_a_channel_s_mode_overrides_the_job_s() -> None:
    request = a_request(
        AlgorithmSpecification=an_algorithm(TrainingInputMode="FastFile"),
        InputDataConfig=[a_channel("train"), a_channel("validation", InputMode="File")],
    )
    train, validation = spec_of(request).channels
    assert (train.mode, validation.mode) == (InputMode.FAST_FILE, InputMode.FILE)
    assert (str(train.uri), str(train.container_dir)) == ("s3://b/train", "/opt/ml/input/data/train")
    assert validation.path == "$.InputDataConfig[1].DataSource.S3DataSource.S3Uri"


@pytest.mark.observed
def test_the_environment_holds_the_service_s_variables_and_the_request_s() -> None:
    assert spec_of(a_request(Environment={"A": "1"})).environment == {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": "AWS_ECS_EC2",
        "DMLC_INTERFACE": "eth0",
        "TRAINING_JOB_NAME": "job-1",
        "TRAINING_JOB_ARN": "arn:aws:sagemaker:us-east-1:123456789012:training-job/job-1",
        "SAGEMAKER_METRICS_DIRECTORY": "/opt/ml/output/metrics/sagemaker",
        "A": "1",
    }


def test_metric_definitions_are_the_request_s(sdk_request: SdkRequest) -> None:
    assert spec_of(sdk_request("v2_sklearn_estimator")).metrics == (MetricDefinition(name="acc", regex="acc=(\\S+)"),)
    assert spec_of(a_request()).metrics == ()


@pytest.mark.observed
def test_the_xgboost_algorithm_brings_its_metrics_along(sdk_request: SdkRequest, misfits: Misfits) -> None:
    request = sdk_request("v2_xgboost_estimator")
    spec = spec_of(request)
    regexes = {metric.name: metric.regex for metric in spec.metrics}
    match = re.search(regexes["validation:rmse"], "[3]#011train-rmse:2.5#011validation-rmse:3.25")
    assert match
    assert float(match[1]) == 3.25
    assert len(regexes) == len(spec.metrics)
    document = describe_training_job(request, spec, a_result(), IDENTITY)
    assert {"Name": "train:rmse", "Regex": regexes["train:rmse"]} in document["AlgorithmSpecification"]["MetricDefinitions"]
    assert misfits("DescribeTrainingJobResponse", document) == []


@pytest.mark.assumed
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("[0]#011train-poisson-nloglik:1.5", {"train:poisson-nloglik": "1.5"}),
        ("[0]#011validation-tweedie-nloglik@1.5:2.5", {"validation:tweedie-nloglik": "2.5"}),
        ("[0]#011train-error@0.7:0.25", {"train:error": "0.25"}),
        ("[0]#011train-error:0.5#011train-error@0.7:0.25", {"train:error": "0.5"}),
        ("[0]#011train-mape:3#011train-map:2", {"train:mape": "3", "train:map": "2"}),
        ("[0]#011train-f1_macro:1", {"train:f1_macro": "1"}),
        ("train-rmse:1", {}),
    ],
)
def test_what_the_xgboost_algorithm_s_metrics_find(sdk_request: SdkRequest, line: str, found: dict[str, str]) -> None:
    matches = {metric.name: re.search(metric.regex, line) for metric in spec_of(sdk_request("v2_xgboost_estimator")).metrics}
    assert {name: match[1].partition("#")[0] for name, match in matches.items() if match} == found


@pytest.mark.parametrize("name", SDK_REQUESTS)
@pytest.mark.parametrize("end", list(JobEnd))
def test_describe_of_sdk_requests_fits_the_service_model(
    sdk_request: SdkRequest, misfits: Misfits, name: str, end: JobEnd
) -> None:
    request = sdk_request(name)
    result = a_result(end, failure="f" * 3000, detail="d" * 3000, started_at=None if end is JobEnd.REFUSED else 101.0)
    document = describe_training_job(request, spec_of(request), result, IDENTITY)
    assert misfits("DescribeTrainingJobResponse", document) == []


def test_describe_echoes_everything_with_the_service_s_defaults(misfits: Misfits) -> None:
    rules = [{"RuleConfigurationName": name, "RuleEvaluatorImage": "i"} for name in ("b", "a")]
    echoed = {
        "HyperParameters": {"a": "1"},
        "Environment": {"A": "1"},
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        "EnableManagedSpotTraining": True,
        "DebugHookConfig": {"S3OutputPath": "s3://b/d"},
        "DebugRuleConfigurations": rules,
        "ProfilerConfig": {"S3OutputPath": "s3://b/p"},
        "RetryStrategy": {"MaximumRetryAttempts": 1},
        "CheckpointConfig": {"S3Uri": "s3://b/c", "LocalPath": "/opt/ml/checkpoints"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 90},
    }
    resources = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1, "KeepAlivePeriodInSeconds": 60}
    request = a_request(InputDataConfig=[a_channel()], ResourceConfig=resources, Tags=[{"Key": "k", "Value": "v"}], **echoed)
    result = a_result(metrics=(MetricDatum(name="m", value=0.5, at=105.0),))
    document = describe_training_job(request, spec_of(request), result, IDENTITY)
    assert misfits("DescribeTrainingJobResponse", document) == []
    assert {name: document[name] for name in echoed} == echoed
    assert document == {
        **echoed,
        "TrainingJobName": "job-1",
        "TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/job-1",
        "TrainingJobStatus": "Completed",
        "SecondaryStatus": "Completed",
        "ModelArtifacts": {"S3ModelArtifacts": "s3://b/models/job-1/output/model.tar.gz"},
        "AlgorithmSpecification": {
            "TrainingImage": "my-image:1",
            "TrainingInputMode": "File",
            "EnableSageMakerMetricsTimeSeries": False,
        },
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "CompressionType": "None",
                "RecordWrapperType": "None",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": "s3://b/train",
                        "S3DataDistributionType": "FullyReplicated",
                    },
                },
            },
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://b/models/", "CompressionType": "GZIP"},
        "ResourceConfig": resources,
        "RoleArn": IDENTITY.role_arn,
        "EnableNetworkIsolation": False,
        "EnableInterContainerTrafficEncryption": False,
        "CreationTime": 100.0,
        "TrainingStartTime": 101.5,
        "TrainingEndTime": 110.0,
        "LastModifiedTime": 110.0,
        "TrainingTimeInSeconds": 9,
        "BillableTimeInSeconds": 9,
        "SecondaryStatusTransitions": document["SecondaryStatusTransitions"],
        "WarmPoolStatus": {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 0},
        "FinalMetricDataList": [{"MetricName": "m", "Value": 0.5, "Timestamp": 105.0}],
        "ProfilingStatus": "Enabled",
        "DebugRuleEvaluationStatuses": [],
        "ProfilerRuleEvaluationStatuses": [],
    }


@pytest.mark.parametrize(
    ("result", "statuses"),
    [
        (a_result(), ["Starting", "Downloading", "Training", "Uploading", "Completed"]),
        (a_result(JobEnd.FAILED, exit_code=1), ["Starting", "Downloading", "Training", "Failed"]),
        (a_result(JobEnd.STOPPED), ["Starting", "Downloading", "Training", "Stopping", "Uploading", "Stopped"]),
        (a_result(JobEnd.TIMED_OUT), ["Starting", "Downloading", "Training", "Uploading", "MaxRuntimeExceeded"]),
        (a_result(JobEnd.WAITED_OUT), ["Starting", "Downloading", "Training", "Uploading", "MaxWaitTimeExceeded"]),
        (a_result(JobEnd.WAITED_OUT, started_at=None), ["Starting", "Downloading", "MaxWaitTimeExceeded"]),
        (a_result(JobEnd.REFUSED, started_at=None, detail="x"), ["Starting", "Downloading", "Failed"]),
        (
            a_result(restarts=(Restart(ended_at=102.0, at=103.0, interrupted=False),)),
            ["Starting", "Downloading", "Training", "Starting", "Training", "Uploading", "Completed"],
        ),
        (
            a_result(restarts=(Restart(ended_at=102.0, at=103.0, interrupted=True),)),
            ["Starting", "Downloading", "Training", "Interrupted", "Restarting", "Training", "Uploading", "Completed"],
        ),
        (a_result(JobEnd.UNPROVISIONED, started_at=None, detail="x"), ["Starting", "Failed"]),
    ],
)
def test_status_transitions_follow_the_job(result: JobResult, statuses: list[str]) -> None:
    request = a_request()
    rows = describe_training_job(request, spec_of(request), result, IDENTITY)["SecondaryStatusTransitions"]
    assert [row["Status"] for row in rows] == statuses
    assert all(row["StartTime"] <= row["EndTime"] for row in rows)
    assert rows[0]["StatusMessage"] == "Preparing the instances for training"
    assert (rows[0]["StartTime"], rows[-1]["EndTime"]) == (100.0, 110.0)


@pytest.mark.parametrize(("spot", "most_seconds"), [(True, 90), (False, None)])
def test_only_a_spot_job_has_a_time_by_which_it_must_be_complete(spot: bool, most_seconds: int | None) -> None:  # noqa: FBT001
    times = {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 90}
    spec = spec_of(a_request(StoppingCondition=times, EnableManagedSpotTraining=spot))
    assert (spec.max_runtime_seconds, spec.max_wait_seconds) == (60, most_seconds)


@pytest.mark.assumed
def test_the_time_between_the_runs_of_an_interrupted_job_is_not_billed() -> None:
    interrupted = tuple(Restart(ended_at=at, at=at + 3.0, interrupted=True) for at in (102.5, 106.0))
    document = describe_training_job(a_request(), spec_of(a_request()), a_result(restarts=interrupted), IDENTITY)
    assert (document["TrainingTimeInSeconds"], document["BillableTimeInSeconds"]) == (9, 3)


@pytest.mark.parametrize(
    ("result", "status", "reason"),
    [
        (a_result(), ("Completed", "Completed"), None),
        (a_result(JobEnd.STOPPED, exit_code=143), ("Stopped", "Stopped"), None),
        (a_result(JobEnd.TIMED_OUT, exit_code=143), ("Stopped", "MaxRuntimeExceeded"), None),
        (a_result(JobEnd.WAITED_OUT, exit_code=143), ("Stopped", "MaxWaitTimeExceeded"), None),
        (a_result(JobEnd.FAILED, exit_code=1), ("Failed", "Failed"), "AlgorithmError: , exit code: 1"),
        (
            a_result(JobEnd.FAILED, exit_code=2, failure="ValueError: no"),
            ("Failed", "Failed"),
            "AlgorithmError: ValueError: no, exit code: 2",
        ),
        (
            a_result(JobEnd.FAILED, exit_code=137, out_of_memory=True),
            ("Failed", "Failed"),
            "AlgorithmError: The container ran out of memory and was killed, exit code: 137",
        ),
        (
            a_result(JobEnd.FAILED, exit_code=127, detail="no `train` on PATH."),
            ("Failed", "Failed"),
            "AlgorithmError: no `train` on PATH, exit code: 127",
        ),
        (
            a_result(JobEnd.REFUSED, started_at=None, detail="No S3 objects found under S3 URL 's3://b/x'"),
            ("Failed", "Failed"),
            "ClientError: No S3 objects found under S3 URL 's3://b/x'",
        ),
    ],
)
def test_how_a_job_ended_is_told_in_the_service_s_words(
    result: JobResult, status: tuple[str, str], reason: str | None
) -> None:
    request = a_request()
    document = describe_training_job(request, spec_of(request), result, IDENTITY)
    assert (document["TrainingJobStatus"], document["SecondaryStatus"]) == status
    assert (document.get("FailureReason"), failure_reason(result)) == (reason, reason)


def test_a_long_failure_text_is_cut_and_the_exit_code_kept() -> None:
    reason = failure_reason(a_result(JobEnd.FAILED, exit_code=1, failure="x" * 5000))
    assert reason is not None
    assert len(reason) == 1024
    assert reason.startswith("AlgorithmError: xxx")
    assert reason.endswith("xxx, exit code: 1")


@pytest.mark.parametrize(
    ("config", "status"),
    [(None, "Disabled"), ({"DisableProfiler": True}, "Disabled"), ({"S3OutputPath": "s3://b/p"}, "Enabled")],
)
def test_profiling_status_follows_the_request(config: JSON, status: str) -> None:
    request = a_request(**({"ProfilerConfig": config} if config else {}))
    assert describe_training_job(request, spec_of(request), a_result(), IDENTITY)["ProfilingStatus"] == status


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (
            {"AlgorithmSpecification": {"AlgorithmName": "a", "TrainingInputMode": "File"}},
            "AlgorithmSpecification.AlgorithmName",
        ),
        (
            {"InputDataConfig": [a_channel(source={"S3DataType": "Converse"})]},
            "InputDataConfig[0].DataSource.S3DataSource.S3DataType",
        ),
        (
            {"InputDataConfig": [{"ChannelName": "c", "DataSource": {"FileSystemDataSource": {"FileSystemId": "fs-1"}}}]},
            "InputDataConfig[0].DataSource.FileSystemDataSource",
        ),
    ],
)
def test_what_is_not_built_is_refused_by_place(change: JSON, path: str) -> None:
    (problem,) = training_problems(a_request(**change), "$")
    assert (problem.path, problem.unsupported) == (f"$.{path}", True)
    assert problem.message.endswith(" is not supported.")
    with pytest.raises(JobFailed, match=r"Failed to invoke sagemaker:CreateTrainingJob\. Error Details: "):
        spec_of(a_request(**change))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"AlgorithmSpecification": None}, "$: AlgorithmSpecification is missing."),
        (
            {"AlgorithmSpecification": {"TrainingInputMode": "File"}},
            "$.AlgorithmSpecification: TrainingImage or AlgorithmName is missing.",
        ),
        ({"ResourceConfig": None}, "$: ResourceConfig or ServerlessJobConfig is missing."),
        (
            {"InputDataConfig": [a_channel(), a_channel()]},
            "$.InputDataConfig[1].ChannelName: 'train' is used 2 times. Give each its own.",
        ),
        (
            {"InputDataConfig": [a_channel("..")]},
            "$.InputDataConfig[0].ChannelName: '..' cannot be the name of a directory. Give the channel another name.",
        ),
        (
            {"CheckpointConfig": {"S3Uri": "/c"}},
            "$.CheckpointConfig.S3Uri: '/c' is not an S3 URI (s3://bucket/key).",
        ),
        (
            {"CheckpointConfig": {"S3Uri": "s3://b/c", "LocalPath": "relative"}},
            "$.CheckpointConfig.LocalPath: 'relative' is not an absolute path. Name a directory like /opt/ml/checkpoints.",
        ),
        (
            {"CheckpointConfig": {"S3Uri": "s3://b/c", "LocalPath": "/usr"}},
            "$.CheckpointConfig.LocalPath: '/usr' belongs to the system. Name a directory like /opt/ml/checkpoints.",
        ),
        (
            {"CheckpointConfig": {"S3Uri": "s3://b/c", "LocalPath": "/opt/ml/checkpoints/../model"}},
            (
                "$.CheckpointConfig.LocalPath: '/opt/ml/checkpoints/../model' is not an absolute path. "
                "Name a directory like /opt/ml/checkpoints."
            ),
        ),
        (
            {"ResourceConfig": {"InstanceType": "t", "InstanceGroups": [a_group()], "VolumeSizeInGB": 1}},
            "$.ResourceConfig.InstanceType: InstanceGroups exclude InstanceType. Leave one of them out.",
        ),
        (
            {"ResourceConfig": {"InstanceGroups": [a_group(), a_group()]}},
            "$.ResourceConfig.InstanceGroups[1].InstanceGroupName: 'g' is used 2 times. Give each its own.",
        ),
        (
            {"ResourceConfig": {"InstanceGroups": [a_group(InstanceCount=0)]}},
            "$.ResourceConfig.InstanceGroups[0].InstanceCount: An instance group of no instances. Leave it out.",
        ),
        (
            {
                "ResourceConfig": {"InstanceGroups": [a_group(), a_group("h")]},
                "InputDataConfig": [a_channel(source={"InstanceGroupNames": ["g", "x"]})],
            },
            (
                "$.InputDataConfig[0].DataSource.S3DataSource.InstanceGroupNames[1]: There is no instance group 'x'. "
                "There is g, h."
            ),
        ),
        (
            {"InputDataConfig": [a_channel(source={"InstanceGroupNames": ["x"]})]},
            (
                "$.InputDataConfig[0].DataSource.S3DataSource.InstanceGroupNames[0]: There is no instance group 'x'. "
                "ResourceConfig has no InstanceGroups."
            ),
        ),
        (
            {"EnableManagedSpotTraining": True},
            "$.StoppingCondition: EnableManagedSpotTraining needs MaxWaitTimeInSeconds. Add it.",
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59}},
            (
                "$.StoppingCondition.MaxWaitTimeInSeconds: 59 is less than MaxRuntimeInSeconds (60). "
                "The wait includes the run."
            ),
        ),
        (
            {"StoppingCondition": {"MaxWaitTimeInSeconds": 86_399}},
            (
                "$.StoppingCondition.MaxWaitTimeInSeconds: 86399 is less than MaxRuntimeInSeconds (86400). "
                "The wait includes the run."
            ),
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 2_419_201}},
            "$.StoppingCondition.MaxRuntimeInSeconds: 2419201 is more than 28 days (2419200).",
        ),
        (
            {"AlgorithmSpecification": an_algorithm(MetricDefinitions=[{"Name": "seen", "Regex": "loss=("}])},
            (
                "$.AlgorithmSpecification.MetricDefinitions[0].Regex: 'loss=(' is not a regular expression: "
                "missing ), unterminated subpattern at position 5."
            ),
        ),
    ],
)
def test_what_the_service_refuses_is_told_with_its_place(change: JSON, text: str) -> None:
    assert [str(problem) for problem in training_problems(a_request(**change), "$")] == [text]


@pytest.mark.parametrize("name", SDK_REQUESTS)
def test_sdk_requests_have_no_problems(sdk_request: SdkRequest, name: str) -> None:
    assert training_problems(sdk_request(name), "$") == []


def test_the_model_trainer_s_driver_is_the_command(sdk_request: SdkRequest) -> None:
    spec = spec_of(sdk_request("v3_model_trainer"))
    assert (spec.entrypoint, spec.arguments) == (
        ("/bin/bash",),
        ("-c", "chmod +x /opt/ml/input/data/sm_drivers/sm_train.sh && /opt/ml/input/data/sm_drivers/sm_train.sh"),
    )
    assert [channel.name for channel in spec.channels] == ["train", "code", "sm_drivers"]

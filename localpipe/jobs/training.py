"""Training jobs: CreateTrainingJob request → `JobSpec`; `JobResult` → DescribeTrainingJob response."""

from __future__ import annotations

import math
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from localpipe.core.jobspec import Channel, InputMode, JobEnd, JobKind, JobSpec, OutputForm, OutputSpec
from localpipe.core.names import S3Uri
from localpipe.core.work import create_refused
from localpipe.errors import JobFailed, Problem
from localpipe.jobs import layout
from localpipe.jobs.members import bad_uris, lacking, repeated, texts
from localpipe.jobs.metrics import metric_definitions
from localpipe.jobs.requests import (
    DEFAULT_MAX_RUNTIME_SECONDS,
    REASON_LIMIT,
    command,
    echoed,
    platform_reason,
    require_none,
    service_environment,
)
from localpipe.jobs.unsupported import TRAINING, refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core import JSON
    from localpipe.core.jobspec import HostSpec, JobResult, TextFile
    from localpipe.core.names import Identity

OPERATION = "CreateTrainingJob"
_INPUT_DIR = PurePosixPath("/opt/ml/input")
_DATA_DIR = _INPUT_DIR / "data"
_MODEL_DIR = PurePosixPath("/opt/ml/model")
_OUTPUT_DIR = PurePosixPath("/opt/ml/output")
_METRICS_DIR = _OUTPUT_DIR / "metrics" / "sagemaker"
_MODEL = "model"
_ECHOED = (
    *("HyperParameters", "RoleArn", "ResourceConfig", "VpcConfig", "Environment", "ExperimentConfig", "RetryStrategy"),
    *(
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "TensorBoardOutputConfig",
        "ProfilerConfig",
        "ProfilerRuleConfigurations",
    ),
    *("RemoteDebugConfig", "InfraCheckConfig", "MlflowConfig", "ModelPackageConfig"),
)

_MODEL_PUBLISHED_ON = frozenset({JobEnd.COMPLETED, JobEnd.STOPPED, JobEnd.TIMED_OUT})
# UNVERIFIED: that a failed job's /opt/ml/output/data is uploaded and its model is not. containers.md 2.11, 2.12.
_DATA_PUBLISHED_ON = _MODEL_PUBLISHED_ON | {JobEnd.FAILED}

# TrainingJobStatus and SecondaryStatus. Follows: containers.md 2.11.
_STATUS: Mapping[JobEnd, tuple[str, str]] = {
    JobEnd.COMPLETED: ("Completed", "Completed"),
    JobEnd.FAILED: ("Failed", "Failed"),
    JobEnd.STOPPED: ("Stopped", "Stopped"),
    JobEnd.TIMED_OUT: ("Stopped", "MaxRuntimeExceeded"),
    JobEnd.REFUSED: ("Failed", "Failed"),
    JobEnd.LOST: ("Failed", "Failed"),
    JobEnd.UNPUBLISHED: ("Failed", "Failed"),
}


def training_problems(request: JSON, path: str) -> list[Problem]:
    """What the service or localpipe refuses in a request beyond its shape; expressions in it are passed over.

    Follows: containers.md 2.1, 2.4.
    """
    sources = "InputDataConfig[*].DataSource"
    return [
        *refused(request, TRAINING, path),
        *lacking(request, "", "AlgorithmSpecification", path=path),
        *lacking(request, "AlgorithmSpecification", "TrainingImage", "AlgorithmName", path=path),
        *lacking(request, "", "ResourceConfig", "ServerlessJobConfig", path=path),
        *lacking(request, "ResourceConfig", "InstanceType", "InstanceGroups", "InstancePreferences", path=path),
        *lacking(request, "ResourceConfig", "InstanceCount", "InstanceGroups", "InstancePreferences", path=path),
        *lacking(request, sources, "S3DataSource", "FileSystemDataSource", "DatasetSource", path=path),
        *bad_uris(request, f"{sources}.S3DataSource.S3Uri", path),
        *bad_uris(request, "OutputDataConfig.S3OutputPath", path),
        *repeated(request, "InputDataConfig[*].ChannelName", path),
        *_unusable_names(request, path),
    ]


def training_spec(request: JSON, *, job_name: str, identity: Identity, path: str = "$") -> JobSpec:
    """The job that a request with all values resolved asks for. `path` is the JSON path of the request.

    Raises JobFailed for what `training_problems` finds. Follows: containers.md section 2.
    """
    require_none(training_problems(request, path), OPERATION)
    request = _with_defaults(request, identity)
    algorithm, instance_type = request["AlgorithmSpecification"], request["ResourceConfig"]["InstanceType"]
    entrypoint, arguments = command(algorithm.get("ContainerEntrypoint")), command(algorithm.get("ContainerArguments"))
    job_arn = identity.arn("training-job", job_name)
    return JobSpec(
        kind=JobKind.TRAINING,
        image_uri=algorithm["TrainingImage"],
        entrypoint=entrypoint,
        arguments=("train",) if entrypoint is None and arguments is None else arguments,
        hosts=_hosts(request),
        channels=_channels(request, path),
        outputs=_outputs(request, job_name, path),
        directories=(_DATA_DIR, _OUTPUT_DIR, _METRICS_DIR),
        mount_roots=(_INPUT_DIR, _MODEL_DIR, _OUTPUT_DIR),
        environment={
            **service_environment(identity, instance_type),
            "TRAINING_JOB_NAME": job_name,
            "TRAINING_JOB_ARN": job_arn,
            "SAGEMAKER_METRICS_DIRECTORY": str(_METRICS_DIR),
            **request.get("Environment", {}),
        },
        max_runtime_seconds=request["StoppingCondition"]["MaxRuntimeInSeconds"],
        network_isolated=request["EnableNetworkIsolation"],
        instance_type=instance_type,
        metrics=metric_definitions(request),
        failure_file=_OUTPUT_DIR / "failure",
        job_name=job_name,
        job_arn=job_arn,
    )


def describe_training_job(request: JSON, spec: JobSpec, result: JobResult, identity: Identity) -> JSON:
    """DescribeTrainingJob of a job that ended: the request with its defaults, and what came of it.

    Follows: containers.md 2.11, 2.13, 2.14.
    """
    request = _with_defaults(request, identity)
    status, secondary_status = _STATUS[result.end]
    reason = failure_reason(result)
    return {
        "TrainingJobName": spec.job_name,
        "TrainingJobArn": spec.job_arn,
        "TrainingJobStatus": status,
        "SecondaryStatus": secondary_status,
        **({"FailureReason": reason} if reason is not None else {}),
        "ModelArtifacts": {"S3ModelArtifacts": _model_uri(spec)},
        "AlgorithmSpecification": _described_algorithm(request, spec),
        "InputDataConfig": request["InputDataConfig"],
        "OutputDataConfig": request["OutputDataConfig"],
        "StoppingCondition": request["StoppingCondition"],
        "EnableNetworkIsolation": request["EnableNetworkIsolation"],
        "EnableInterContainerTrafficEncryption": request["EnableInterContainerTrafficEncryption"],
        "EnableManagedSpotTraining": request["EnableManagedSpotTraining"],
        **echoed(request, _ECHOED),
        "CreationTime": result.created_at,
        **_training_times(result),
        "LastModifiedTime": result.ended_at,
        "SecondaryStatusTransitions": _transitions(result, secondary_status, reason),
        "FinalMetricDataList": _final_metrics(result),
        "ProfilingStatus": _profiling_status(request),
        "DebugRuleEvaluationStatuses": [],
        "ProfilerRuleEvaluationStatuses": [],
    }


def failure_reason(result: JobResult) -> str | None:
    """The job's FailureReason, None unless it failed: at most 1024 characters, of which the exit code is never cut.

    Follows: containers.md 2.11.
    """
    if result.end is JobEnd.REFUSED:
        return f"ClientError: {result.detail}"[:REASON_LIMIT]
    if result.end in (JobEnd.LOST, JobEnd.UNPUBLISHED):
        return platform_reason(result)
    if result.end is not JobEnd.FAILED:
        return None
    exit_code = f", exit code: {result.exit_code}"
    return f"AlgorithmError: {_failure_text(result)}"[: REASON_LIMIT - len(exit_code)] + exit_code


def _failure_text(result: JobResult) -> str:
    if result.failure:
        return result.failure
    if result.out_of_memory:  # UNVERIFIED: the service's text is not recorded. containers.md 7 no. 7
        return "The container ran out of memory and was killed"
    return result.detail


def _with_defaults(request: JSON, identity: Identity) -> JSON:
    """The request with what the service fills in. Follows: containers.md 2.1, 2.4."""
    return {
        "RoleArn": identity.role_arn,
        "EnableNetworkIsolation": False,
        "EnableInterContainerTrafficEncryption": False,
        "EnableManagedSpotTraining": False,
        **request,
        "AlgorithmSpecification": {"TrainingInputMode": "File", **request["AlgorithmSpecification"]},
        "InputDataConfig": [_channel_with_defaults(channel) for channel in request.get("InputDataConfig", [])],
        "OutputDataConfig": {"CompressionType": "GZIP", **request["OutputDataConfig"]},
        "StoppingCondition": {"MaxRuntimeInSeconds": DEFAULT_MAX_RUNTIME_SECONDS, **request.get("StoppingCondition", {})},
    }


def _channel_with_defaults(channel: JSON) -> JSON:
    source = {"S3DataDistributionType": "FullyReplicated", **channel["DataSource"]["S3DataSource"]}
    return {"CompressionType": "None", "RecordWrapperType": "None", **channel, "DataSource": {"S3DataSource": source}}


def _hosts(request: JSON) -> tuple[HostSpec, ...]:
    cluster = request["ResourceConfig"]
    names = layout.host_names(cluster["InstanceCount"])
    return layout.hosts(names, cluster["InstanceType"], layout.TRAINING_CONFIG_DIR, _common_files(request))


def _common_files(request: JSON) -> list[TextFile]:
    """The files that exist even when they hold `{}`. Follows: containers.md 2.6."""
    directory = layout.TRAINING_CONFIG_DIR
    return [
        layout.json_file(directory / "hyperparameters.json", request.get("HyperParameters", {})),
        layout.json_file(directory / "inputdataconfig.json", layout.input_data_config(request["InputDataConfig"])),
    ]


def _channels(request: JSON, path: str) -> tuple[Channel, ...]:
    job_mode = request["AlgorithmSpecification"]["TrainingInputMode"]
    return tuple(
        Channel(
            name=channel["ChannelName"],
            uri=S3Uri.parse(channel["DataSource"]["S3DataSource"]["S3Uri"]),
            container_dir=_DATA_DIR / channel["ChannelName"],
            mode=_input_mode(channel.get("InputMode", job_mode)),
            path=f"{path}.InputDataConfig[{index}].DataSource.S3DataSource.S3Uri",
        )
        for index, channel in enumerate(request["InputDataConfig"])
    )


def _input_mode(text: str) -> InputMode:
    """Raises JobFailed for what is no mode: an expression may have given it."""
    if text not in {mode.value for mode in InputMode}:
        raise JobFailed(create_refused(OPERATION, f"{text!r} is no input mode."))
    return InputMode(text)


def _outputs(request: JSON, job_name: str, path: str) -> tuple[OutputSpec, ...]:
    """The two archives of a job. Follows: containers.md 2.12."""
    place = f"{path}.OutputDataConfig.S3OutputPath"
    directory = S3Uri.parse(request["OutputDataConfig"]["S3OutputPath"]).child(job_name, "output")
    model = OutputSpec(
        name=_MODEL,
        container_dir=_MODEL_DIR,
        uri=directory.child("model.tar.gz"),
        form=OutputForm.TAR_GZ,
        published_on=_MODEL_PUBLISHED_ON,
        even_if_empty=True,
        path=place,
    )
    data = OutputSpec(
        name="output",
        container_dir=_OUTPUT_DIR / "data",
        uri=directory.child("output.tar.gz"),
        form=OutputForm.TAR_GZ,
        published_on=_DATA_PUBLISHED_ON,
        path=place,
    )
    return (model, data)


def _model_uri(spec: JobSpec) -> str:
    return next(str(output.uri) for output in spec.outputs if output.name == _MODEL)


def _described_algorithm(request: JSON, spec: JobSpec) -> JSON:
    metrics = [{"Name": metric.name, "Regex": metric.regex} for metric in spec.metrics]
    return {
        "EnableSageMakerMetricsTimeSeries": False,
        **request["AlgorithmSpecification"],
        **({"MetricDefinitions": metrics} if metrics else {}),
    }


def _training_times(result: JobResult) -> dict[str, JSON]:
    """Start, end and whole seconds (at least one) of a job that started; nothing of one that did not."""
    if result.started_at is None:
        return {"TrainingEndTime": result.ended_at}
    seconds = max(1, math.ceil(result.ended_at - result.started_at))
    return {
        "TrainingStartTime": result.started_at,
        "TrainingEndTime": result.ended_at,
        "TrainingTimeInSeconds": seconds,
        "BillableTimeInSeconds": seconds,
    }


def _transitions(result: JobResult, last: str, reason: str | None) -> list[JSON]:
    """SecondaryStatusTransitions; inputs are made ready before the container starts. Follows: containers.md 2.11."""
    messages = {
        "Completed": "Training job completed",
        "Stopped": "Training job stopped",
        "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
        "Failed": reason or "",
    }
    created, started, ended = result.created_at, result.started_at, result.ended_at
    rows = [
        ("Starting", created, created, "Preparing the instances for training"),
        ("Downloading", created, ended if started is None else started, "Downloading input data"),
        *(
            []
            if started is None
            else [("Training", started, ended, "Training image download completed. Training in progress.")]
        ),
        *([("Uploading", ended, ended, "Uploading generated training model")] if result.end in _MODEL_PUBLISHED_ON else []),
        (last, ended, ended, messages[last]),
    ]
    return [
        {"Status": status, "StartTime": start, "EndTime": end, "StatusMessage": message}
        for status, start, end, message in rows
    ]


def _final_metrics(result: JobResult) -> list[JSON]:
    """FinalMetricDataList. Follows: containers.md 2.13."""
    return [{"MetricName": metric.name, "Value": metric.value, "Timestamp": metric.at} for metric in result.metrics]


def _profiling_status(request: JSON) -> str:
    """Whether a profiler is configured; none runs here. Follows: containers.md 2.14."""
    config = request.get("ProfilerConfig")
    return "Disabled" if config is None or config.get("DisableProfiler", False) else "Enabled"


def _unusable_names(request: JSON, path: str) -> list[Problem]:
    return [
        Problem(place, f"{name!r} cannot be the name of a directory.", "Give the channel another name.")
        for place, name in texts(request, "InputDataConfig[*].ChannelName", path)
        if name in {".", ".."}
    ]

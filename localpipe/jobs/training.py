"""Training jobs: CreateTrainingJob request → `JobSpec`."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from localpipe.core.jobspec import Channel, DataType, InputMode, JobKind, JobSpec
from localpipe.core.names import S3Uri
from localpipe.errors import Problem
from localpipe.jobs import layout
from localpipe.jobs.artifacts import CHECKPOINT_DIR, MODEL_DIR, OUTPUT_DIR, checkpoint_problems, training_outputs
from localpipe.jobs.channels import GZIP, RECORD_IO, SHARDED, choice, training_channel_problems
from localpipe.jobs.cluster import hosts_of, instance_group_problems, instance_groups
from localpipe.jobs.members import bad_uris, lacking, members, repeated, texts
from localpipe.jobs.metrics import metric_definitions, metric_problems
from localpipe.jobs.requests import (
    DEFAULT_MAX_RUNTIME_SECONDS,
    command,
    require_none,
    service_environment,
)
from localpipe.jobs.unsupported import TRAINING, refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from localpipe.core import JSON
    from localpipe.core.jobspec import TextFile
    from localpipe.core.names import Identity
    from localpipe.jobs.cluster import InstanceGroup

OPERATION = "CreateTrainingJob"
_INPUT_DIR = PurePosixPath("/opt/ml/input")
_METRICS_DIR = OUTPUT_DIR / "metrics" / "sagemaker"
_WARM_POOL_VARIABLE = "SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY"
_WARM_POOL_CACHE = PurePosixPath("/opt/ml/sagemaker/warmpoolcache")  # UNVERIFIED: containers.md 2.7
_LONGEST_RUNTIME_SECONDS = 28 * 24 * 60 * 60


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
        *bad_uris(request, "CheckpointConfig.S3Uri", path),
        *checkpoint_problems(request, path),
        *repeated(request, "InputDataConfig[*].ChannelName", path),
        *_unusable_names(request, path),
        *metric_problems(request, path),
        *training_channel_problems(request, path),
        *instance_group_problems(request, path),
        *_time_problems(request, path),
    ]


def training_spec(request: JSON, *, job_name: str, identity: Identity, path: str = "$") -> JobSpec:
    """The job that a request with all values resolved asks for. `path` is the JSON path of the request.

    Raises JobFailed for what `training_problems` finds. Follows: containers.md section 2.
    """
    require_none(training_problems(request, path), OPERATION)
    request = with_defaults(request, identity)
    algorithm, groups = request["AlgorithmSpecification"], instance_groups(request["ResourceConfig"])
    entrypoint, arguments = command(algorithm.get("ContainerEntrypoint")), command(algorithm.get("ContainerArguments"))
    job_arn, spot = identity.arn("training-job", job_name), request["EnableManagedSpotTraining"]
    return JobSpec(
        kind=JobKind.TRAINING,
        image_uri=algorithm["TrainingImage"],
        entrypoint=entrypoint,
        arguments=("train",) if entrypoint is None and arguments is None else arguments,
        hosts=layout.hosts(groups, layout.TRAINING_CONFIG_DIR, _common_files(request)),
        channels=_channels(request, groups, path),
        outputs=training_outputs(request, job_name, path),
        directories=(
            layout.TRAINING_DATA_DIR,
            OUTPUT_DIR,
            _METRICS_DIR,
            *((_WARM_POOL_CACHE,) if _keeps_warm(request) else ()),
        ),
        mount_roots=(_INPUT_DIR, MODEL_DIR, OUTPUT_DIR),
        environment={
            **service_environment(identity),
            "TRAINING_JOB_NAME": job_name,
            "TRAINING_JOB_ARN": job_arn,
            "SAGEMAKER_METRICS_DIRECTORY": str(_METRICS_DIR),
            **({_WARM_POOL_VARIABLE: str(_WARM_POOL_CACHE)} if _keeps_warm(request) else {}),
            **request.get("Environment", {}),
        },
        max_runtime_seconds=request["StoppingCondition"]["MaxRuntimeInSeconds"],
        max_wait_seconds=request["StoppingCondition"].get("MaxWaitTimeInSeconds") if spot else None,
        network_isolated=request["EnableNetworkIsolation"],
        restarts=request.get("RetryStrategy", {}).get("MaximumRetryAttempts", 0),
        spot=spot,
        metrics=metric_definitions(request),
        failure_file=OUTPUT_DIR / "failure",
        job_name=job_name,
        job_arn=job_arn,
    )


def with_defaults(request: JSON, identity: Identity) -> JSON:
    """The request with what the service fills in. Follows: containers.md 2.1, 2.4, 2.12."""
    checkpoints = request.get("CheckpointConfig")
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
        **({"CheckpointConfig": {"LocalPath": CHECKPOINT_DIR, **checkpoints}} if checkpoints else {}),
    }


def _channel_with_defaults(channel: JSON) -> JSON:
    source = {"S3DataDistributionType": "FullyReplicated", **channel["DataSource"]["S3DataSource"]}
    return {"CompressionType": "None", "RecordWrapperType": "None", **channel, "DataSource": {"S3DataSource": source}}


def _common_files(request: JSON) -> list[TextFile]:
    """The files that exist even when they hold `{}`, and that of checkpoints. Follows: containers.md 2.6."""
    directory, checkpoints = layout.TRAINING_CONFIG_DIR, request.get("CheckpointConfig")
    return [
        layout.json_file(directory / "hyperparameters.json", request.get("HyperParameters", {})),
        layout.json_file(directory / "inputdataconfig.json", layout.input_data_config(request)),
        *([layout.json_file(directory / "checkpointconfig.json", checkpoints)] if checkpoints else []),
    ]


def _channels(request: JSON, groups: Sequence[InstanceGroup], path: str) -> tuple[Channel, ...]:
    job_mode = request["AlgorithmSpecification"]["TrainingInputMode"]
    return tuple(
        _channel(
            channel,
            channel.get("InputMode", job_mode),
            groups,
            f"{path}.InputDataConfig[{index}].DataSource.S3DataSource.S3Uri",
        )
        for index, channel in enumerate(request["InputDataConfig"])
    )


def _channel(channel: JSON, mode: str, groups: Sequence[InstanceGroup], path: str) -> Channel:
    source = channel["DataSource"]["S3DataSource"]
    return Channel(
        name=channel["ChannelName"],
        uri=S3Uri.parse(source["S3Uri"]),
        container_dir=layout.TRAINING_DATA_DIR / channel["ChannelName"],
        mode=choice(InputMode, mode, "input mode", OPERATION),
        data_type=choice(DataType, source.get("S3DataType", DataType.S3_PREFIX.value), "S3DataType", OPERATION),
        attribute_names=tuple(source.get("AttributeNames", ())),
        hosts=hosts_of(source.get("InstanceGroupNames", ()), groups),
        sharded=source["S3DataDistributionType"] == SHARDED,
        gunzip=channel["CompressionType"] == GZIP,
        record_io=channel["RecordWrapperType"] == RECORD_IO,
        shuffle_seed=channel.get("ShuffleConfig", {}).get("Seed"),
        path=path,
    )


def _unusable_names(request: JSON, path: str) -> list[Problem]:
    return [
        Problem(place, f"{name!r} cannot be the name of a directory.", "Give the channel another name.")
        for place, name in texts(request, "InputDataConfig[*].ChannelName", path)
        if name in {".", ".."}
    ]


def _keeps_warm(request: JSON) -> bool:
    """Whether a warm pool is asked for; its cache begins empty, since no instance is kept. Follows: containers.md 2.7."""
    return bool(request["ResourceConfig"].get("KeepAlivePeriodInSeconds"))


def _time_problems(request: JSON, path: str) -> Iterator[Problem]:
    """What is refused of the times of a job. Follows: containers.md 2.1, 2.14."""
    longest = _number(request, "StoppingCondition.MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_SECONDS)
    waiting = _number(request, "StoppingCondition.MaxWaitTimeInSeconds", None)
    place = f"{path}.StoppingCondition"
    if longest is not None and longest > _LONGEST_RUNTIME_SECONDS:
        yield Problem(f"{place}.MaxRuntimeInSeconds", f"{longest} is more than 28 days ({_LONGEST_RUNTIME_SECONDS}).")
    if longest is not None and waiting is not None and waiting < longest:
        message = f"{waiting} is less than MaxRuntimeInSeconds ({longest})."
        yield Problem(f"{place}.MaxWaitTimeInSeconds", message, "The wait includes the run.")
    spot = any(value is True for _, value in members(request, "EnableManagedSpotTraining", path))
    if spot and not any(members(request, "StoppingCondition.MaxWaitTimeInSeconds", path)):
        yield Problem(place, "EnableManagedSpotTraining needs MaxWaitTimeInSeconds.", "Add it.")


def _number(request: JSON, member: str, default: int | None) -> int | None:
    """The integer at a member, `default` where there is none; None for what is not known before it is evaluated."""
    value = next((value for _, value in members(request, member, "")), default)
    return value if isinstance(value, int) else None

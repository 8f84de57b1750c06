"""Processing jobs: CreateProcessingJob request → `JobSpec`; `JobResult` → DescribeProcessingJob response."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from localpipe.core.jobspec import Channel, DataType, InputMode, JobEnd, JobKind, JobSpec, OutputSpec
from localpipe.core.names import S3Uri
from localpipe.core.work import create_refused
from localpipe.errors import Problem
from localpipe.jobs import layout
from localpipe.jobs.channels import GZIP, SHARDED, choice, processing_input_problems
from localpipe.jobs.cluster import instance_groups
from localpipe.jobs.members import bad_uris, is_below, lacking, members, repeated, texts
from localpipe.jobs.requests import (
    ALWAYS,
    DEFAULT_MAX_RUNTIME_SECONDS,
    PLATFORM_WORDS,
    REASON_LIMIT,
    command,
    echoed,
    platform_reason,
    require_none,
    service_environment,
)
from localpipe.jobs.unsupported import PROCESSING, refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from localpipe.core import JSON
    from localpipe.core.jobspec import HostSpec, JobResult
    from localpipe.core.names import Identity

OPERATION = "CreateProcessingJob"
_PROCESSING_DIR = PurePosixPath("/opt/ml/processing")
_OUTPUT_DIR = PurePosixPath("/opt/ml/output")
_ECHOED = ("ProcessingResources", "AppSpecification", "Environment", "NetworkConfig", "RoleArn", "ExperimentConfig")

# UNVERIFIED: whether the service uploads EndOfJob outputs of a job that did not complete. containers.md 1.7, 7 no. 3.
_PUBLISHED_ON = frozenset({JobEnd.COMPLETED})

_CONTINUOUS = "Continuous"

_STATUS: Mapping[JobEnd, str] = {
    JobEnd.COMPLETED: "Completed",
    JobEnd.FAILED: "Failed",
    JobEnd.STOPPED: "Stopped",
    JobEnd.TIMED_OUT: "Stopped",
    JobEnd.WAITED_OUT: "Stopped",
    JobEnd.REFUSED: "Failed",
    JobEnd.LOST: "Failed",
    JobEnd.CUT_OFF: "Failed",
    JobEnd.UNPUBLISHED: "Failed",
    JobEnd.UNPROVISIONED: "Failed",
    JobEnd.INTERRUPTED: "InProgress",
}


def processing_problems(request: JSON, path: str) -> list[Problem]:
    """What the service or localpipe refuses in a request beyond its shape; expressions in it are passed over.

    Follows: containers.md 1.6, 1.7.
    """
    inputs, outputs = "ProcessingInputs[*]", "ProcessingOutputConfig.Outputs[*]"
    cluster = "ProcessingResources.ClusterConfig"
    return [
        *refused(request, PROCESSING, path),
        *lacking(request, cluster, "InstanceType", "InstancePreferences", path=path),
        *lacking(request, cluster, "InstanceCount", "InstancePreferences", path=path),
        *lacking(request, inputs, "S3Input", "DatasetDefinition", path=path),
        *_lacking_path(request, inputs, "S3Input", path),
        *lacking(request, outputs, "S3Output", "FeatureStoreOutput", path=path),
        *_lacking_path(request, outputs, "S3Output", path),
        *bad_uris(request, f"{inputs}.S3Input.S3Uri", path),
        *bad_uris(request, f"{outputs}.S3Output.S3Uri", path),
        *_misplaced(request, f"{inputs}.S3Input.LocalPath", path),
        *_misplaced(request, f"{outputs}.S3Output.LocalPath", path),
        *repeated(request, f"{inputs}.S3Input.LocalPath", path, form=PurePosixPath),
        *repeated(request, f"{inputs}.InputName", path),
        *repeated(request, f"{outputs}.OutputName", path),
        *processing_input_problems(request, path),
    ]


def processing_spec(request: JSON, *, job_name: str, identity: Identity, path: str = "$") -> JobSpec:
    """The job that a request with all values resolved asks for. `path` is the JSON path of the request.

    Raises JobFailed for what `processing_problems` finds. Follows: containers.md section 1.
    """
    require_none(processing_problems(request, path), OPERATION)
    request = _with_defaults(request, identity)
    application = request["AppSpecification"]
    job_arn = identity.arn("processing-job", job_name)
    return JobSpec(
        kind=JobKind.PROCESSING,
        image_uri=application["ImageUri"],
        entrypoint=command(application.get("ContainerEntrypoint")),
        arguments=command(application.get("ContainerArguments")),
        hosts=_hosts(request, job_name, job_arn),
        channels=_channels(request, path),
        outputs=_outputs(request, path),
        directories=(_OUTPUT_DIR,),
        mount_roots=(layout.PROCESSING_CONFIG_DIR, _OUTPUT_DIR),
        environment={
            **service_environment(identity),
            "PROCESSING_JOB_NAME": job_name,
            "PROCESSING_JOB_ARN": job_arn,
            **request.get("Environment", {}),
        },
        max_runtime_seconds=request["StoppingCondition"]["MaxRuntimeInSeconds"],
        network_isolated=request.get("NetworkConfig", {}).get("EnableNetworkIsolation", False),
        message_file=_OUTPUT_DIR / "message",
        job_name=job_name,
        job_arn=job_arn,
    )


def describe_processing_job(request: JSON, spec: JobSpec, result: JobResult, identity: Identity) -> JSON:
    """DescribeProcessingJob of a job that ended: the request with its defaults, and what came of it.

    Follows: containers.md 1.1, 1.8.
    """
    request = _with_defaults(request, identity)
    reason = failure_reason(result)
    started = {} if result.started_at is None else {"ProcessingStartTime": result.started_at}
    return {
        "ProcessingJobName": spec.job_name,
        "ProcessingJobArn": spec.job_arn,
        "ProcessingJobStatus": _STATUS[result.end] if reason is None else "Failed",
        **({"FailureReason": reason} if reason is not None else {}),
        **({"ExitMessage": result.exit_message} if result.exit_message else {}),
        "CreationTime": result.created_at,
        **started,
        "ProcessingEndTime": result.ended_at,
        "LastModifiedTime": result.ended_at,
        "ProcessingInputs": request["ProcessingInputs"],
        "ProcessingOutputConfig": request["ProcessingOutputConfig"],
        "StoppingCondition": request["StoppingCondition"],
        **echoed(request, _ECHOED),
    }


def failure_reason(result: JobResult, limit: int = REASON_LIMIT) -> str | None:
    """The job's FailureReason, None unless it failed: at most `limit` characters.

    Follows: containers.md 1.8, service.md section 5.4.
    """
    if result.end is JobEnd.REFUSED:
        return f"ClientError: {create_refused(OPERATION, result.detail)}"[:limit]
    if result.end in PLATFORM_WORDS:
        return platform_reason(result, limit)
    if result.message_undecodable:
        return "ClientError: The file /opt/ml/output/message is not UTF-8."
    if result.end is not JobEnd.FAILED:
        return None
    if result.out_of_memory:  # UNVERIFIED: the service's text is not recorded. containers.md 7 no. 7
        return f"AlgorithmError: The container ran out of memory and was killed, exit code: {result.exit_code}"
    return f"AlgorithmError: {result.detail or 'See job logs for more information'}"[:limit]


def _with_defaults(request: JSON, identity: Identity) -> JSON:
    """The request with what the service fills in. Follows: containers.md 1.1, 1.6."""
    outputs = request.get("ProcessingOutputConfig", {"Outputs": []})
    return {
        "RoleArn": identity.role_arn,
        **request,
        "ProcessingInputs": [_input_with_defaults(entry) for entry in request.get("ProcessingInputs", [])],
        "ProcessingOutputConfig": {
            **outputs,
            "Outputs": [{"AppManaged": False, **entry} for entry in outputs["Outputs"]],
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": DEFAULT_MAX_RUNTIME_SECONDS, **request.get("StoppingCondition", {})},
    }


def _input_with_defaults(entry: JSON) -> JSON:
    defaults = {"S3InputMode": "File", "S3DataDistributionType": "FullyReplicated", "S3CompressionType": "None"}
    return {"AppManaged": False, **entry, "S3Input": {**defaults, **entry["S3Input"]}}


def _hosts(request: JSON, job_name: str, job_arn: str) -> tuple[HostSpec, ...]:
    directory = layout.PROCESSING_CONFIG_DIR
    config = layout.processing_job_config(request, job_name=job_name, job_arn=job_arn)
    return layout.hosts(
        instance_groups(request["ProcessingResources"]["ClusterConfig"]),
        directory,
        [layout.json_file(directory / "processingjobconfig.json", config)],
    )


def _channels(request: JSON, path: str) -> tuple[Channel, ...]:
    return tuple(
        _channel(entry["InputName"], entry["S3Input"], f"{path}.ProcessingInputs[{index}].S3Input.S3Uri")
        for index, entry in enumerate(request["ProcessingInputs"])
        if not entry["AppManaged"]
    )


def _channel(name: str, s3_input: JSON, path: str) -> Channel:
    return Channel(
        name=name,
        uri=S3Uri.parse(s3_input["S3Uri"]),
        container_dir=PurePosixPath(s3_input["LocalPath"]),
        mode=choice(InputMode, s3_input["S3InputMode"], "S3InputMode", OPERATION),
        data_type=choice(DataType, s3_input.get("S3DataType", DataType.S3_PREFIX.value), "S3DataType", OPERATION),
        sharded=s3_input["S3DataDistributionType"] == SHARDED,
        gunzip=s3_input["S3CompressionType"] == GZIP,
        path=path,
    )


def _outputs(request: JSON, path: str) -> tuple[OutputSpec, ...]:
    return tuple(
        OutputSpec(
            name=entry["OutputName"],
            container_dir=PurePosixPath(entry["S3Output"]["LocalPath"]),
            uri=S3Uri.parse(entry["S3Output"]["S3Uri"]),
            continuous=(continuous := entry["S3Output"].get("S3UploadMode") == _CONTINUOUS),
            published_on=ALWAYS if continuous else _PUBLISHED_ON,
            path=f"{path}.ProcessingOutputConfig.Outputs[{index}].S3Output.S3Uri",
        )
        for index, entry in enumerate(request["ProcessingOutputConfig"]["Outputs"])
        if not entry["AppManaged"]
    )


def _misplaced(request: JSON, member: str, path: str) -> list[Problem]:
    return [
        Problem(place, f"{text!r} is not below {_PROCESSING_DIR}.", "Choose a directory there.")
        for place, text in texts(request, member, path)
        if not is_below(text, _PROCESSING_DIR)
    ]


def _lacking_path(request: JSON, entries: str, structure: str, path: str) -> Iterator[Problem]:
    """Problems of inputs or outputs without a LocalPath; one that the container manages needs none."""
    for place, entry in members(request, entries, path):
        if isinstance(entry, dict) and not entry.get("AppManaged"):
            yield from lacking(entry, structure, "LocalPath", path=place)

"""Training jobs: `JobResult` → DescribeTrainingJob response."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from localpipe.core.jobspec import JobEnd
from localpipe.jobs.artifacts import MODEL_PUBLISHED_ON, model_artifacts
from localpipe.jobs.requests import PLATFORM_WORDS, REASON_LIMIT, echoed, platform_reason
from localpipe.jobs.training import with_defaults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from localpipe.core import JSON
    from localpipe.core.jobspec import JobResult, JobSpec
    from localpipe.core.names import Identity

_ECHOED = (
    *("HyperParameters", "RoleArn", "ResourceConfig", "VpcConfig", "Environment", "ExperimentConfig", "RetryStrategy"),
    "CheckpointConfig",
    *(
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "TensorBoardOutputConfig",
        "ProfilerConfig",
        "ProfilerRuleConfigurations",
    ),
    *("RemoteDebugConfig", "InfraCheckConfig", "MlflowConfig", "ModelPackageConfig"),
)

_STARTING = "Preparing the instances for training"
_INTERRUPTED = "Training job interrupted: its spot instances were taken back"

# TrainingJobStatus and SecondaryStatus. Follows: containers.md 2.11.
_STATUS: Mapping[JobEnd, tuple[str, str]] = {
    JobEnd.COMPLETED: ("Completed", "Completed"),
    JobEnd.FAILED: ("Failed", "Failed"),
    JobEnd.STOPPED: ("Stopped", "Stopped"),
    JobEnd.TIMED_OUT: ("Stopped", "MaxRuntimeExceeded"),
    JobEnd.WAITED_OUT: ("Stopped", "MaxWaitTimeExceeded"),
    JobEnd.REFUSED: ("Failed", "Failed"),
    JobEnd.LOST: ("Failed", "Failed"),
    JobEnd.CUT_OFF: ("Failed", "Failed"),
    JobEnd.UNPUBLISHED: ("Failed", "Failed"),
    JobEnd.UNPROVISIONED: ("Failed", "Failed"),
    JobEnd.INTERRUPTED: ("InProgress", "Interrupted"),
}


def describe_training_job(request: JSON, spec: JobSpec, result: JobResult, identity: Identity) -> JSON:
    """DescribeTrainingJob of a job that ended: the request with its defaults, and what came of it.

    Follows: containers.md 2.11, 2.13, 2.14.
    """
    request = with_defaults(request, identity)
    status, secondary_status = _STATUS[result.end]
    reason = failure_reason(result)
    return {
        "TrainingJobName": spec.job_name,
        "TrainingJobArn": spec.job_arn,
        "TrainingJobStatus": status,
        "SecondaryStatus": secondary_status,
        **({"FailureReason": reason} if reason is not None else {}),
        "ModelArtifacts": {"S3ModelArtifacts": model_artifacts(spec)},
        "AlgorithmSpecification": _described_algorithm(request, spec),
        "InputDataConfig": request["InputDataConfig"],
        "OutputDataConfig": request["OutputDataConfig"],
        "StoppingCondition": request["StoppingCondition"],
        "EnableNetworkIsolation": request["EnableNetworkIsolation"],
        "EnableInterContainerTrafficEncryption": request["EnableInterContainerTrafficEncryption"],
        "EnableManagedSpotTraining": request["EnableManagedSpotTraining"],
        **echoed(request, _ECHOED),
        **_warm_pool(request),
        "CreationTime": result.created_at,
        **_training_times(result),
        "LastModifiedTime": result.ended_at,
        "SecondaryStatusTransitions": _transitions(result, secondary_status, reason),
        "FinalMetricDataList": _final_metrics(result),
        "ProfilingStatus": _profiling_status(request),
        "DebugRuleEvaluationStatuses": [],
        "ProfilerRuleEvaluationStatuses": [],
    }


def failure_reason(result: JobResult, limit: int = REASON_LIMIT) -> str | None:
    """The job's FailureReason, None unless it failed: at most `limit` characters, of which the exit code is never cut.

    Follows: containers.md 2.11.
    """
    if result.end is JobEnd.REFUSED:
        return f"ClientError: {result.detail}"[:limit]
    if result.end in PLATFORM_WORDS:
        return platform_reason(result, limit)
    if result.end is not JobEnd.FAILED:
        return None
    exit_code = f", exit code: {result.exit_code}"
    return f"AlgorithmError: {_failure_text(result)}"[: limit - len(exit_code)] + exit_code


def _failure_text(result: JobResult) -> str:
    if result.failure:
        return result.failure
    if result.out_of_memory:  # UNVERIFIED: the service's text is not recorded. containers.md 7 no. 7
        return "The container ran out of memory and was killed"
    return result.detail.removesuffix(".")


def _described_algorithm(request: JSON, spec: JobSpec) -> JSON:
    metrics = [{"Name": metric.name, "Regex": metric.regex} for metric in spec.metrics]
    return {
        "EnableSageMakerMetricsTimeSeries": False,
        **request["AlgorithmSpecification"],
        **({"MetricDefinitions": metrics} if metrics else {}),
    }


def _training_times(result: JobResult) -> dict[str, JSON]:
    """Start, end and whole seconds (at least one) of a job that started; nothing of one that did not.

    Only the time of its runs is billed, not that between them. Assumed for spot jobs that were interrupted.
    """
    if result.started_at is None:
        return {"TrainingEndTime": result.ended_at}
    return {
        "TrainingStartTime": result.started_at,
        "TrainingEndTime": result.ended_at,
        "TrainingTimeInSeconds": _whole_seconds(result.ended_at - result.started_at),
        "BillableTimeInSeconds": _whole_seconds(sum(end - begin for begin, end in _runs(result))),
    }


def _whole_seconds(seconds: float) -> int:
    return max(1, math.ceil(seconds))


def _runs(result: JobResult) -> Iterator[tuple[float, float]]:
    """Begin and end of each run of the containers; none of a job that did not start."""
    if result.started_at is not None:
        begins = (result.started_at, *(restart.at for restart in result.restarts))
        ends = (*(restart.ended_at for restart in result.restarts), result.ended_at)
        yield from zip(begins, ends, strict=True)


def _warm_pool(request: JSON) -> dict[str, JSON]:
    """WarmPoolStatus where a warm pool is asked for: none is kept. Follows: containers.md 2.14."""
    wanted = request["ResourceConfig"].get("KeepAlivePeriodInSeconds")
    return {"WarmPoolStatus": {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 0}} if wanted else {}


def _transitions(result: JobResult, last: str, reason: str | None) -> list[JSON]:
    """SecondaryStatusTransitions; inputs are made ready before the container starts. Follows: containers.md 2.11."""
    messages = {
        "Completed": "Training job completed",
        "Stopped": "Training job stopped",
        "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
        "MaxWaitTimeExceeded": "Training job wait time exceeded MaxWaitTimeInSeconds provided",
        "Failed": reason or "",
        "Interrupted": _INTERRUPTED,
    }
    created, ended = result.created_at, result.ended_at
    began = ended if result.started_at is None else result.started_at
    uploads = result.started_at is not None and result.end in MODEL_PUBLISHED_ON
    rows = [
        ("Starting", created, created, _STARTING),
        *([("Downloading", created, began, "Downloading input data")] if result.end is not JobEnd.UNPROVISIONED else []),
        *_run_transitions(result),
        *([("Stopping", ended, ended, "Stopping the training job")] if result.end is JobEnd.STOPPED else []),
        *([("Uploading", ended, ended, "Uploading generated training model")] if uploads else []),
        (last, ended, ended, messages[last]),
    ]
    return [
        {"Status": status, "StartTime": start, "EndTime": end, "StatusMessage": message}
        for status, start, end, message in rows
    ]


def _run_transitions(result: JobResult) -> Iterator[tuple[str, float, float, str]]:
    """Each run of the containers; one that follows an internal fault begins with Starting. Follows: containers.md 2.11."""
    for restart, (begin, end) in zip((None, *result.restarts), _runs(result), strict=False):
        if restart and restart.interrupted:
            yield "Interrupted", restart.ended_at, begin, _INTERRUPTED
            yield "Restarting", begin, begin, _STARTING
        elif restart:
            yield "Starting", begin, begin, _STARTING
        yield "Training", begin, end, "Training image download completed. Training in progress."


def _final_metrics(result: JobResult) -> list[JSON]:
    """FinalMetricDataList. Follows: containers.md 2.13."""
    return [{"MetricName": metric.name, "Value": metric.value, "Timestamp": metric.at} for metric in result.metrics]


def _profiling_status(request: JSON) -> str:
    """Whether a profiler is configured; none runs here. Follows: containers.md 2.14."""
    config = request.get("ProfilerConfig")
    return "Disabled" if config is None or config.get("DisableProfiler", False) else "Enabled"

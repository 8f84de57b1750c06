"""Transform jobs: `JobResult` → DescribeTransformJob response."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.jobspec import JobEnd
from localpipe.jobs.requests import PLATFORM_WORDS, REASON_LIMIT, echoed, platform_reason

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.core.jobspec import JobResult
    from localpipe.core.transform import TransformSpec

_ECHOED = (
    *("ModelName", "MaxConcurrentTransforms", "ModelClientConfig", "MaxPayloadInMB", "BatchStrategy", "Environment"),
    *("DataCaptureConfig", "TransformResources", "ExperimentConfig"),
)
_STATUS = {JobEnd.COMPLETED: "Completed", JobEnd.STOPPED: "Stopped"}


def describe_transform_job(request: JSON, spec: TransformSpec, result: JobResult) -> JSON:
    """DescribeTransformJob of a job that ended: the request with its defaults, and what came of it.

    Follows: containers.md 3.3.
    """
    reason = failure_reason(result)
    started = {} if result.started_at is None else {"TransformStartTime": result.started_at}
    return {
        "TransformJobName": spec.job_name,
        "TransformJobArn": spec.job_arn,
        "TransformJobStatus": _STATUS.get(result.end, "Failed"),
        **({"FailureReason": reason} if reason is not None else {}),
        **echoed(request, _ECHOED),
        "TransformInput": {"CompressionType": "None", "SplitType": "None", **request["TransformInput"]},
        "TransformOutput": {"AssembleWith": "None", "KmsKeyId": "", **request["TransformOutput"]},
        "DataProcessing": {
            "InputFilter": "$",
            "OutputFilter": "$",
            "JoinSource": "None",
            **request.get("DataProcessing", {}),
        },
        "CreationTime": result.created_at,
        **started,
        "TransformEndTime": result.ended_at,
    }


def failure_reason(result: JobResult, limit: int = REASON_LIMIT) -> str | None:
    """The job's FailureReason, None unless it failed: at most `limit` characters."""
    if result.end is JobEnd.REFUSED:
        return f"ClientError: {result.detail}"[:limit]
    if result.end in PLATFORM_WORDS:
        return platform_reason(result, limit)
    return result.detail[:limit] if result.end is JobEnd.FAILED else None

"""Transform jobs: CreateTransformJob request → `TransformSpec`. Follows: containers.md section 3."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from localpipe.core.jobspec import Channel, DataType
from localpipe.core.names import S3Uri
from localpipe.core.transform import BatchStrategy, DataProcessing, SplitType, TransformSpec
from localpipe.errors import Problem
from localpipe.jobs.channels import GZIP, choice
from localpipe.jobs.members import bad_uris, lacking, members, texts
from localpipe.jobs.requests import require_none
from localpipe.jobs.unsupported import TRANSFORM, refused
from localpipe.transform.forms import FORM_NAMES, form_of
from localpipe.transform.json_paths import parse_json_path
from localpipe.transform.tunables import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpipe.core import JSON
    from localpipe.core.names import Identity

OPERATION = "CreateTransformJob"
_SOURCE = "TransformInput.DataSource.S3DataSource"
_FILTERS = ("DataProcessing.InputFilter", "DataProcessing.OutputFilter")
_LARGEST_PAYLOAD_MB = 100
_CLIENT_DEFAULTS = {"InvocationsTimeoutInSeconds": 600, "InvocationsMaxRetries": 3}


def transform_problems(request: JSON, path: str) -> list[Problem]:
    """What the service or localpipe refuses in a request beyond its shape; expressions in it are passed over.

    Follows: containers.md 3.3, 3.7.
    """
    return [
        *refused(request, TRANSFORM, path),
        *lacking(request, "TransformInput.DataSource", "S3DataSource", path=path),
        *bad_uris(request, f"{_SOURCE}.S3Uri", path),
        *bad_uris(request, "TransformOutput.S3OutputPath", path),
        *_payload_problems(request, path),
        *_filter_problems(request, path),
        *_form_problems(request, path),
        *_join_problems(request, path),
    ]


def transform_spec(request: JSON, *, job_name: str, identity: Identity, path: str = "$") -> TransformSpec:
    """The job that a request with all values resolved asks for. `path` is the JSON path of the request.

    Raises JobFailed for what `transform_problems` finds.
    """
    require_none(transform_problems(request, path), OPERATION)
    source, output = request["TransformInput"], request["TransformOutput"]
    strategy = request.get("BatchStrategy")
    client, processing = {**_CLIENT_DEFAULTS, **request.get("ModelClientConfig", {})}, request.get("DataProcessing", {})
    job_arn = identity.arn("transform-job", job_name)
    return TransformSpec(
        model_name=request["ModelName"],
        source=_source(source, path),
        split=choice(SplitType, source.get("SplitType", "None"), "SplitType", OPERATION),
        content_type=source.get("ContentType", ""),
        output=S3Uri.parse(output["S3OutputPath"]),
        accept=output.get("Accept", ""),
        assembles_lines=output.get("AssembleWith") == SplitType.LINE.value,
        strategy=None if strategy is None else choice(BatchStrategy, strategy, "BatchStrategy", OPERATION),
        max_concurrent=request.get("MaxConcurrentTransforms") or None,
        max_payload_mb=request.get("MaxPayloadInMB"),
        timeout_seconds=client["InvocationsTimeoutInSeconds"],
        max_retries=client["InvocationsMaxRetries"],
        processing=DataProcessing(
            input_filter=processing.get("InputFilter", "$"),
            output_filter=processing.get("OutputFilter", "$"),
            joins_input=processing.get("JoinSource") == "Input",
        ),
        environment={**request.get("Environment", {}), **_environment(request, job_arn)},
        instance_type=request["TransformResources"]["InstanceType"],
        job_name=job_name,
        job_arn=job_arn,
        path=path,
    )


def _source(source: JSON, path: str) -> Channel:
    s3_source = source["DataSource"]["S3DataSource"]
    return Channel(
        name="TransformInput",
        uri=S3Uri.parse(s3_source["S3Uri"]),
        container_dir=PurePosixPath("/"),  # its objects are sent, not mounted
        data_type=choice(DataType, s3_source["S3DataType"], "S3DataType", OPERATION),
        gunzip=source.get("CompressionType") == GZIP,
        path=f"{path}.{_SOURCE}.S3Uri",
    )


def _environment(request: JSON, job_arn: str) -> dict[str, str]:
    """What the service sets, of the tunables only those that the request gives.

    UNVERIFIED: TRANSFORM_JOB_ARN. Follows: containers.md 3.4.
    """
    given = {
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": request.get("MaxPayloadInMB"),
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": request.get("MaxConcurrentTransforms"),
        "SAGEMAKER_BATCH_STRATEGY": {strategy.value: word for strategy, word in WORDS.items()}.get(
            request.get("BatchStrategy", "")
        ),
    }
    set_here = {name: str(value) for name, value in given.items() if value is not None}
    return {"SAGEMAKER_BATCH": "true", "TRANSFORM_JOB_ARN": job_arn, **set_here}


def _payload_problems(request: JSON, path: str) -> Iterator[Problem]:
    sizes = [(place, value) for place, value in members(request, "MaxPayloadInMB", path) if isinstance(value, int)]
    counts = [value for _, value in members(request, "MaxConcurrentTransforms", path) if isinstance(value, int)]
    for place, size in sizes:
        if size > _LARGEST_PAYLOAD_MB:
            yield Problem(place, f"{size} is more than {_LARGEST_PAYLOAD_MB}.")
        elif any(size * count > _LARGEST_PAYLOAD_MB for count in counts):
            message = f"MaxConcurrentTransforms ({counts[0]}) times MaxPayloadInMB ({size}) is more than "
            yield Problem(place, f"{message}{_LARGEST_PAYLOAD_MB}.", "Lower one of them.")


def _filter_problems(request: JSON, path: str) -> Iterator[Problem]:
    for member in _FILTERS:
        for place, text in texts(request, member, path):
            if fault := _path_fault(text):
                yield Problem(place, f"It is no JSONPath that a filter may have: {fault}")


def _path_fault(text: str) -> str:
    try:
        parse_json_path(text)
    except ValueError as error:
        return str(error)
    return ""


def _form_problems(request: JSON, path: str) -> Iterator[Problem]:
    """Filters and joins take CSV and JSON only. An absent Accept leaves it to the model."""
    changes = [place for place, text in texts(request, "DataProcessing.InputFilter", path) if text != "$"]
    joins = [place for place, text in texts(request, "DataProcessing.JoinSource", path) if text == "Input"]
    results = [place for place, text in texts(request, "DataProcessing.OutputFilter", path) if text != "$"]
    content_type = next((value for _, value in members(request, "TransformInput.ContentType", path)), "")
    accept = next((value for _, value in members(request, "TransformOutput.Accept", path)), FORM_NAMES.split(",")[0])
    for places, value, needed in ((changes + joins, content_type, "a ContentType"), (results + joins, accept, "an Accept")):
        if places and isinstance(value, str) and form_of(value) is None:
            member, found = places[0].rpartition(".")[2], f"it is {value!r}" if value else "there is none"
            yield Problem(places[0], f"{member} needs {needed} of {FORM_NAMES}; {found}.")


def _join_problems(request: JSON, path: str) -> Iterator[Problem]:
    """A join pairs lines with lines or one document with one."""
    splits = [value for _, value in members(request, "TransformInput.SplitType", path)] or ["None"]
    assemblies = [value for _, value in members(request, "TransformOutput.AssembleWith", path)] or ["None"]
    for place, text in texts(request, "DataProcessing.JoinSource", path):
        both = {value for value in (splits[0], assemblies[0]) if isinstance(value, str)}
        if text == "Input" and not (both <= {"Line"} or both <= {"None"}):
            message = f"SplitType ({splits[0]}) and AssembleWith ({assemblies[0]}) must both be Line or both be None."
            yield Problem(place, message)

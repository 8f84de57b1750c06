"""A batch transform job as a value. Follows: containers.md section 3."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core.jobspec import Channel
    from localpipe.core.names import S3Uri

SERVING_PORT = 8080
"""Where a serving container listens. Follows: containers.md 3.1."""


class SplitType(str, Enum):
    """How an input object is split into records."""

    NONE = "None"
    LINE = "Line"
    RECORD_IO = "RecordIO"
    TF_RECORD = "TFRecord"


class BatchStrategy(str, Enum):
    """How many records one request holds."""

    SINGLE_RECORD = "SingleRecord"
    MULTI_RECORD = "MultiRecord"


@dataclass(frozen=True, kw_only=True)
class DataProcessing:
    """What is done around the model: JSONPath texts of the filters, `$` for all; whether outputs are joined to inputs."""

    input_filter: str = "$"
    output_filter: str = "$"
    joins_input: bool = False


@dataclass(frozen=True, kw_only=True)
class TransformSpec:
    """What a CreateTransformJob request asks for, in localpipe's words.

    `source`: the objects to be transformed. `content_type`, `accept`: "" sends no such header. `strategy`, `max_concurrent`,
    `max_payload_mb` (0: no limit) are None where the request leaves them to the model's container. `environment`: what the
    containers get besides their own. `path`: the JSON path of the request.
    """

    model_name: str
    source: Channel
    split: SplitType
    content_type: str
    output: S3Uri
    accept: str
    assembles_lines: bool
    strategy: BatchStrategy | None
    max_concurrent: int | None
    max_payload_mb: int | None
    timeout_seconds: int
    max_retries: int
    processing: DataProcessing
    environment: Mapping[str, str]
    instance_type: str
    job_name: str = field(compare=False)
    job_arn: str = field(compare=False)
    path: str = field(default="$", compare=False)

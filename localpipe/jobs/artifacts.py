"""What a training job brings to S3: its model, its output data, its checkpoints. Follows: containers.md 2.12."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from localpipe.core.container_paths import lies_in, path_fault
from localpipe.core.jobspec import JobEnd, OutputForm, OutputSpec
from localpipe.core.names import S3Uri
from localpipe.errors import Problem
from localpipe.jobs.layout import TRAINING_CONFIG_DIR, TRAINING_DATA_DIR
from localpipe.jobs.members import texts
from localpipe.jobs.requests import ALWAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpipe.core import JSON
    from localpipe.core.jobspec import JobSpec

MODEL_DIR = PurePosixPath("/opt/ml/model")
OUTPUT_DIR = PurePosixPath("/opt/ml/output")
CHECKPOINT_DIR = "/opt/ml/checkpoints"
_MODEL = "model"

MODEL_PUBLISHED_ON = frozenset({JobEnd.COMPLETED, JobEnd.STOPPED, JobEnd.TIMED_OUT, JobEnd.WAITED_OUT})
# UNVERIFIED: that a failed job's /opt/ml/output/data is uploaded and its model is not. containers.md 2.11, 2.12.
_DATA_PUBLISHED_ON = MODEL_PUBLISHED_ON | {JobEnd.FAILED, JobEnd.CUT_OFF}
# UNVERIFIED: whether the service takes checkpoints there; containers.md 2.12 has no rule.
_NO_PLACE_FOR_CHECKPOINTS = (TRAINING_CONFIG_DIR, TRAINING_DATA_DIR, MODEL_DIR, OUTPUT_DIR)


def checkpoint_problems(request: JSON, path: str) -> Iterator[Problem]:
    """What is refused of the directory of the checkpoints: what lies there is copied to S3 and removed there as it changes,
    so it must hold nothing else.
    """
    for place, text in texts(request, "CheckpointConfig.LocalPath", path):
        directory = PurePosixPath(text)
        if fault := path_fault(directory):
            yield Problem(place, f"'{text}' {fault}.", f"Name a directory like {CHECKPOINT_DIR}.")
        elif taken := next((other for other in _NO_PLACE_FOR_CHECKPOINTS if _overlap(directory, other)), None):
            message = (
                f"Checkpoints in {str(directory)!r} would mix with what the job has in {taken}, which is not supported."
            )
            yield Problem(place, message, f"Name a directory of their own, like {CHECKPOINT_DIR}.", unsupported=True)


def _overlap(one: PurePosixPath, other: PurePosixPath) -> bool:
    return lies_in(one, other) or lies_in(other, one)


def training_outputs(request: JSON, job_name: str, path: str) -> tuple[OutputSpec, ...]:
    """The outputs of a request with its defaults. `path` is the JSON path of the request."""
    place = f"{path}.OutputDataConfig.S3OutputPath"
    directory = S3Uri.parse(request["OutputDataConfig"]["S3OutputPath"]).child(job_name, "output")
    plain = request["OutputDataConfig"]["CompressionType"] == "NONE"
    model = OutputSpec(
        name=_MODEL,
        container_dir=MODEL_DIR,
        uri=directory.child("model", "") if plain else directory.child("model.tar.gz"),
        form=OutputForm.TREE if plain else OutputForm.TAR_GZ,
        published_on=MODEL_PUBLISHED_ON,
        even_if_empty=not plain,
        path=place,
    )
    data = OutputSpec(
        name="output",
        container_dir=OUTPUT_DIR / "data",
        uri=directory.child("output.tar.gz"),
        form=OutputForm.TAR_GZ,
        published_on=_DATA_PUBLISHED_ON,
        path=place,
    )
    return (model, data, *_checkpoints(request, path))


def _checkpoints(request: JSON, path: str) -> tuple[OutputSpec, ...]:
    """The checkpoints, under the very prefix that is given: the next job goes on from there."""
    config = request.get("CheckpointConfig")
    if not config:
        return ()
    return (
        OutputSpec(
            name="checkpoints",
            container_dir=PurePosixPath(config["LocalPath"]),
            uri=S3Uri.parse(config["S3Uri"]),
            published_on=ALWAYS,
            continuous=True,
            mirrored=True,
            path=f"{path}.CheckpointConfig.S3Uri",
        ),
    )


def model_artifacts(spec: JobSpec) -> str:
    """S3ModelArtifacts: the archive, or the prefix of an uncompressed model."""
    return next(str(output.uri) for output in spec.outputs if output.name == _MODEL)

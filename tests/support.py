"""Small definitions that tests share."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from localpipe.core.room import Room
from localpipe.engine.slots import Slots

if TYPE_CHECKING:
    from localpipe.core import JSON

Found = TypeVar("Found")

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
ROLE = "arn:aws:iam::111122223333:role/test"
PROCESSING = "/opt/ml/processing"


def processing(name: str, *, inputs: dict[str, JSON] | None = None, outputs: tuple[str, ...] = (), **more: JSON) -> JSON:
    """A Processing step; `inputs`: name → S3 URI or expression, `outputs`: names."""
    arguments = {
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["python3", "-c", "pass"]},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}},
        "RoleArn": ROLE,
        "ProcessingInputs": [
            {
                "InputName": key,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"{PROCESSING}/{key}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for key, uri in (inputs or {}).items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": key,
                    "S3Output": {
                        "S3Uri": f"s3://bucket/{name}/{key}",
                        "LocalPath": f"{PROCESSING}/{key}",
                        "S3UploadMode": "EndOfJob",
                    },
                }
                for key in outputs
            ]
        },
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **more}


def output_of(step: str, output: str) -> JSON:
    return {"Get": f"Steps.{step}.ProcessingOutputConfig.Outputs['{output}'].S3Output.S3Uri"}


def pipeline(*steps: JSON, parameters: tuple[JSON, ...] = ()) -> JSON:
    return {"Version": "2020-12-01", "Metadata": {}, "Parameters": list(parameters), "Steps": list(steps)}


def places(count: int) -> Slots:
    """So many places for jobs, shared with nobody."""
    return Slots(Room(jobs=count), Path(os.environ["XDG_RUNTIME_DIR"]) / uuid.uuid4().hex, "e" * 12)


def until(wanted: Callable[[], Found], what: str, *, seconds: float = 20) -> Found:
    """What it gives, as soon as that is true; `what` is what has not come to be when the time is up."""
    deadline = time.monotonic() + seconds
    while not (found := wanted()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s, but {found!r}")
        time.sleep(0.02)
    return found


def has_ended(pid: int) -> bool:
    """Whether a process is no more, or is a zombie: one that is no child of ours may be that for a moment."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return True

"""Tuning steps that tests share, and what their training jobs do on the scripted runner."""

from __future__ import annotations

import json
import venv
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from support import ROLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from localpipe.core import JSON
    from localpipe.runners.scripted import Behaviour, ScriptedContainer

METRICS = [{"Name": "loss", "Regex": "loss=([-0-9.e]+)"}]
OWN_IMAGE = "111122223333.dkr.ecr.us-east-1.amazonaws.com/own:1"
"""An image that has no stand-in."""

HYPERPARAMETERS = PurePosixPath("/opt/ml/input/config/hyperparameters.json")


def integer(name: str, low: str, high: str, **more: str) -> JSON:
    return {"Name": name, "MinValue": low, "MaxValue": high, **more}


continuous = integer


def categorical(name: str, *values: str) -> JSON:
    return {"Name": name, "Values": list(values)}


def ranges(*, integers: JSON = (), continuous: JSON = (), categories: JSON = ()) -> JSON:
    return {
        "IntegerParameterRanges": list(integers),
        "ContinuousParameterRanges": list(continuous),
        "CategoricalParameterRanges": list(categories),
    }


def training_definition(image: str = "train:1", **more: JSON) -> JSON:
    return {
        "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File", "MetricDefinitions": METRICS},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30},
        "RoleArn": ROLE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "StaticHyperParameters": {},
        **more,
    }


X = ranges(continuous=[continuous("x", "0", "1")])


def tuning_request(
    *, strategy: str = "Random", jobs: int | None = 4, parallel: int = 1, ranges: JSON = X, config: JSON = None, **more: JSON
) -> JSON:
    """A CreateHyperParameterTuningJob request that minimizes `loss`."""
    limits = {"MaxParallelTrainingJobs": parallel, **({} if jobs is None else {"MaxNumberOfTrainingJobs": jobs})}
    return {
        "HyperParameterTuningJobConfig": {
            "Strategy": strategy,
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": limits,
            "ParameterRanges": ranges,
            "RandomSeed": 7,
            **(config or {}),
        },
        "TrainingJobDefinition": training_definition(),
        **more,
    }


def tuning(name: str, **more: JSON) -> JSON:
    """A Tuning step; `more` as of `tuning_request`."""
    return {"Name": name, "Type": "Tuning", "Arguments": tuning_request(**more)}


def training_python(directory: Path, train: str) -> None:
    """A Python that jobs of any image have on the process runner, with this `train`; commands in the directory know it."""
    place = directory / "python"
    venv.create(place, symlinks=True)
    program = place / "bin" / "train"
    program.write_text(f"#!/usr/bin/env python3\n{train}")
    program.chmod(0o755)
    (directory / "localpipe.toml").write_text(f'unknown_image_python = "{place}/bin/python"\n')


def hyperparameters(container: ScriptedContainer) -> Mapping[str, str]:
    found: Mapping[str, str] = json.loads(container.path(HYPERPARAMETERS).read_text())
    return found


def logs_loss(loss: Callable[[Mapping[str, str]], float]) -> Behaviour:
    """A training job that logs its loss and writes its parameters as its model."""

    def train(container: ScriptedContainer) -> int:
        given = hyperparameters(container)
        container.write(PurePosixPath("/opt/ml/model/parameters.json"), json.dumps(given))
        container.log(f"loss={loss(given)}")
        return 0

    return train

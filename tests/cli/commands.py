"""What the tests of the command line share: how a command ended, and definitions whose steps need no runner."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from localpipe.core import JSON


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> JSON:
        """Standard output, which must be one JSON document."""
        return json.loads(self.out)


class Cli(Protocol):
    def __call__(self, *arguments: str) -> Ended: ...


class Spawn(Protocol):
    def __call__(self, *arguments: str, **environment: str) -> subprocess.Popen[str]: ...


Write = Callable[..., str]


def decision(*, if_steps: tuple[JSON, ...] = (), else_steps: tuple[JSON, ...] = ()) -> JSON:
    """A pipeline of steps that need no runner: `Threshold` above 1 takes IfSteps."""
    return {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": [
            {"Name": "Threshold", "Type": "Float", "DefaultValue": 0.5},
            {"Name": "Mode", "Type": "String", "DefaultValue": "a", "EnumValues": ["a", "b"]},
        ],
        "Steps": [
            {
                "Name": "Check",
                "Type": "Condition",
                "Arguments": {
                    "Conditions": [{"Type": "GreaterThan", "LeftValue": {"Get": "Parameters.Threshold"}, "RightValue": 1.0}],
                    "IfSteps": [fail("TooHigh", "the threshold is too high"), *if_steps],
                    "ElseSteps": list(else_steps),
                },
            }
        ],
    }


def fail(name: str, message: str) -> JSON:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}}


def model(name: str, **more: JSON) -> JSON:
    container = {
        "Image": "763104351884.dkr.ecr.us-east-1.amazonaws.com/xgboost:1",
        "ModelDataUrl": "s3://bucket/model.tar.gz",
    }
    arguments = {"ExecutionRoleArn": "arn:aws:iam::111122223333:role/test", "PrimaryContainer": container}
    return {"Name": name, "Type": "Model", "Arguments": arguments, **more}

"""A scenario as a pipeline definition, as the SDK would write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from scenarios import CODE_DIR, DATA, MODEL, PROCESSING, Gate, Processing, Scenario, Training

if TYPE_CHECKING:
    from localpipe.core import JSON

BUCKET = "bench"
ROLE = "arn:aws:iam::111122223333:role/bench"
_INSTANCE = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}


def definition(scenario: Scenario) -> JSON:
    """Its inputs are expected at s3://bench/data and its scripts at s3://bench/code; outputs go below the execution's id."""
    trainings = {step.name for step in scenario.steps if isinstance(step, Training)}
    steps = {step.name: _step(step, trainings) for step in scenario.steps}
    if gate := scenario.gate:
        last = [steps.pop(step.name) for step in scenario.stages[-1]]
        steps[gate.step]["PropertyFiles"] = [
            {"PropertyFileName": gate.output, "OutputName": gate.output, "FilePath": gate.file}
        ]
        steps["Gate"] = _condition(gate, last)
    return {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": list(steps.values())}


def _step(step: Processing | Training, trainings: set[str]) -> JSON:
    inputs = {name: _source(source, trainings) for name, source in step.inputs.items()}
    if isinstance(step, Training):
        return {"Name": step.name, "Type": "Training", "Arguments": _training(step, inputs)}
    return {"Name": step.name, "Type": "Processing", "Arguments": _processing(step, inputs)}


def _source(source: str, trainings: set[str]) -> JSON:
    step, _, output = source.partition("/")
    if source == DATA:
        return f"s3://{BUCKET}/{DATA}"
    if step in trainings:
        return {"Get": f"Steps.{step}.ModelArtifacts.S3ModelArtifacts"}
    return {"Get": f"Steps.{step}.ProcessingOutputConfig.Outputs['{output}'].S3Output.S3Uri"}


def _processing(step: Processing, inputs: Mapping[str, JSON]) -> JSON:
    script = step.script.name
    return {
        "RoleArn": ROLE,
        "ProcessingResources": {"ClusterConfig": _INSTANCE},
        "AppSpecification": {
            "ImageUri": step.image.uri,
            "ContainerEntrypoint": ["python3", f"{CODE_DIR}/{script}"],
            **({"ContainerArguments": list(step.arguments)} if step.arguments else {}),
        },
        "ProcessingInputs": [
            *(_input(name, uri, f"{PROCESSING}/{name}") for name, uri in inputs.items()),
            _input("code", f"s3://{BUCKET}/code/{script}", CODE_DIR),
        ],
        "ProcessingOutputConfig": {"Outputs": [_output(step.name, name) for name in step.outputs]},
    }


def _input(name: str, uri: JSON, local_path: str) -> JSON:
    channel = {"S3Uri": uri, "LocalPath": local_path, "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": channel}


def _output(step: str, name: str) -> JSON:
    parts = [f"s3://{BUCKET}", {"Get": "Execution.PipelineExecutionId"}, step, "output", name]
    uri = {"Std:Join": {"On": "/", "Values": parts}}
    return {
        "OutputName": name,
        "S3Output": {"S3Uri": uri, "LocalPath": f"{PROCESSING}/{name}", "S3UploadMode": "EndOfJob"},
    }


def _training(step: Training, inputs: Mapping[str, JSON]) -> JSON:
    return {
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": step.image.uri},
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/{MODEL}"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "ResourceConfig": _INSTANCE,
        "InputDataConfig": [
            {
                "ChannelName": name,
                "ContentType": "text/csv",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
            }
            for name, uri in inputs.items()
        ],
        "HyperParameters": dict(step.hyperparameters),
    }


def _condition(gate: Gate, then: list[JSON]) -> JSON:
    value = {"PropertyFile": {"Get": f"Steps.{gate.step}.PropertyFiles.{gate.output}"}, "Path": gate.json_path}
    return {
        "Name": "Gate",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [{"Type": "LessThanOrEqualTo", "LeftValue": {"Std:JsonGet": value}, "RightValue": gate.limit}],
            "IfSteps": then,
            "ElseSteps": [],
        },
    }

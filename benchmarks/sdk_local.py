"""One run of a scenario by the SageMaker SDK's own local mode. Run by a Python that has `sagemaker` 2, by `compare.py`.

usage: sdk_local.py SCENARIO S3_URL DIRECTORY      prints one line of JSON: seconds (of `Pipeline.start`), peak_bytes
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import time
from pathlib import Path

import boto3
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.telemetry import telemetry_logging
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionLessThanOrEqualTo
from sagemaker.workflow.functions import JsonGet
from sagemaker.workflow.parameters import ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import LocalPipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import ProcessingStep, TrainingStep
from scenarios import DATA, MODEL, PROCESSING, SCENARIOS, Processing, Scenario, Training

BUCKET, REGION, ROLE = "bench", "us-east-1", "arn:aws:iam::111122223333:role/bench"


class Compiler:
    """A scenario as the SDK's objects, `data` being in a directory. Mutable: keeps the steps that it has made."""

    def __init__(self, scenario: Scenario, session: LocalPipelineSession, directory: Path) -> None:
        self._scenario, self._session, self._directory = scenario, session, directory
        self._made: dict[str, ProcessingStep | TrainingStep] = {}
        self._parameters: list[ParameterString] = []

    def pipeline(self) -> Pipeline:
        steps = [self._step(step) for step in self._scenario.steps]
        if self._scenario.gate:
            last = len(self._scenario.stages[-1])
            steps = [*steps[:-last], self._condition(steps[-last:])]
        return Pipeline(name="bench", steps=steps, parameters=self._parameters, sagemaker_session=self._session)

    def _step(self, step: Processing | Training) -> ProcessingStep | TrainingStep:
        made = self._train(step) if isinstance(step, Training) else self._process(step)
        self._made[step.name] = made
        return made

    def _process(self, step: Processing) -> ProcessingStep:
        gate = self._scenario.gate
        processor = ScriptProcessor(
            image_uri=step.image.local,
            command=["python3"],
            instance_type="local",
            instance_count=1,
            role=ROLE,
            sagemaker_session=self._session,
        )
        arguments = processor.run(
            code=str(step.script),
            inputs=[
                ProcessingInput(source=self._source(source), destination=f"{PROCESSING}/{name}", input_name=name)
                for name, source in step.inputs.items()
            ],
            outputs=[
                ProcessingOutput(
                    output_name=name, source=f"{PROCESSING}/{name}", destination=self._destination(step.name, name)
                )
                for name in step.outputs
            ],
            arguments=list(step.arguments) or None,
        )
        files = [self._property_file()] if gate and gate.step == step.name else None
        return ProcessingStep(name=step.name, step_args=arguments, property_files=files)

    def _train(self, step: Training) -> TrainingStep:
        estimator = Estimator(
            image_uri=step.image.local,
            instance_type="local",
            instance_count=1,
            role=ROLE,
            hyperparameters=dict(step.hyperparameters),
            output_path=f"s3://{BUCKET}/{MODEL}",
            sagemaker_session=self._session,
        )
        inputs = {name: TrainingInput(self._source(uri), content_type="text/csv") for name, uri in step.inputs.items()}
        return TrainingStep(name=step.name, step_args=estimator.fit(inputs))

    def _source(self, source: str) -> object:
        if source == DATA:
            data = self._directory / DATA
            return self._by_path(data) if self._scenario.sdk_by_path else str(data)
        step, _, output = source.partition("/")
        properties = self._made[step].properties
        if output == MODEL:
            return properties.ModelArtifacts.S3ModelArtifacts
        return properties.ProcessingOutputConfig.Outputs[output].S3Output.S3Uri

    def _destination(self, step: str, output: str) -> ParameterString | None:
        """None: in S3."""
        if not self._scenario.sdk_by_path:
            return None
        directory = self._directory / "outputs" / step / output
        directory.mkdir(parents=True)
        return self._by_path(directory)

    def _by_path(self, directory: Path) -> ParameterString:
        """A parameter: in place of the `file://` itself the SDK writes an S3 address."""
        parameter = ParameterString(name=f"Path{len(self._parameters)}", default_value=f"file://{directory}")
        self._parameters.append(parameter)
        return parameter

    def _property_file(self) -> PropertyFile:
        gate = self._scenario.gate
        return PropertyFile(name=gate.output, output_name=gate.output, path=gate.file)

    def _condition(self, then: list[ProcessingStep | TrainingStep]) -> ConditionStep:
        gate = self._scenario.gate
        value = JsonGet(step_name=gate.step, property_file=self._property_file(), json_path=gate.json_path)
        condition = ConditionLessThanOrEqualTo(left=value, right=gate.limit)
        return ConditionStep(name="Gate", conditions=[condition], if_steps=then, else_steps=[])


def main() -> None:
    key, s3_url, directory = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    scenario = SCENARIOS[key]
    data = directory / DATA
    data.mkdir()
    scenario.fill(data)
    telemetry_logging._send_telemetry_request = lambda *args, **kwargs: None  # noqa: SLF001 - it has no switch of its own
    pipeline = Compiler(scenario, _session(s3_url, directory), directory).pipeline()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        pipeline.create(ROLE)  # compiles; uploads scripts and data
        os.sync()
        started = time.perf_counter()
        execution = pipeline.start()  # runs every step
        seconds = time.perf_counter() - started
    status = execution.describe()["PipelineExecutionStatus"]
    if status != "Succeeded":
        sys.exit(said.getvalue())
    peak = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    print(json.dumps({"seconds": seconds, "peak_bytes": int(peak[1]) * 1024}))


def _session(s3_url: str, directory: Path) -> LocalPipelineSession:
    boto_session = boto3.Session(region_name=REGION)
    boto_session.client("s3", endpoint_url=s3_url).create_bucket(Bucket=BUCKET)
    session = LocalPipelineSession(boto_session=boto_session, default_bucket=BUCKET, s3_endpoint_url=s3_url)
    (directory / "containers").mkdir()
    session.config = {"local": {"local_code": False, "container_root": str(directory / "containers")}}
    return session


if __name__ == "__main__":
    main()

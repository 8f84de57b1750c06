# ruff: noqa: ANN201, PTH118, PTH120
"""A module-level pipeline of SDK v2 over named profile and regional STS; upserted and started when it is the program."""

import os

import boto3
import sagemaker
from sagemaker.processing import ProcessingOutput
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.workflow.parameters import ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import ProcessingStep

HERE = os.path.dirname(os.path.realpath(__file__))
ROLE = "arn:aws:iam::123456789012:role/LocalpipeRole"

session = PipelineSession(boto_session=boto3.Session(region_name="us-east-1"), default_bucket="scripts-bucket")
processor = SKLearnProcessor(
    framework_version="1.2-1",
    role=ROLE,
    instance_type="ml.m5.large",
    instance_count=1,
    sagemaker_session=session,
)
arguments = processor.run(
    code=os.path.join(HERE, "job.py"),
    outputs=[ProcessingOutput(output_name="out", source="/opt/ml/processing/out")],
)
pipeline = Pipeline(
    name="JobV2",
    parameters=[ParameterString("Alpha", default_value="1")],
    steps=[ProcessingStep("Job", step_args=arguments)],
    sagemaker_session=session,
)


def main():
    other = PipelineSession(boto_session=boto3.Session(profile_name="prod"))
    started = Pipeline(name="StartedV2", parameters=pipeline.parameters, steps=pipeline.steps, sagemaker_session=other)
    started.upsert(role_arn=sagemaker.get_execution_role(other))
    execution = started.start(parameters={"Alpha": "2"})
    print(execution.describe()["PipelineExecutionStatus"])
    execution.wait()

"""SDK v3: starts a pipeline of two jobs; with SELECT only that step, with the parameters of the latest execution."""

import os

import boto3
from job_v3 import ROLE, make_pipeline
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.selective_execution_config import SelectiveExecutionConfig
from sagemaker.mlops.workflow.steps import TrainingStep

session = PipelineSession(boto_session=boto3.Session(region_name="us-east-1"))
pipeline = make_pipeline("Selecting", session, ROLE)
(first,) = pipeline.steps
first.name = "First"
pipeline.steps = [first, TrainingStep(name="Second", step_args=first.step_args, depends_on=[first])]

pipeline.upsert(role_arn=ROLE)
if "SELECT" not in os.environ:
    pipeline.start(parameters={"Alpha": "2"})
else:
    latest = pipeline.list_executions(max_results=1)["PipelineExecutionSummaries"][0]["PipelineExecutionArn"]
    pipeline.start(
        parameters=pipeline.build_parameters_from_execution(latest),
        selective_execution_config=SelectiveExecutionConfig(selected_steps=[os.environ["SELECT"]]),
    )

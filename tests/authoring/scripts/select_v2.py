"""SDK v2: starts a pipeline of two jobs; with SELECT only that step, with the parameters of the latest execution."""

import os

from job_v2 import ROLE, arguments, session
from sagemaker.workflow.parameters import ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.selective_execution_config import SelectiveExecutionConfig
from sagemaker.workflow.steps import ProcessingStep

first = ProcessingStep("First", step_args=arguments)
second = ProcessingStep("Second", step_args=arguments, depends_on=[first])
pipeline = Pipeline(
    name="Selecting",
    parameters=[ParameterString("Alpha", default_value="1")],
    steps=[first, second],
    sagemaker_session=session,
)

pipeline.upsert(role_arn=ROLE)
if "SELECT" not in os.environ:
    pipeline.start(parameters={"Alpha": "2"})
else:
    latest = pipeline.list_executions(max_results=1)["PipelineExecutionSummaries"][0]["PipelineExecutionArn"]
    pipeline.start(
        parameters=pipeline.build_parameters_from_execution(latest),
        selective_execution_config=SelectiveExecutionConfig(selected_steps=[os.environ["SELECT"]]),
    )

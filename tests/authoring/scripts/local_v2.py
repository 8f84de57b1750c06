# ruff: noqa: PTH118, PTH120
"""A pipeline of SDK v2 whose session is SESSION (a class of `pipeline_context`) and whose jobs are on INSTANCE."""

import os

from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.workflow import pipeline_context
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.steps import ProcessingStep

HERE = os.path.dirname(os.path.realpath(__file__))
ROLE = "arn:aws:iam::123456789012:role/LocalpipeRole"

session = getattr(pipeline_context, os.environ["SESSION"])()
processor = SKLearnProcessor(
    framework_version="1.2-1", role=ROLE, instance_type=os.environ["INSTANCE"], instance_count=1, sagemaker_session=session
)
arguments = processor.run(code=os.path.join(HERE, "job.py"))
pipeline = Pipeline("Local", steps=[ProcessingStep("Job", step_args=arguments)], sagemaker_session=session)
pipeline.upsert(ROLE)
pipeline.start().wait()

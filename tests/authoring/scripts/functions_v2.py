import tempfile
from types import SimpleNamespace

from functions_of_steps import ROLE, steps
from sagemaker.lambda_helper import Lambda
from sagemaker.workflow.callback_step import CallbackOutput, CallbackOutputTypeEnum, CallbackStep
from sagemaker.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession

sdk = SimpleNamespace(
    Lambda=Lambda,
    LambdaStep=LambdaStep,
    LambdaOutput=LambdaOutput,
    LambdaOutputTypeEnum=LambdaOutputTypeEnum,
    CallbackStep=CallbackStep,
    CallbackOutput=CallbackOutput,
    CallbackOutputTypeEnum=CallbackOutputTypeEnum,
)
session = PipelineSession()
with tempfile.TemporaryDirectory() as work:
    pipeline = Pipeline("Notes", steps=steps(sdk, session, work), sagemaker_session=session)
    pipeline.upsert(ROLE)
    pipeline.upsert(ROLE)

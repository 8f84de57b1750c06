"""Measures a model; if it is good enough, makes it, tells of it, asks for approval, and writes down who approved it.

train ─ is it good enough? ─ yes: create model ─ announce (Lambda) ─ approve (Callback) ─ record (Lambda)
                           └ no: fail
"""

import os

import boto3
from sagemaker import get_execution_role
from sagemaker.lambda_helper import Lambda
from sagemaker.model import Model
from sagemaker.processing import ProcessingInput, ProcessingOutput
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.workflow.callback_step import CallbackOutput, CallbackOutputTypeEnum, CallbackStep
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.workflow.execution_variables import ExecutionVariables
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import ParameterFloat
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import ProcessingStep

HERE = os.path.dirname(os.path.realpath(__file__))
APPROVALS = "https://sqs.us-east-1.amazonaws.com/111122223333/approvals"
RECORD = "arn:aws:lambda:us-east-1:111122223333:function:record"

session = PipelineSession(boto_session=boto3.Session(region_name="us-east-1"))
role = get_execution_role(session)

least_accuracy = ParameterFloat(name="LeastAccuracy", default_value=0.8)

processor = SKLearnProcessor(
    framework_version="1.2-1", role=role, instance_type="ml.m5.large", instance_count=1, sagemaker_session=session
)
quality = PropertyFile(name="Quality", output_name="quality", path="quality.json")
train = ProcessingStep(
    name="Train",
    step_args=processor.run(
        code=os.path.join(HERE, "train.py"),
        inputs=[
            ProcessingInput(
                source=os.path.join(HERE, "data", "leaves.csv"), destination="/opt/ml/processing/data", input_name="data"
            )
        ],
        outputs=[
            ProcessingOutput(output_name="model", source="/opt/ml/processing/model"),
            ProcessingOutput(output_name="quality", source="/opt/ml/processing/quality"),
        ],
    ),
    property_files=[quality],
)
accuracy = JsonGet(step_name=train.name, property_file=quality, json_path="accuracy")
outputs = train.properties.ProcessingOutputConfig.Outputs

model = Model(
    image_uri=processor.image_uri,
    model_data=Join(on="/", values=[outputs["model"].S3Output.S3Uri, "model.tar.gz"]),
    role=role,
    sagemaker_session=session,
)
create = ModelStep(name="Leaves", step_args=model.create(instance_type="ml.m5.large"))

announce = LambdaStep(
    name="Announce",
    lambda_func=Lambda(
        function_name="announce",
        execution_role_arn=role,
        script=os.path.join(HERE, "handlers", "announce.py"),
        handler="announce.handler",
        timeout=60,
        environment={"Variables": {"BUCKET": "leaves-news"}},
        session=session,
    ),
    inputs={
        "model": create.properties.ModelName,
        "accuracy": accuracy,
        "execution": ExecutionVariables.PIPELINE_EXECUTION_ID,
    },
    outputs=[
        LambdaOutput("news", LambdaOutputTypeEnum.String),
        LambdaOutput("percent", LambdaOutputTypeEnum.Integer),
    ],
)
approve = CallbackStep(
    name="Approve",
    sqs_queue_url=APPROVALS,
    inputs={"model": create.properties.ModelName, "percent": announce.properties.Outputs["percent"]},
    outputs=[
        CallbackOutput("approved", CallbackOutputTypeEnum.Boolean),
        CallbackOutput("by", CallbackOutputTypeEnum.String),
    ],
)
record = LambdaStep(
    name="Record",
    lambda_func=Lambda(function_arn=RECORD, session=session),
    inputs={
        "news": announce.properties.Outputs["news"],
        "approved": approve.properties.Outputs["approved"],
        "by": approve.properties.Outputs["by"],
    },
    outputs=[LambdaOutput("written", LambdaOutputTypeEnum.String)],
)
not_good_enough = FailStep(name="NotGoodEnough", error_message=Join(on=" ", values=["Accuracy below", least_accuracy]))

pipeline = Pipeline(
    name="Notify",
    parameters=[least_accuracy],
    steps=[
        train,
        ConditionStep(
            name="IsGoodEnough",
            conditions=[ConditionGreaterThanOrEqualTo(left=accuracy, right=least_accuracy)],
            if_steps=[create, announce, approve, record],
            else_steps=[not_good_enough],
        ),
    ],
    sagemaker_session=session,
)

if __name__ == "__main__":
    pipeline.upsert(role_arn=role)

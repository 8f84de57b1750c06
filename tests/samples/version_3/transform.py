"""Trains by XGBoost's algorithm, creates the model and has it answer a file. SDK version 3.

Train ── Create ── Ask
"""

import boto3
from sagemaker.core import image_uris
from sagemaker.core.training.configs import Compute, InputData
from sagemaker.core.transformer import Transformer
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import TrainingStep, TransformStep
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train import ModelTrainer

ROLE = "arn:aws:iam::123456789012:role/SageMaker"

session = PipelineSession(boto_session=boto3.Session(region_name="us-east-1"))
bucket = session.default_bucket()
rows = [(first + 0.5, second + 0.5) for first in range(6) for second in range(6)]
s3 = boto3.client("s3", region_name="us-east-1")
labelled = "".join(f"{first + 2 * second},{first},{second}\n" for first, second in rows)
s3.put_object(Bucket=bucket, Key="asked/train/train.csv", Body=labelled)
s3.put_object(Bucket=bucket, Key="asked/rows/rows.csv", Body="".join(f"{first},{second}\n" for first, second in rows))

image = image_uris.retrieve("xgboost", "us-east-1", version="1.5-1")
trainer = ModelTrainer(
    training_image=image,
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    hyperparameters={"num_round": "10", "eta": "0.8"},
    base_job_name="asked",
    role=ROLE,
    sagemaker_session=session,
)
data = InputData(channel_name="train", data_source=f"s3://{bucket}/asked/train/", content_type="text/csv")
train = TrainingStep(name="Train", step_args=trainer.train(input_data_config=[data]))

builder = ModelBuilder(
    s3_model_data_url=train.properties.ModelArtifacts.S3ModelArtifacts,
    image_uri=image,
    role_arn=ROLE,
    sagemaker_session=session,
)
create = ModelStep(name="Create", step_args=builder.build())

transformer = Transformer(
    model_name=create.properties.ModelName,
    instance_count=1,
    instance_type="ml.m5.large",
    strategy="MultiRecord",
    assemble_with="Line",
    accept="text/csv",
    output_path=f"s3://{bucket}/asked/answers",
    sagemaker_session=session,
)
request = transformer.transform(
    f"s3://{bucket}/asked/rows/", content_type="text/csv", split_type="Line", join_source="Input", output_filter="$[0,2]"
)
ask = TransformStep(name="Ask", step_args=request)

pipeline = Pipeline(name="AskedByVersion3", steps=[train, create, ask], sagemaker_session=session)

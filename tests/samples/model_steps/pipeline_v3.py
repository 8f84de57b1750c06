"""Train -> create and register, each one step of the name that it is given. SDK version 3."""

from pathlib import Path

import boto3
from sagemaker.core import image_uris
from sagemaker.core.training.configs import Compute, SourceCode
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import TrainingStep
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train import ModelTrainer

HERE = Path(__file__).resolve().parent
ROLE = "arn:aws:iam::123456789012:role/SageMaker"

session = PipelineSession(boto_session=boto3.Session(region_name="us-east-1"))
image = image_uris.retrieve("sklearn", "us-east-1", version="1.2-1", instance_type="ml.m5.large")
trainer = ModelTrainer(
    training_image=image,
    source_code=SourceCode(source_dir=str(HERE / "train"), entry_script="train.py"),
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    base_job_name="models",
    role=ROLE,
    sagemaker_session=session,
)
train = TrainingStep(name="Train", step_args=trainer.train())


def builder() -> ModelBuilder:
    return ModelBuilder(
        s3_model_data_url=train.properties.ModelArtifacts.S3ModelArtifacts,
        image_uri=image,
        role_arn=ROLE,
        sagemaker_session=session,
    )


create = ModelStep(name="Create", step_args=builder().build())
register = ModelStep(
    name="Register",
    step_args=builder().register(
        model_package_group_name="Trees",
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=["ml.m5.large"],
        transform_instances=["ml.m5.large"],
        approval_status="Approved",
    ),
)

pipeline = Pipeline(name="ModelSteps", steps=[train, create, register], sagemaker_session=session)

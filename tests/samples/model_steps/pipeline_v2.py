"""Train -> register as a PyTorch model, whose code goes into the archive -> create one of two containers. SDK version 2."""

from pathlib import Path

import boto3
from sagemaker.drift_check_baselines import DriftCheckBaselines
from sagemaker.metadata_properties import MetadataProperties
from sagemaker.model_metrics import MetricsSource, ModelMetrics
from sagemaker.pipeline import PipelineModel
from sagemaker.pytorch.model import PyTorchModel
from sagemaker.sklearn.estimator import SKLearn
from sagemaker.sklearn.model import SKLearnModel
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import TrainingStep

HERE = Path(__file__).resolve().parent
ROLE = "arn:aws:iam::123456789012:role/SageMaker"
CODE = str(HERE / "inference.py")

session = PipelineSession(boto_session=boto3.Session(region_name="us-east-1"))
estimator = SKLearn(
    entry_point="train.py",
    source_dir=str(HERE / "train"),
    framework_version="1.2-1",
    py_version="py3",
    role=ROLE,
    instance_type="ml.m5.large",
    instance_count=1,
    metric_definitions=[{"Name": "train:rmse", "Regex": "train-rmse=([0-9.]+)"}],
    sagemaker_session=session,
)
train = TrainingStep(name="Train", step_args=estimator.fit())
archive = train.properties.ModelArtifacts.S3ModelArtifacts

torch = PyTorchModel(
    model_data=archive,
    role=ROLE,
    entry_point=CODE,
    dependencies=[str(HERE / "lib")],
    framework_version="1.8.0",
    py_version="py3",
    sagemaker_session=session,
)
trees = SKLearnModel(model_data=archive, role=ROLE, entry_point=CODE, framework_version="1.2-1", sagemaker_session=session)
statistics = MetricsSource(content_type="application/json", s3_uri="s3://metrics/statistics.json")
register = ModelStep(
    name="Register",
    step_args=torch.register(
        content_types=["application/json"],
        response_types=["application/json"],
        inference_instances=["ml.m5.large"],
        transform_instances=["ml.m5.large"],
        model_package_group_name="Torches",
        model_metrics=ModelMetrics(model_statistics=statistics),
        drift_check_baselines=DriftCheckBaselines(model_statistics=statistics),
        metadata_properties=MetadataProperties(commit_id="abc"),
        customer_metadata_properties={"team": "trees"},
        domain="COMPUTER_VISION",
        task="CLASSIFICATION",
        sample_payload_url="s3://metrics/payload.tar.gz",
        description="A model with its code",
        skip_model_validation="All",
    ),
)
both = PipelineModel(models=[trees, torch], role=ROLE, sagemaker_session=session)
create = ModelStep(name="Create", step_args=both.create(instance_type="ml.m5.large"))

pipeline = Pipeline(name="ModelSteps", steps=[train, register, create], sagemaker_session=session)

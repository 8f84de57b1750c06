"""Tunes the place of a curve's lowest point, and unpacks the best model. SDK version 3.

Tune ── Unpack
"""

from pathlib import Path

import boto3
from sagemaker.core import image_uris
from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.shapes import (
    OutputDataConfig,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
)
from sagemaker.core.training.configs import Compute, SourceCode
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import ProcessingStep, TuningStep
from sagemaker.train import ModelTrainer
from sagemaker.train.tuner import HyperparameterTuner

HERE = Path(__file__).resolve().parent
ROLE = "arn:aws:iam::123456789012:role/SageMaker"

session = PipelineSession(boto_session=boto3.Session(region_name="us-east-1"))
bucket = session.default_bucket()
image = image_uris.retrieve("sklearn", "us-east-1", version="1.2-1", instance_type="ml.m5.large")
boto3.client("s3", region_name="us-east-1").put_object(Bucket=bucket, Key="tuned/data/lowest.txt", Body="3")

trainer = ModelTrainer(
    training_image=image,
    source_code=SourceCode(source_dir=str(HERE / "train"), entry_script="train.py"),
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    hyperparameters={"height": "2"},
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/tuned/models"),
    base_job_name="tuned",
    role=ROLE,
    sagemaker_session=session,
)
tuner = HyperparameterTuner(
    model_trainer=trainer,
    objective_metric_name="loss",
    objective_type="Minimize",
    metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
    hyperparameter_ranges={
        "place": IntegerParameter(0, 9),
        "slope": ContinuousParameter(0.5, 2.0),
        "kind": CategoricalParameter(["square", "absolute"]),
    },
    strategy="Random",
    max_jobs=3,
    max_parallel_jobs=2,
    random_seed=7,
)
tune = TuningStep(name="Tune", step_args=tuner.tune(inputs={"data": f"s3://{bucket}/tuned/data"}))

processor = ScriptProcessor(
    image_uri=image, command=["python3"], instance_type="ml.m5.large", instance_count=1, role=ROLE, sagemaker_session=session
)
best = ProcessingS3Input(
    s3_uri=tune.get_top_model_s3_uri(top_k=0, s3_bucket=bucket, prefix="tuned/models"),
    local_path="/opt/ml/processing/model",
    s3_data_type="S3Prefix",
    s3_input_mode="File",
)
unpacked = ProcessingS3Output(
    s3_uri=f"s3://{bucket}/tuned/best", local_path="/opt/ml/processing/best", s3_upload_mode="EndOfJob"
)
unpack = ProcessingStep(
    name="Unpack",
    step_args=processor.run(
        code=str(HERE / "unpack.py"),
        inputs=[ProcessingInput(input_name="model", s3_input=best)],
        outputs=[ProcessingOutput(output_name="best", s3_output=unpacked)],
    ),
)

pipeline = Pipeline(name="TunedByVersion3", steps=[tune, unpack], sagemaker_session=session)

"""SDK v3: a channel whose place is a parameter, for which the tests give a path, and an output in a local directory."""

import boto3
from job_v3 import HERE, ROLE
from sagemaker.core.training.configs import Compute, InputData, OutputDataConfig, SourceCode
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import TrainingStep
from sagemaker.train import ModelTrainer

session = PipelineSession(boto_session=boto3.Session(region_name="us-east-1"))
data = ParameterString(name="Data", default_value="s3://scripts-bucket/data")
trainer = ModelTrainer(
    training_image="683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
    source_code=SourceCode(source_dir=HERE, entry_script="job.py"),
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    output_data_config=OutputDataConfig(s3_output_path="file://out"),
    base_job_name="paths",
    role=ROLE,
    sagemaker_session=session,
)
arguments = trainer.train(input_data_config=[InputData(channel_name="data", data_source=data)])
step = TrainingStep(name="Train", step_args=arguments)
pipeline = Pipeline(name="Paths", parameters=[data], steps=[step], sagemaker_session=session)

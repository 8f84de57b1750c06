# ruff: noqa: ANN001, ANN201, PTH120
"""A module-level pipeline of SDK v3 over named profile and regional STS; upserted and started when it is the program."""

import os

import boto3
from sagemaker.core.helper.session_helper import get_execution_role
from sagemaker.core.training.configs import Compute, OutputDataConfig, SourceCode
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import TrainingStep
from sagemaker.train import ModelTrainer

HERE = os.path.dirname(os.path.realpath(__file__))
ROLE = "arn:aws:iam::123456789012:role/LocalpipeRole"


def make_pipeline(name, session, role):
    trainer = ModelTrainer(
        training_image="683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
        source_code=SourceCode(source_dir=HERE, entry_script="job.py"),
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        output_data_config=OutputDataConfig(s3_output_path="s3://scripts-bucket/job"),
        base_job_name="job",
        role=role,
        sagemaker_session=session,
    )
    return Pipeline(
        name=name,
        parameters=[ParameterString(name="Alpha", default_value="1")],
        steps=[TrainingStep(name="Job", step_args=trainer.train())],
        sagemaker_session=session,
    )


def main():
    session = PipelineSession(boto_session=boto3.Session(profile_name="prod"))
    role = get_execution_role(session)
    started = make_pipeline("StartedV3", session, role)
    started.upsert(role_arn=role)
    execution = started.start(parameters={"Alpha": "2"})
    print(execution.describe()["PipelineExecutionStatus"])
    execution.wait()

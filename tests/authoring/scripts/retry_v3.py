"""SDK v3: a job with a retry policy of each kind."""

import boto3
from job_v3 import ROLE, make_pipeline
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.retry import (
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)

session = PipelineSession(boto_session=boto3.Session(region_name="us-east-1"))
pipeline = make_pipeline("Retrying", session, ROLE)
pipeline.steps[0].retry_policies = [
    StepRetryPolicy(exception_types=[StepExceptionTypeEnum.THROTTLING], interval_seconds=1, max_attempts=2),
    SageMakerJobStepRetryPolicy(
        exception_types=[SageMakerJobExceptionTypeEnum.CAPACITY_ERROR, SageMakerJobExceptionTypeEnum.INTERNAL_ERROR],
        interval_seconds=1,
        backoff_rate=1.0,
        expire_after_mins=10,
    ),
]

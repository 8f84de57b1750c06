"""SDK v2: a job with a retry policy of each kind."""

from job_v2 import arguments, session
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.retry import (
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.workflow.steps import ProcessingStep

policies = [
    StepRetryPolicy(exception_types=[StepExceptionTypeEnum.THROTTLING], interval_seconds=1, max_attempts=2),
    SageMakerJobStepRetryPolicy(
        exception_types=[SageMakerJobExceptionTypeEnum.CAPACITY_ERROR, SageMakerJobExceptionTypeEnum.INTERNAL_ERROR],
        interval_seconds=1,
        backoff_rate=1.0,
        expire_after_mins=10,
    ),
]
step = ProcessingStep("Job", step_args=arguments, retry_policies=policies)
pipeline = Pipeline(name="Retrying", steps=[step], sagemaker_session=session)

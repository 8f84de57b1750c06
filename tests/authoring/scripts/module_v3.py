import boto3
from job_v3 import ROLE, make_pipeline
from sagemaker.core.workflow.pipeline_context import PipelineSession

session = PipelineSession(boto_session=boto3.Session(region_name="us-east-1"), default_bucket="scripts-bucket")
pipeline = make_pipeline("JobV3", session, ROLE)

"""The pipeline of definition.json: its scripts are named by S3 addresses, which localpipe.toml mounts, and not uploaded."""

from pipelines.abalone.pipeline import get_pipeline

pipeline = get_pipeline(
    region="us-east-1",
    role="arn:aws:iam::123456789012:role/service-role/SageMakerPipelineRole",
    default_bucket="sagemaker-us-east-1-123456789012",
    code_location="s3://localpipe-samples/abalone/code",
)

if __name__ == "__main__":
    print(pipeline.definition())

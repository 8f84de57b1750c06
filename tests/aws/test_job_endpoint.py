"""What boto3 finds in a job besides S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from localpipe.core.names import Identity
from localpipe.server.aws import aws_app, job_services
from localpipe.server.http import serve
from localpipe.server.s3 import s3_app
from localpipe.store import LocalStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning:botocore")

SECRET = "0123456789abcdef"
IDENTITY = Identity(account="123456789012", region="eu-west-1", role_arn="arn:aws:iam::123456789012:role/my/JobRole")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes a client of a service, as a job has it."""
    s3 = s3_app(LocalStore(tmp_path / "s3", {}), secret=SECRET, makes_buckets=True)
    with serve(aws_app(s3, job_services(IDENTITY, SECRET)), "127.0.0.1") as server:

        def make(service: str, key: str = SECRET) -> Any:
            return boto3.Session(aws_access_key_id=key, aws_secret_access_key="x", region_name="eu-west-1").client(
                service, endpoint_url=server.url
            )

        yield make


def test_a_job_is_a_session_of_its_role(client: Callable[..., Any]) -> None:
    answer = client("sts").get_caller_identity()
    assert (answer["Account"], answer["Arn"]) == ("123456789012", "arn:aws:sts::123456789012:assumed-role/JobRole/SageMaker")


def test_s3_is_there_too(client: Callable[..., Any]) -> None:
    s3 = client("s3")
    s3.put_object(Bucket="brand-new-bucket", Key="a", Body=b"a")
    assert s3.get_object(Bucket="brand-new-bucket", Key="a")["Body"].read() == b"a"


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "named"),
    [
        ("sagemaker", "list_training_jobs", {}, "sagemaker:ListTrainingJobs"),
        ("ssm", "get_parameter", {"Name": "p"}, "ssm:GetParameter"),
        ("sts", "get_session_token", {}, "sts:GetSessionToken"),
        ("cloudwatch", "list_metrics", {}, "monitoring:ListMetrics"),
        ("ec2", "describe_vpcs", {}, "ec2:DescribeVpcs"),
        ("lambda", "list_functions", {}, "lambda:GET /2015-03-31/functions"),
        ("route53", "list_hosted_zones", {}, "route53:GET /2013-04-01/hostedzone"),
    ],
)
def test_a_call_that_is_not_served_fails_naming_it(
    client: Callable[..., Any], service: str, operation: str, arguments: dict[str, str], named: str
) -> None:
    with pytest.raises(ClientError) as error:
        getattr(client(service), operation)(**arguments)
    assert error.value.response["Error"]["Code"] == "UnsupportedOperation"
    assert error.value.response["Error"]["Message"] == f"localpipe does not serve {named} to jobs"


def test_credentials_of_the_job_s_own_are_refused_saying_so(client: Callable[..., Any]) -> None:
    with pytest.raises(ClientError, match="Environment or code has replaced AWS_ACCESS_KEY_ID") as error:
        client("sts", key="AKIAOTHER").get_caller_identity()
    assert error.value.response["Error"]["Code"] == "InvalidClientTokenId"

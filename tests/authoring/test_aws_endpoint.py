"""The endpoint as boto3 sees it, through the redirection in this process."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localpipe.authoring.endpoint import Compilation, compilation
from localpipe.authoring.localpipe_launcher.failure import failure
from localpipe.authoring.localpipe_launcher.redirect import Redirection
from localpipe.core.names import Identity, S3Uri
from localpipe.store import LocalStore


@pytest.fixture
def ours(store: LocalStore, identity: Identity) -> Iterator[Compilation]:
    with compilation(store, identity) as running:
        yield running


@pytest.fixture
def redirected(ours: Compilation) -> Iterator[None]:
    with Redirection(ours.endpoint):
        yield


def client(service: str, **options: object) -> boto3.client:
    return boto3.Session(region_name="us-east-1").client(service, **options)


@pytest.mark.usefixtures("redirected")
def test_sts_shows_a_role_session_of_the_account_also_under_an_explicit_address() -> None:
    for options in ({}, {"endpoint_url": "https://sts.eu-west-1.amazonaws.com"}):
        answer = client("sts", **options).get_caller_identity()
        assert answer["Account"] == "123456789012"
        assert answer["Arn"] == "arn:aws:sts::123456789012:assumed-role/LocalpipeRole/localpipe"


@pytest.mark.usefixtures("redirected")
def test_iam_knows_every_role_and_sagemaker_may_assume_it(identity: Identity) -> None:
    iam = client("iam")
    assert iam.get_role(RoleName="LocalpipeRole")["Role"]["Arn"] == identity.role_arn
    role = iam.get_role(RoleName="Another")["Role"]
    assert role["Arn"] == "arn:aws:iam::123456789012:role/Another"
    statement = role["AssumeRolePolicyDocument"]["Statement"][0]
    assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    simulated = iam.simulate_principal_policy(PolicySourceArn=role["Arn"], ActionNames=["s3:GetObject"])
    assert simulated["EvaluationResults"] == []


@pytest.mark.usefixtures("redirected")
def test_a_role_that_a_script_makes_for_itself_is_there_and_its_policies_are_taken() -> None:
    iam = client("iam")
    assert iam.create_role(RoleName="Mine", AssumeRolePolicyDocument="{}")["Role"]["Arn"].endswith(":role/Mine")
    iam.attach_role_policy(RoleName="Mine", PolicyArn="arn:aws:iam::aws:policy/AmazonSageMakerFullAccess")
    iam.put_role_policy(RoleName="Mine", PolicyName="extra", PolicyDocument="{}")


@pytest.mark.usefixtures("redirected")
def test_a_script_that_assumes_a_role_reaches_the_endpoint_with_its_credentials(ours: Compilation) -> None:
    taken = client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/Deployer", RoleSessionName="ci")
    assert taken["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/Deployer/ci"
    credentials = taken["Credentials"]
    assert credentials["AccessKeyId"] == ours.endpoint.access_key
    s3 = client(
        "s3",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    s3.put_object(Bucket="mine", Key="a", Body=b"text")


@pytest.mark.usefixtures("redirected")
def test_s3_is_the_local_store(store: LocalStore) -> None:
    s3 = client("s3", config=Config(s3={"addressing_style": "virtual"}))
    s3.create_bucket(Bucket="mine")
    s3.put_object(Bucket="mine", Key="a/b.txt", Body=b"text")
    with store.open(S3Uri("mine", "a/b.txt")) as file:
        assert file.read() == b"text"
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="mine", Key="nothing")


@pytest.mark.usefixtures("redirected")
def test_a_hard_coded_bucket_is_there_once_something_is_put_into_it(store: LocalStore) -> None:
    s3 = client("s3")
    with pytest.raises(ClientError, match="404"):
        s3.head_bucket(Bucket="my-team-bucket")
    s3.put_object(Bucket="my-team-bucket", Key="code/train.py", Body=b"pass")
    s3.head_bucket(Bucket="my-team-bucket")
    assert store.head(S3Uri("my-team-bucket", "code/train.py"))


@pytest.mark.usefixtures("redirected")
@pytest.mark.parametrize(
    ("service", "operation", "arguments", "named"),
    [
        ("sagemaker", "create_processing_job", None, "sagemaker:CreateProcessingJob"),  # JSON
        ("ssm", "get_parameter", {"Name": "p"}, "ssm:GetParameter"),  # JSON
        ("sts", "get_session_token", {}, "sts:GetSessionToken"),  # query
        ("ec2", "describe_vpcs", {}, "ec2:DescribeVpcs"),  # EC2's query
        ("lambda", "list_functions", {}, "lambda:ListFunctions"),  # REST and JSON
        ("route53", "list_hosted_zones", {}, "route53:ListHostedZones"),  # REST and XML
        ("cloudwatch", "list_metrics", {}, "cloudwatch:ListMetrics"),  # CBOR
    ],
)
def test_a_call_that_is_not_served_fails_naming_the_operation(
    service: str, operation: str, arguments: dict[str, object] | None, named: str
) -> None:
    if arguments is None:
        arguments = {
            "ProcessingJobName": "j",
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            "AppSpecification": {"ImageUri": "i"},
            "RoleArn": "arn:aws:iam::123456789012:role/R",
        }
    with pytest.raises(ClientError) as error:
        getattr(client(service), operation)(**arguments)
    assert error.value.response["Error"]["Code"] == "UnsupportedOperation"
    assert error.value.response["Error"]["Message"] == f"localpipe does not serve {named} while a pipeline is compiled"
    assert failure(error.value)["refused"] == named


@pytest.mark.usefixtures("redirected")
def test_a_script_that_looks_for_an_image_of_its_project_goes_on_without() -> None:
    sagemaker = client("sagemaker")
    with pytest.raises(sagemaker.exceptions.ResourceNotFound) as error:
        sagemaker.describe_image_version(ImageName="sagemaker-p-1-processing-imagebuild")
    assert error.value.response["Error"]["Message"] == (
        "localpipe does not serve sagemaker:DescribeImageVersion while a pipeline is compiled: "
        "nothing that it could describe is there"
    )
    assert failure(error.value)["refused"] == "sagemaker:DescribeImageVersion"


def test_the_words_of_an_author_are_no_refusal() -> None:
    words = "localpipe does not serve sagemaker:CreateHub while a pipeline is compiled"
    error = ClientError({"Error": {"Code": "UnsupportedOperation", "Message": words}}, "CreateHub")
    assert failure(error)["refused"] is None


@pytest.mark.usefixtures("redirected")
def test_what_no_describe_operation_says_by_not_found_is_invalid() -> None:
    with pytest.raises(ClientError) as error:
        client("sagemaker").describe_endpoint(EndpointName="live")
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_a_caller_without_the_secret_is_refused(ours: Compilation) -> None:
    scope = "Credential=AKIAOTHER/20260101/eu-west-1/sts/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}"}
    request = Request(ours.endpoint.url, b"Action=GetCallerIdentity", headers)  # noqa: S310 - our own endpoint
    with pytest.raises(HTTPError) as error:
        urlopen(request)  # noqa: S310 - the same
    assert error.value.code == 400
    assert "InvalidClientTokenId" in error.value.read().decode()
    error.value.close()


def test_clients_made_before_and_with_credentials_of_their_own_go_to_the_endpoint_and_back(ours: Compilation) -> None:
    sts = client("sts", aws_access_key_id="AKIAREAL", aws_secret_access_key="real")
    with Redirection(ours.endpoint):
        assert sts.get_caller_identity()["Account"] == "123456789012"
    assert sts.meta.endpoint_url == "https://sts.us-east-1.amazonaws.com"
    assert botocore.session.Session.get_credentials.__module__ == "botocore.session"
    assert socket.getaddrinfo.__module__ == "socket"
    assert "connect" not in vars(socket.socket)


@pytest.mark.usefixtures("redirected")
def test_a_named_profile_has_the_dummy_credentials(ours: Compilation) -> None:
    session = boto3.Session(profile_name="prod", region_name="us-east-1")
    assert session.get_credentials().access_key == ours.endpoint.access_key
    assert session.client("sts").get_caller_identity()["Account"] == "123456789012"


@pytest.mark.usefixtures("redirected")
@pytest.mark.parametrize("host", ["sts.amazonaws.com", "S3.cn-north-1.amazonaws.com.cn.", "x.lambda-url.us-east-1.on.aws"])
def test_aws_names_do_not_resolve(host: str) -> None:
    with pytest.raises(socket.gaierror, match=r"localpipe lets nothing reach AWS while a pipeline is compiled"):
        socket.create_connection((host, 443))


@pytest.mark.usefixtures("redirected")
def test_metadata_addresses_refuse() -> None:
    with socket.socket() as plain, pytest.raises(ConnectionRefusedError, match=r"169\.254\.169\.254"):
        plain.connect(("169.254.169.254", 80))

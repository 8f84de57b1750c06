"""Lambda as a script sees it while its pipeline is compiled, through boto3 and through the helpers of the SDKs."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from authoring_support import Author
from botocore.exceptions import ClientError

from localpipe.authoring import load_target
from localpipe.authoring.endpoint import Compilation, compilation
from localpipe.authoring.localpipe_launcher.redirect import Redirection
from localpipe.core.functions import CapturedFunction
from localpipe.core.names import Identity, S3Uri
from localpipe.store import LocalStore

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:notify"
ROLE = "arn:aws:iam::123456789012:role/R"
MADE = {"FunctionName": "notify", "Role": ROLE, "Handler": "f.h", "Runtime": "python3.12", "Code": {"ZipFile": b"zip"}}


@pytest.fixture
def ours(store: LocalStore, identity: Identity) -> Iterator[Compilation]:
    with compilation(store, identity) as running, Redirection(running.endpoint):
        yield running


def client() -> boto3.client:
    return boto3.Session(region_name="us-east-1").client("lambda")


def test_a_function_is_taken_with_its_configuration(ours: Compilation) -> None:
    made = client().create_function(
        **MADE, Timeout=30, MemorySize=512, Environment={"Variables": {"A": "b"}}, Layers=[f"{ARN}:layer:1"]
    )
    assert (made["FunctionArn"], made["State"], made["Handler"]) == (ARN, "Active", "f.h")
    assert ours.functions.functions == {
        "notify": CapturedFunction(
            name="notify",
            archive=b"zip",
            handler="f.h",
            runtime="python3.12",
            layers=1,
            timeout_seconds=30,
            memory_mb=512,
            environment={"A": "b"},
        )
    }


@pytest.mark.documented
def test_a_function_that_says_nothing_of_its_limit_has_three_seconds(ours: Compilation) -> None:
    client().create_function(**MADE)
    assert ours.functions.functions["notify"].timeout_seconds == 3


def test_a_function_that_is_there_is_refused_and_updated_by_name_or_arn(ours: Compilation) -> None:
    functions = client()
    functions.create_function(**MADE)
    with pytest.raises(ClientError) as refused:
        functions.create_function(**MADE)
    assert refused.value.response["Error"]["Code"] == "ResourceConflictException"
    assert functions.update_function_code(FunctionName="notify", ZipFile=b"new")["FunctionArn"] == ARN
    assert functions.update_function_configuration(FunctionName=ARN, Timeout=9)["Timeout"] == 9
    function = ours.functions.functions["notify"]
    assert (function.archive, function.handler, function.timeout_seconds) == (b"new", "f.h", 9)


def test_code_may_lie_in_s3_or_in_an_image(ours: Compilation, store: LocalStore) -> None:
    store.put(S3Uri("code", "notify.zip"), b"from s3")
    functions = client()
    functions.create_function(**MADE | {"Code": {"S3Bucket": "code", "S3Key": "notify.zip"}})
    assert ours.functions.functions["notify"].archive == b"from s3"
    functions.create_function(FunctionName="big", Role=ROLE, PackageType="Image", Code={"ImageUri": "r/i:1"})
    assert ours.functions.functions["big"].image == "r/i:1"


def test_a_function_that_was_made_elsewhere_may_get_its_code(ours: Compilation) -> None:
    assert client().update_function_code(FunctionName=ARN, ZipFile=b"zip")["FunctionArn"] == ARN
    assert ours.functions.functions["notify"] == CapturedFunction(name="notify", archive=b"zip")


def test_functions_can_be_asked_after_and_stay_when_a_script_tidies_up(ours: Compilation) -> None:
    functions = client()
    with pytest.raises(ClientError) as refused:
        functions.get_function(FunctionName="notify")
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
    functions.create_function(**MADE)
    functions.get_waiter("function_active_v2").wait(FunctionName="notify")
    functions.get_waiter("function_updated").wait(FunctionName="notify")
    functions.delete_function(FunctionName="notify")
    assert list(ours.functions.functions) == ["notify"]


@pytest.mark.documented
@pytest.mark.parametrize("name", ["../../escaped", "a b", "n" * 65])
def test_a_function_has_a_name_as_on_the_service(ours: Compilation, name: str) -> None:
    with pytest.raises(ClientError, match=r"at 'functionName' failed to satisfy constraint") as refused:
        client().create_function(**MADE | {"FunctionName": name})
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert not ours.functions.functions


@pytest.mark.usefixtures("ours")
def test_no_function_is_called_while_a_pipeline_is_compiled() -> None:
    with pytest.raises(ClientError, match="localpipe does not serve lambda:Invoke while a pipeline is compiled"):
        client().invoke(FunctionName="notify")


def test_the_functions_that_a_script_makes_come_with_its_definition(author: Author) -> None:
    authored = author(
        "import boto3\nfrom sagemaker.workflow.pipeline import Pipeline\n"
        "boto3.client('lambda').create_function(FunctionName='notify', Role='" + ROLE + "', Handler='a.b', "
        "Runtime='python3.12', Code={'ZipFile': b'zip'})\n"
        "pipeline = Pipeline('P')\n"
    )
    assert authored.functions["notify"].archive == b"zip"


def python_of(sdk: str) -> str:
    variable = f"LOCALPIPE_TEST_SDK_{sdk.upper()}"
    if not os.environ.get(variable):
        pytest.skip(f"{variable} names no Python with the SageMaker SDK {sdk}")
    return os.environ[variable]


@pytest.mark.slow
@pytest.mark.parametrize("sdk", ["v2", "v3"])
def test_the_sdks_make_the_functions_of_lambda_steps_when_a_pipeline_is_compiled(
    sdk: str, store: LocalStore, identity: Identity
) -> None:
    script = Path(__file__).parent / "scripts" / f"functions_{sdk}.py"
    authored = load_target(script, store=store, identity=identity, environ={}, python=python_of(sdk))
    steps = {step["Name"]: step for step in json.loads(authored.definition)["Steps"]}
    assert steps["First"]["FunctionArn"] == "arn:aws:lambda:eu-west-1:123456789012:function:scripted"
    assert steps["Ask"]["Arguments"] == {"n": {"Get": "Steps.First.OutputParameters['n']"}}
    functions = authored.functions
    assert list(functions) == ["scripted", "zipped", "there"]
    for function in functions.values():
        with zipfile.ZipFile(io.BytesIO(function.archive)) as archive:
            assert archive.namelist() == ["functions_code.py"]
    assert (functions["scripted"].timeout_seconds, functions["scripted"].environment) == (30, {"GREETING": "hello"})
    handler = "functions_code.lambda_handler"
    assert [function.handler for function in functions.values()] == [handler, handler, ""]

from __future__ import annotations

from pathlib import Path

import pytest

from localpipe.authoring.environment import CHILD_PYTHON, authoring_environment, config_text
from localpipe.authoring.localpipe_launcher.redirect import Endpoint
from localpipe.authoring.names import pipeline_name

ENDPOINT = Endpoint(url="http://127.0.0.1:4567", access_key="dummy", secret_key="dummy", region="eu-west-1")
OURS = {
    "AWS_ACCESS_KEY_ID": "dummy",
    "AWS_SECRET_ACCESS_KEY": "dummy",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:4567",
    "AWS_CONFIG_FILE": "/made/aws-config",
    "AWS_SHARED_CREDENTIALS_FILE": "/made/no-credentials",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "*",
    "PYTHONPATH": str(CHILD_PYTHON),
    "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
}


def test_real_credentials_configuration_and_proxies_do_not_reach_the_author() -> None:
    environ = {
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ROLE_ARN": "arn:aws:iam::999999999999:role/Real",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/v2",
        "AWS_BEARER_TOKEN_BEDROCK": "real",
        "AWS_ENDPOINT_URL_STS": "https://sts.amazonaws.com",
        "AWS_CONFIG_FILE": "/home/me/.aws/config",
        "AWS_REGION": "ap-south-1",
        "HTTPS_PROXY": "http://proxy:3128",
        "https_proxy": "http://proxy:3128",
        "no_proxy": "example.com",
    }
    assert authoring_environment(environ, ENDPOINT, Path("/made/aws-config")) == OURS


def test_the_authors_own_variables_stay() -> None:
    environ = {"PATH": "/bin", "AWS_BUCKET": "mine", "AWS_PROFILE": "prod", "AWS_ACCOUNT_ID": "111122223333"}
    assert authoring_environment(environ, ENDPOINT, Path("/made/aws-config")) == {**environ, **OURS}


@pytest.mark.parametrize("search_path", ["/mine:/other", f"/mine:{CHILD_PYTHON}:/other"])
def test_a_python_that_the_author_starts_is_redirected_by_a_folder_before_the_authors_own(search_path: str) -> None:
    environ = {"PYTHONPATH": search_path, "_LOCALPIPE_ENDPOINT": "of a compilation around this one"}
    made = authoring_environment(environ, ENDPOINT, Path("/made/aws-config"))
    assert made == {**OURS, "PYTHONPATH": f"{CHILD_PYTHON}:/mine:/other"}


def test_the_named_profile_is_known_and_empty() -> None:
    assert config_text({"AWS_PROFILE": "prod"}) == "[profile prod]\n"
    assert config_text({}) == ""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("abalone", "abalone"),
        ("my_pipeline v2", "my-pipeline-v2"),
        ("_hidden.", "hidden"),
        ("été", "t"),
        ("___", "pipeline"),
        ("x" * 300, "x" * 256),
    ],
)
def test_file_names_are_made_to_fit_the_services_pattern(text: str, name: str) -> None:
    assert pipeline_name(text) == name

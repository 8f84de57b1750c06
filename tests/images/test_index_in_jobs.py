"""Jobs on each runner are led to the package index, and find it."""

from __future__ import annotations

from pathlib import Path

import pytest

import localpipe

ASK = (
    "import os, http.client as http, urllib.parse as parse; index = parse.urlparse(os.environ['PIP_INDEX_URL']);"
    " asked = http.HTTPConnection(index.netloc); asked.request('GET', index.path + 'a/b');"
    " print(asked.getresponse().read().decode())"
)
STAND_IN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"


def definition(script: str, environment: dict[str, str]) -> dict[str, object]:
    arguments = {
        "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}},
        "AppSpecification": {"ImageUri": STAND_IN, "ContainerEntrypoint": ["python3", "-c", script]},
        "Environment": environment,
        "RoleArn": "arn:aws:iam::111122223333:role/x",
    }
    return {
        "Version": "2020-12-01",
        "Parameters": [],
        "Steps": [{"Name": "P", "Type": "Processing", "Arguments": arguments}],
    }


@pytest.mark.parametrize(
    "runner",
    [
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("process", marks=pytest.mark.sandbox),
        pytest.param("sandbox", marks=[pytest.mark.docker, pytest.mark.sandbox]),
    ],
)
def test_a_job_of_a_stand_in_finds_the_index_of_localpipe(tmp_path: Path, runner: str) -> None:
    execution = localpipe.run(definition(ASK, {}), home=tmp_path, runner=runner, name="index")
    assert execution.steps["P"].log == "There is nothing at this path.\n"


@pytest.mark.sandbox
def test_a_job_s_own_index_wins(tmp_path: Path) -> None:
    script = "import os; print(os.environ['PIP_INDEX_URL'])"
    own = "https://index.example/simple"
    execution = localpipe.run(definition(script, {"PIP_INDEX_URL": own}), home=tmp_path, runner="process", name="index")
    assert execution.steps["P"].log == f"{own}\n"

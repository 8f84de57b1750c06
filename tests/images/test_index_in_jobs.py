"""Jobs on each runner are led to the package index, and find it."""

from __future__ import annotations

from pathlib import Path

import pytest

import localpipe

ASK = "import os; from pip._vendor import requests; print(requests.get(os.environ['PIP_INDEX_URL'] + 'a/b').text)"
STAND_IN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"


def definition(script: str, environment: dict[str, str], hosts: int = 1) -> dict[str, object]:
    arguments = {
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": hosts, "VolumeSizeInGB": 30}
        },
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
def test_hosts_in_sandboxes_find_it_though_they_reach_no_other_network(tmp_path: Path) -> None:
    execution = localpipe.run(definition(ASK, {}, hosts=2), home=tmp_path, runner="process", name="index")
    logs = [log.read_text() for log in sorted(tmp_path.glob("runs/*/P/1/logs/*.log"))]
    assert (execution.status, logs) == ("Succeeded", ["There is nothing at this path.\n"] * 2)


@pytest.mark.sandbox
def test_a_job_s_own_index_wins(tmp_path: Path) -> None:
    script = "import os; print(os.environ['PIP_INDEX_URL'])"
    own = "https://index.example/simple"
    execution = localpipe.run(definition(script, {"PIP_INDEX_URL": own}), home=tmp_path, runner="process", name="index")
    assert execution.steps["P"].log == f"{own}\n"

"""`models`: list, show, approve, reject, diff, as a user types them."""

from __future__ import annotations

import re

import pytest
from commands import Cli, Write, decision, model

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/xgboost:1"


def registered(name: str, url: str) -> dict[str, object]:
    arguments = {
        "ModelPackageGroupName": "Trees",
        "ModelPackageDescription": "of a test",
        "InferenceSpecification": {"Containers": [{"Image": IMAGE, "ModelDataUrl": url, "Environment": {"A": "1"}}]},
        "ModelMetrics": {
            "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://metrics/report.json"}}
        },
    }
    return {"Name": name, "Type": "RegisterModel", "Arguments": arguments}


@pytest.fixture
def trees(cli: Cli, write: Write) -> str:
    """Two versions of one group and a model; the id of the execution that made them."""
    steps = registered("One", "s3://b/one.tar.gz"), {**registered("Two", "s3://b/two.tar.gz"), "DependsOn": ["One"]}
    ended = cli("run", write(decision(else_steps=(*steps, model("Make")))), "--json")
    assert ended.status == 0, ended.err
    return str(ended.document["PipelineExecutionArn"]).rpartition("/")[2]


def put(cli: Cli, text: str, uri: str) -> None:
    with open("report.json", "w", encoding="utf-8") as file:  # noqa: PTH123 - in the place of the test
        file.write(text)
    assert cli("s3", "cp", "report.json", uri).status == 0


def without_times(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "TIME", text)


def test_a_package_is_shown_with_all_that_is_known_of_it(cli: Cli, trees: str) -> None:
    assert without_times(cli("models", "show", "Trees/1").out) == (
        "Model package  Trees/1\n"
        "ARN            arn:aws:sagemaker:us-east-1:111122223333:model-package/Trees/1\n"
        "Approval       PendingManualApproval\n"
        "Description    of a test\n"
        "Created        TIME\n"
        f"Made by        step One of execution {trees}\n"
        "\n"
        "Container 1\n"
        f"  Image          {IMAGE}\n"
        "  ModelDataUrl   s3://b/one.tar.gz\n"
        "  Environment.A  1\n"
        "  file           not an object of the local S3\n"
        "\n"
        "ModelQuality.Statistics  s3://metrics/report.json  (not in the local S3, or no JSON)\n"
        "\n"
        "SINCE                     APPROVAL\n"
        "TIME  PendingManualApproval\n"
    )


def test_a_model_is_shown_by_its_name(cli: Cli, trees: str) -> None:
    (name,) = (row["ModelName"] for row in cli("models", "list", "--json").document["Models"])
    ended = cli("models", "show", name)
    assert ended.out.startswith(f"Model          {name}\nARN            ")
    assert f"Made by        step Make of execution {trees}\n" in ended.out
    assert cli("models", "show", name, "--json").document["Model"]["ModelName"] == name


def test_approvals_are_given_with_a_reason_and_remembered(cli: Cli, trees: str) -> None:
    assert trees
    assert cli("models", "approve", "Trees/2", "--reason", "best so far").out == "Trees/2 is Approved.\n"
    assert cli("models", "reject", "arn:aws:sagemaker:us-east-1:111122223333:model-package/Trees/2").out == (
        "Trees/2 is Rejected.\n"
    )
    document = cli("models", "show", "Trees", "--json").document
    assert document["ModelPackage"]["ModelApprovalStatus"] == "Rejected"
    assert [(row["ModelApprovalStatus"], row["ApprovalDescription"]) for row in document["ApprovalHistory"]] == [
        ("PendingManualApproval", None),
        ("Approved", "best so far"),
        ("Rejected", None),
    ]


def test_two_versions_are_compared(cli: Cli, trees: str) -> None:
    assert trees
    put(cli, '{"rmse": {"value": 2.5}}', "s3://metrics/report.json")
    ended = cli("models", "diff", "Trees/1", "Trees/2")
    assert ended.out == (
        "                                                Trees/1            Trees/2\n"
        "metric     ModelQuality.Statistics: rmse.value  2.5                2.5\n"
        "container  [0].ModelDataUrl                     s3://b/one.tar.gz  s3://b/two.tar.gz\n"
    )
    assert ended.err == (
        "s3://metrics/report.json was written after Trees/1 was made: it may tell of another model.\n"
        "s3://metrics/report.json was written after Trees/2 was made: it may tell of another model.\n"
    )
    assert cli("models", "diff", "Trees/1", "Trees/2", "--json").document[1] == {
        "Kind": "container",
        "Name": "[0].ModelDataUrl",
        "A": "s3://b/one.tar.gz",
        "B": "s3://b/two.tar.gz",
    }
    assert "the same" not in ended.out


def test_what_is_the_same_is_said(cli: Cli, trees: str) -> None:
    assert trees
    assert cli("models", "diff", "Trees/1", "Trees/1").out == (
        "They have no metrics, and their hyperparameters and containers are the same.\n"
    )


@pytest.mark.parametrize("command", ["show", "approve", "diff"])
def test_what_is_not_there_is_told_with_the_nearest(cli: Cli, trees: str, command: str) -> None:
    assert trees
    ended = cli("models", command, "Trees/3", *(["Trees/1"] if command == "diff" else []))
    kind = "model package" if command == "approve" else "model or model package"
    assert ended.status == 2
    assert ended.err.startswith(f"Error: There is no {kind} 'Trees/3'. Did you mean 'Trees/")


def test_looking_into_a_home_that_is_not_there_makes_none(cli: Cli, tmp_path: object) -> None:
    ended = cli("models", "show", "Trees/1", "--home", f"{tmp_path}/nowhere")
    assert (ended.status, ended.err) == (
        2,
        "Error: There is no model or model package 'Trees/1'. No pipeline has run here; another home is named by --home.\n",
    )


def test_gc_says_which_models_an_execution_made_and_keeps_them(cli: Cli, trees: str) -> None:
    ended = cli("gc", "--older-than", "0", "--keep", "0")
    assert re.match(
        rf"{trees}  pipe  Succeeded  0\.\d MiB  made Trees/1, Trees/2, pipelines-\S+, kept with what they came from\n",
        ended.out,
    )
    assert cli("models", "show", "Trees/1").status == 0

# ruff: noqa: ANN001, ANN003, ANN201, ANN202, PLR0917
from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from localpipe.authoring.localpipe_launcher.find import UnknownParameters, arguments_for
from localpipe.authoring.localpipe_launcher.load import package_of, project_root, search_path

VALUES = {
    "region": "eu-west-1",
    "role": "role",
    "bucket": "bucket",
    "name": "abalone",
    "project_arn": "arn",
    "account": "account",
}


def seed(region, sagemaker_project_arn=None, role=None, default_bucket=None, pipeline_name="P", **kwargs):
    """The shape of the MLOps seed template."""


def bare(region, role, default_bucket, pipeline_name, base_job_prefix, sagemaker_project_arn):
    """Nothing has a default."""


def chosen(region="us-west-2", role="mine", default_bucket="mine"):
    """Everything has one."""


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (seed, {"region": "eu-west-1", "role": "role", "default_bucket": "bucket"}),
        (
            bare,
            {
                "region": "eu-west-1",
                "role": "role",
                "default_bucket": "bucket",
                "pipeline_name": "abalone",
                "base_job_prefix": "abalone",
                "sagemaker_project_arn": "arn",
            },
        ),
        (chosen, {}),
    ],
)
def test_get_pipeline_takes_values_by_name_and_keeps_its_defaults(
    function: Callable[..., None], arguments: dict[str, str]
) -> None:
    assert arguments_for(inspect.signature(function), VALUES) == arguments


def test_parameters_nobody_knows_are_all_named() -> None:
    def get_pipeline(region, vpc, subnets, retries=3):
        """Two that only the author knows."""

    with pytest.raises(UnknownParameters) as unknown:
        arguments_for(inspect.signature(get_pipeline), VALUES)
    assert unknown.value.names == ("vpc", "subnets")


def test_a_script_imports_from_its_folder_its_package_the_working_folder_and_its_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "project" / "src" / "pipelines" / "abalone" / "pipeline.py"
    script.parent.mkdir(parents=True)
    (tmp_path / "project" / "pyproject.toml").touch()
    (script.parent / "__init__.py").touch()
    (script.parents[1] / "__init__.py").touch()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert package_of(script) == ("pipelines.abalone", tmp_path / "project" / "src")
    assert project_root(script.parent) == tmp_path / "project"
    assert search_path(script, ["/site-packages"]) == [
        str(script.parent),
        "/site-packages",
        str(tmp_path / "project" / "src"),
        str(tmp_path / "elsewhere"),
        str(tmp_path / "project"),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bucket_prefix", "abalone"),
        ("prefix", "abalone"),
        ("pipeline_name_prefix", "abalone"),
        ("s3_bucket", "bucket"),
        ("artifact_bucket_name", "bucket"),
        ("sagemaker_role", "role"),
        ("account_id", "account"),
        ("deploy_region", "eu-west-1"),
        ("project_name", "abalone"),
    ],
)
def test_the_last_words_of_a_name_tell_its_value_where_there_is_no_default(name: str, value: str) -> None:
    parameter = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)
    assert arguments_for(inspect.Signature([parameter]), VALUES) == {name: value}
    optional = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
    assert arguments_for(inspect.Signature([optional]), VALUES) == {}


@pytest.mark.parametrize("name", ["vpc", "bucket_uri", "prefix_length", "renamed", "rolename"])
def test_other_names_tell_nothing(name: str) -> None:
    with pytest.raises(UnknownParameters):
        arguments_for(inspect.Signature([inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)]), VALUES)

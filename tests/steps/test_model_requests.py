"""What Model and RegisterModel steps refuse of their own accord, and what they tell the registry."""

from __future__ import annotations

import pytest

from localpipe.core import JSON
from localpipe.core.names import ExecutionName, Identity
from localpipe.core.work import CreateResource, Origin, ResolvedStep
from localpipe.definition.model import StepDefinition
from localpipe.steps import step_types

IDENTITY = Identity(account="123456789012", region="us-east-1", role_arn="arn:aws:iam::123456789012:role/SageMaker")
EXECUTION = ExecutionName(pipeline_name="Abalone", execution_id="abcdefghij12", identity=IDENTITY)


def problems_of(kind: str, arguments: JSON) -> list[str]:
    step = StepDefinition(name="Step", type=kind, path="$.Steps[3]", arguments=arguments)
    return [str(problem) for problem in step_types()[kind].check(step)]


@pytest.mark.parametrize(
    "arguments",
    [
        {"PrimaryContainer": {"Image": "i", "ModelDataUrl": "s3://b/m"}},
        {"PrimaryContainer": {"ModelPackageName": {"Get": "Parameters.Package"}}},
        {"Containers": [{"Image": {"Get": "Parameters.Image"}}, {"ModelPackageName": "Trees/1"}]},
    ],
)
def test_a_container_has_an_image_or_those_of_a_package(arguments: JSON) -> None:
    assert problems_of("Model", arguments) == []


def test_a_container_of_neither_or_with_two_places_of_data_is_told() -> None:
    assert problems_of("Model", {"PrimaryContainer": {"ModelDataUrl": "s3://b/m"}}) == [
        "$.Steps[3].Arguments.PrimaryContainer: Image or ModelPackageName is missing."
    ]
    source = {"S3DataSource": {"S3Uri": "s3://b/m/", "S3DataType": "S3Prefix", "CompressionType": "None"}}
    both = {"Image": "i", "ModelDataUrl": "s3://b/m", "ModelDataSource": source}
    assert problems_of("Model", {"Containers": [{"Image": "i"}, both]}) == [
        "$.Steps[3].Arguments.Containers[1]: It has both ModelDataUrl and ModelDataSource. Give one of them."
    ]


def test_a_package_in_a_group_has_no_name_of_its_own() -> None:
    assert problems_of("RegisterModel", {"ModelPackageGroupName": "Trees"}) == []
    assert problems_of("RegisterModel", {"ModelPackageName": "tree"}) == []
    assert problems_of("RegisterModel", {"ModelPackageGroupName": "Trees", "ModelPackageName": "tree"}) == [
        "$.Steps[3].Arguments.ModelPackageName: A model package in a group has no name of its own. Leave it out."
    ]


@pytest.mark.parametrize("kind", ["Model", "RegisterModel"])
def test_the_registry_is_told_who_makes_a_resource(kind: str) -> None:
    step = ResolvedStep(
        name="Step",
        type=kind,
        path="$.Steps[3]",
        arguments={},
        fields={},
        property_files=(),
        execution=EXECUTION,
        job_name="job",
        attempt=1,
        at=0.0,
    )
    work = step_types()[kind].work(step)
    assert isinstance(work, CreateResource)
    assert work.origin == Origin(execution_arn=EXECUTION.arn, step="Step")

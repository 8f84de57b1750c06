from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.loaders import Loader

from localpipe.core import JSON
from localpipe.core.names import Identity
from localpipe.core.work import CreateResource, Origin
from localpipe.errors import HomeUnusable, JobFailed, NotFound, UsageError
from localpipe.registry import SqliteRegistry
from localpipe.registry.resources import Approval

IDENTITY = Identity(account="123456789012", region="us-east-1", role_arn="arn:aws:iam::123456789012:role/SageMaker")
ARN = "arn:aws:sagemaker:us-east-1:123456789012"
SdkRequest = Callable[[str], JSON]
Misfits = Callable[[str, JSON], list[str]]


@pytest.fixture
def registry(tmp_path: Path) -> SqliteRegistry:
    return SqliteRegistry(tmp_path / "home")


def a_model(token: str, request: JSON = None) -> CreateResource:
    return CreateResource(kind="Model", name="Pipelines-Mod", request=request or {}, token=token, identity=IDENTITY)


def a_package(token: str, group: str | None = "Abalone", **request: JSON) -> CreateResource:
    grouped = {"ModelPackageGroupName": group} if group else {}
    return CreateResource(
        kind="ModelPackage", name="package", request={**grouped, **request}, token=token, identity=IDENTITY
    )


def test_a_model_is_kept_in_describe_shape(registry: SqliteRegistry, sdk_request: SdkRequest, misfits: Misfits) -> None:
    request = sdk_request("v2_create_model")
    created = registry.create(a_model("t1", request), 100.5).description
    assert misfits("DescribeModelOutput", created) == []
    assert created == {
        "ModelName": "Pipelines-Mod",
        "ModelArn": f"{ARN}:model/pipelines-mod",
        "CreationTime": 100.5,
        "PrimaryContainer": {"Mode": "SingleModel", **request["PrimaryContainer"]},
        "ExecutionRoleArn": "arn:aws:iam::123456789012:role/SageMaker",
        "EnableNetworkIsolation": False,
    }
    assert registry.models() == [created]


def test_a_model_of_several_containers_keeps_them_in_order(registry: SqliteRegistry, misfits: Misfits) -> None:
    request = {
        "Containers": [{"Image": "a", "ContainerHostname": "one"}, {"Image": "b", "Environment": {"A": "1"}}],
        "InferenceExecutionConfig": {"Mode": "Serial"},
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        "EnableNetworkIsolation": True,
        "Tags": [{"Key": "k", "Value": "v"}],
    }
    created = registry.create(a_model("t1", request), 1.0).description
    assert misfits("DescribeModelOutput", created) == []
    assert [container["Image"] for container in created["Containers"]] == ["a", "b"]
    assert (created["EnableNetworkIsolation"], created["ExecutionRoleArn"]) == (True, IDENTITY.role_arn)


@pytest.mark.documented
def test_a_package_is_the_next_version_of_its_group_which_is_made_for_it(
    registry: SqliteRegistry, sdk_request: SdkRequest, misfits: Misfits
) -> None:
    request = sdk_request("v2_register_model")
    first = registry.create(a_package("t1", **request), 100.0).description
    second = registry.create(a_package("t2", **request), 101.0).description
    # The model requires a name that the service does not give to versions of a group.
    assert misfits("DescribeModelPackageOutput", first) == ["$.ModelPackageName is missing"]
    assert {name: first[name] for name in request} == request
    assert (first["ModelPackageVersion"], second["ModelPackageVersion"]) == (1, 2)
    assert second["ModelPackageArn"] == f"{ARN}:model-package/Abalone/2"
    assert (first["ModelPackageStatus"], first["ModelApprovalStatus"]) == ("Completed", "PendingManualApproval")
    assert registry.model_packages() == [first, second]
    assert registry.model_packages("Abalone") == [first, second]
    assert registry.model_packages("Other") == []


def test_every_member_of_a_package_request_is_kept(registry: SqliteRegistry, misfits: Misfits) -> None:
    kept = {
        "ModelPackageDescription": "d",
        "MetadataProperties": {"CommitId": "c"},
        "CustomerMetadataProperties": {"k": "v"},
        "DriftCheckBaselines": {"Bias": {"ConfigFile": {"S3Uri": "s3://b/c"}}},
        "Domain": "COMPUTER_VISION",
        "Task": "CLASSIFICATION",
        "SamplePayloadUrl": "s3://b/p",
        "SourceUri": "s3://b/m",
        "ModelCard": {"ModelCardContent": "{}", "ModelCardStatus": "Draft"},
        "SkipModelValidation": "All",
        "ModelApprovalStatus": "Approved",
    }
    package = registry.create(a_package("t", Tags=[{"Key": "k", "Value": "v"}], ClientToken="x", **kept), 1.0).description
    assert misfits("DescribeModelPackageOutput", package) == ["$.ModelPackageName is missing"]
    assert {name: package[name] for name in kept} == kept


def test_a_package_without_a_group_has_a_name_and_no_version(registry: SqliteRegistry, misfits: Misfits) -> None:
    package = registry.create(a_package("t", group=None), 1.0).description
    assert misfits("DescribeModelPackageOutput", package) == []
    assert (package["ModelPackageName"], package["ModelPackageArn"]) == ("package", f"{ARN}:model-package/package")


@pytest.mark.parametrize("resource", [a_model("same"), a_package("same")])
def test_the_same_token_gives_the_same_resource(registry: SqliteRegistry, resource: CreateResource) -> None:
    first = registry.create(resource, 1.0)
    assert registry.create(resource, 2.0) == first
    assert len(registry.models()) + len(registry.model_packages()) == 1


def test_a_model_s_name_can_be_taken_once(registry: SqliteRegistry) -> None:
    registry.create(a_model("t1"), 1.0)
    with pytest.raises(JobFailed) as refused:
        registry.create(a_model("t2"), 2.0)
    assert str(refused.value) == (
        "Failed to invoke sagemaker:CreateModel. Error Details: "
        f"Cannot create already existing model '{ARN}:model/pipelines-mod'."
    )


def test_groups_are_listed_and_described(registry: SqliteRegistry, misfits: Misfits) -> None:
    registry.create(a_package("t1"), 5.0)
    registry.create(a_package("t2", group=f"{ARN}:model-package-group/Wine"), 6.0)
    registry.create(a_package("t3"), 7.0)
    assert [group["ModelPackageGroupName"] for group in registry.groups()] == ["Abalone", "Wine"]
    group = registry.group("Abalone")
    assert misfits("DescribeModelPackageGroupOutput", group) == []
    assert (group["CreationTime"], group["ModelPackageGroupArn"]) == (5.0, f"{ARN}:model-package-group/Abalone")
    assert registry.group(group["ModelPackageGroupArn"]) == group
    with pytest.raises(NotFound, match=r"^There is no model package group 'Abalome'\. Did you mean 'Abalone'\?$"):
        registry.group("Abalome")


@pytest.mark.parametrize("named", ["Abalone/2", f"{ARN}:model-package/Abalone/2"])
def test_approval_is_changed_by_arn_or_group_and_version(registry: SqliteRegistry, misfits: Misfits, named: str) -> None:
    registry.create(a_package("t1"), 1.0)
    before = registry.create(a_package("t2"), 2.0).description
    changed = registry.set_approval(named, "Approved", "looks good", at=9.0)
    assert misfits("DescribeModelPackageOutput", changed) == ["$.ModelPackageName is missing"]
    assert changed == {
        **before,
        "ModelApprovalStatus": "Approved",
        "ApprovalDescription": "looks good",
        "LastModifiedTime": 9.0,
        "LastModifiedBy": {},
    }
    assert registry.model_packages("Abalone")[1] == changed
    assert registry.set_approval(named, "Rejected", None, at=10.0)["ApprovalDescription"] == "looks good"


@pytest.mark.parametrize("named", ["Abalone", f"{ARN}:model-package-group/Abalone"])
def test_a_group_is_neither_approved_nor_rejected(registry: SqliteRegistry, named: str) -> None:
    registry.create(a_package("t1"), 1.0)
    registry.create(a_package("t2"), 1.0)
    with pytest.raises(UsageError, match=r"^'Abalone' is a group; name a version: Abalone/2 is the newest\.$"):
        registry.set_approval(named, "Approved", None, at=1.0)


@pytest.mark.parametrize(
    ("reason", "problem"),
    [
        ("x" * 1025, "The reason has 1025 characters: an ApprovalDescription has at most 1024."),
        ("one\ntwo", "The reason has a line break: an ApprovalDescription is one line."),
        ("one\n", "The reason has a line break: an ApprovalDescription is one line."),
    ],
)
def test_a_reason_that_the_service_would_not_take_is_refused(registry: SqliteRegistry, reason: str, problem: str) -> None:
    registry.create(a_package("t1"), 1.0)
    with pytest.raises(UsageError, match=f"^{problem}$"):
        registry.set_approval("Abalone/1", "Approved", reason, at=1.0)
    assert "ApprovalDescription" not in registry.model_packages("Abalone")[0]
    assert registry.set_approval("Abalone/1", "Approved", "x" * 1024, at=2.0)["ModelApprovalStatus"] == "Approved"


def test_approval_of_nothing_or_by_no_status_is_refused(registry: SqliteRegistry) -> None:
    registry.create(a_package("t1"), 1.0)
    with pytest.raises(NotFound, match=r"^There is no model package 'Abalone/7'\. Did you mean 'Abalone/1'\?$"):
        registry.set_approval("Abalone/7", "Approved", None, at=1.0)
    with pytest.raises(UsageError, match="'Fine' is no ModelApprovalStatus; it is one of Approved, Rejected, PendingManual"):
        registry.set_approval("Abalone/1", "Fine", None, at=1.0)


def test_reading_a_home_that_has_no_registry_makes_none(tmp_path: Path) -> None:
    registry = SqliteRegistry(tmp_path / "home")
    assert (registry.models(), registry.model_packages(), registry.groups()) == ([], [], [])
    assert not (tmp_path / "home").exists()


def test_resources_outlive_the_registry_that_made_them(tmp_path: Path) -> None:
    created = SqliteRegistry(tmp_path).create(a_model("t1"), 1.0).description
    assert SqliteRegistry(tmp_path).models() == [created]


def test_versions_count_up_over_threads_and_processes(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[3])\n"
        "from test_registry import a_package, SqliteRegistry\n"
        "registry = SqliteRegistry(pathlib.Path(sys.argv[1]))\n"
        "for i in range(15): registry.create(a_package(f'{sys.argv[2]}-{i}'), 1.0)\n"
    )
    commands = [
        [sys.executable, "-c", script, str(tmp_path), str(number), str(Path(__file__).parent)] for number in range(2)
    ]
    processes = [subprocess.Popen(command) for command in commands]
    registry = SqliteRegistry(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: registry.create(a_package(f"thread-{i}"), 1.0), range(20)))
    assert [process.wait(30) for process in processes] == [0, 0]
    assert [package["ModelPackageVersion"] for package in registry.model_packages("Abalone")] == list(range(1, 51))


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeUnusable, match=r"The model registry .*file/registry.db cannot be used: .*Make it readable"):
        SqliteRegistry(tmp_path / "file").create(a_model("t1"), 1.0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everywhere")
def test_a_home_that_may_not_be_entered_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0)
    try:
        with pytest.raises(HomeUnusable, match="Permission denied"):
            SqliteRegistry(tmp_path).models()
    finally:
        tmp_path.chmod(0o700)


def test_a_file_that_is_no_registry_is_told(tmp_path: Path) -> None:
    (tmp_path / "registry.db").write_text("not a database, but long enough to be read as one" * 100)
    with pytest.raises(HomeUnusable, match="file is not a database"):
        SqliteRegistry(tmp_path).models()


def test_a_newer_registry_is_refused(tmp_path: Path) -> None:
    SqliteRegistry(tmp_path).create(a_model("t1"), 1.0)
    database = sqlite3.connect(tmp_path / "registry.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(HomeUnusable, match="was written by a newer localpipe"):
        SqliteRegistry(tmp_path).models()


def a_package_of(*containers: JSON, **more: JSON) -> JSON:
    return {"InferenceSpecification": {"Containers": list(containers)}, **more}


def test_a_model_that_names_a_package_has_the_containers_of_it(registry: SqliteRegistry, misfits: Misfits) -> None:
    packaged = {"Image": "i", "ModelDataUrl": "s3://b/m", "Environment": {"A": "1", "B": "2"}, "Framework": "XGBOOST"}
    arn = registry.create(a_package("p", **a_package_of(packaged)), 1.0).description["ModelPackageArn"]
    for token, name in (("t1", arn), ("t2", "Abalone/1")):
        given = {"ModelPackageName": name, "Environment": {"B": "3"}}
        resource = CreateResource(
            kind="Model", name=token, request={"PrimaryContainer": given}, token=token, identity=IDENTITY
        )
        made = registry.create(resource, 2.0).description
        assert misfits("DescribeModelOutput", made) == []
        assert made["PrimaryContainer"] == {
            "Mode": "SingleModel",
            "Image": "i",
            "ModelDataUrl": "s3://b/m",
            "ModelPackageName": name,
            "Environment": {"A": "1", "B": "3"},
        }


def test_a_package_of_several_containers_makes_a_model_of_several(registry: SqliteRegistry) -> None:
    registry.create(a_package("p", **a_package_of({"Image": "one"}, {"Image": "two"})), 1.0)
    primary = registry.create(a_model("t1", {"PrimaryContainer": {"ModelPackageName": "Abalone/1"}}), 2.0).description
    assert [container["Image"] for container in primary["Containers"]] == ["one", "two"]
    assert "PrimaryContainer" not in primary
    listed = CreateResource(
        kind="Model",
        name="listed",
        request={"Containers": [{"Image": "zero"}, {"ModelPackageName": "Abalone/1"}]},
        token="t2",
        identity=IDENTITY,
    )
    made = registry.create(listed, 3.0).description
    assert [container["Image"] for container in made["Containers"]] == ["zero", "one", "two"]


def test_an_additional_inference_specification_is_taken_by_its_name(registry: SqliteRegistry) -> None:
    additional = {"Name": "small", "Containers": [{"Image": "small"}]}
    registry.create(a_package("p", **a_package_of({"Image": "i"}, AdditionalInferenceSpecifications=[additional])), 1.0)
    named = {"ModelPackageName": "Abalone/1", "InferenceSpecificationName": "small"}
    assert (
        registry.create(a_model("t", {"PrimaryContainer": named}), 2.0).description["PrimaryContainer"]["Image"] == "small"
    )


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ({"ModelPackageName": "Abalone/2"}, "Model package Abalone/2 does not exist."),
        (
            {"ModelPackageName": "Abalone/1", "InferenceSpecificationName": "big"},
            f"Model package {ARN}:model-package/Abalone/1 has no additional inference specification 'big'; it has: none.",
        ),
        ({"ModelPackageName": "Abalone/1"}, f"Model package {ARN}:model-package/Abalone/1 has no InferenceSpecification."),
    ],
)
def test_a_model_of_a_package_that_is_not_there_is_refused(registry: SqliteRegistry, named: JSON, reason: str) -> None:
    registry.create(a_package("p"), 1.0)
    with pytest.raises(JobFailed) as refused:
        registry.create(a_model("t", {"PrimaryContainer": named}), 2.0)
    assert str(refused.value) == f"Failed to invoke sagemaker:CreateModel. Error Details: {reason}"
    assert registry.models() == []


def test_who_made_a_resource_and_every_approval_are_kept(registry: SqliteRegistry) -> None:
    origin = Origin(execution_arn=f"{ARN}:pipeline/p/execution/abcdefghij12", step="Register")
    registry.create(replace(a_package("t1", ModelApprovalStatus="Rejected"), origin=origin), 1.0)
    registry.create(a_model("t2"), 2.0)
    registry.set_approval("Abalone/1", "Approved", "better data", at=3.0)
    registry.set_approval("Abalone/1", "PendingManualApproval", None, at=4.0)
    package, model = registry.resources()
    assert package.approvals == (
        Approval(1.0, "Rejected", ""),
        Approval(3.0, "Approved", "better data"),
        Approval(4.0, "PendingManualApproval", ""),
    )
    assert (package.kind, package.name, package.origin) == ("ModelPackage", "Abalone/1", origin)
    assert (model.kind, model.name, model.origin, model.approvals) == ("Model", "Pipelines-Mod", None, ())


def test_the_lineage_of_a_resource_is_kept_beside_it(registry: SqliteRegistry) -> None:
    registry.create(a_package("t1"), 1.0)
    registry.create(a_model("t2"), 1.0)
    for resource in registry.resources():
        assert resource.lineage is None
        registry.keep_lineage(resource, [{"StepName": resource.name}])
    assert [each.lineage for each in registry.resources()] == [[{"StepName": "Abalone/1"}], [{"StepName": "Pipelines-Mod"}]]


def test_a_version_is_not_given_again_after_the_package_is_gone(registry: SqliteRegistry, tmp_path: Path) -> None:
    registry.create(a_package("t1"), 1.0)
    database = sqlite3.connect(tmp_path / "home" / "registry.db")
    with database:
        database.execute("DELETE FROM packages")
    database.close()
    assert registry.create(a_package("t2"), 2.0).description["ModelPackageVersion"] == 2


def test_a_registry_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path) -> None:
    tables = (Path(__file__).parent / "registry_1.sql").read_text()
    database = sqlite3.connect(tmp_path / "registry.db")
    database.executescript(tables)
    database.close()
    package, model = SqliteRegistry(tmp_path).resources()
    assert (package.name, package.origin, package.approvals) == ("G/1", None, (Approval(7.5, "Approved", "good"),))
    assert (model.name, model.lineage) == ("m", None)
    assert SqliteRegistry(tmp_path).create(a_package("t", group="G"), 9.0).description["ModelPackageVersion"] == 2


def test_every_member_of_the_requests_that_describe_has_is_kept(registry: SqliteRegistry) -> None:
    shapes = Loader().load_service_model("sagemaker", "service-2")["shapes"]
    cases = (("CreateModelPackageInput", "DescribeModelPackageOutput"), ("CreateModelInput", "DescribeModelOutput"))
    for request_shape, answer_shape in cases:
        both = set(shapes[request_shape]["members"]) & set(shapes[answer_shape]["members"])
        names = both - {"ModelPackageGroupName", "ModelPackageName", "ModelName", "PrimaryContainer", "Containers"}
        request = {name: f"the {name}" for name in names}
        resource = a_package("t", **request) if "Package" in request_shape else a_model("t", request)
        described = registry.create(resource, 1.0).description
        assert {name: described.get(name) for name in names} == request

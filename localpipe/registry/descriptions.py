"""Create request → Describe response of models, model packages and their groups. Pure.

Follows: service.md sections 9.2, 9.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.core.names import Identity

APPROVAL_STATUSES = ("Approved", "Rejected", "PendingManualApproval")
_MODEL_MEMBERS = ("InferenceExecutionConfig", "VpcConfig")
_PACKAGE_MEMBERS = (
    *("ModelPackageDescription", "ModelPackageRegistrationType", "InferenceSpecification", "ValidationSpecification"),
    *("SourceAlgorithmSpecification", "MetadataProperties", "ModelMetrics", "Domain", "Task", "SamplePayloadUrl"),
    *("CustomerMetadataProperties", "DriftCheckBaselines", "AdditionalInferenceSpecifications", "SourceUri"),
    *("SecurityConfig", "ModelCard", "ModelLifeCycle", "ManagedStorageType"),
)


def describe_model(request: JSON, *, name: str, identity: Identity, at: float) -> JSON:
    """DescribeModel. The name in the ARN is lower-cased."""
    containers = {"Containers": [_container(entry) for entry in request["Containers"]]} if "Containers" in request else {}
    primary = {"PrimaryContainer": _container(request["PrimaryContainer"])} if "PrimaryContainer" in request else {}
    return {
        "ModelName": name,
        "ModelArn": identity.arn("model", name.lower()),
        "CreationTime": at,
        **primary,
        **containers,
        "ExecutionRoleArn": request.get("ExecutionRoleArn", identity.role_arn),
        "EnableNetworkIsolation": request.get("EnableNetworkIsolation", False),
        **_members(request, _MODEL_MEMBERS),
    }


def describe_group(*, name: str, identity: Identity, at: float) -> JSON:
    """DescribeModelPackageGroup."""
    return {
        "ModelPackageGroupName": name,
        "ModelPackageGroupArn": identity.arn("model-package-group", name),
        "CreationTime": at,
        "CreatedBy": {},
        "ModelPackageGroupStatus": "Completed",
    }


def describe_version(request: JSON, *, group: JSON, version: int, at: float) -> JSON:
    """DescribeModelPackage of a version of a group (its DescribeModelPackageGroup). Such a package has no name."""
    group_arn: str = group["ModelPackageGroupArn"]
    return {
        "ModelPackageGroupName": group["ModelPackageGroupName"],
        "ModelPackageVersion": version,
        "ModelPackageArn": f"{group_arn.replace(':model-package-group/', ':model-package/')}/{version}",
        "ModelApprovalStatus": request.get("ModelApprovalStatus", "PendingManualApproval"),
        **_package(request, at),
    }


def describe_unversioned(request: JSON, *, name: str, identity: Identity, at: float) -> JSON:
    """DescribeModelPackage of a package that is in no group."""
    return {
        "ModelPackageName": name,
        "ModelPackageArn": identity.arn("model-package", name),
        **_package(request, at),
    }


def last_part(name_or_arn: str) -> str:
    """The name of a group that is given by name or ARN."""
    return name_or_arn.rpartition("/")[2]


def _package(request: JSON, at: float) -> JSON:
    return {
        "CreationTime": at,
        "LastModifiedTime": at,
        "CreatedBy": {},
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "CertifyForMarketplace": request.get("CertifyForMarketplace", False),
        "SkipModelValidation": request.get("SkipModelValidation", "None"),
        **_members(request, _PACKAGE_MEMBERS),
    }


def _container(definition: JSON) -> JSON:
    return {"Mode": "SingleModel", "Environment": {}, **definition}


def _members(request: JSON, names: tuple[str, ...]) -> dict[str, JSON]:
    return {name: request[name] for name in names if name in request}

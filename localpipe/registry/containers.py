"""The containers of a model: those of a model package in place of its name. Pure.

Follows: containers.md 3.8; CreateModel's `ContainerDefinition.ModelPackageName` and `InferenceSpecificationName`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.work import create_refused
from localpipe.errors import JobFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localpipe.core import JSON

_SHARED = ("ContainerHostname", "Image", "ModelDataUrl", "ModelDataSource", "AdditionalModelDataSources", "Environment")
"""The members of a package's container that a model's container has too."""


def with_packages(request: JSON, package: Callable[[str], JSON | None]) -> JSON:
    """A CreateModel request in which each container that names a package has what the package says of its containers.

    `package`: name or ARN → DescribeModelPackage, None where there is none. A package of several containers makes a model of
    several. What the request itself says of a container wins; the package's name stays beside it.
    UNVERIFIED: what DescribeModel shows of such a container beside ModelPackageName.

    Raises JobFailed, in the words of a refused call, for a package or an inference specification that is not there.
    """
    if "Containers" in request:
        return {**request, "Containers": [each for given in request["Containers"] for each in _expanded(given, package)]}
    if "PrimaryContainer" not in request:
        return request
    primary = list(_expanded(request["PrimaryContainer"], package))
    if len(primary) == 1:
        return {**request, "PrimaryContainer": primary[0]}
    return {**{name: value for name, value in request.items() if name != "PrimaryContainer"}, "Containers": primary}


def _expanded(container: JSON, package: Callable[[str], JSON | None]) -> Iterator[JSON]:
    """The container itself, or those of the package that it names."""
    name = container.get("ModelPackageName")
    if name is None:
        yield container
        return
    found = package(name)
    if found is None:
        raise JobFailed(create_refused("CreateModel", f"Model package {name} does not exist."))
    for packaged in _specification(found, container.get("InferenceSpecificationName")).get("Containers", []):
        shared = {member: packaged[member] for member in _SHARED if member in packaged}
        environment = {**shared.get("Environment", {}), **container.get("Environment", {})}
        yield {**shared, **container, **({"Environment": environment} if environment else {})}


def _specification(package: JSON, name: str | None) -> JSON:
    """The inference specification of a package; an additional one by its name."""
    if name is None:
        if "InferenceSpecification" in package:
            return package["InferenceSpecification"]
        reason = "has no InferenceSpecification."
    else:
        additional = {each["Name"]: each for each in package.get("AdditionalInferenceSpecifications", [])}
        if name in additional:
            return additional[name]
        reason = f"has no additional inference specification {name!r}; it has: {', '.join(additional) or 'none'}."
    raise JobFailed(create_refused("CreateModel", f"Model package {package['ModelPackageArn']} {reason}"))

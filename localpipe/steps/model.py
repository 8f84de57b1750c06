"""`Type: Model`: creates a model in the registry of the home."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from localpipe.core.work import CreateResource
from localpipe.errors import Problem
from localpipe.jobs.fidelity import KEPT_ROLE, KEPT_VPC, NO_TAGS, approximated, exact, ignored
from localpipe.jobs.members import lacking, members
from localpipe.steps.base import LeafStep
from localpipe.steps.resources import created, origin, token

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from localpipe.core import JSON
    from localpipe.core.fidelity import Rule
    from localpipe.core.work import Outcome, ResolvedStep, Work, WorkResult
    from localpipe.definition.model import StepDefinition

_CONTAINERS = ("PrimaryContainer", "Containers")


class ModelStep(LeafStep):
    """Follows: service.md section 1.4, 1.5, 11.4."""

    type: ClassVar[str] = "Model"
    request_shape: ClassVar[str | None] = "CreateModelInput"
    properties_shape: ClassVar[str | None] = "DescribeModelOutput"
    job_name_argument: ClassVar[str | None] = "ModelName"
    retryable: ClassVar[bool] = True
    fidelity: ClassVar[tuple[Rule, ...]] = (
        *exact("ModelName", "PrimaryContainer", "Containers", "InferenceExecutionConfig", "EnableNetworkIsolation"),
        approximated("ExecutionRoleArn", KEPT_ROLE),
        approximated("VpcConfig", KEPT_VPC),
        ignored("Tags", NO_TAGS),
    )

    def check(self, step: StepDefinition) -> Iterable[Problem]:
        """A model has one container or a list of them, not both; each has an image or those of a model package."""
        path = f"{step.path}.Arguments"
        given = [name for name in _CONTAINERS if isinstance(step.arguments, dict) and step.arguments.get(name)]
        if len(given) != 1:
            yield Problem(path, f"A model needs either {' or '.join(_CONTAINERS)}.")
        for structure in ("PrimaryContainer", "Containers[*]"):
            yield from lacking(step.arguments, structure, "Image", "ModelPackageName", path=path)
            yield from _of_two_places(step.arguments, structure, path)

    def work(self, step: ResolvedStep) -> Work:
        """Create it under the generated name."""
        return CreateResource(
            kind="Model",
            name=step.job_name,
            request=step.arguments,
            token=token(step),
            identity=step.execution.identity,
            origin=origin(step),
        )

    def outcome(self, step: ResolvedStep, result: WorkResult) -> Outcome:
        """Properties in DescribeModel shape."""
        del step
        return created(result)

    def metadata(self, properties: JSON) -> JSON:
        """`{"Model": {"Arn": ...}}`."""
        return {"Model": {"Arn": properties["ModelArn"]}} if properties else {}


def _of_two_places(arguments: JSON, structure: str, path: str) -> Iterator[Problem]:
    """Problems of containers whose model data is in two places."""
    for place, container in members(arguments, structure, path):
        if isinstance(container, dict) and container.get("ModelDataUrl") and container.get("ModelDataSource"):
            yield Problem(place, "It has both ModelDataUrl and ModelDataSource.", "Give one of them.")

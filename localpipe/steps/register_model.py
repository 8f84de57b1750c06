"""`Type: RegisterModel`: adds a model package to the registry of the home, its group with it if need be."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from localpipe.core.work import CreateResource
from localpipe.errors import Problem
from localpipe.jobs.fidelity import NO_TAGS, NOT_ENCRYPTED, approximated, exact, ignored
from localpipe.jobs.members import members
from localpipe.steps.base import LeafStep
from localpipe.steps.resources import created, origin, token

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localpipe.core import JSON
    from localpipe.core.fidelity import Rule
    from localpipe.core.work import Outcome, ResolvedStep, Work, WorkResult
    from localpipe.definition.model import StepDefinition


class RegisterModelStep(LeafStep):
    """Follows: service.md section 1.4, 9.3, 11.4."""

    type: ClassVar[str] = "RegisterModel"
    request_shape: ClassVar[str | None] = "CreateModelPackageInput"
    properties_shape: ClassVar[str | None] = "DescribeModelPackageOutput"
    retryable: ClassVar[bool] = True
    fidelity: ClassVar[tuple[Rule, ...]] = (
        *exact(
            *("ModelPackageName", "ModelPackageGroupName", "ModelPackageDescription", "ModelPackageRegistrationType"),
            *("InferenceSpecification", "SourceAlgorithmSpecification", "ModelApprovalStatus", "MetadataProperties"),
            *("ModelMetrics", "ClientToken", "Domain", "Task", "SamplePayloadUrl", "CustomerMetadataProperties"),
            *("DriftCheckBaselines", "AdditionalInferenceSpecifications", "SkipModelValidation", "SourceUri", "ModelCard"),
            *("ModelLifeCycle", "ManagedStorageType", "CertifyForMarketplace"),
        ),
        approximated("SecurityConfig", NOT_ENCRYPTED),
        ignored("ValidationSpecification", "The package was not validated: no validation job ran."),
        ignored("Tags", NO_TAGS),
    )

    def check(self, step: StepDefinition) -> Iterable[Problem]:
        """The service takes no CertifyForMarketplace here; a version has no name. Follows: service.md sections 1.6, 9.3."""
        path = f"{step.path}.Arguments"
        for place, _ in members(step.arguments, "CertifyForMarketplace", path):
            yield Problem(place, "A RegisterModel step takes no CertifyForMarketplace.", "Leave it out.")
        if any(members(step.arguments, "ModelPackageGroupName", path)):
            for place, _ in members(step.arguments, "ModelPackageName", path):
                yield Problem(place, "A model package in a group has no name of its own.", "Leave it out.")

    def work(self, step: ResolvedStep) -> Work:
        """Create the package: the next version of its group, or one of its own name."""
        return CreateResource(
            kind="ModelPackage",
            name=step.arguments.get("ModelPackageName", step.job_name),
            request=step.arguments,
            token=step.arguments.get("ClientToken", token(step)),
            identity=step.execution.identity,
            origin=origin(step),
        )

    def outcome(self, step: ResolvedStep, result: WorkResult) -> Outcome:
        """Properties in DescribeModelPackage shape."""
        del step
        return created(result)

    def metadata(self, properties: JSON) -> JSON:
        """`{"RegisterModel": {"Arn": ...}}`."""
        return {"RegisterModel": {"Arn": properties["ModelPackageArn"]}} if properties else {}

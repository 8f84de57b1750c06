"""What the checks of a definition need to know of a step type, so that they need not know the step types."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from localpipe.core import JSON
    from localpipe.definition.model import StepDefinition
    from localpipe.errors import Problem


class StepKind(Protocol):
    """What one value of a step's `Type` means for a definition; `steps.base.StepType` adds what it does."""

    type: ClassVar[str]
    """The definition's `Type`."""

    request_shape: ClassVar[str | None]
    """The shape of the service model that Arguments must fit (`CreateProcessingJobRequest`), or None."""

    properties_shape: ClassVar[str | None]
    """The shape of the properties (`DescribeProcessingJobResponse`), or None: only `extra_properties`."""

    extra_properties: ClassVar[tuple[str, ...]]
    """Top-level members that property paths may name besides those of the shape (`Outcome`)."""

    fields: ClassVar[tuple[str, ...]]
    """Step-level members that only some types have (`FunctionArn`). Follows: service.md section 1.3."""

    job_name_argument: ClassVar[str | None]
    """The argument that names the job and may be left out in a definition (`ProcessingJobName`), or None."""

    retryable: ClassVar[bool]
    """Whether RetryPolicies are allowed. Follows: service.md section 7."""

    can_be_depended_on: ClassVar[bool]
    """False for Fail: no step may depend on it or refer to it. Follows: service.md section 1.6."""

    def check(self, step: StepDefinition) -> Iterable[Problem]:
        """Problems of this step beyond those of the request shape, each with its JSON path. Never raises."""
        ...

    def branches(self, step: StepDefinition) -> Mapping[str, tuple[StepDefinition, ...]]:
        """Steps that only run when the named branch is taken; empty for a leaf."""
        ...

    def own_arguments(self, step: StepDefinition) -> JSON:
        """The part of Arguments whose expressions are the step's own: a Condition leaves out its branches."""
        ...

    def output_types(self, step: StepDefinition) -> Mapping[str, str] | None:
        """The OutputParameters that it declares, name → type; None for a type that has none. Never raises."""
        ...

    def output_names(self, step: StepDefinition) -> Collection[str] | None:
        """The outputs that property files may be in; None where the definition does not tell all. Never raises."""
        ...


def named_by_service(kind: StepKind) -> frozenset[str]:
    """The required members of the request that the service fills in: the name of what the step creates."""
    return frozenset({kind.job_name_argument} if kind.job_name_argument else ())

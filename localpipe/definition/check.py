"""What a definition means: step types, arguments, references and dependencies, checked before anything runs.

Knows no step type: each is looked up in the mapping it is handed. Cycles are the graph's to find.
Follows: service.md sections 1.4, 1.6, 5.5, 7, 10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.definition.expression_forms import check_expressions, unknown_members
from localpipe.definition.expressions import references
from localpipe.definition.parse import TRIGGERS, read_definition
from localpipe.definition.requests import check_request
from localpipe.definition.scope import Scope
from localpipe.definition.step_kind import StepKind, named_by_service
from localpipe.definition.wording import did_you_mean, element, member, nearest
from localpipe.errors import DefinitionError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from localpipe.core import JSON
    from localpipe.definition.model import PipelineDefinition, StepDefinition
    from localpipe.definition.property_paths import ServiceModel

SAGEMAKER_STEP_TYPES = (
    "Processing",
    "Training",
    "Tuning",
    "Transform",
    "Model",
    "RegisterModel",
    "Condition",
    "Fail",
    "Callback",
    "Lambda",
    "QualityCheck",
    "ClarifyCheck",
    "EMR",
    "EMRServerless",
    "AutoML",
    "EndpointConfig",
    "Endpoint",
    "InferenceComponent",
    "Lineage",
    "ForEach",
    "Cleanup",
    "Job",
)
"""Every `Type` that SageMaker knows. Follows: service.md section 1.4."""


def load_definition(
    source: str | bytes | Mapping[str, JSON], step_types: Mapping[str, StepKind], model: ServiceModel
) -> PipelineDefinition:
    """Parse and check. Raises DefinitionError with every problem of grammar and meaning together."""
    definition, problems = read_definition(source)
    problems += check_definition(definition, step_types, model)
    if problems:
        raise DefinitionError(dict.fromkeys(problems))
    return definition


def all_steps(definition: PipelineDefinition, step_types: Mapping[str, StepKind]) -> Iterator[StepDefinition]:
    """Every step in document order, those in branches right behind the step that opens them."""

    def branches(step: StepDefinition) -> Mapping[str, tuple[StepDefinition, ...]]:
        kind = step_types.get(step.type)
        return kind.branches(step) if kind else {}

    return walk_steps(definition.steps, branches)


def walk_steps(
    steps: Iterable[StepDefinition], branches: Callable[[StepDefinition], Mapping[str, tuple[StepDefinition, ...]]]
) -> Iterator[StepDefinition]:
    """The steps and those in their branches, in document order; `branches` gives the steps that a step opens."""
    for step in steps:
        yield step
        for inner in branches(step).values():
            yield from walk_steps(inner, branches)


def check_definition(
    definition: PipelineDefinition, step_types: Mapping[str, StepKind], model: ServiceModel
) -> list[Problem]:
    """Every problem of what the definition means, step by step in document order, then duplicate names, then the
    configs of the execution.

    The form of a branch is its step type's to report.
    """
    steps = list(all_steps(definition, step_types))
    scope = Scope.of(definition, steps, step_types, model)
    problems = [problem for step in steps for problem in _check_step(step, scope)]
    problems += duplicate_names(steps)
    problems += _check_values(definition.experiment, "$.PipelineExperimentConfig", scope, None)
    problems += _check_values(definition.mlflow, "$.MlflowConfig", scope, None)
    return list(dict.fromkeys(problems))


def duplicate_names(steps: Iterable[StepDefinition]) -> Iterator[Problem]:
    """A problem for each step whose name an earlier one has. Follows: service.md sections 1.2, 1.6."""
    first_paths: dict[str, str] = {}
    for step in steps:
        first = first_paths.setdefault(step.name, step.path)
        if first != step.path:
            message = f"there is already a step {step.name!r} at {first}."
            yield Problem(step.path, message, "Step names are unique over the whole definition, branches included.")


def _check_step(step: StepDefinition, scope: Scope) -> Iterator[Problem]:
    kind = scope.step_types.get(step.type)
    if kind is None:
        yield _unknown_type(step, scope.step_types)
    else:
        yield from with_own_words(_check_arguments(step, kind, scope), kind.check(step))
        yield from unknown_members(step.fields, kind.fields, step.path)
        yield from _check_retry_policies(step, kind)
        yield from _check_property_files(step, kind)
    for name, value in step.fields.items():
        yield from _check_values(value, member(step.path, name), scope, step)
    yield from _check_dependencies(step, scope)


def with_own_words(problems: Iterable[Problem], own: Iterable[Problem]) -> Iterator[Problem]:
    """Problems of a step's arguments, then those in its type's own words, which alone speak of the places they name."""
    own = tuple(own)
    places = {problem.path for problem in own}
    yield from (problem for problem in problems if problem.path not in places)
    yield from own


def _unknown_type(step: StepDefinition, step_types: Mapping[str, StepKind]) -> Problem:
    path, supported = member(step.path, "Type"), f"Supported are {', '.join(step_types)}."
    if step.type in SAGEMAKER_STEP_TYPES:
        return Problem(path, f"step {step.name!r}: step type {step.type!r} is not supported.", supported, unsupported=True)
    near = nearest(step.type, SAGEMAKER_STEP_TYPES)
    remedy = f"Did you mean {near!r}?" if near else supported
    return Problem(path, f"step {step.name!r}: there is no step type {step.type!r}.", remedy)


def _check_arguments(step: StepDefinition, kind: StepKind, scope: Scope) -> Iterator[Problem]:
    arguments, path = kind.own_arguments(step), member(step.path, "Arguments")
    if kind.request_shape is not None:
        may_lack = named_by_service(kind)
        yield from check_request(kind.request_shape, arguments, scope.model, path, scope.type_of, may_lack=may_lack)
    yield from _check_values(arguments, path, scope, step)


def _check_values(value: JSON, path: str, scope: Scope, step: StepDefinition | None) -> Iterator[Problem]:
    yield from check_expressions(value, path)
    for reference in references(value, path):
        yield from scope.check_reference(reference, step)


def _check_dependencies(step: StepDefinition, scope: Scope) -> Iterator[Problem]:
    for index, dependency in enumerate(step.depends_on):
        path = element(member(step.path, "DependsOn"), index)
        yield from scope.check_target(dependency.step, path, step)
        if dependency.trigger != TRIGGERS[0]:
            message = (
                f"step {step.name!r}: running it when {dependency.step!r} ends as {dependency.trigger!r} is not supported."
            )
            yield Problem(path, message, f"Only the trigger {TRIGGERS[0]!r} is.", unsupported=True)


def _check_retry_policies(step: StepDefinition, kind: StepKind) -> Iterator[Problem]:
    if step.retry_policies and not kind.retryable:
        message = f"step {step.name!r}: a step of type {step.type!r} takes no RetryPolicies."
        yield Problem(member(step.path, "RetryPolicies"), message, "Remove them.")


def _check_property_files(step: StepDefinition, kind: StepKind) -> Iterator[Problem]:
    """Each names one of the step's outputs. Follows: service.md section 10."""
    names = kind.output_names(step)
    if names is None:
        return
    for index, file in enumerate(step.property_files):
        if file.output_name not in names:
            path = member(element(member(step.path, "PropertyFiles"), index), "OutputName")
            remedy = did_you_mean(file.output_name, names) or "The step has no outputs."
            yield Problem(path, f"step {step.name!r} has no output {file.output_name!r}.", remedy)

"""What the expressions of a definition may name: its parameters, the execution's variables, its steps' properties.

Follows: service.md sections 1.6, 2.2 to 2.4, 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.definition.expressions import (
    EXECUTION_VARIABLES,
    GET,
    JOB_NAME_VARIABLES,
    JOIN,
    ExecutionReference,
    ParameterReference,
    PropertyFileReference,
    PropertyReference,
    parse_reference,
)
from localpipe.definition.property_paths import (
    OUTPUTS,
    check_property_path,
    missing_element,
    not_a_scalar,
    property_shape,
    undeclared_output,
)
from localpipe.definition.requests import static_type
from localpipe.definition.wording import did_you_mean
from localpipe.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from localpipe.core import JSON
    from localpipe.definition.expressions import Reference
    from localpipe.definition.model import PipelineDefinition, StepDefinition
    from localpipe.definition.property_paths import PropertyPath, ServiceModel
    from localpipe.definition.step_kind import StepKind


@dataclass(frozen=True, kw_only=True)
class Scope:
    """`parameters`: name → type. `steps` by name, those in branches too; of two with one name, the first."""

    parameters: Mapping[str, str]
    steps: Mapping[str, StepDefinition]
    step_types: Mapping[str, StepKind]
    model: ServiceModel

    @classmethod
    def of(
        cls,
        definition: PipelineDefinition,
        steps: Iterable[StepDefinition],
        step_types: Mapping[str, StepKind],
        model: ServiceModel,
    ) -> Scope:
        """The scope of a definition, whose `steps` are all it has."""
        by_name: dict[str, StepDefinition] = {}
        for step in steps:
            by_name.setdefault(step.name, step)
        parameters = {parameter.name: parameter.type for parameter in definition.parameters}
        return cls(parameters=parameters, steps=by_name, step_types=step_types, model=model)

    def type_of(self, expression: JSON) -> str | None:
        """The static type of an expression, None where it is only known in the run. Follows: service.md section 2.3."""
        if JOIN in expression:
            return "String"
        reference = parse_reference(expression.get(GET), "$")
        match reference:
            case ParameterReference(name=name):
                return self.parameters.get(name)
            case ExecutionReference():
                return "String"
            case PropertyReference(step=name, properties=properties):
                return self._property_type(name, properties)
            case _:
                return None

    def _property_type(self, step_name: str, properties: PropertyPath) -> str | None:
        step = self.steps.get(step_name)
        kind = self.step_types.get(step.type) if step else None
        if step is None or kind is None:
            return None
        outputs = kind.output_types(step)
        if outputs is not None and properties[0] == OUTPUTS:
            return outputs.get(str(properties[-1]))
        if kind.properties_shape is None:
            return None
        shape_name = property_shape(kind.properties_shape, properties, self.model)
        return static_type(self.model["shapes"][shape_name]) if shape_name else None

    def check_reference(self, reference: Reference, step: StepDefinition | None) -> Iterator[Problem]:
        """Problems of a reference that stands in `step`, or outside of any step (None)."""
        match reference:
            case ParameterReference(name=name, path=path):
                if name not in self.parameters:
                    remedy = did_you_mean(name, self.parameters) or "The definition declares no parameters."
                    yield Problem(path, f"there is no parameter {name!r}.", remedy)
            case ExecutionReference(variable=variable, path=path):
                yield from self._check_variable(variable, path, step)
            case PropertyReference() | PropertyFileReference():
                yield from self.check_target(reference.step, reference.path, step)
                yield from self.check_named(reference)

    def check_named(self, reference: PropertyReference | PropertyFileReference) -> Iterator[Problem]:
        """Problems of what a reference to a step of the definition names in it, wherever the reference stands."""
        match reference:
            case PropertyReference(step=target, properties=properties, path=path):
                yield from self._check_property(target, properties, path)
            case PropertyFileReference(step=target, property_file=name, path=path):
                yield from self._check_property_file(target, name, path)

    def _check_variable(self, variable: str, path: str, step: StepDefinition | None) -> Iterator[Problem]:
        if variable not in EXECUTION_VARIABLES:
            yield Problem(path, f"there is no execution variable {variable!r}.", did_you_mean(variable, EXECUTION_VARIABLES))
        elif variable in JOB_NAME_VARIABLES:
            owners = [kind.type for kind in self.step_types.values() if kind.job_name_argument == variable]
            if step is None or step.type not in owners:
                named = " or ".join(map(repr, owners))
                yield Problem(path, f"Execution.{variable} has a value only in steps of type {named}.")

    def check_target(self, target: str, path: str, step: StepDefinition | None) -> Iterator[Problem]:
        """Problems of depending on step `target` at `path`."""
        if step is None:
            yield Problem(path, f"step {target!r} has no values yet when the execution starts.")
        elif target not in self.steps:
            yield Problem(path, f"there is no step {target!r}.", did_you_mean(target, self.steps))
        elif target == step.name:
            yield Problem(path, f"step {target!r} waits for itself.", "Refer to another step.")
        elif not self._can_be_depended_on(self.steps[target]):
            remedy = f"No step can depend on a step of type {self.steps[target].type!r} or refer to it."
            yield Problem(path, f"{step.name} can not depends on {target}.", remedy)

    def _can_be_depended_on(self, target: StepDefinition) -> bool:
        kind = self.step_types.get(target.type)
        return kind is None or kind.can_be_depended_on

    def _check_property(self, target: str, properties: PropertyPath, path: str) -> Iterator[Problem]:
        step = self.steps.get(target)
        kind = self.step_types.get(step.type) if step else None
        if step is None or kind is None or not kind.can_be_depended_on:
            return
        wrong = check_property_path(kind.properties_shape, properties, self.model, kind.extra_properties)
        wrong = wrong or undeclared_output(kind.output_types(step), properties)
        wrong = wrong or missing_element(kind.properties_shape, properties, step.arguments, self.model)
        wrong = wrong or not_a_scalar(kind.properties_shape, properties, self.model)
        if wrong:
            yield Problem(path, f"step {target!r} ({step.type}): {wrong}")

    def _check_property_file(self, target: str, name: str, path: str) -> Iterator[Problem]:
        step = self.steps.get(target)
        names = [file.name for file in step.property_files] if step else [name]
        if name not in names:
            remedy = did_you_mean(name, names) or "It declares none: add PropertyFiles to it."
            yield Problem(path, f"step {target!r} has no property file {name!r}.", remedy)

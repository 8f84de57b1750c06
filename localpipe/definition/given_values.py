"""Values that a user gives for properties of a step that does not run: read, checked against the step's type, put in place.

They are named as expressions name them, `Steps.Prep.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri`; a name in
brackets needs no quotes, since shells take them. Pure.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localpipe.definition.expressions import GET, PropertyFileReference, PropertyReference, StepValues, parse_reference
from localpipe.definition.property_paths import format_property_path, property_shape, with_value
from localpipe.definition.requests import fit_to_request, value_problems
from localpipe.definition.wording import did_you_mean, shown
from localpipe.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from localpipe.core import JSON
    from localpipe.definition.scope import Scope

_NAME_AND_VALUE = re.compile(r"(?P<name>(?:\[[^\]]*\]|[^=\[])+)=(?P<value>.*)", re.DOTALL)
_BARE_NAME = re.compile(r"\[(?!\d+\]|['\"])([^\]]*)\]")
_BOOLEANS = {"true": True, "false": False}
_IS_OF_TYPE: Mapping[str, Callable[[JSON], bool]] = {
    "String": lambda value: isinstance(value, str),
    "Integer": lambda value: type(value) is int,
    "Boolean": lambda value: isinstance(value, bool),
    "Float": lambda value: type(value) in {int, float} and math.isfinite(value),
}
"""The types that a step declares its outputs with. Follows: service.md section 11.1."""


@dataclass(frozen=True)
class GivenValue:
    """A value for what a reference names. `text`: the reference as the user wrote it."""

    text: str
    reference: PropertyReference | PropertyFileReference
    value: JSON


def split_given(text: str) -> tuple[str, str]:
    """`Steps.S.A['k=v'].B=value` as the reference and the value. Raises UsageError for another form."""
    match = _NAME_AND_VALUE.fullmatch(text)
    if not match:
        raise UsageError(f"{text!r} is not of the form Steps.STEP.PROPERTY=VALUE.")
    return match["name"], match["value"]


def read_given(values: Mapping[str, JSON], scope: Scope) -> tuple[GivenValue, ...]:
    """The values by their references, each of the type that the property has. Raises UsageError naming every wrong one."""
    given = [_read(text, value) for text, value in values.items()]
    problems = [f"{each.text}: {problem}" for each in given for problem in _problems(each, scope)]
    if problems:
        raise UsageError("\n".join(problems))
    return tuple(replace(each, value=_fitted(each, scope)) for each in given)


def with_given(
    before: StepValues, given: Iterable[GivenValue], shape_name: str | None, model: Mapping[str, JSON]
) -> StepValues:
    """What a step of a properties shape gave, with given values in place. Raises UsageError for an element too far off."""
    properties, files = before.properties, dict(before.property_files)
    for each in given:
        match each.reference:
            case PropertyFileReference(property_file=name):
                files[name] = each.value if isinstance(each.value, str) else json.dumps(each.value)
            case PropertyReference(properties=path):
                try:
                    properties = with_value(properties, path, each.value, shape_name, model)
                except LookupError as error:
                    raise UsageError(f"{each.text}: {error}") from None
    return replace(before, properties=properties, property_files=files)


def _read(text: str, value: JSON) -> GivenValue:
    reference = parse_reference(_BARE_NAME.sub(r"['\1']", text), "")
    if not isinstance(reference, PropertyReference | PropertyFileReference):
        raise UsageError(f"{text!r} names no property of a step: write Steps.STEP.PROPERTY.")
    return GivenValue(text, reference, value)


def _problems(given: GivenValue, scope: Scope) -> Iterable[str]:
    step = scope.steps.get(given.reference.step)
    if step is None:
        return [f"there is no step {given.reference.step!r}. {did_you_mean(given.reference.step, scope.steps)}"]
    if wrong := [_sentence(problem.message, problem.remedy) for problem in scope.check_named(given.reference)]:
        return wrong
    shape = _shape(given, scope)
    if shape is None:
        return _misfit(given, scope)
    found = value_problems(shape, _of_kind(given.value, shape, scope.model), scope.model, "")
    return [_sentence(problem.message, problem.remedy) for problem in found]


def _misfit(given: GivenValue, scope: Scope) -> Iterable[str]:
    """What is wrong with the value of something that the step itself declares the type of."""
    declared = _declared_type(given, scope)
    if declared is None or _IS_OF_TYPE[declared](_fitted(given, scope)):
        return []
    return [f"it is of type {declared}; found {shown(given.value)}."]


def _declared_type(given: GivenValue, scope: Scope) -> str | None:
    return scope.type_of({GET: _BARE_NAME.sub(r"['\1']", given.text)})


def _sentence(message: str, remedy: str) -> str:
    return f"{message} {remedy}".rstrip()


def _fitted(given: GivenValue, scope: Scope) -> JSON:
    shape = _shape(given, scope)
    if shape:
        return fit_to_request(shape, _of_kind(given.value, shape, scope.model), scope.model)
    if isinstance(given.reference, PropertyFileReference) or _declared_type(given, scope) == "String":
        return given.value
    return _number_or_boolean(given.value)


def _shape(given: GivenValue, scope: Scope) -> str | None:
    """The shape of the value; None for a property file, and for a property that has none."""
    match given.reference:
        case PropertyFileReference():
            return None
        case PropertyReference(step=step, properties=path):
            whole = scope.step_types[scope.steps[step].type].properties_shape
            return property_shape(whole, path, scope.model) if whole else None


def _of_kind(value: JSON, shape: str, model: Mapping[str, JSON]) -> JSON:
    """A text as the boolean it stands for, where a boolean is wanted."""
    if model["shapes"][shape]["type"] == "boolean" and isinstance(value, str):
        return _BOOLEANS.get(value.lower(), value)
    return value


def _number_or_boolean(value: JSON) -> JSON:
    """The value of a text that is one in JSON; any other value as it is. For properties whose type nothing tells."""
    try:
        read = _BOOLEANS.get(value.lower(), value) if isinstance(value, str) else value
        read = json.loads(read) if isinstance(read, str) else read
    except ValueError:
        return value
    return read if isinstance(read, int | float) else value


def told(given: GivenValue) -> str:
    """A note on a value that was given."""
    return f"Step {given.reference.step!r}: {named(given)} is given, as {shown(given.value)}."


def named(given: GivenValue) -> str:
    """What of its step is given, in words."""
    match given.reference:
        case PropertyReference(properties=path):
            return format_property_path(path)
        case PropertyFileReference(property_file=name):
            return f"property file {name}"

"""Get, Std:Join and Std:JsonGet: what they refer to, which documents they need, what they are worth.

An object is an expression when it has exactly one member and that is one of the three; everything else is data.
Follows: service.md section 2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from localpipe.core.names import S3Uri
from localpipe.definition.json_paths import read_scalar
from localpipe.definition.property_paths import PropertyPath, follow, parse_property_path
from localpipe.definition.wording import element, kind_of, member, nearest, scalar_text, shown
from localpipe.errors import ExpressionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from localpipe.core import JSON

GET, JOIN, JSON_GET = "Get", "Std:Join", "Std:JsonGet"
JOB_NAME_VARIABLES = ("TrainingJobName", "ProcessingJobName")
"""Those that have a value only in steps of one type, whose job they name. Follows: service.md section 2.2."""
EXECUTION_VARIABLES = (
    "PipelineName",
    "PipelineArn",
    "PipelineExecutionArn",
    "PipelineExecutionId",
    "StartDateTime",
    "CurrentDateTime",
    *JOB_NAME_VARIABLES,
)
"""Follows: service.md section 2.2."""

_EXPRESSIONS = frozenset({GET, JOIN, JSON_GET})
_GET_TEXT = re.compile(
    r"Parameters\.(?P<parameter>.+)|Execution\.(?P<variable>.+)|Steps\.(?P<step>[^.\[\]]+)(?P<properties>[.\[].+)", re.DOTALL
)


@dataclass(frozen=True)
class ParameterReference:
    """`Parameters.X`. `path` is the JSON path of the expression."""

    name: str
    path: str


@dataclass(frozen=True)
class ExecutionReference:
    """`Execution.Y`."""

    variable: str
    path: str


@dataclass(frozen=True)
class PropertyReference:
    """`Steps.S.A.B[0]['k']`: `properties` is what follows the step's name."""

    step: str
    properties: PropertyPath
    path: str


@dataclass(frozen=True)
class PropertyFileReference:
    """`Steps.S.PropertyFiles.P`."""

    step: str
    property_file: str
    path: str


Reference: TypeAlias = ParameterReference | ExecutionReference | PropertyReference | PropertyFileReference


@dataclass(frozen=True, kw_only=True)
class StepValues:
    """What a finished step gave: its properties in Describe shape, and its property files, name → text.

    `absent_files`: of the property files that it did not write, name → words on where one should be.
    """

    properties: JSON
    property_files: Mapping[str, str] = field(default_factory=dict)
    absent_files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EvaluationContext:
    """The values that expressions may refer to.

    `parameters` are resolved values, `execution` the variables without their prefix (`TrainingJobName` and
    `ProcessingJobName` only where they are valid), `steps` the finished steps. `documents` are the S3 objects that
    `documents_needed` asked for, None for one that does not exist.
    """

    parameters: Mapping[str, JSON]
    execution: Mapping[str, str]
    steps: Mapping[str, StepValues]
    documents: Mapping[S3Uri, str | None] = field(default_factory=dict)


def is_expression(value: JSON) -> bool:
    """Whether `value` is an object that stands for another value."""
    return isinstance(value, dict) and len(value) == 1 and not _EXPRESSIONS.isdisjoint(value)


def expression_hint(value: JSON) -> str:
    """What to tell the author of a value that is no scalar where one is wanted: how it would be an expression."""
    name = next(iter(value)) if isinstance(value, dict) and len(value) == 1 else ""
    near = nearest(name, (GET, JOIN, JSON_GET))
    return f"{f'Did you mean {near!r}? ' if near else ''}An expression has exactly one member: {GET}, {JOIN} or {JSON_GET}."


def parse_reference(text: JSON, path: str) -> Reference | None:
    """Read the text of a Get; None if it is none of its forms."""
    match = _GET_TEXT.fullmatch(text) if isinstance(text, str) else None
    if not match:
        return None
    if match["parameter"]:
        return ParameterReference(match["parameter"], path)
    if match["variable"]:
        return ExecutionReference(match["variable"], path)
    properties = parse_property_path(match["properties"])
    match properties:
        case None:
            return None
        case ("PropertyFiles", str(name)):
            return PropertyFileReference(match["step"], name, path)
        case _:
            return PropertyReference(match["step"], properties, path)


def parse_property_file(value: JSON, path: str) -> PropertyFileReference | None:
    """Read the PropertyFile of a Std:JsonGet; None if it is no Get of a property file."""
    reference = parse_reference(value[GET], path) if is_expression(value) and GET in value else None
    return reference if isinstance(reference, PropertyFileReference) else None


def references(value: JSON, path: str) -> Iterator[Reference]:
    """Every reference anywhere in `value`, in document order, each with its JSON path. Malformed ones are left out."""
    for text, at in _gets(value, path):
        reference = parse_reference(text, at)
        if reference:
            yield reference


def _gets(value: JSON, path: str) -> Iterator[tuple[JSON, str]]:
    if is_expression(value) and GET in value:
        yield value[GET], path
        return
    for inner, at in inside(value, path):
        yield from _gets(inner, at)


def inside(value: JSON, path: str) -> Iterator[tuple[JSON, str]]:
    """The objects and arrays directly in `value`, each with its JSON path: nothing else can hold an expression."""
    if isinstance(value, dict):
        yield from ((inner, member(path, key)) for key, inner in value.items() if isinstance(inner, dict | list))
    elif isinstance(value, list):
        yield from ((inner, element(path, index)) for index, inner in enumerate(value) if isinstance(inner, dict | list))


def referenced_steps(value: JSON) -> frozenset[str]:
    """Names of the steps that `value` refers to, by a property or a property file."""
    return frozenset(r.step for r in references(value, "$") if isinstance(r, PropertyReference | PropertyFileReference))


def documents_needed(value: JSON, context: EvaluationContext) -> frozenset[S3Uri]:
    """The S3 objects that Std:JsonGet expressions in `value` read; the context's `documents` are not looked at.

    Raises ExpressionError if a URI refers to something without a value, or is no S3 URI.
    """
    return frozenset(_documents(value, context, "$"))


def _documents(value: JSON, context: EvaluationContext, path: str) -> Iterator[S3Uri]:
    if isinstance(value, dict):
        if is_expression(value) and (value.get(JSON_GET) or {}).get("S3Uri") is not None:
            yield _document_uri(value[JSON_GET]["S3Uri"], context, path)
            return
        for key, inner in value.items():
            yield from _documents(inner, context, member(path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _documents(inner, context, element(path, index))


def evaluate(value: JSON, context: EvaluationContext, path: str = "$") -> JSON:
    """Return `value` with every Get, Std:Join and Std:JsonGet replaced by its value.

    Values keep their JSON type, except inside Std:Join, where they become text. An absent property is an error; a JSON
    null is a value and is returned. `path` is the JSON path of `value`, for errors.

    Raises ExpressionError, naming the reference and its JSON path, if a reference has no value.
    Follows: service.md sections 2.3, 2.4, 10.
    """
    if isinstance(value, list):
        return [evaluate(inner, context, element(path, index)) for index, inner in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if not is_expression(value):
        return {key: evaluate(inner, context, member(path, key)) for key, inner in value.items()}
    ((function, body),) = value.items()
    if function == GET:
        return _get(body, context, path)
    return _join(body, context, path) if function == JOIN else _json_get(body, context, path)


def _get(text: JSON, context: EvaluationContext, path: str) -> JSON:
    reference = parse_reference(text, path)
    match reference:
        case ParameterReference(name=name) if name in context.parameters:
            return context.parameters[name]
        case ExecutionReference(variable=variable) if variable in context.execution:
            return context.execution[variable]
        case PropertyReference(step=step, properties=properties) if step in context.steps:
            return _property(context.steps[step].properties, properties, text, path)
        case PropertyFileReference():
            raise ExpressionError(f"{text} is a property file, which only Std:JsonGet reads. It is referred to at {path}.")
        case _:
            raise ExpressionError(f"{shown(text)} has no value. It is referred to at {path}.")


def _property(document: JSON, properties: PropertyPath, text: str, path: str) -> JSON:
    try:
        return follow(document, properties)
    except LookupError as missing:
        raise ExpressionError(f"{text} has no value: {missing} It is referred to at {path}.") from None


def _join(body: JSON, context: EvaluationContext, path: str) -> str:
    values, at = body["Values"], f"{member(path, JOIN)}.Values"
    texts = [_text(evaluate(inner, context, element(at, i)), element(at, i)) for i, inner in enumerate(values)]
    return (body.get("On") or "").join(texts)


def _text(value: JSON, path: str) -> str:
    if not isinstance(value, str | int | float):
        raise ExpressionError(f"Std:Join takes strings, numbers and booleans; found {kind_of(value)} at {path}.")
    return scalar_text(value)


def _json_get(body: JSON, context: EvaluationContext, path: str) -> JSON:
    try:
        text, source = _source(body, context, path)
        return read_scalar(text, body["Path"], source)
    except ExpressionError as error:
        raise ExpressionError(f"{error} It is read at {path}.") from None


def _source(body: JSON, context: EvaluationContext, path: str) -> tuple[str | None, str]:
    """The text of the document, None if it does not exist, and what to call it."""
    if body.get("S3Uri") is not None:
        uri = _document_uri(body["S3Uri"], context, path)
        return context.documents.get(uri), str(uri)
    reference = parse_property_file(body["PropertyFile"], path)
    if reference is None or reference.step not in context.steps:
        raise ExpressionError(f"{shown(body['PropertyFile'])} has no value.")
    name, values = reference.property_file, context.steps[reference.step]
    place = f" ({values.absent_files[name]})" if name in values.absent_files else ""
    return values.property_files.get(name), f"Property file {name!r} of step {reference.step!r}{place}"


def _document_uri(uri: JSON, context: EvaluationContext, path: str) -> S3Uri:
    value = evaluate(uri, context, f"{member(path, JSON_GET)}.S3Uri")
    try:
        return S3Uri.parse(value)
    except (TypeError, ValueError):
        raise ExpressionError(f"{shown(value)} is not an S3 URI (s3://bucket/key). It is the S3Uri at {path}.") from None

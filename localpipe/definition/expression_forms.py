"""Whether expressions are well formed. What they name is looked up by `check.py`.

Follows: service.md sections 2.1, 1.6, 10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.names import S3Uri
from localpipe.definition.expressions import (
    GET,
    JOIN,
    JSON_GET,
    PropertyFileReference,
    expression_hint,
    inside,
    is_expression,
    parse_property_file,
    parse_reference,
)
from localpipe.definition.json_paths import parse_json_path
from localpipe.definition.wording import (
    EXPECTING_ARRAY,
    EXPECTING_OBJECT,
    PARSE_PREFIX,
    did_you_mean,
    element,
    kind_of,
    member,
    shown,
)
from localpipe.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from localpipe.core import JSON

_GET_FORMS = "Write Parameters.NAME, Execution.VARIABLE, Steps.STEP.PROPERTY or Steps.STEP.PropertyFiles.NAME."


def check_expressions(value: JSON, path: str) -> Iterator[Problem]:
    """Problems in the form of every expression in `value`; whether what they name exists is not looked at."""
    if is_expression(value):
        yield from _check_expression(value, path)
        return
    for inner, at in inside(value, path):
        yield from check_expressions(inner, at)


def _check_expression(value: JSON, path: str) -> Iterator[Problem]:
    ((function, body),) = value.items()
    if function == GET:
        yield from _check_get(body, path)
        return
    inside = member(path, function)
    if not isinstance(body, dict):
        yield Problem(inside, EXPECTING_OBJECT, f"{function} takes an object; found {kind_of(body)}.")
    elif function == JOIN:
        yield from _check_join(body, inside)
    else:
        yield from _check_json_get(body, inside)


def _check_get(text: JSON, path: str) -> Iterator[Problem]:
    reference = parse_reference(text, path)
    if reference is None:
        yield Problem(path, f"{PARSE_PREFIX}{shown(text)} is not something that Get can refer to.", _GET_FORMS)
    elif isinstance(reference, PropertyFileReference):
        yield Problem(
            path,
            f"property file {reference.property_file!r} cannot be used as a value.",
            'Read from it: {"Std:JsonGet": {"PropertyFile": {"Get": ...}, "Path": ...}}.',
        )


def _check_join(body: Mapping[str, JSON], path: str) -> Iterator[Problem]:
    yield from unknown_members(body, ("On", "Values"), path)
    if not isinstance(body.get("On"), str | None):
        yield Problem(member(path, "On"), f"{PARSE_PREFIX}Std:Join takes a string to join with, not {kind_of(body['On'])}.")
    values, at = body.get("Values"), member(path, "Values")
    if not isinstance(values, list):
        yield Problem(at, EXPECTING_ARRAY, f"Std:Join takes a list of values; found {kind_of(values)}.")
        return
    for index, inner in enumerate(values):
        yield from check_scalar(inner, element(at, index))


def check_scalar(value: JSON, path: str) -> Iterator[Problem]:
    """Problems of a value at a position that takes one scalar or an expression, and neither null, list nor object."""
    if is_expression(value):
        yield from _check_expression(value, path)
    elif not isinstance(value, str | int | float):
        message = f"{PARSE_PREFIX}Expecting a string, number, boolean or expression; found {kind_of(value)}."
        yield Problem(path, message, expression_hint(value))


def _check_json_get(body: Mapping[str, JSON], path: str) -> Iterator[Problem]:
    yield from unknown_members(body, ("PropertyFile", "S3Uri", "Path"), path)
    yield from _check_source(body, path)
    json_path, at = body.get("Path"), member(path, "Path")
    if not isinstance(json_path, str):
        yield Problem(at, f"{PARSE_PREFIX}Std:JsonGet takes a literal string as Path; found {kind_of(json_path)}.")
        return
    try:
        parse_json_path(json_path)
    except ValueError as error:
        yield Problem(at, str(error))


def _check_source(body: Mapping[str, JSON], path: str) -> Iterator[Problem]:
    sources = [name for name in ("PropertyFile", "S3Uri") if body.get(name) is not None]
    if len(sources) != 1:
        yield Problem(
            path, "Std:JsonGet takes one of PropertyFile and S3Uri.", f"Found {' and '.join(sources) or 'neither'}."
        )
    elif sources == ["S3Uri"]:
        yield from _check_s3_uri(body["S3Uri"], member(path, "S3Uri"))
    elif parse_property_file(body["PropertyFile"], path) is None:
        remedy = 'Write {"Get": "Steps.STEP.PropertyFiles.NAME"}.'
        yield Problem(member(path, "PropertyFile"), f"{shown(body['PropertyFile'])} does not name a property file.", remedy)


def _check_s3_uri(uri: JSON, path: str) -> Iterator[Problem]:
    yield from check_scalar(uri, path)
    if _holds_json_get(uri):
        yield Problem(path, "the S3Uri of a Std:JsonGet cannot be read by another Std:JsonGet.")
    elif isinstance(uri, str | int | float):
        try:
            S3Uri.parse(str(uri))
        except ValueError as error:
            yield Problem(path, f"{error}.")


def _holds_json_get(value: JSON) -> bool:
    if isinstance(value, dict):
        return JSON_GET in value or any(map(_holds_json_get, value.values()))
    return isinstance(value, list) and any(map(_holds_json_get, value))


def unknown_members(body: Mapping[str, JSON], known: Sequence[str], path: str) -> Iterator[Problem]:
    """A problem, in the service's words, for each member that is not known. Follows: service.md section 1.6."""
    for name in body:
        if name not in known and body[name] is not None:
            message = f"{PARSE_PREFIX}Cannot parse object, unknown property '{name}'."
            yield Problem(member(path, name), message, did_you_mean(name, known))

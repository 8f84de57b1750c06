"""Step arguments against the request shapes of SageMaker's service model: checked as written, fitted once resolved.

Follows: service.md sections 1.6 and 2.3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from localpipe.core.work import create_refused
from localpipe.definition.expressions import GET, JOIN, expression_hint, is_expression
from localpipe.definition.wording import (
    EXPECTING_ARRAY,
    EXPECTING_OBJECT,
    PARSE_PREFIX,
    did_you_mean,
    element,
    kind_of,
    member,
    nearest,
    scalar_text,
    shown,
)
from localpipe.errors import ExpressionError, JobFailed, Problem

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.definition.property_paths import ServiceModel

StaticTypes: TypeAlias = Callable[["JSON"], "str | None"]
"""From an expression to its type before anything runs: `String`, `Integer`, `Float` or `Boolean`.

None: not known until it is evaluated.
"""

_SCALAR_TYPES: Mapping[str, str] = {
    "string": "String",
    "timestamp": "String",
    "blob": "String",
    "integer": "Integer",
    "long": "Integer",
    "float": "Float",
    "double": "Float",
    "boolean": "Boolean",
}
LOOSE_MAPS = frozenset({"HyperParameters"})
"""Maps whose string values take references of any type. UNVERIFIED; SDK v3 emits such (service.md 2.3, 13 no. 7)."""

_LISTED_ENUM_VALUES = 12
_SHOWN_LENGTH = 60
_INTEGER_TEXT = re.compile(r"-?[0-9]{1,19}")
_FLOAT_TEXT = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def static_type(shape: JSON) -> str | None:
    """The type of a scalar of this shape as the service names it (`String`); None for a timestamp: not known.

    Of a list, map or structure, too: it is no value of an expression, which `property_paths.not_a_scalar` says.
    """
    kind: str = shape["type"]
    return None if kind == "timestamp" else _SCALAR_TYPES.get(kind)


def check_request(
    shape_name: str,
    arguments: JSON,
    model: ServiceModel,
    path: str,
    static_types: StaticTypes,
    *,
    may_lack: frozenset[str] = frozenset(),
) -> list[Problem]:
    """Every problem of `arguments` as a request of this shape, in document order. `path` is their JSON path.

    `may_lack`: members that name what is created. The service fills them in: one that is absent is no problem, one that is
    there is only the prefix of a name (service.md section 1.5). Expressions may stand wherever one scalar may, not in place
    of a list, map or structure. Null members are absent. Values that cannot be known before the run are not looked at;
    forms of expressions neither (`expression_forms`).
    """
    problems = _Checker(model["shapes"], static_types).check(shape_name, _with_whole_names(arguments, may_lack), path)
    filled = {_lacking(path, name) for name in may_lack}
    return [problem for problem in problems if problem not in filled]


def _with_whole_names(arguments: JSON, names: frozenset[str]) -> JSON:
    """The arguments with the prefixes of names as names: a prefix may end in the hyphen that joins it to the rest."""
    if not isinstance(arguments, dict):
        return arguments
    return {
        name: value.rstrip("-") if name in names and isinstance(value, str) else value for name, value in arguments.items()
    }


def value_problems(
    shape_name: str, arguments: JSON, model: ServiceModel, path: str, may_lack: frozenset[str] = frozenset()
) -> list[Problem]:
    """`check_request` for values that expressions gave; expressions that are left are not looked at.

    Follows: containers.md 1.1, service.md section 5.4.
    """
    problems = check_request(shape_name, arguments, model, path, lambda _: None, may_lack=may_lack)
    return [replace(problem, message=problem.message.removeprefix(PARSE_PREFIX)) for problem in problems]


def require_valid(
    shape_name: str, arguments: JSON, model: ServiceModel, path: str, may_lack: frozenset[str] = frozenset()
) -> None:
    """Refuse fitted arguments (`fit_to_request`) that the Create call does not take, as the service does in the run.

    Raises JobFailed in the service's words. Follows: service.md section 5.4.
    """
    problems = value_problems(shape_name, arguments, model, path, may_lack)
    if problems:
        raise JobFailed(create_refused(_operation(shape_name, model), "; ".join(map(str, problems))))


def _operation(shape_name: str, model: ServiceModel) -> str:
    """The operation whose request has this shape."""
    operations: Mapping[str, JSON] = model["operations"]
    return next(name for name, operation in operations.items() if operation.get("input", {}).get("shape") == shape_name)


@dataclass(frozen=True)
class _Checker:
    shapes: Mapping[str, JSON]
    static_types: StaticTypes

    def check(self, shape_name: str, value: JSON, path: str, *, loose: bool = False) -> Iterator[Problem]:
        shape = self.shapes[shape_name]
        kind = shape["type"]
        if kind == "list":
            yield from self._list(shape, value, path)
        elif kind == "map":
            yield from self._map(shape_name, value, path)
        elif kind == "structure":
            yield from self._structure(shape_name, value, path)
        elif is_expression(value):
            yield from self._clash(shape, value, path, loose=loose)
        else:
            yield from _check_scalar(shape_name, shape, value, path)

    def _structure(self, shape_name: str, value: JSON, path: str) -> Iterator[Problem]:
        if not isinstance(value, dict) or is_expression(value):
            yield Problem(path, EXPECTING_OBJECT, _whole("an object", value))
            return
        members = self.shapes[shape_name]["members"]
        for name, inner in value.items():
            if inner is None:
                continue
            if name not in members:
                message = f"{PARSE_PREFIX}Unknown Argument member '{name}'."
                yield Problem(member(path, name), message, did_you_mean(name, members))
            else:
                yield from self.check(members[name]["shape"], inner, member(path, name))
        for name in self.shapes[shape_name].get("required", ()):
            if value.get(name) is None:
                yield _lacking(path, name)

    def _list(self, shape: JSON, value: JSON, path: str) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield Problem(path, EXPECTING_ARRAY, _whole("a list", value))
            return
        yield from _check_size(shape, len(value), "elements", path)
        for index, inner in enumerate(value):
            yield from self.check(shape["member"]["shape"], inner, element(path, index))

    def _map(self, shape_name: str, value: JSON, path: str) -> Iterator[Problem]:
        if not isinstance(value, dict) or is_expression(value):
            yield Problem(path, EXPECTING_OBJECT, _whole("an object", value))
            return
        shape = self.shapes[shape_name]
        key_shape, value_shape = shape["key"]["shape"], shape["value"]["shape"]
        yield from _check_size(shape, len(value), "entries", path)
        for key, inner in value.items():
            at = member(path, key)
            yield from _check_scalar(key_shape, self.shapes[key_shape], key, at)
            if inner is not None:
                yield from self.check(value_shape, inner, at, loose=shape_name in LOOSE_MAPS)

    def _clash(self, shape: JSON, value: JSON, path: str, *, loose: bool) -> Iterator[Problem]:
        found, wanted = self.static_types(value), _SCALAR_TYPES[shape["type"]]
        castable = wanted == "String"
        if found in {None, wanted} or (found, wanted) == ("Integer", "Float") or (loose and castable):
            return
        message = f"Cannot assign property reference [{_reference_text(value)}] to argument of type [{wanted}]."
        cast = ' Cast it: {"Std:Join": {"On": "", "Values": [...]}}, in the SDK `.to_string()`.' if castable else ""
        yield Problem(path, message, f"It is of type {found}.{cast}")


def _reference_text(value: JSON) -> str:
    return str(value[GET]) if GET in value else JOIN


def _whole(expected: str, value: JSON) -> str:
    if is_expression(value):
        return f"An expression cannot stand for {expected} as a whole, only for the scalars in it."
    return f"Write {expected} here; found {kind_of(value)}: {shown(value)}."


def _check_size(shape: JSON, size: int, what: str, path: str) -> Iterator[Problem]:
    if size > shape.get("max", size):
        yield Problem(path, f"{PARSE_PREFIX}It has {size} {what}; at most {shape['max']} are allowed.")
    elif size < shape.get("min", size):
        yield Problem(path, f"{PARSE_PREFIX}It has {size} {what}; at least {shape['min']} are needed.")


def _check_scalar(shape_name: str, shape: JSON, value: JSON, path: str) -> Iterator[Problem]:
    fitted = _fit_scalar(shape["type"], value)
    if fitted is None:
        wanted = _SCALAR_TYPES[shape["type"]]
        remedy = expression_hint(value) if isinstance(value, dict) else ""
        yield Problem(path, f"{PARSE_PREFIX}Expecting {wanted}; found {kind_of(value)}: {shown(value)}.", remedy)
    elif isinstance(fitted, str):
        yield from _check_text(shape_name, shape, fitted, path)
    elif not isinstance(fitted, bool):
        yield from _check_range(shape_name, shape, fitted, path)


def _check_text(shape_name: str, shape: JSON, text: str, path: str) -> Iterator[Problem]:
    failed = f"{PARSE_PREFIX}Model Validation failed: Value {_quoted(text)} for '{shape_name}' failed to satisfy"
    if len(text) > shape.get("max", len(text)):
        yield Problem(path, f"{failed} constraint: length at most {shape['max']}.", f"It has {len(text)} characters.")
    elif len(text) < shape.get("min", 0):
        yield Problem(path, f"{failed} constraint: length at least {shape['min']}.")
    elif text not in shape.get("enum", (text,)):
        remedy = f"Did you mean {near!r}?" if (near := nearest(text, shape["enum"])) else ""
        yield Problem(path, f"{failed} enum value set: [{_listed(shape['enum'])}]", remedy)
    elif not _matches(shape.get("pattern"), text):
        yield Problem(path, f"{failed} regular expression pattern: {shape['pattern']}")


def _quoted(text: str) -> str:
    return f"'{text}'" if len(text) <= _SHOWN_LENGTH else f"'{text[:_SHOWN_LENGTH]}...'"


def _listed(values: list[str]) -> str:
    more = f", ... ({len(values)} in all)" if len(values) > _LISTED_ENUM_VALUES else ""
    return ", ".join(values[:_LISTED_ENUM_VALUES]) + more


def _check_range(shape_name: str, shape: JSON, number: float, path: str) -> Iterator[Problem]:
    failed = f"{PARSE_PREFIX}Model Validation failed: Value '{scalar_text(number)}' for '{shape_name}' failed to satisfy"
    if number > shape.get("max", number):
        yield Problem(path, f"{failed} constraint: at most {shape['max']}.")
    elif number < shape.get("min", number):
        yield Problem(path, f"{failed} constraint: at least {shape['min']}.")


def _lacking(path: str, name: str) -> Problem:
    return Problem(path, f"the required member '{name}' is missing.", f"Add {name}.")


def _matches(pattern: str | None, text: str) -> bool:
    compiled = _compiled(pattern) if pattern is not None else None
    return compiled is None or compiled.fullmatch(text) is not None


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """The pattern, or None for one that only Java understands (Unicode classes), which is not checked."""
    try:
        return re.compile(pattern)
    except re.error:
        return None


def fit_to_request(shape_name: str, arguments: JSON, model: ServiceModel, path: str = "$") -> JSON:
    """Resolved arguments as the Create call takes them: nulls dropped, scalars in the kind that the model wants.

    Numbers and booleans at string positions become the text that Std:Join would give, numeric text at number positions
    becomes a number. Members that the model does not know are kept. `path` is the JSON path of `arguments`.

    Raises ExpressionError for a value that cannot be of the wanted kind. Follows: service.md section 2.3.
    """
    return _fit(shape_name, arguments, model["shapes"], path)


def _fit(shape_name: str, value: JSON, shapes: Mapping[str, JSON], path: str) -> JSON:
    shape = shapes[shape_name]
    kind = shape["type"]
    if kind in _SCALAR_TYPES:
        fitted = _fit_scalar(kind, value)
        if fitted is None:
            raise ExpressionError(f"Expecting {_SCALAR_TYPES[kind]} at {path}; found {kind_of(value)}: {shown(value)}.")
        return fitted
    if kind == "list" and isinstance(value, list):
        inner_shape = shape["member"]["shape"]
        return [_fit(inner_shape, inner, shapes, element(path, i)) for i, inner in enumerate(value)]
    if kind == "list" or not isinstance(value, dict):
        raise ExpressionError(f"Expecting {kind.capitalize()} at {path}; found {kind_of(value)}: {shown(value)}.")
    present = {name: inner for name, inner in value.items() if inner is not None}
    if kind == "map":
        inner_shape = shape["value"]["shape"]
        return {key: _fit(inner_shape, inner, shapes, member(path, key)) for key, inner in present.items()}
    members = shape["members"]
    return {
        name: _fit(members[name]["shape"], inner, shapes, member(path, name)) if name in members else inner
        for name, inner in present.items()
    }


def _fit_scalar(kind: str, value: JSON) -> str | int | float | bool | None:
    """The value in the kind that the model wants, or None if it cannot be."""
    if not isinstance(value, str | int | float):
        return None
    wanted = _SCALAR_TYPES[kind]
    if wanted == "String":
        return value if kind == "timestamp" else scalar_text(value)
    if wanted == "Boolean" or isinstance(value, bool):
        return value if wanted == "Boolean" and isinstance(value, bool) else None
    return _integer(value) if wanted == "Integer" else _float(value)


def _integer(value: str | float) -> int | None:
    if isinstance(value, str):
        return int(value) if _INTEGER_TEXT.fullmatch(value) else None
    return value if isinstance(value, int) else _whole_number(value)


def _whole_number(value: float) -> int | None:
    return int(value) if value.is_integer() else None


def _float(value: str | float) -> int | float | None:
    if isinstance(value, str):
        return _finite(float(value)) if _FLOAT_TEXT.fullmatch(value) else None
    return value


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

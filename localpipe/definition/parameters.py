"""Declared parameters and the values given at the start become the execution's parameter values.

Follows: service.md section 4.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from localpipe.definition.wording import did_you_mean, kind_of
from localpipe.errors import ParameterError, Problem

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.definition.model import Parameter

_MOST_VALUES = 200
_LONGEST_VALUE = 1024
_EXPECTED = {
    "String": "a text",
    "Integer": "an integer such as 3",
    "Float": "a number such as 0.5",
    "Boolean": "`true` or `false`",
}


def resolve_parameters(declared: Sequence[Parameter], given: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the value of every declared parameter, in the order of declaration.

    A value given is taken as its text, as it is on the wire (`True`, `0.5`), and converted to the declared type; a
    parameter without one has its default.

    Raises ParameterError with every problem: unknown names, missing values, values that do not fit.
    """
    problems = [*_count_problem(given), *_unknown(declared, given)]
    values: dict[str, JSON] = {}
    for parameter in declared:
        if parameter.name in given:
            value = given[parameter.name]
            if problem := _kind_problem(parameter, value) or _value_problem(parameter, str(value)):
                problems.append(problem)
            else:
                values[parameter.name] = _CONVERSIONS[parameter.type](str(value))
        elif parameter.default is None:
            problems.append(_undefined(parameter))
        else:
            values[parameter.name] = parameter.default
    if problems:
        raise ParameterError(problems)
    return values


def _count_problem(given: Mapping[str, object]) -> Iterator[Problem]:
    if len(given) > _MOST_VALUES:
        yield Problem("Parameters", f"{len(given)} values are given; at most {_MOST_VALUES} are taken.")


def _unknown(declared: Sequence[Parameter], given: Mapping[str, object]) -> Iterator[Problem]:
    names = [parameter.name for parameter in declared]
    for name in given:
        if name not in names:
            remedy = did_you_mean(name, names) or "The pipeline declares no parameters."
            yield Problem(f"Parameters.{name}", f"Unknown parameter '{name}'.", remedy)


def _undefined(parameter: Parameter) -> Problem:
    allowed = f" It is one of {_listed(parameter.enum)}." if parameter.enum is not None else ""
    return Problem(
        parameter.path,
        f"Parameter '{parameter.name}' is undefined.",
        f"It has no default: give a value of type {parameter.type}.{allowed}",
    )


def _kind_problem(parameter: Parameter, value: JSON) -> Problem | None:
    """A value has a text on the wire if it is a scalar."""
    if isinstance(value, str | int | float):
        return None
    message = f"Unexpected type for parameter '{parameter.name}': {kind_of(value)} is no {parameter.type}."
    return Problem(parameter.path, message, f"Give {_EXPECTED[parameter.type]}.")


def _value_problem(parameter: Parameter, text: str) -> Problem | None:
    name, path = parameter.name, parameter.path
    if not text:
        message = f"Parameter '{name}': [string \"\" is too short (length: 0, required minimum: 1)]."
        remedy = "Leave it out to use its default." if parameter.default is not None else "Give a value."
    elif len(text) > _LONGEST_VALUE:
        message = f"Parameter '{name}' is too long (length: {len(text)}, allowed maximum: {_LONGEST_VALUE})."
        remedy = "Put long values into an S3 object and give its URI."
    elif _CONVERSIONS[parameter.type](text) is None:
        message = f"Unexpected type for parameter '{name}': {text!r} is no {parameter.type}."
        remedy = f"Give {_EXPECTED[parameter.type]}."
    elif parameter.enum is not None and text not in parameter.enum:
        message, remedy = f"Parameter '{name}' cannot be {text!r}.", f"It is one of {_listed(parameter.enum)}."
    else:
        return None
    return Problem(path, message, remedy)


def _listed(values: Sequence[str]) -> str:
    return ", ".join(map(repr, values))


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else None


def _float(text: str) -> float | None:
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _boolean(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


_CONVERSIONS: Mapping[str, Callable[[str], JSON]] = {
    "String": str,
    "Integer": _integer,
    "Float": _float,
    "Boolean": _boolean,
}

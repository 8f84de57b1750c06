"""OutputParameters of Lambda and Callback steps: declared, converted, shown.

Follows: service.md sections 1.2, 11.1, 11.2.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from localpipe.definition.reader import Reader
from localpipe.definition.wording import did_you_mean, scalar_text, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from localpipe.core import JSON
    from localpipe.definition.model import StepDefinition
    from localpipe.errors import Problem

OUTPUTS = "OutputParameters"
_MOST_OUTPUTS = 50
_LONGEST_NAME = 256
_LONGEST_VALUE = 1024
_TEXT = "String"


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
        raise ValueError
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


_CONVERSIONS: Mapping[str, Callable[[str], JSON]] = {
    _TEXT: str,
    "Integer": _integer,
    "Boolean": _boolean,
    "Float": _float,
}


def check_outputs(step: StepDefinition) -> Iterable[Problem]:
    """Problems of the list of declared outputs."""
    problems: list[Problem] = []
    listed = Reader(dict(step.fields), step.path, problems, "A step").items(OUTPUTS)
    if len(listed) > _MOST_OUTPUTS:
        message = f"there are {len(listed)} outputs; at most {_MOST_OUTPUTS} are allowed."
        Reader({}, f"{step.path}.{OUTPUTS}", problems, OUTPUTS).report(message)
    names: set[str] = set()
    for value, path in listed:
        reader = Reader(value, path, problems, "An output")
        reader.only("OutputName", "OutputType")
        name, type_ = reader.text("OutputName", longest=_LONGEST_NAME, required=True), reader.text("OutputType")
        if type_ is not None and type_ not in _CONVERSIONS:
            reader.report(f"{shown(type_)} is no output type.", did_you_mean(type_, _CONVERSIONS), at="OutputType")
        if name in names:
            reader.report(f"there is more than one output {name!r}.", "Rename or remove all but one.", at="OutputName")
        names |= {name} if name is not None else set()
    return problems


def declared_outputs(fields: Mapping[str, JSON]) -> Mapping[str, str]:
    """Name → type of the outputs that a step's fields declare, as far as they are well formed. No type is String."""
    listed = fields.get(OUTPUTS)
    outputs = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    named = [each for each in outputs if isinstance(each.get("OutputName"), str)]
    return {each["OutputName"]: each.get("OutputType") or _TEXT for each in named}


def converted(texts: Mapping[str, str], declared: Mapping[str, str]) -> Mapping[str, JSON]:
    """The values of outputs that are given as text. Raises ValueError for one that is not declared, or does not fit."""
    for name in texts:
        if name not in declared:
            raise ValueError(f"there is no output {name!r}. {did_you_mean(name, declared) or 'The step declares none.'}")
    return {name: _converted(name, text, declared[name]) for name, text in texts.items()}


def _converted(name: str, text: str, type_: str) -> JSON:
    if len(text) > _LONGEST_VALUE:
        raise ValueError(f"output {name!r} has {len(text)} characters; at most {_LONGEST_VALUE} are allowed.")
    try:
        return _CONVERSIONS[type_](text)
    except (ValueError, KeyError):
        raise ValueError(f"output {name!r} is of type {type_}; found {shown(text)}.") from None


def listed_outputs(properties: JSON) -> JSON:
    """The outputs as metadata has them: a list of Name and Value, both text."""
    return [{"Name": name, "Value": scalar_text(value)} for name, value in properties[OUTPUTS].items()]

"""What differs between two runs of a step, member by member. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.definition.property_paths import NAME_MEMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpipe.core import JSON


_PART = re.compile(r"\['.*?'\]|\[\d+\]|[^.\[]+")


@dataclass(frozen=True)
class Change:
    """One member that differs. `path`: below the step's Arguments, or the step. `old`, `new`: None where it is absent."""

    path: str
    old: JSON
    new: JSON


def changes(old: JSON, new: JSON) -> tuple[Change, ...]:
    """Every smallest part in which two values differ, the old one's members first. Equal values give none.

    An entry of a list is known by its name where all have one (`InputName`, `ChannelName`, ...), else by its place.
    """
    return tuple(_changes("", old, new))


def at_path(values: JSON, path: str) -> JSON:
    """The value at the path of a change; None where there is none."""
    for part in _PART.findall(path):
        values = _parts(values).get(part)
    return values


def _changes(path: str, old: JSON, new: JSON) -> Iterator[Change]:
    if _text(old) == _text(new):
        return
    before, after = _parts(old), _parts(new)
    inner: list[Change] = []
    if type(old) is type(new):
        for part in {**before, **after}:
            place = part if not path or part.startswith("[") else f".{part}"
            inner += _changes(path + place, before.get(part), after.get(part))
    yield from inner or [Change(path, old, new)]  # nothing inside: one is no structure, or it is their order


def _text(value: JSON) -> str:
    """As text, in which 1, 1.0 and true differ and the order of members does not count."""
    return json.dumps(value, sort_keys=True)


def _parts(value: JSON) -> dict[str, JSON]:
    """The value's members or elements under what they are called in a path; none of a single value."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        return {}
    names = [_name(element) for element in value]
    named = None not in names and len(set(names)) == len(names)
    return {f"['{name}']" if named else f"[{index}]": value[index] for index, name in enumerate(names)}


def _name(element: JSON) -> str | None:
    if not isinstance(element, dict):
        return None
    return next((element[key] for key in NAME_MEMBERS if isinstance(element.get(key), str)), None)

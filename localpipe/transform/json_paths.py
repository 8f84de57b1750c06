"""The JSONPath that the filters of a transform job may use, and what it finds. Follows: containers.md 3.7.

`$`, `.name`, `['a']`, `['a','b']`, `[n]`, `[-1]`, `[n,m]`, `[a:b]`, `[*]` and `.*`. Several indexes must all be there: so
says the API reference of DataProcessing.OutputFilter (UNVERIFIED for InputFilter). UNVERIFIED: that several names give an
object of those members that are there and all else that may find several values a list, as in the usual Java implementation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from typing_extensions import assert_never

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpipe.core import JSON

_NAME = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_STEP = re.compile(
    rf"""\.(?P<name>[^\s.\[\]*'"()?@]+)
    | (?P<all>\.\* | \[\s*\*\s*\])
    | \[\s*(?P<names>(?:{_NAME})(?:\s*,\s*(?:{_NAME}))*)\s*\]
    | \[\s*(?P<indexes>-?\d+(?:\s*,\s*-?\d+)*)\s*\]
    | \[\s*(?P<start>-?\d+)?\s*:\s*(?P<stop>-?\d+)?\s*\]""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Names:
    """Members of an object."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Indexes:
    """Elements of a list; negative ones count from its end."""

    indexes: tuple[int, ...]


@dataclass(frozen=True)
class Slice:
    """A run of elements of a list."""

    start: int | None
    stop: int | None


@dataclass(frozen=True)
class Everything:
    """All elements of a list or members of an object."""


Step: TypeAlias = Names | Indexes | Slice | Everything
JsonPath: TypeAlias = tuple[Step, ...]


def parse_json_path(text: str) -> JsonPath:
    """The steps of a path; none for `$`. Raises ValueError, naming what is not understood."""
    if not text.startswith("$"):
        raise ValueError(f"{text!r} does not begin with $.")
    steps, at = [], 1
    while at < len(text):
        match = _STEP.match(text, at)
        if not match:
            raise ValueError(f"{text[at:]!r} in {text!r} is not understood.")
        steps.append(_step(match))
        at = match.end()
    return tuple(steps)


def _step(match: re.Match[str]) -> Step:
    if match["name"]:
        return Names((match["name"],))
    if match["all"]:
        return Everything()
    if match["names"]:
        return Names(tuple(re.sub(r"\\(.)", r"\1", name[1:-1]) for name in re.findall(_NAME, match["names"])))
    if match["indexes"]:
        return Indexes(tuple(int(number) for number in match["indexes"].split(",")))
    start, stop = match["start"], match["stop"]
    return Slice(None if start is None else int(start), None if stop is None else int(stop))


def find(path: JsonPath, document: JSON) -> JSON:
    """What a path finds: a value or, if it may find several, a list. Raises LookupError if it finds nothing,
    with a text for one of several indexes.
    """
    if path and isinstance(path[-1], Names) and len(path[-1].names) > 1:
        objects = [_members(path[-1], value) for value in _values(path[:-1], document)]
        found: list[JSON] = [members for members in objects if members]
        several = _finds_several(path[:-1])
    else:
        found, several = list(_values(path, document)), _finds_several(path)
    if not found:
        raise LookupError
    return found if several else found[0]


def _finds_several(path: JsonPath) -> bool:
    return any(not _finds_one(step) for step in path)


def _finds_one(step: Step) -> bool:
    match step:
        case Names(names=names):
            return len(names) == 1
        case Indexes(indexes=indexes):
            return len(indexes) == 1
        case Slice() | Everything():
            return False
        case _:
            assert_never(step)


def _values(path: JsonPath, document: JSON) -> Iterator[JSON]:
    if not path:
        yield document
        return
    for value in _next(path[0], document):
        yield from _values(path[1:], value)


def _next(step: Step, value: JSON) -> list[JSON]:
    match step:
        case Names():
            return list(_members(step, value).values())
        case Indexes(indexes=indexes):
            return _elements(indexes, value if isinstance(value, list) else [])
        case Slice(start=start, stop=stop):
            return value[start:stop] if isinstance(value, list) else []
        case Everything():
            return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        case _:
            assert_never(step)


def _elements(indexes: tuple[int, ...], elements: list[JSON]) -> list[JSON]:
    """Those with the indexes. Raises LookupError for one of several that is not there."""
    missing = [index for index in indexes if not -len(elements) <= index < len(elements)]
    if missing and len(indexes) > 1:
        raise LookupError(f"A filter asks for index {missing[0]} where there are {len(elements)} values.")
    return [] if missing else [elements[index] for index in indexes]


def _members(step: Names, value: JSON) -> dict[str, JSON]:
    return {name: value[name] for name in step.names if name in value} if isinstance(value, dict) else {}

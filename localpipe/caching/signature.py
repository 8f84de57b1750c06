"""What is compared of a step, and the keys under which its results are found again. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from localpipe.core.names import local_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.core.signature import Signature
    from localpipe.core.work import ResolvedStep

_ARGUMENTS = "Arguments"
_EACH = "[*]"


class Comparison(str, Enum):
    """What two runs of a step are compared by: the values, as the service does, or what lies behind them."""

    SERVICE = "service"
    CONTENT = "content"

    __str__ = str.__str__


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What one run of a step is compared by. `values`: member → value, absent members left out.

    `key` is the same for two runs of the step in the same pipeline if, and only if, their values are. `step_key` is the same
    for all its runs: the newest of them is the one to explain a difference with.
    """

    by: Comparison
    values: Mapping[str, JSON]
    key: str
    step_key: str


def members_of(step: ResolvedStep, members: Iterable[str]) -> dict[str, JSON]:
    """The members that the step has, under their paths below its Arguments or, outside of those, below the step."""
    document = {_ARGUMENTS: step.arguments, **step.fields}
    found = {member.removeprefix(f"{_ARGUMENTS}."): _follow(document, member) for member in members}
    return {member: value for member, value in found.items() if value is not None}


def directories_written(step: ResolvedStep, signature: Signature) -> tuple[str, ...]:
    """The directories of this machine, as URIs, that a step writes to and that the service does not compare."""
    places = [place for place in signature.places if not place.startswith(signature.members)]
    found = (value for place in places for value in _each_at({_ARGUMENTS: step.arguments}, place.split(".")))
    return tuple(dict.fromkeys(value for value in found if isinstance(value, str) and local_path(value)))


def compared(step: ResolvedStep, by: Comparison, values: Mapping[str, JSON]) -> Compared:
    """The values with their keys, for the same pipeline, step name and type (service.md sections 6 and 13, no. 15)."""
    scope = [by.value, step.execution.pipeline_arn, step.name, step.type]
    return Compared(by=by, values=values, key=digest_of([*scope, values]), step_key=digest_of(scope))


def digest_of(value: JSON) -> str:
    """A digest of a JSON value, whatever the order of its members."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _each_at(value: JSON, names: Sequence[str]) -> Iterator[JSON]:
    if not names:
        yield value
    elif isinstance(value, dict):
        inner = value.get(names[0].removesuffix(_EACH))
        for each in (inner or ()) if names[0].endswith(_EACH) else (inner,):
            yield from _each_at(each, names[1:])


def _follow(document: JSON, path: str) -> JSON:
    value = document
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value

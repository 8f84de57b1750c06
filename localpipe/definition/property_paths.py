"""The path of a step's property, `ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri`: read, followed, checked.

Follows: service.md section 2.4.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from localpipe.definition.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from localpipe.core import JSON

PropertyPath: TypeAlias = tuple[str | int, ...]
"""Member names, map keys and names of list elements as str, list indexes as int."""

ServiceModel: TypeAlias = "Mapping[str, JSON]"
"""The content of botocore's `service-2.json`."""

NAME_MEMBERS = ("OutputName", "InputName", "ChannelName", "MetricName", "ContainerHostname")
"""Members that name an element of a list of structures. UNVERIFIED but for OutputName and InputName."""

_REPEATED = frozenset({"ProcessingInputs", "ProcessingOutputConfig", "Environment", "HyperParameters", "InputDataConfig"})
"""Members of a request to which the service adds no elements of its own: absent there, empty in the Describe response."""

_AGGREGATES = frozenset({"structure", "list", "map"})
_ABSENT = object()
_PART = re.compile(
    r"\.(?P<member>[^.\[\]]+)|\[(?P<index>\d+)\]|\['(?P<single>.*?)'\]|\[\"(?P<double>.*?)\"\]", re.DOTALL | re.ASCII
)


OUTPUTS = "OutputParameters"
"""The member of the properties that has what a step itself declares. Follows: service.md section 2.1."""


class Bracketed(str):
    """A name that was written in brackets, `['train']`; otherwise the same as the plain name."""

    __slots__ = ()


def parse_property_path(text: str) -> PropertyPath | None:
    """Read `.A.B[0]['k']` (with its leading dot or bracket); None if it is no such path."""
    parts: list[str | int] = []
    at = 0
    while at < len(text):
        match = _PART.match(text, at)
        if not match:
            return None
        parts.append(int(match["index"]) if match["index"] else _name(match))
        at = match.end()
    return tuple(parts)


def _name(match: re.Match[str]) -> str:
    if match["member"] is not None:
        return match["member"]
    return Bracketed(match["double"] if match["single"] is None else match["single"])


def format_property_path(path: PropertyPath) -> str:
    """The path as its author wrote it, `A.B[0]['k']`; a name that is no plain member is in brackets in any case."""
    return "".join(_format_part(part) for part in path).removeprefix(".")


def _format_part(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    plain = not isinstance(part, Bracketed) and re.fullmatch(r"[^.\[\]]+", part)
    return f".{part}" if plain else f"['{part}']"


def follow(document: JSON, path: PropertyPath) -> JSON:
    """The value at `path`; a JSON null is a value.

    Raises LookupError, whose text says where the path leaves the document and what is there instead.
    """
    for depth, part in enumerate(path):
        inner = _child(document, part)
        if inner is _ABSENT:
            place = repr(format_property_path(path[:depth])) if depth else "the step"
            raise LookupError(f"{place} has no {_described(part)}. {_present(document, part)}".rstrip())
        document = inner
    return document


def with_value(document: JSON, path: PropertyPath, value: JSON, shape_name: str | None, model: ServiceModel) -> JSON:
    """The document with a value at a path that `check_property_path` takes; what leads there is made where it is not there.

    `shape_name`: of the document, None where the model knows none. Raises LookupError for an index beyond the end of a list.
    """
    if not path:
        return value
    part, rest = path[0], path[1:]
    shape = model["shapes"][shape_name] if shape_name else {"type": "map", "value": None}
    inner = _inner_shape(shape, part, model["shapes"])
    if shape["type"] != "list":
        members: dict[str | int, JSON] = document or {}
        return {**members, part: with_value(members.get(part), rest, value, inner, model)}
    elements = list(document or ())
    at = _place(elements, part)
    if at == len(elements):
        named = next((name for name in NAME_MEMBERS if name in model["shapes"][inner].get("members", ())), None)
        elements.append({named: part} if named and isinstance(part, str) else None)
    elements[at] = with_value(elements[at], rest, value, inner, model)
    return elements


def _place(elements: Sequence[JSON], part: str | int) -> int:
    """The index of an element, or the one behind the last for one that is not there."""
    if isinstance(part, str):
        return next((index for index, inner in enumerate(elements) if part in element_names([inner])), len(elements))
    if part > len(elements):
        raise LookupError(f"there are only {len(elements)} elements before [{part}].")
    return part


def _child(document: JSON, part: str | int) -> JSON:
    if isinstance(document, dict):
        return document.get(part, _ABSENT)
    if isinstance(document, list) and isinstance(part, int):
        return document[part] if part < len(document) else _ABSENT
    if isinstance(document, list):
        return next((inner for inner in document if part in element_names([inner])), _ABSENT)
    return _ABSENT


def _present(document: JSON, part: str | int) -> str:
    if isinstance(document, dict):
        return did_you_mean(str(part), document)
    if isinstance(document, list):
        names = [] if isinstance(part, int) else element_names(document)
        return did_you_mean(str(part), names) or f"It has {len(document)} elements."
    return "It is a single value."


def element_names(elements: Iterable[JSON]) -> list[str]:
    """The names by which a list of structures can be indexed."""
    structures = [element for element in elements if isinstance(element, dict)]
    return [s[key] for s in structures for key in NAME_MEMBERS if isinstance(s.get(key), str)]


def property_shape(shape_name: str, path: PropertyPath, model: ServiceModel) -> str | None:
    """The name of the shape that `path` leads to from `shape_name`, or None if the model has no such path."""
    shapes = model["shapes"]
    for part in path:
        inner = _inner_shape(shapes[shape_name], part, shapes)
        if inner is None:
            return None
        shape_name = inner
    return shape_name


def missing_element(shape_name: str | None, path: PropertyPath, request: JSON, model: ServiceModel) -> str | None:
    """What is wrong with a path to an element of a list or map that the step's own request spells out; None if nothing.

    The Describe response, of shape `shape_name`, repeats the request's lists and maps, so what is not there never will be.
    """
    shapes = model["shapes"]
    for depth, part in enumerate(path):
        if shape_name is None:
            return None
        shape = shapes[shape_name]
        if shape["type"] != "structure" and (lack := _lack(request, part)):
            return f"{format_property_path(path[:depth])!r} has no element {_shown(part)}. {lack}"
        request = _child(request, part)
        if request is _ABSENT or request is None:
            if path[0] not in _REPEATED:
                return None
            request = None
        shape_name = _inner_shape(shape, part, shapes)
    return None


def _lack(elements: JSON, part: str | int) -> str | None:
    """What there is instead of an element of a list or map (None: an empty one); None if it is there or may be.

    Of what is neither, as it should be, nothing is said.
    """
    if not isinstance(elements, dict | list | None):
        return None
    size = len(elements or ())
    if isinstance(part, int):
        return None if part < size else f"It has {size}."
    names = list(elements) if isinstance(elements, dict) else element_names(elements or ())
    if part in names or len(names) < size:
        return None
    return did_you_mean(part, names) or "It has none."


def _shown(part: str | int) -> str:
    return f"[{part}]" if isinstance(part, int) else f"'{part}'"


def check_property_path(
    shape_name: str | None, path: PropertyPath, model: ServiceModel, extra: Sequence[str] = ()
) -> str | None:
    """Return what is wrong with a property path, naming the nearest member, or None if the step type has it.

    `shape_name` is the Describe shape, or None for a step type whose only properties are `extra`.
    Maps take any key; lists take an index or, where their elements have names, a name.
    """
    if path and path[0] in extra:
        return None
    shapes = model["shapes"]
    top = list(shapes[shape_name]["members"]) if shape_name else []
    if not path or shape_name is None or (path[0] not in top):
        wanted = format_property_path(path[:1])
        return f"there is no property {wanted!r}. {did_you_mean(wanted, [*extra, *top])}".rstrip()
    for depth, part in enumerate(path):
        inner = _inner_shape(shapes[shape_name], part, shapes)
        if inner is None:
            before = format_property_path(path[:depth])
            return f"{before!r} has no {_described(part)}. {_instead(shapes[shape_name], part, shapes)}".rstrip()
        shape_name = inner
    return None


def undeclared_output(declared: Iterable[str] | None, path: PropertyPath) -> str | None:
    """What is wrong with a path into OutputParameters; None if nothing, or if it leads elsewhere.

    `declared`: names of the outputs that the step declares, None for a step that has none. Follows: service.md section 11.1.
    """
    if declared is None or path[0] != OUTPUTS:
        return None
    match path[1:]:
        case (str(name),) if name in declared:
            return None
        case (str(name), *_) if name in declared:
            return f"output {str(name)!r} is a single value: nothing of it can be named."
        case (str(name), *_):
            return f"it declares no output {str(name)!r}. {did_you_mean(name, declared)}".rstrip()
        case _:
            return f"{OUTPUTS} needs the name of an output: {OUTPUTS}['NAME']."


def not_a_scalar(shape_name: str | None, path: PropertyPath, model: ServiceModel) -> str | None:
    """What is wrong with a path that `check_property_path` takes, but that leads to more than one value; None if nothing.

    An expression only stands for a scalar. Follows: service.md sections 1.6, 2.1.
    """
    reached = property_shape(shape_name, path, model) if shape_name else None
    shape = model["shapes"][reached] if reached else None
    if shape is None or shape["type"] not in _AGGREGATES:
        return None
    hint = _instead(shape, "", model["shapes"])
    return f"{format_property_path(path)!r} is no single value. {hint}"


def _inner_shape(shape: JSON, part: str | int, shapes: Mapping[str, JSON]) -> str | None:
    inner: JSON = None
    if shape["type"] == "structure":
        inner = shape["members"].get(part)
    elif shape["type"] == "map" and isinstance(part, str):
        inner = shape["value"]
    elif shape["type"] == "list" and (isinstance(part, int) or _has_names(shapes[shape["member"]["shape"]])):
        inner = shape["member"]
    return inner["shape"] if inner else None


def _has_names(shape: JSON) -> bool:
    return any(key in shape.get("members", ()) for key in NAME_MEMBERS)


def _described(part: str | int) -> str:
    return f"index [{part}]" if isinstance(part, int) else f"member {part!r}"


def _instead(shape: JSON, part: str | int, shapes: Mapping[str, JSON]) -> str:
    if shape["type"] == "structure":
        return did_you_mean(str(part), shape["members"])
    if shape["type"] == "list":
        inner = shapes[shape["member"]["shape"]]
        first = next(iter(inner.get("members", ())), None)
        return f"It is a list: write [0]{f'.{first}' if first else ''}, for example."
    return "It is a map: name a key." if shape["type"] == "map" else "It is a single value."

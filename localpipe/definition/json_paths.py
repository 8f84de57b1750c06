"""JSON paths of Std:JsonGet: Jayway's spelling, read with jsonpath-ng, narrowed to what gives one scalar.

Follows: service.md section 10.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from jsonpath_ng import Child, Fields, Index, Root
from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.parser import parse as parse_jsonpath

from localpipe.definition.document import is_unicode, load_json
from localpipe.definition.wording import kind_of
from localpipe.errors import ExpressionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonpath_ng import JSONPath

    from localpipe.core import JSON

KeyPath: TypeAlias = tuple[str | int, ...]

_PART = re.compile(
    r"""\.?\[\ *(?P<bracketed>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|-?[0-9]+)\ *\]   # ['name'], ["name"], [0]
    |\.(?P<name>[^\ .\[(*][^\ .\[(]*)                                             # .name""",
    re.VERBOSE | re.DOTALL,
)
"""One step of a path, after the `$`: in Jayway's grammar a name after a dot may hold anything but blank, dot, `[`, `(`."""
_MANY = re.compile(r"\.\.|\.?\*|\.?\[[^\]]*[*?:,]")
_INFINITIES = (float("inf"), float("-inf"))
_LISTED_PATHS = 20
_LISTED_DEPTH = 20
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORMS = "Write names joined by dots, ['name'] and [n], for example `metrics.mse[0].value`."


@lru_cache(maxsize=1024)
def parse_json_path(text: str) -> KeyPath:
    """Read `$.a['b'][0]` as keys and indexes; `$` and `$.` may be left out, a negative index counts from the end.

    Raises ValueError, whose sentence can be shown, for what is no path or could give several values.
    """
    whole = text.strip(" ")
    try:
        return tuple(_keys(parse_jsonpath(_translated(whole if whole.startswith("$") else f"$.{whole}"))))
    except _SeveralValues:
        raise ValueError(f"JSON path {text!r} could give several values; Std:JsonGet takes one scalar. {_FORMS}") from None
    except (JSONPathError, ValueError):
        raise ValueError(f"{text!r} is not a JSON path that Std:JsonGet takes. {_FORMS}") from None


class _SeveralValues(Exception):
    """A wildcard, a slice, a filter, a list of names or indexes, or a recursive descent."""


def _translated(path: str) -> str:
    """A path in Jayway's spelling, `$` first, in jsonpath-ng's: names quoted. Raises ValueError, _SeveralValues."""
    parts, at = ["$"], 1
    while at < len(path):
        match = _PART.match(path, at)
        if not match:
            raise _SeveralValues if _MANY.match(path, at) else ValueError(path)
        parts.append(f"[{match['bracketed']}]" if match["bracketed"] else f".{_quoted(match['name'])}")
        at = match.end()
    return "".join(parts)


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _keys(node: JSONPath) -> Iterator[str | int]:
    match node:
        case Root():
            return
        case Child(left=left, right=right) if not isinstance(right, Root):
            yield from _keys(left)
            yield from _keys(right)
        case Fields(fields=(name,)):
            yield name
        case Index(indices=(index,)):
            yield index
        case _:
            raise ValueError(str(node))


def read_scalar(text: str | None, json_path: str, source: str) -> str | int | float | bool:
    """The scalar at `json_path` in a JSON document. `source` names the document in errors; `text` None: it is not there.

    Raises ExpressionError for a missing or invalid document, a path it does not have, null, an object or a list, naming
    the paths that the document has.
    """
    if text is None:
        raise ExpressionError(f"{source} does not exist, so {json_path!r} has no value.")
    document = _document(text, json_path, source)
    try:
        value = _at(document, parse_json_path(json_path))
    except LookupError:
        raise ExpressionError(f"{source} has no value at {json_path!r}. {_listing(document)}") from None
    except ValueError as error:
        raise ExpressionError(f"{source}: {error}") from None
    if not isinstance(value, str | int | float):
        raise ExpressionError(f"{source} has {kind_of(value)} at {json_path!r}, not a scalar. {_listing(document)}")
    if value in _INFINITIES:
        raise ExpressionError(f"{source} has a number at {json_path!r} that is too large for a double.")
    if isinstance(value, str) and not is_unicode(value):
        raise ExpressionError(
            f"{source} has a text at {json_path!r} that holds half a surrogate pair, which is no character."
        )
    return value


def _document(text: str, json_path: str, source: str) -> JSON:
    try:
        return load_json(text)
    except RecursionError:
        raise ExpressionError(f"{source} is nested too deeply to be read.") from None
    except json.JSONDecodeError as error:
        fault = f"line {error.lineno}, column {error.colno}: {error.msg}"
    except ValueError as error:
        fault = str(error)
    raise ExpressionError(f"{source} is not valid JSON ({fault}), so {json_path!r} has no value.")


def _at(document: JSON, keys: KeyPath) -> JSON:
    for key in keys:
        document = _child(document, key)
    return document


def _child(document: JSON, key: str | int) -> JSON:
    if isinstance(document, dict):
        return document[key]
    if isinstance(document, list) and isinstance(key, int):
        return document[key]
    raise LookupError(key)


def _listing(document: JSON) -> str:
    paths = list(islice(_leaf_paths(document), _LISTED_PATHS + 1))
    if not paths:
        return "It has no values."
    more = ", ..." if len(paths) > _LISTED_PATHS else ""
    return f"It has: {', '.join(paths[:_LISTED_PATHS])}{more}."


def _leaf_paths(value: JSON, path: str = "", depth: int = 0) -> Iterator[str]:
    if depth == _LISTED_DEPTH:
        yield f"{path.removeprefix('.')}..."
    elif isinstance(value, dict):
        for key, inner in value.items():
            part = f".{key}" if _PLAIN_KEY.fullmatch(key) else f"['{key}']"
            yield from _leaf_paths(inner, path + part, depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaf_paths(inner, f"{path}[{index}]", depth + 1)
    elif value is not None:
        yield path.removeprefix(".") or "$"

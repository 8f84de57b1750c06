"""From text to JSON, strictly; from the text of a definition to a document that every later walk can take."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from localpipe.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from localpipe.core import JSON

_LONGEST_TEXT = 1_048_576
_DEEPEST = 100
"""Assumed: how deeply objects and lists may be nested. Keeps recursive walks far from Python's own limit."""
_LONGEST_NUMBER = 1000
"""Assumed: digits of a number, as Java's usual JSON reader takes them. Keeps far from Python's own limit."""
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


def read_document(source: str | bytes | Mapping[str, JSON]) -> tuple[JSON, list[Problem]]:
    """The JSON document of a definition, or (None, problems). A mapping is read as its own JSON text.

    Malformed JSON is one problem with line and column. Follows: service.md section 1.2.
    """
    try:
        text = source if isinstance(source, str) else _text(source)
        if len(text) > _LONGEST_TEXT:
            return None, [Problem("$", f"the definition has {len(text)} characters; at most {_LONGEST_TEXT} are allowed.")]
        document = load_json(text.removeprefix(_BYTE_ORDER_MARK))
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno} (character {error.pos})"
        return None, [Problem("$", f"Unable to parse pipeline definition. It is not valid JSON: {error.msg} at {place}.")]
    except RecursionError:
        return None, [Problem("$", f"the definition is nested more than {_DEEPEST} levels deep.")]
    except (TypeError, ValueError) as error:
        return None, [Problem("$", f"Unable to parse pipeline definition. It is not valid JSON: {error}.")]
    problems = list(dict.fromkeys(_unusable(document)))
    return (None, problems) if problems else (document, [])


def load_json(text: str) -> JSON:
    """The JSON document in a text, which takes no NaN, no Infinity and no byte order mark.

    Raises json.JSONDecodeError with line and column, ValueError with words that go on from "it is not valid JSON",
    RecursionError.
    """
    if text.startswith(_BYTE_ORDER_MARK):
        raise ValueError("it begins with a byte order mark (BOM)")
    return json.loads(text, parse_constant=_refuse_constant, parse_int=_integer)


def is_unicode(text: str) -> bool:
    """Whether text can be written in UTF-8: JSON's escapes can spell half a surrogate pair, which cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError(f"it has a number of {len(digits)} digits")
    return int(digits)


def _text(source: bytes | Mapping[str, JSON]) -> str:
    return (
        source.decode("utf-8-sig") if isinstance(source, bytes) else json.dumps(source, allow_nan=False, ensure_ascii=False)
    )


def _refuse_constant(name: str) -> JSON:
    raise ValueError(f"{name} is no JSON number")


def _unusable(document: JSON) -> Iterator[Problem]:
    """Problems that would break a later walk: nesting, numbers beyond a double, text that is no Unicode."""
    pending = [(document, 0)]
    while pending:
        value, depth = pending.pop()
        if depth > _DEEPEST:
            yield Problem("$", f"the definition is nested more than {_DEEPEST} levels deep.")
        elif isinstance(value, dict):
            pending.extend((inner, depth + 1) for pair in value.items() for inner in pair)
        elif isinstance(value, list):
            pending.extend((inner, depth + 1) for inner in value)
        elif isinstance(value, str) and not is_unicode(value):
            yield Problem("$", f"the text {value!r} holds half a surrogate pair, which is no character.")
        elif isinstance(value, float) and not math.isfinite(value):
            yield Problem("$", "a number is too large for a double.")

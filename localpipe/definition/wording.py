"""How problems are worded: JSON paths, kinds of JSON values, values as text, the nearest right name."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localpipe.core import JSON

PARSE_PREFIX = "Unable to parse pipeline definition. "
"""How the service begins the text of a shape error. Follows: service.md section 1.6."""
EXPECTING_ARRAY = f"{PARSE_PREFIX}Expecting start of Json Array."
EXPECTING_OBJECT = f"{PARSE_PREFIX}Expecting start of Json Object."

_PLAIN_MEMBER = re.compile(r"[A-Za-z0-9_\-]+")
_SHOWN_LENGTH = 60
_LISTED_NAMES = 10


def member(path: str, name: str) -> str:
    """The JSON path of a member: `$.A`, or `$['A:B']` where the name is no plain word."""
    if _PLAIN_MEMBER.fullmatch(name):
        return f"{path}.{name}"
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"{path}['{escaped}']"


def element(path: str, index: int) -> str:
    """The JSON path of a list element."""
    return f"{path}[{index}]"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence with the known name nearest to `name`, else with what there is to choose from; "" if nothing is known."""
    names = list(dict.fromkeys(known))
    if near := nearest(name, names):
        return f"Did you mean {near!r}?"
    if not names:
        return ""
    more = f" and {len(names) - _LISTED_NAMES} more" if len(names) > _LISTED_NAMES else ""
    return f"Choose one of {', '.join(map(repr, names[:_LISTED_NAMES]))}{more}."


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like `name`, case aside; None if none is like it."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    close = get_close_matches(name.casefold(), by_folded, n=1)
    return by_folded[close[0]] if close else None


def kind_of(value: JSON) -> str:
    """The JSON kind of a value, as a sentence names it: `a string`, `null`, `an object`."""
    if value is None:
        return "null"
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "a boolean"),
        ((int, float), "a number"),
        (str, "a string"),
        (list, "a list"),
    )
    return next((kind for types, kind in kinds if isinstance(value, types)), "an object")


def shown(value: JSON) -> str:
    """A value as JSON text, cut to one readable line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."


def scalar_text(value: str | float) -> str:
    """A scalar as Std:Join renders it: booleans `true`/`false`, integers plain, floats as the shortest decimal.

    A float without a fraction has no point (`2`), none has an exponent (`0.00001`).
    Follows: service.md sections 2.3, 13 (no. 4; UNVERIFIED for floats).
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    return str(value)

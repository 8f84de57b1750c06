"""Finding members of a Create request, which may still hold expressions and need not have the right shape."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from localpipe.core.names import S3Uri
from localpipe.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localpipe.core import JSON


_EXPRESSIONS = frozenset({"Get", "Std:Join", "Std:JsonGet"})


def members(document: JSON, member: str, path: str) -> Iterator[tuple[str, JSON]]:
    """Every value at `member` below `document`, with its JSON path; `path` is that of the document.

    `member` is a dotted path in which `[*]` after a name stands for each element of that list; an empty one is the document
    itself. Absent members, nulls and values of another kind than the path wants give nothing.
    """
    if not member:
        yield path, document
        return
    name, _, rest = member.partition(".")
    key = name.removesuffix("[*]")
    value = document.get(key) if isinstance(document, dict) else None
    if value is None:
        return
    place = f"{path}.{key}"
    for where, found in _elements(value, place) if name.endswith("[*]") else [(place, value)]:
        yield from members(found, rest, where)


def texts(document: JSON, member: str, path: str) -> Iterator[tuple[str, str]]:
    """As `members`, but only the values that are text: an expression has none yet."""
    return ((place, value) for place, value in members(document, member, path) if isinstance(value, str))


def bad_uris(request: JSON, member: str, path: str) -> Iterator[Problem]:
    """Problems of texts that should be S3 URIs."""
    for place, text in texts(request, member, path):
        if fault := _uri_fault(text):
            yield Problem(place, fault)


def repeated(request: JSON, member: str, path: str, *, form: Callable[[str], object] = str) -> Iterator[Problem]:
    """Problems of texts that stand more than once where each must be the only one.

    `form`: what a text stands for, as its text; two of the same form are the same, and messages show it.
    """
    found = [(place, str(form(text))) for place, text in texts(request, member, path)]
    counts = Counter(text for _, text in found)
    first: set[str] = set()
    for place, text in found:
        if text in first:
            yield Problem(place, f"{text!r} is used {counts[text]} times.", "Give each its own.")
        first.add(text)


def lacking(request: JSON, structure: str, *names: str, path: str) -> Iterator[Problem]:
    """Problems of structures that have none of the named members, which the request model leaves optional.

    An expression in a structure's place is none: what it may stand for is not known here.
    """
    for place, value in members(request, structure, path):
        if isinstance(value, dict) and not _EXPRESSIONS & set(value) and all(value.get(name) is None for name in names):
            yield Problem(place, f"{' or '.join(names)} is missing.")


def is_below(local_path: str, root: PurePosixPath) -> bool:
    """Whether an absolute container path is `root` or inside of it."""
    container_dir = PurePosixPath(local_path)
    return ".." not in container_dir.parts and container_dir.is_relative_to(root)


def _uri_fault(text: str) -> str:
    try:
        S3Uri.parse(text)
    except ValueError as error:
        return f"{error}."
    return ""


def _elements(value: JSON, path: str) -> list[tuple[str, JSON]]:
    return [(f"{path}[{index}]", element) for index, element in enumerate(value)] if isinstance(value, list) else []

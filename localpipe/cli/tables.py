"""Rows in columns, fitted to a width. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_Row: TypeAlias = "tuple[str, ...]"
_GAP = "  "


def laid_out(rows: Sequence[_Row], headings: _Row, *, expendable: Sequence[str] = (), width: float = math.inf) -> list[str]:
    """Left-aligned columns below their headings; no lines where there are no rows.

    `width`: of the terminal, if it is one. Where the columns are wider, the `expendable` ones go, the first named first; if
    what is left still is, each row becomes its first cell and the others, as many to a line as fit, below it.
    A last column without heading holds remarks, which the edge may break.
    """
    if not rows:
        return []
    choices = [_without([headings, *rows], expendable[:count]) for count in range(len(expendable) + 1)]
    fitting = next((shown for shown in choices if _needed(shown) <= width), None)
    if fitting:
        return _columns(fitting)
    return [line for row in choices[-1][1:] for line in _stacked(row, width)]


def _without(shown: Sequence[_Row], dropped: Collection[str]) -> list[_Row]:
    """The rows, headings first, without the columns of those headings."""
    kept = [i for i, heading in enumerate(shown[0]) if heading not in dropped]
    return [tuple(row[i] for i in kept) for row in shown]


def _widths(shown: Sequence[_Row]) -> list[int]:
    return [max(map(len, column)) for column in zip(*shown, strict=True)]


def _needed(shown: Sequence[_Row]) -> int:
    widths = _widths(shown)
    counted = widths if shown[0][-1] else widths[:-1]
    return sum(counted) + len(_GAP) * (len(counted) - 1)


def _columns(shown: Sequence[_Row]) -> list[str]:
    widths = _widths(shown)
    return [_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]


def _stacked(row: _Row, width: float) -> Iterator[str]:
    """The first cell, then the others indented; a cell that is wider than the terminal has lines of its own."""
    first, *others = row
    yield first
    line = ""
    for cell in filter(None, others):
        if line and len(line) + len(_GAP) + len(cell) > width:
            yield line
            line = ""
        line += _GAP + cell
    if line:
        yield line

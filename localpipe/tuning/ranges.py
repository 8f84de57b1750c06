"""A range as the interval [0, 1]: in the measure of its scaling equal lengths are equally likely.

Follows: containers.md 4.1, 4.2, 4.4.
"""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from localpipe.core.tuning import CategoricalRange, ContinuousRange, IntegerRange, Scaling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from localpipe.core.tuning import Parameters, Range


def value_at(range_: Range, place: float) -> str:
    """The value at a place of [0, 1], as the text that hyperparameters have."""
    match range_:
        case CategoricalRange(values=values):
            return values[min(int(place * len(values)), len(values) - 1)]
        case IntegerRange(low=low, high=high, scaling=scaling):
            return str(min(max(math.floor(_scaled(place, low, high + 1, scaling)), low), high))
        case ContinuousRange(low=low, high=high, scaling=scaling):
            return repr(min(max(_scaled(place, low, high, scaling), low), high))
        case _:
            assert_never(range_)


def place_of(range_: Range, value: str) -> float | None:
    """Where a value lies, a whole number in the middle of its share; None if it does not lie in the range."""
    match range_:
        case CategoricalRange(values=values):
            return (values.index(value) + 0.5) / len(values) if value in values else None
        case IntegerRange(low=low, high=high, scaling=scaling):
            number = _number(value)
            if number is None or not low <= number <= high:
                return None
            return _place(number + 0.5, low, high + 1, scaling)
        case ContinuousRange(low=low, high=high, scaling=scaling):
            number = _number(value)
            return None if number is None or not low <= number <= high else _place(number, low, high, scaling)
        case _:
            assert_never(range_)


def size_of(ranges: Sequence[Range]) -> int | None:
    """How many combinations there are; None: without end."""
    sizes = [_size(range_) for range_ in ranges]
    return None if None in sizes else math.prod(size for size in sizes if size)


def combinations(ranges: Sequence[Range]) -> Iterator[Parameters]:
    """Every combination of ranges that have an end, the last range fastest."""
    for values in product(*map(_values, ranges)):
        yield {range_.name: value for range_, value in zip(ranges, values, strict=True)}


def _size(range_: Range) -> int | None:
    match range_:
        case CategoricalRange(values=values):
            return len(set(values))
        case IntegerRange(low=low, high=high):
            return high - low + 1
        case ContinuousRange(low=low, high=high):
            return 1 if low == high else None
        case _:
            assert_never(range_)


def _values(range_: Range) -> Iterator[str]:
    match range_:
        case CategoricalRange(values=values):
            yield from dict.fromkeys(values)
        case IntegerRange(low=low, high=high):
            yield from map(str, range(low, high + 1))
        case ContinuousRange(low=low):
            yield repr(low)
        case _:
            assert_never(range_)


def _scaled(place: float, low: float, high: float, scaling: Scaling) -> float:
    match scaling:
        case Scaling.LINEAR:
            return low + place * (high - low)
        case Scaling.LOGARITHMIC:
            return float(low * (high / low) ** place)
        case Scaling.REVERSE_LOGARITHMIC:
            return 1 - float((1 - low) * ((1 - high) / (1 - low)) ** place)
        case _:
            assert_never(scaling)


def _place(value: float, low: float, high: float, scaling: Scaling) -> float:
    if low == high:
        return 0.5
    match scaling:
        case Scaling.LINEAR:
            return (value - low) / (high - low)
        case Scaling.LOGARITHMIC:
            return math.log(value / low) / math.log(high / low)
        case Scaling.REVERSE_LOGARITHMIC:
            return math.log((1 - value) / (1 - low)) / math.log((1 - high) / (1 - low))
        case _:
            assert_never(scaling)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None

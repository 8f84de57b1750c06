"""ParameterRanges of a tuning job: what is refused in them, and the ranges that they are.

Follows: containers.md 4.1, 4.2.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from localpipe.core.tuning import CategoricalRange, ContinuousRange, IntegerRange, Scaling
from localpipe.errors import Problem
from localpipe.jobs.members import members, texts
from localpipe.jobs.tuning_autotune import AUTO, hinted_ranges

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpipe.core import JSON
    from localpipe.core.tuning import Range

INTEGER, CONTINUOUS, CATEGORICAL = "IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges"
KINDS = (INTEGER, CONTINUOUS, CATEGORICAL, AUTO)

_WIDE = 100
"""From how many times its lowest value on an `Auto` range counts as logarithmic. Assumed: the service picks, too."""

_AUTO = "Auto"
_WHOLE = re.compile(r"[+-]?[0-9]+")


def range_problems(ranges: JSON, path: str) -> Iterator[Problem]:
    """What the service refuses in ParameterRanges beyond their shape; expressions are passed over."""
    for kind in (INTEGER, CONTINUOUS):
        for place, each in members(ranges, f"{kind}[*]", path):
            yield from _bound_problems(each, place, whole=kind == INTEGER)
    names: set[str] = set()
    for kind in KINDS:
        for place, name in texts(ranges, f"{kind}[*].Name", path):
            if name in names:
                yield Problem(place, f"{name!r} has more than one range.", "Give each hyperparameter one.")
            names.add(name)


def ranges_of(ranges: JSON) -> tuple[Range, ...]:
    """The ranges of ParameterRanges that have no problems, in the order of the request."""
    return (
        *(_integer_range(each) for each in ranges.get(INTEGER, [])),
        *(_continuous_range(each) for each in ranges.get(CONTINUOUS, [])),
        *(CategoricalRange(name=each["Name"], values=tuple(each["Values"])) for each in ranges.get(CATEGORICAL, [])),
        *hinted_ranges(ranges),
    )


def first_value(range_: Range) -> str:
    """A value of a range, the first."""
    return range_.values[0] if isinstance(range_, CategoricalRange) else str(range_.low)


def _integer_range(entry: JSON) -> IntegerRange:
    low, high = int(entry["MinValue"]), int(entry["MaxValue"])
    return IntegerRange(name=entry["Name"], low=low, high=high, scaling=_scaling(entry, low, high))


def _continuous_range(entry: JSON) -> ContinuousRange:
    low, high = float(entry["MinValue"]), float(entry["MaxValue"])
    return ContinuousRange(name=entry["Name"], low=low, high=high, scaling=_scaling(entry, low, high))


def _scaling(entry: JSON, low: float, high: float) -> Scaling:
    asked = entry.get("ScalingType", _AUTO)
    if asked != _AUTO:
        return Scaling(asked)
    return Scaling.LOGARITHMIC if low > 0 and high / low >= _WIDE else Scaling.LINEAR


def _bound_problems(entry: JSON, path: str, *, whole: bool) -> Iterator[Problem]:
    bounds = []
    for member in ("MinValue", "MaxValue"):
        text = entry.get(member) if isinstance(entry, dict) else None
        if not isinstance(text, str | int | float):
            return  # an expression, or what the shape already refuses
        number = _bound(str(text), whole=whole)
        if number is None:
            kind = "a whole number" if whole else "a number"
            yield Problem(f"{path}.{member}", f"{text!r} is not {kind}.")
            return
        bounds.append(number)
    low, high = bounds
    if low > high:
        yield Problem(f"{path}.MinValue", f"{entry['MinValue']} is more than MaxValue ({entry['MaxValue']}).")
        return
    fault = _scaling_fault(entry.get("ScalingType", _AUTO), low, high, whole=whole)
    if fault:
        yield Problem(f"{path}.ScalingType", fault, "Use Linear or Auto.")


def _scaling_fault(scaling: JSON, low: float, high: float, *, whole: bool) -> str:
    if scaling == Scaling.LOGARITHMIC.value and low <= 0:
        return "Logarithmic scaling needs a MinValue greater than 0."
    if scaling == Scaling.REVERSE_LOGARITHMIC.value:
        if whole:
            return "ReverseLogarithmic scaling is for continuous ranges."
        if low < 0 or high >= 1:
            return "ReverseLogarithmic scaling needs values from 0 to less than 1."
    return ""


def _bound(text: str, *, whole: bool) -> float | None:
    if whole:
        return int(text) if _WHOLE.fullmatch(text) else None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None

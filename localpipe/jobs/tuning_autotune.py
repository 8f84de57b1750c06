"""What a tuning job leaves to the service: ranges of which only an example is given (AutoParameters), and Autotune.

The service's model says that a range is chosen for a hyperparameter that "is eligible for Autotune", and tells neither which
ones are nor what range. The whole rule is in this file, and assumed. Follows: containers.md 4.1.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from localpipe.core.tuning import ContinuousRange, IntegerRange, Scaling

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from localpipe.core import JSON

AUTO = "AutoParameters"
AUTOTUNE = "Autotune"

AUTOTUNED_TRIALS = 20
"""Training jobs at most of a tuning job with Autotune that does not say how many. Assumed."""

_WHOLE_FACTOR, _FACTOR = 2, 10
"""How far a range goes below and above its hint. Assumed: few whole numbers, such as a depth, bear a tenfold."""

_SHARE = 1.0
"""A positive fraction up to it stays up to it, since it may be a share: `0.8` goes to 1, not to 8. Assumed."""

_NEVER_TUNED = ("sagemaker_", "_")
"""How names begin that the SDK and the service give: settings of their toolkits. Assumed."""

_WHOLE = re.compile(r"[+-]?[0-9]+")
_FRACTION = re.compile(r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?")

RULE = (
    "a positive whole number from half of it to twice, a fraction from a tenth of it to tenfold "
    "(up to 1 if it is at most 1) on a logarithmic scale, negative ones likewise but evenly; "
    "zero, other text and names that begin with `sagemaker_` or `_` stay as they are"
)
"""The rule in words."""


def hinted_ranges(ranges: JSON) -> Iterator[IntegerRange | ContinuousRange]:
    """Yield the ranges of those AutoParameters that get one, in the order of the request."""
    for entry in ranges.get(AUTO) or ():
        if found := hinted_range(entry):
            yield found


def hinted_constants(ranges: JSON) -> Mapping[str, str]:
    """Of the other AutoParameters, their example values by name: they are what every training job has."""
    if not isinstance(ranges, dict):
        return {}
    return {entry["Name"]: entry["ValueHint"] for entry in ranges.get(AUTO) or () if hinted_range(entry) is None}


def hinted_range(entry: JSON) -> IntegerRange | ContinuousRange | None:
    """The range around an example value, in quotes or not, as the SDK writes a framework's; None: it is a constant."""
    name, text = entry["Name"], entry["ValueHint"].strip().strip('"')
    if name.startswith(_NEVER_TUNED):
        return None
    if _WHOLE.fullmatch(text):
        return _whole_range(name, int(text))
    return _fraction_range(name, float(text)) if _FRACTION.fullmatch(text) else None


def _whole_range(name: str, hint: int) -> IntegerRange | None:
    size = abs(hint)
    if not size:
        return None
    low, high = max(1, size // _WHOLE_FACTOR), size * _WHOLE_FACTOR
    return IntegerRange(name=name, low=low, high=high) if hint > 0 else IntegerRange(name=name, low=-high, high=-low)


def _fraction_range(name: str, hint: float) -> ContinuousRange | None:
    size = abs(hint)
    low, high = size / _FACTOR, size * _FACTOR
    if not (low and math.isfinite(high)):
        return None
    if hint < 0:
        return ContinuousRange(name=name, low=-high, high=-low)
    most = min(high, _SHARE) if size <= _SHARE else high
    return ContinuousRange(name=name, low=low, high=most, scaling=Scaling.LOGARITHMIC)

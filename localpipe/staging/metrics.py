"""The final value of each metric definition, read from log lines. Pure. Follows: containers.md 2.13."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from localpipe.core.jobspec import MetricDatum
from localpipe.errors import JobFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from localpipe.core.jobspec import MetricDefinition

_LIMIT = 40
_SHOWN_TAB = "#011"


def compile_metrics(definitions: Sequence[MetricDefinition]) -> list[tuple[str, re.Pattern[str]]]:
    """Each metric's name and regex. Raises JobFailed for a regex that is none."""
    compiled = []
    for definition in definitions:
        try:
            pattern = re.compile(definition.regex)
        except re.error as error:
            raise JobFailed(
                f"Metric {definition.name!r}: '{definition.regex}' is not a regular expression: {error}."
            ) from error
        compiled.append((definition.name, pattern))
    return compiled


def final_metrics(definitions: Sequence[MetricDefinition], lines: Iterable[str], at: float) -> tuple[MetricDatum, ...]:
    """The last value of each metric that has one, in the order of the definitions; `at` is the time they carry.

    Each line is searched as it is and with `#011` for each tab, as the service's log agent shows it. A last value that is
    NaN or infinite is left out; so is all beyond 40 metrics.
    """
    patterns = compile_metrics(definitions)
    last: dict[str, float] = {}
    for line in lines if patterns else ():
        forms = _forms(line)
        for name, pattern in patterns:
            value = _value(pattern, forms)
            if value is not None:
                last[name] = value
    names = dict.fromkeys(definition.name for definition in definitions)
    found = [MetricDatum(name=name, value=last[name], at=at) for name in names if math.isfinite(last.get(name, math.nan))]
    return tuple(found[:_LIMIT])


def metric_values(definitions: Sequence[MetricDefinition], name: str, lines: Iterable[str]) -> Iterator[float]:
    """Yield each finite value of one metric, as the lines come; a line gives one by the first definition that matches it."""
    patterns = [pattern for each, pattern in compile_metrics(definitions) if each == name]
    for line in lines:
        found = (_value(pattern, _forms(line)) for pattern in patterns)
        value = next((value for value in found if value is not None), None)
        if value is not None and math.isfinite(value):
            yield value


def _forms(line: str) -> Sequence[str]:
    """A line as it is and as the service's log agent shows it."""
    return (line, line.replace("\t", _SHOWN_TAB)) if "\t" in line else (line,)


def _value(pattern: re.Pattern[str], forms: Iterable[str]) -> float | None:
    """The number that the first group matches in the first form that matches, None if there is none.

    A group such as `([^ ]+)` ends at a tab, but runs on over its `#011`: the number ends there too.
    """
    match = next(filter(None, map(pattern.search, forms)), None)
    if match is None or match.lastindex is None or match[1] is None:
        return None
    try:
        return float(match[1].partition(_SHOWN_TAB)[0])
    except ValueError:
        return None

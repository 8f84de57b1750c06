"""The final value of each metric definition, read from log lines. Pure. Follows: containers.md 2.13."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localpipe.core.jobspec import MetricDatum
from localpipe.errors import JobFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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


@dataclass(frozen=True, kw_only=True)
class FinalMetrics:
    """What the log of a job gave. `data`: the metrics with a final value. `unread`: of those that matched and have none, the
    last text that was no finite number.
    """

    data: tuple[MetricDatum, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)


def final_metrics(definitions: Sequence[MetricDefinition], lines: Iterable[str], at: float) -> FinalMetrics:
    """The last value of each metric that has one, in the order of the definitions; `at` is the time they carry.

    Each match in a line gives a value. Each line is searched as it is and with `#011` for each tab, as the service's log
    agent shows it. A last value that is NaN or infinite is left out; so is all beyond 40 metrics.
    """
    patterns = compile_metrics(definitions)
    last: dict[str, float] = {}
    unread: dict[str, str] = {}
    for line in lines if patterns else ():
        forms = _forms(line)
        for name, pattern in patterns:
            for text in _captured(pattern, forms):
                value = _number(text)
                if value is not None:
                    last[name] = value
                if value is None or not math.isfinite(value):
                    unread[name] = text
    names = dict.fromkeys(definition.name for definition in definitions)
    found = [MetricDatum(name=name, value=last[name], at=at) for name in names if math.isfinite(last.get(name, math.nan))]
    without = unread.keys() - {datum.name for datum in found}
    return FinalMetrics(data=tuple(found[:_LIMIT]), unread={name: unread[name] for name in names if name in without})


def metric_values(definitions: Sequence[MetricDefinition], name: str, lines: Iterable[str]) -> Iterator[float]:
    """Yield each finite value of one metric, as the lines come; of several definitions the first that gives a line some."""
    patterns = [pattern for each, pattern in compile_metrics(definitions) if each == name]
    for line in lines:
        found = ([_number(text) for text in _captured(pattern, _forms(line))] for pattern in patterns)
        numbers = next(filter(None, ([value for value in values if value is not None] for values in found)), ())
        yield from filter(math.isfinite, numbers)


def _forms(line: str) -> Sequence[str]:
    """A line as it is and as the service's log agent shows it."""
    return (line, line.replace("\t", _SHOWN_TAB)) if "\t" in line else (line,)


def _captured(pattern: re.Pattern[str], forms: Iterable[str]) -> Iterator[str]:
    """What the first group matches in the first form that matches, in order; it may take no part in a match.

    A group such as `([^ ]+)` ends at a tab, but runs on over its `#011`: the number ends there too.
    """
    if not pattern.groups:
        return
    form = next(filter(pattern.search, forms), "")
    for match in pattern.finditer(form):
        if match[1] is not None:
            yield match[1].partition(_SHOWN_TAB)[0]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None

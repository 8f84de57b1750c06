"""Why a step was answered from an earlier result, or was not: told from its execution's own record. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.caching.changes import at_path
from localpipe.caching.contents import CONTENT
from localpipe.caching.signature import Comparison
from localpipe.caching.verdict import CacheVerdict
from localpipe.core.times import iso_time
from localpipe.engine.reuse import BY_CACHE
from localpipe.service.views import elsewhere, reuse_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.definition.model import StepDefinition
    from localpipe.scheduling.events import CacheChecked
    from localpipe.scheduling.history import StepExecution
    from localpipe.service.executions import PipelineExecution

_VERDICTS: Mapping[CacheVerdict, str] = {
    CacheVerdict.HIT: "it is equal to {source}.",
    CacheVerdict.FIRST: "the pipeline has no earlier result of it.",
    CacheVerdict.CHANGED: "it differs from the newest earlier result, {source}.",
    CacheVerdict.EXPIRED: "it is equal to {source}, which is older than ExpireAfter, {expire_after}.",
    CacheVerdict.GONE: "it is equal to {source}, whose outputs have been removed from the local S3.",
    CacheVerdict.OVERWRITTEN: "it is equal to {source}, but something else lies now where that wrote its outputs.",
}
_COUNTED = {Comparison.CONTENT: "By contents", Comparison.SERVICE: "As the service compares"}
_DIGEST = re.compile(rf"({CONTENT}[0-9a-f]{{12}})[0-9a-f]+")
_HITS_ON_SERVICE = (CacheVerdict.HIT, CacheVerdict.GONE)


@dataclass(frozen=True, kw_only=True)
class ComparisonText:
    """One comparison in words, and the members that differ: path, what was there, what is there now, its name."""

    sentence: str
    changes: Sequence[tuple[str, JSON, JSON, str]]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a step was done or was not: `outcome` in a sentence, then each comparison, that which counted first."""

    outcome: str
    comparisons: Sequence[ComparisonText]
    document: JSON


def short_digests(text: str) -> str:
    """The text with the first digits only of each digest that stands for contents."""
    return _DIGEST.sub(r"\1", text)


def explain(execution: PipelineExecution, step_name: str) -> Explanation:
    """The explanation of the step's last attempt. Raises NotFound, UsageError for a step that has not started."""
    step = execution.step(step_name)
    definition = execution.pipeline.steps[step_name]
    last = step.attempts[-1]
    checks = sorted(last.checks.values(), key=lambda check: bool(check.off))
    return Explanation(
        outcome=_outcome(execution, step, definition, checks),
        comparisons=[_compared(check, definition, last.checks) for check in checks],
        document={
            "PipelineName": execution.name.pipeline_name,
            "PipelineExecutionArn": execution.name.arn,
            "StepName": step_name,
            "AttemptCount": step.attempt,
            "Cache": execution.home.settings.cache,
            "Reused": last.reused is not None,
            "SourcePipelineExecutionArn": last.reused.source if last.reused else None,
            "Comparisons": [_row(check, definition, _values(last.checks)) for check in checks],
        },
    )


def _outcome(
    execution: PipelineExecution, step: StepExecution, definition: StepDefinition, checks: Sequence[CacheChecked]
) -> str:
    reused = step.attempts[-1].reused
    if reused and reused.by == BY_CACHE:
        return f"Step {step.step} was not done: the result of {_named(reused.source)} stands for it{elsewhere(reused)}."
    if reused:
        return f"Step {step.step} was {reuse_words(reused)}."
    if execution.home.step_types[definition.type].signature is None:
        return f"Step {step.step} was done: a {definition.type} step is never answered from an earlier result."
    if not checks:
        return f"Step {step.step} was compared with nothing: its values could not be told, or an older localpipe began it."
    if checks[0].off:
        return f"Step {step.step} was done. {checks[0].off}"
    return f"Step {step.step} was done: no earlier result stands for it."


def _compared(check: CacheChecked, definition: StepDefinition, checks: Mapping[str, CacheChecked]) -> ComparisonText:
    verdict, by = CacheVerdict(check.verdict), Comparison(check.by)
    ended = f" (ended {iso_time(check.source_ended_at)})" if check.source_ended_at is not None else ""
    expire_after = definition.cache.expire_after if definition.cache else None
    found = _VERDICTS[verdict].format(source=f"{_named(check.source)}{ended}", expire_after=expire_after)
    head = _on_service(verdict, definition) if by is Comparison.SERVICE and check.off else _COUNTED[by]
    if verdict is CacheVerdict.FIRST and (earlier := checks[Comparison.SERVICE.value].source):
        found = f"of its earlier results, the newest of which is {_named(earlier)}, the contents were not recorded."
    rows = [(c["Path"], c["Old"], c["New"], _name_of(c, _values(checks)) or "") for c in check.changes]
    return ComparisonText(sentence=f"{head}: {found}", changes=rows)


def _on_service(verdict: CacheVerdict, definition: StepDefinition) -> str:
    """What the service would do with the same history, where that does not count here."""
    hit = verdict in _HITS_ON_SERVICE
    if definition.cache is None or not definition.cache.enabled:
        otherwise = "it would not" if hit else "too"
        return f"On the service it would have been done, with a CacheConfig that is Enabled {otherwise}"
    return f"On the service it would {'not ' if hit else ''}have been done"


def _values(checks: Mapping[str, CacheChecked]) -> Mapping[str, JSON]:
    """The values as they are named, not what lies behind them."""
    by_service = checks.get(Comparison.SERVICE.value)
    return by_service.values if by_service else {}


def _name_of(change: Mapping[str, JSON], values: Mapping[str, JSON]) -> str | None:
    """What a digest or a local image stands for; None where the value is its own name."""
    named = at_path(values, change["Path"])
    return named if isinstance(named, str) and named != change["New"] else None


def _named(arn: str) -> str:
    return f"execution {arn.rpartition('/')[2]}"


def _row(check: CacheChecked, definition: StepDefinition, values: Mapping[str, JSON]) -> JSON:
    return {
        "By": check.by,
        "Verdict": check.verdict,
        "Counts": not check.off,
        "WhyNot": check.off or None,
        "SourcePipelineExecutionArn": check.source or None,
        "SourceEndTime": None if check.source_ended_at is None else iso_time(check.source_ended_at),
        "ExpireAfter": definition.cache.expire_after if definition.cache and definition.cache.enabled else None,
        "Changes": [{**change, "Name": _name_of(change, values)} for change in check.changes],
        "Values": check.values,
    }

"""Earlier results of steps: looked up in the journal before a step is done, and marked so that they are found again.

The decisions are those of `localpipe.caching`. Follows: service.md section 6.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localpipe.caching.contents import content_values, names_behind
from localpipe.caching.signature import Comparison, compared, directories_written, members_of
from localpipe.caching.verdict import CacheMode, CacheVerdict, Earlier, Judgement, Outputs, judge, why_off
from localpipe.core.names import S3Uri
from localpipe.engine.resolve import property_file_text
from localpipe.errors import StoreError
from localpipe.scheduling.events import AttemptStarted, CacheChecked, ChildLaunched, JobLaunched, StepReused, StepSucceeded
from localpipe.store import state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from localpipe.caching.contents import Name
    from localpipe.caching.signature import Compared
    from localpipe.core import JSON
    from localpipe.core.names import ExecutionName
    from localpipe.core.ports import Clock, ObjectInfo, ObjectStore
    from localpipe.core.signature import Signature
    from localpipe.core.work import ResolvedStep
    from localpipe.definition.model import StepDefinition
    from localpipe.engine.resolve import Attempt
    from localpipe.journal.sqlite import Result, SqliteJournal
    from localpipe.scheduling.events import Event, Recorded

_log = logging.getLogger(__name__)

BY_CACHE = "cache"
_FAULTED = "A fault is asked for it (--fault)."


@dataclass(frozen=True, kw_only=True)
class LookUp:
    """What there was of a step. `checks` are facts to be written down; `reused` ends the attempt, None: it is to be made.

    `keys`: what a success of the attempt is found by.
    """

    checks: tuple[CacheChecked, ...] = ()
    reused: StepReused | None = None
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Results:
    """The earlier results of one pipeline, as an execution of it sees them. Any thread may call it.

    `behind` tells what is behind a name, `contents` gives the digest of objects; both are asked in CONTENT mode only, since
    that reads files. `settings` are those that the execution keeps. `faulted` are the steps to which something is to
    happen: they are done.
    """

    mode: CacheMode
    execution: ExecutionName
    journal: SqliteJournal
    store: ObjectStore
    behind: Callable[[Name], JSON]
    contents: Callable[[Iterable[ObjectInfo]], str]
    clock: Clock
    settings: Mapping[str, JSON]
    faulted: frozenset[str]

    def look_up(self, attempt: Attempt, step: ResolvedStep, signature: Signature | None) -> LookUp:
        """Compare a step that is about to be done with what it gave before. One that is under way is gone on with."""
        if signature is None:
            return LookUp()
        if attempt.launched_at is not None or attempt.children or attempt.message:
            return LookUp(keys=keys_of(attempt.checks))
        definition = attempt.step
        checks: list[CacheChecked] = []
        hit: Result | None = None
        for each in self._comparisons(definition, step, signature):
            result = self.journal.newest_result(each.key) or self.journal.newest_result(each.step_key)
            judgement = judge(each, self._earlier(result, each), definition.cache, now=self.clock.now())
            off = why_off(each.by, self.mode, signature, definition.cache)
            if step.name in self.faulted:
                off = _FAULTED
            checks.append(_check(step, each, judgement, off))
            if judgement.verdict is CacheVerdict.HIT and not off:
                hit = result
        keys = keys_of({check.by: check for check in checks})
        return LookUp(checks=tuple(checks), reused=self._reused(step, signature, hit) if hit else None, keys=keys)

    def marked(self, end: Event, outputs: Iterable[str]) -> Event:
        """The end of an attempt; a success that is to be found again with what tells whether it still stands then.

        One whose outputs cannot be read will not be found.
        """
        if not (isinstance(end, StepSucceeded) and end.keys):
            return end
        try:
            published = {uri: mark for uri in outputs if (mark := self._mark(S3Uri.parse(uri))) is not None}
        except StoreError as error:
            _log.warning("step %s will be done again: %s", end.step, error)
            return replace(end, keys=())
        return replace(end, published=published)

    def _comparisons(self, definition: StepDefinition, step: ResolvedStep, signature: Signature) -> Iterator[Compared]:
        """By values, which costs nothing; by contents where that decides and nobody has forbidden it."""
        local = {name: self.settings[name] for name in signature.settings if self.settings.get(name) is not None}
        yield compared(step, Comparison.SERVICE, {**members_of(step, signature.members), **local})
        if not why_off(Comparison.CONTENT, self.mode, signature, definition.cache):
            found = self._found_behind(step, signature)
            yield compared(step, Comparison.CONTENT, {**content_values(step, signature, found), **local})

    def _found_behind(self, step: ResolvedStep, signature: Signature) -> Mapping[Name, JSON]:
        found: dict[Name, JSON] = {}
        while names := names_behind(step, signature, found):
            found.update({name: self.behind(name) for name in names})
        return found

    def _earlier(self, result: Result | None, compared_: Compared) -> Earlier | None:
        if result is None:
            return None
        check = _last_check(result.facts, compared_.by)
        is_equal = compared_.key in result.success.keys
        return Earlier(
            source=self._arn(result.execution_id),
            ended_at=result.ended_at,
            key=compared_.key if is_equal else "",
            values=check.values if check else None,
            outputs=self._outputs(result.success.published) if is_equal else Outputs.THERE,
        )

    def _outputs(self, published: Mapping[str, str]) -> Outputs:
        found = {self._now(S3Uri.parse(uri), mark) for uri, mark in published.items()}
        return next((each for each in (Outputs.GONE, Outputs.OVERWRITTEN) if each in found), Outputs.THERE)

    def _now(self, output: S3Uri, mark: str) -> Outputs:
        """What has become of an output that had the mark. One of an earlier version goes by sizes and times."""
        objects = self._under(output)
        if objects is None:
            return Outputs.GONE
        same = not (mark and objects) or mark in {self.contents(objects), state_of(objects)}
        return Outputs.THERE if same else Outputs.OVERWRITTEN

    def _mark(self, output: S3Uri) -> str | None:
        """What lies under an output, in CONTENT mode as a digest, else empty; None if nothing does."""
        objects = self._under(output)
        return self.contents(objects) if objects else None if objects is None else ""

    def _under(self, output: S3Uri) -> Sequence[ObjectInfo] | None:
        """The objects under an output, empty where it only counts that there are some; None if there are none."""
        objects = objects_under(output, self.store)
        first = next(objects, None)
        if first is None:
            return None
        return (first, *objects) if self.mode is CacheMode.CONTENT else ()

    def _reused(self, step: ResolvedStep, signature: Signature, result: Result) -> StepReused:
        """The step as it was in the execution of the result."""
        success = result.success
        events = [fact.event for fact in result.facts]
        begun = [event for event in events if isinstance(event, AttemptStarted | JobLaunched | ChildLaunched)]
        made = [event for event in begun if event.attempt == success.attempt]
        launches = [event for event in made if isinstance(event, JobLaunched | ChildLaunched)]
        outputs = tuple(dict.fromkeys(uri for event in launches for uri in event.outputs))
        return StepReused(
            step.name,
            step.attempt,
            source=self._arn(result.execution_id),
            by=BY_CACHE,
            job_name=next(event.job_name for event in reversed(made) if isinstance(event, AttemptStarted)),
            properties=success.properties,
            property_files=self._property_files(step, success),
            branches_taken=success.branches_taken,
            outputs=outputs,
            log_files=next((event.log_files for event in reversed(launches) if isinstance(event, JobLaunched)), ()),
            unwritten=_without_outputs(directories_written(step, signature), outputs),
        )

    def _property_files(self, step: ResolvedStep, success: StepSucceeded) -> Mapping[str, str]:
        """Those of the result, and those that the step declares by now and that lie in its outputs."""
        absent = [file for file in step.property_files if file.name not in success.property_files]
        read = {file.name: property_file_text(file, success.properties, self.store) for file in absent}
        return {**success.property_files, **{name: text for name, text in read.items() if text is not None}}

    def _arn(self, execution_id: str) -> str:
        return f"{self.execution.pipeline_arn}/execution/{execution_id}"


class OutputsNoted:
    """Where the jobs of an attempt publish, as far as it is known: its facts pass through `post`. Any thread may call it."""

    def __init__(self, attempt: Attempt, post: Callable[[Event], None]) -> None:
        self._post = post
        self._outputs = [uri for child in attempt.children.values() for uri in child.outputs]
        self._lock = threading.Lock()

    def post(self, event: Event) -> None:
        """Hand a fact on; note the outputs of a launch that it tells of."""
        if isinstance(event, JobLaunched | ChildLaunched):
            with self._lock:
                self._outputs.extend(event.outputs)
        self._post(event)

    def all(self) -> Sequence[str]:
        """The URIs noted so far, in the order of the launches."""
        with self._lock:
            return tuple(self._outputs)


def keys_of(checks: Mapping[str, CacheChecked]) -> tuple[str, ...]:
    """What a success of the attempt is found by."""
    return tuple(key for check in checks.values() for key in (check.key, check.step_key))


def objects_under(output: S3Uri, store: ObjectStore) -> Iterator[ObjectInfo]:
    """The objects that lie now under an output of a job: the object itself, or those below it."""
    return (info for info in store.list(output) if output.holds(info.uri))


def _without_outputs(directories: Iterable[str], outputs: Iterable[str]) -> tuple[str, ...]:
    found = [S3Uri.parse(output) for output in outputs]
    return tuple(each for each in directories if not any(S3Uri.parse(each).holds(output) for output in found))


def _last_check(facts: Sequence[Recorded], by: Comparison) -> CacheChecked | None:
    checks = (fact.event for fact in reversed(facts) if isinstance(fact.event, CacheChecked))
    return next((check for check in checks if check.by == by.value), None)


def _check(step: ResolvedStep, each: Compared, judgement: Judgement, off: str) -> CacheChecked:
    earlier = judgement.earlier
    return CacheChecked(
        step.name,
        step.attempt,
        by=each.by.value,
        key=each.key,
        step_key=each.step_key,
        values=each.values,
        verdict=judgement.verdict.value,
        source=earlier.source if earlier else "",
        source_ended_at=earlier.ended_at if earlier else None,
        changes=tuple({"Path": change.path, "Old": change.old, "New": change.new} for change in judgement.changes),
        off=off,
    )

"""Parts of a pipeline: from what a user asks for to the steps that run and the outcomes that stand for earlier ones.

Follows: service.md section 8.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from localpipe.definition.expressions import StepValues
from localpipe.definition.given_values import named, read_given, split_given, told, with_given
from localpipe.definition.scope import Scope
from localpipe.definition.wording import shown
from localpipe.errors import NotFound, UsageError
from localpipe.scheduling.events import StepReused
from localpipe.scheduling.history import StepStatus
from localpipe.scheduling.selection import between, restricted, select
from localpipe.service.part_checks import (
    refuse_useless,
    require_needed,
    require_open_branches,
    require_valid,
    require_values,
)
from localpipe.service.sources import SELECTION, Source, find_source, from_source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.definition.given_values import GivenValue
    from localpipe.scheduling.selection import Selection
    from localpipe.scheduling.state import ExecutionState
    from localpipe.service.pipelines import Pipeline
    from localpipe.service.wiring import Home
    from localpipe.steps.base import StepType

_GIVEN = "given"
_COMPLETION = "its completion"


@dataclass(frozen=True, kw_only=True)
class Part:
    """Which steps of a pipeline are to run. All of them, if nothing is asked for.

    `select`: these, as the service's SelectiveExecutionConfig has it. `only`: just that one. `first`: that one and all that
    depends on it; `until`: that one and all that it needs; both: what lies between. `source`: the execution (ARN, id or
    `last`) whose steps stand for those that are needed and do not run; None is the last one of the pipeline, but for
    `select`, which then has none. `values`: what is taken for properties of such steps, by name
    (`Steps.Prep.ProcessingOutputConfig...`); a step that has some needs no source. `done`: such steps that are taken as done
    though no source has done them; they give nothing.
    """

    select: tuple[str, ...] = ()
    first: str | None = None
    until: str | None = None
    only: str | None = None
    source: str | None = None
    values: Mapping[str, JSON] = field(default_factory=dict)
    done: tuple[str, ...] = ()

    @property
    def asked(self) -> bool:
        """Whether anything is."""
        return self != WHOLE

    def __post_init__(self) -> None:
        """Raise UsageError for choices that do not go together."""
        ways = {"--select": self.select, "--only": self.only, "--from or --until": self.first or self.until}
        chosen = [flag for flag, value in ways.items() if value]
        if len(chosen) > 1:
            raise UsageError(f"{' and '.join(chosen)} cannot be combined: each says which steps run.")
        others = {"--source": self.source, "--set": self.values, "--done": self.done}
        alone = [flag for flag, value in others.items() if value]
        if alone and not chosen:
            raise UsageError(f"{' and '.join(alone)} goes with --from, --until, --only or --select, which say what runs.")


WHOLE = Part()


@dataclass(frozen=True, kw_only=True)
class ChosenPart:
    """A pipeline whose graph has only the steps that run and those that are reused.

    `config`: the SelectiveExecutionConfig that says the same; None where the whole pipeline runs. `reused`: the facts of the
    steps that do not run. `notes`: what the user should know, in sentences.
    """

    pipeline: Pipeline
    config: JSON = None
    reused: tuple[StepReused, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def known(self) -> Mapping[str, StepValues]:
        """What the steps gave that do not run."""
        return {each.step: _values(each) for each in self.reused}


def given_by_name(texts: Iterable[str]) -> dict[str, JSON]:
    """`Steps.STEP.PROPERTY=VALUE` texts as the `values` of a part. Raises UsageError."""
    values: dict[str, JSON] = {}
    for name, value in map(split_given, texts):
        if name in values:
            raise UsageError(f"{name} is given twice: {values[name]!r} and {value!r}.")
        values[name] = value
    return values


def choose_part(home: Home, pipeline: Pipeline, part: Part, parameters: Mapping[str, JSON]) -> ChosenPart:
    """The part of a pipeline that a user asks for, with what it takes from elsewhere.

    Raises UsageError for a choice that the service refuses or that cannot run, NotFound for steps and executions that are
    not there, DefinitionError for references to what the source does not have.
    """
    if not part.asked:
        return ChosenPart(pipeline=pipeline)
    given = _given(home, pipeline, part.values)
    alone = {each.reference.step for each in given}.union(part.done)
    selection = select(pipeline.graph, _selected(pipeline, part), alone)
    refuse_useless(
        {**{name: f"--done {name}" for name in part.done}, **{g.reference.step: g.text for g in given}}, selection
    )
    source = _source(home, pipeline, part, selection.needed - alone) if selection.needed else None
    reused = _reused(home, pipeline, selection, source, given, part.done)
    require_needed(home, pipeline, selection, source, reused)
    taken = {each.step: each.branches_taken for each in reused}
    require_open_branches(pipeline, _named(part), reused)
    require_values(home, pipeline, selection, reused)
    return ChosenPart(
        pipeline=replace(pipeline, graph=restricted(pipeline.graph, selection.selected, taken)),
        config=_config([name for name in pipeline.graph.nodes if name in selection.selected], source),
        reused=reused,
        notes=(*map(told, given), *_other_parameters(source, parameters)),
    )


def part_of(pipeline: Pipeline, state: ExecutionState) -> Pipeline:
    """The part of a pipeline that an execution runs, as its facts tell it."""
    config = state.started.selection
    if config is None:
        return pipeline
    selected = [row["StepName"] for row in config["SelectedSteps"]]
    facts = (step.attempts[0].reused for step in state.steps.values() if step.attempts)
    taken = {fact.step: fact.branches_taken for fact in facts if fact and fact.by in {SELECTION, _GIVEN}}
    return replace(pipeline, graph=restricted(pipeline.graph, selected, taken))


def asked_part(part: Part, config: JSON) -> Part:
    """What is to run: the part that the user asks for, else what the script's SelectiveExecutionConfig says (None: all)."""
    if part.asked or config is None:
        return part
    names = tuple(dict.fromkeys(row["StepName"] for row in config["SelectedSteps"]))
    return Part(select=names, source=config.get("SourcePipelineExecutionArn"))


def _config(selected: Iterable[str], source: Source | None) -> JSON:
    arn = {"SourcePipelineExecutionArn": source.arn} if source else {}
    return {**arn, "SelectedSteps": [{"StepName": name} for name in selected]}


def _named(part: Part) -> Sequence[str]:
    return [name for name in (*part.select, part.first, part.until, part.only) if name is not None]


def _selected(pipeline: Pipeline, part: Part) -> Collection[str]:
    """The names of the steps that run, at least one."""
    graph = pipeline.graph
    for name in (*_named(part), *part.done):
        if name not in graph.nodes:
            collection = [node for node in graph.nodes if node.startswith(f"{name}-")]  # what the SDK makes of a ModelStep
            near = collection or get_close_matches(name, graph.nodes, n=1)
            raise NotFound("step", name, near, f"Pipeline {pipeline.name!r} has {', '.join(map(repr, graph.nodes))}.")
    if part.select:
        require_valid(pipeline, part.select)
        return part.select
    if part.only:
        return [part.only]
    steps = between(graph, part.first, part.until)
    if not steps:
        raise UsageError(f"Step {part.until!r} does not depend on step {part.first!r}: there is nothing between them.")
    return steps


def _given(home: Home, pipeline: Pipeline, values: Mapping[str, JSON]) -> tuple[GivenValue, ...]:
    return read_given(values, Scope.of(pipeline.definition, pipeline.steps.values(), home.step_types, home.model))


def _source(home: Home, pipeline: Pipeline, part: Part, needed: Collection[str]) -> Source | None:
    """The execution that steps are reused from; None where there is none, and for `select` that names none."""
    if part.source is None and part.select:
        return None
    return find_source(home, pipeline.name, part.source, needed)


def _reused(  # noqa: PLR0917 - all that is known of the part
    home: Home,
    pipeline: Pipeline,
    selection: Selection,
    source: Source | None,
    given: Sequence[GivenValue],
    done: Collection[str],
) -> tuple[StepReused, ...]:
    """A fact for each step upstream that has succeeded in the source, has values given or is `done`, in document order."""
    succeeded = source.state.having(StepStatus.SUCCEEDED) if source else frozenset()
    facts = []
    for name, node in pipeline.graph.nodes.items():
        own = [each for each in given if each.reference.step == name]
        if name in selection.upstream and (own or name in succeeded or name in done):
            fact = from_source(source, name) if source and name in succeeded else _alone(name, done=name in done)
            facts.append(_with_given(fact, own, home.step_types[node.step.type], home.model) if own else fact)
    return tuple(facts)


def _with_given(fact: StepReused, given: Sequence[GivenValue], kind: StepType, model: JSON) -> StepReused:
    """The fact with given values in place; they also say which branches are open. Raises UsageError."""
    values = with_given(_values(fact), given, kind.properties_shape, model)
    try:
        taken = kind.branches_taken(values.properties)
    except ValueError as error:
        raise UsageError(f"{given[0].text}: {error}") from None
    names = (*fact.given, *map(named, given))
    return replace(
        fact,
        properties=values.properties,
        property_files=values.property_files,
        branches_taken=taken,
        given=tuple(dict.fromkeys(names)),
    )


def _values(fact: StepReused) -> StepValues:
    return StepValues(properties=fact.properties, property_files=fact.property_files)


def _alone(name: str, *, done: bool) -> StepReused:
    given = (_COMPLETION,) if done else ()
    return StepReused(step=name, attempt=1, source="", by=_GIVEN, job_name="", properties={}, given=given)


def _other_parameters(source: Source | None, parameters: Mapping[str, JSON]) -> Iterator[str]:
    """Parameters are not inherited, which is easily forgotten."""
    before = source.state.started.parameters if source else {}
    for name, value in parameters.items():
        if name in before and before[name] != value:
            yield f"Parameter {name} is {shown(value)} here and was {shown(before[name])} in the source: none is inherited."

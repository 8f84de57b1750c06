"""Parts of a pipeline: from what a user asks for to the steps that run and the outcomes that stand for earlier ones.

Follows: service.md section 8.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from localpipe.definition.expressions import PropertyReference, StepValues, references
from localpipe.definition.given_values import read_given, split_given, told, with_given
from localpipe.definition.property_paths import follow
from localpipe.definition.scope import Scope
from localpipe.definition.wording import did_you_mean, shown
from localpipe.errors import DefinitionError, NotFound, Problem, UsageError
from localpipe.scheduling.events import StepReused
from localpipe.scheduling.selection import between, closed_guard, gaps, outside_of_branches, restricted, select
from localpipe.scheduling.state import StepStatus
from localpipe.service.sources import SELECTION, Source, better_source, find_source, from_source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.definition.given_values import GivenValue
    from localpipe.definition.model import StepDefinition
    from localpipe.scheduling.selection import Selection
    from localpipe.scheduling.state import ExecutionState
    from localpipe.service.preflight import Pipeline
    from localpipe.service.wiring import Home

MOST_SELECTED = 50
"""SelectedSteps of a SelectiveExecutionConfig. Follows: service.md section 1.2."""

_GIVEN = "given"


@dataclass(frozen=True, kw_only=True)
class Part:
    """Which steps of a pipeline are to run. All of them, if nothing is asked for.

    `select`: these, as the service's SelectiveExecutionConfig has it. `only`: just that one. `first`: that one and all that
    depends on it; `until`: that one and all that it needs; both: what lies between. `source`: the execution (ARN, id or
    `last`) whose steps stand for those that are needed and do not run; None is the last one of the pipeline, but for
    `select`, which then has none. `values`: what is taken for properties of such steps, by name
    (`Steps.Prep.ProcessingOutputConfig...`); a step that has some needs no source.
    """

    select: tuple[str, ...] = ()
    first: str | None = None
    until: str | None = None
    only: str | None = None
    source: str | None = None
    values: Mapping[str, JSON] = field(default_factory=dict)

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
        alone = [flag for flag, value in {"--source": self.source, "--set": self.values}.items() if value]
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
    selection = select(pipeline.graph, _selected(pipeline, part), {each.reference.step for each in given})
    _refuse_useless(given, selection)
    source = _source(home, pipeline, part) if selection.needed else None
    reused = _reused(home, pipeline, selection, source, given)
    _require_needed(home, pipeline, selection, source, reused)
    taken = {each.step: each.branches_taken for each in reused}
    _require_open_branches(pipeline, _named(part), taken)
    _require_values(home, pipeline, selection, reused)
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
    for name in _named(part):
        if name not in graph.nodes:
            near = get_close_matches(name, graph.nodes, n=1)
            raise NotFound("step", name, near, f"Pipeline {pipeline.name!r} has {', '.join(map(repr, graph.nodes))}.")
    if part.select:
        _require_valid(pipeline, part.select)
        return part.select
    if part.only:
        return [part.only]
    steps = between(graph, part.first, part.until)
    if not steps:
        raise UsageError(f"Step {part.until!r} does not depend on step {part.first!r}: there is nothing between them.")
    return steps


def _require_valid(pipeline: Pipeline, selected: Sequence[str]) -> None:
    """What the service asks of SelectedSteps. UNVERIFIED: its words. Follows: service.md sections 1.2, 8."""
    if len(selected) > MOST_SELECTED:
        raise UsageError(f"{len(selected)} steps are selected; at most {MOST_SELECTED} may be.")
    for step, condition in outside_of_branches(pipeline.graph, selected):
        raise UsageError(
            f"Step {step!r} is in a branch of {condition!r}, which is not selected. Select {condition!r} too, or use "
            f"--only or --from: they take the outcome that {condition!r} had in the source."
        )
    if left_out := gaps(pipeline.graph, selected):
        raise UsageError(
            f"The selected steps are not connected: {', '.join(map(repr, left_out))} lies between them. Select it too."
        )


def _given(home: Home, pipeline: Pipeline, values: Mapping[str, JSON]) -> tuple[GivenValue, ...]:
    return read_given(values, Scope.of(pipeline.definition, pipeline.steps.values(), home.step_types, home.model))


def _refuse_useless(given: Iterable[GivenValue], selection: Selection) -> None:
    """A value can only be given for a step that a selected one waits for."""
    for each in given:
        step = each.reference.step
        if step in selection.selected:
            raise UsageError(f"{each.text}: step {step!r} runs, so it has values of its own. Leave it out of what runs.")
        if step not in selection.needed:
            near = did_you_mean(step, selection.needed)
            raise UsageError(f"{each.text}: no step that runs waits for step {step!r}. {near}".rstrip())


def _source(home: Home, pipeline: Pipeline, part: Part) -> Source | None:
    """The execution that steps are reused from; None where there is none, and for `select` that names none."""
    if part.source is None and part.select:
        return None
    return find_source(home, pipeline.name, part.source)


def _reused(
    home: Home, pipeline: Pipeline, selection: Selection, source: Source | None, given: Sequence[GivenValue]
) -> tuple[StepReused, ...]:
    """A fact for each step upstream that has succeeded in the source or has values given, in document order."""
    succeeded = source.state.having(StepStatus.SUCCEEDED) if source else frozenset()
    facts = []
    for name, node in pipeline.graph.nodes.items():
        own = [each for each in given if each.reference.step == name]
        if name not in selection.upstream or not (own or name in succeeded):
            continue
        fact = from_source(source, name) if source and name in succeeded else _alone(name)
        shape = home.step_types[node.step.type].properties_shape
        values = with_given(_values(fact), own, shape, home.model)
        facts.append(replace(fact, properties=values.properties, property_files=values.property_files))
    return tuple(facts)


def _values(fact: StepReused) -> StepValues:
    return StepValues(properties=fact.properties, property_files=fact.property_files)


def _alone(name: str) -> StepReused:
    return StepReused(step=name, attempt=1, source="", by=_GIVEN, job_name="", properties={})


def _require_needed(
    home: Home, pipeline: Pipeline, selection: Selection, source: Source | None, reused: Iterable[StepReused]
) -> None:
    """Raise UsageError unless every step that is needed has an outcome. UNVERIFIED: the service's words with a source."""
    have = {each.step for each in reused}
    lacking = [name for name in pipeline.graph.nodes if name in selection.needed - have]
    if not lacking:
        return
    if source is None:
        selected = [name for name in pipeline.graph.nodes if name in selection.selected]
        raise UsageError(
            "Invalid SourcePipelineExecutionArn: null. "
            f"The selected steps [{', '.join(selected)}] have dependencies on [{', '.join(lacking)}]. "
            "Name an execution of the pipeline that has done them by --source, or give their values by --set."
        )
    steps = source.state.steps
    told_of = [f"{name} ({steps[name].status if name in steps else 'not started'})" for name in lacking]
    better = better_source(home, pipeline.name, selection.needed)
    remedy = f"Execution {better} has all that is needed: --source {better}" if better else "Let them run too, or use --set."
    raise UsageError(
        f"Execution {source.execution_id} cannot be the source: what is needed has not succeeded there: "
        f"{', '.join(told_of)}. {remedy}"
    )


def _require_open_branches(pipeline: Pipeline, named: Iterable[str], taken: Mapping[str, Collection[str]]) -> None:
    """Refuse a step that was asked for and could not run, since the source took another branch."""
    for name in named:
        guard = closed_guard(pipeline.graph.nodes[name], taken)
        if guard:
            went = ", ".join(taken[guard.step]) or "none of its branches"
            raise UsageError(
                f"Step {name!r} is in {guard.branch} of {guard.step!r}, which took {went} in the source: it would not run. "
                f"Let {guard.step!r} decide again: --from {guard.step}"
            )


def _require_values(home: Home, pipeline: Pipeline, selection: Selection, reused: Sequence[StepReused]) -> None:
    """Refuse references of selected steps to properties that reused ones do not have: they never will."""
    facts = {each.step: each for each in reused}
    problems = [
        problem
        for node in pipeline.graph.nodes.values()
        if node.name in selection.selected
        for reference in references(_own_expressions(home, node.step), node.step.path)
        if isinstance(reference, PropertyReference) and reference.step in facts
        for problem in _absent(reference, facts[reference.step])
    ]
    if problems:
        raise DefinitionError(problems)


def _own_expressions(home: Home, step: StepDefinition) -> JSON:
    """What a step's own references stand in, as below its JSON path."""
    return {"Arguments": home.step_types[step.type].own_arguments(step), **step.fields}


def _absent(reference: PropertyReference, fact: StepReused) -> Iterator[Problem]:
    try:
        follow(fact.properties, reference.properties)
    except LookupError as error:
        if fact.by == _GIVEN:
            yield Problem(reference.path, f"no value is given for it: {error}", "Give it too, by --set.")
        else:
            where = f"in execution {fact.source.rpartition('/')[2]}"
            remedy = f"Let step {fact.step!r} run too, or give the value by --set."
            yield Problem(reference.path, f"step {fact.step!r} has no such value {where}: {error}", remedy)


def _other_parameters(source: Source | None, parameters: Mapping[str, JSON]) -> Iterator[str]:
    """Parameters are not inherited, which is easily forgotten."""
    before = source.state.started.parameters if source else {}
    for name, value in parameters.items():
        if name in before and before[name] != value:
            yield f"Parameter {name} is {shown(value)} here and was {shown(before[name])} in the source: none is inherited."

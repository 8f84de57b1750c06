"""What stands in the way of running a part of a pipeline, refused with what to type instead.

Follows: service.md section 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.definition.expressions import PropertyReference, references
from localpipe.definition.property_paths import follow, format_property_path
from localpipe.definition.wording import did_you_mean
from localpipe.errors import DefinitionError, Problem, UsageError
from localpipe.scheduling.selection import closed_guard, gaps, outside_of_branches
from localpipe.service.sources import better_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.definition.model import StepDefinition
    from localpipe.scheduling.events import StepReused
    from localpipe.scheduling.selection import Selection
    from localpipe.service.pipelines import Pipeline
    from localpipe.service.sources import Source
    from localpipe.service.wiring import Home

MOST_SELECTED = 50
"""SelectedSteps of a SelectiveExecutionConfig. Follows: service.md section 1.2."""


def require_valid(pipeline: Pipeline, selected: Sequence[str]) -> None:
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


def refuse_useless(given: Mapping[str, str], selection: Selection) -> None:
    """A value can only be given for a step that a selected one waits for. `given`: step → what the user wrote of it."""
    for step, text in given.items():
        if step in selection.selected:
            raise UsageError(f"{text}: step {step!r} runs, so it has values of its own. Leave it out of what runs.")
        if step not in selection.needed:
            near = did_you_mean(step, selection.needed)
            raise UsageError(f"{text}: no step that runs waits for step {step!r}. {near}".rstrip())


def require_needed(
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
            f"Name an execution of the pipeline that has done them by --source, {_by_hand(home, pipeline, lacking)}."
        )
    steps = source.state.steps
    told_of = [f"{name} ({steps[name].status if name in steps else 'not started'})" for name in lacking]
    better = better_source(home, pipeline.name, selection.needed)
    remedy = (
        f"Execution {better} has all that is needed: --source {better}" if better else _let_them(home, pipeline, lacking)
    )
    raise UsageError(
        f"Execution {source.execution_id} cannot be the source: what is needed has not succeeded there: "
        f"{', '.join(told_of)}. {remedy}"
    )


def _let_them(home: Home, pipeline: Pipeline, lacking: Iterable[str]) -> str:
    return f"Let them run too, {_by_hand(home, pipeline, lacking)}."


def _by_hand(home: Home, pipeline: Pipeline, lacking: Iterable[str]) -> str:
    """What to type for steps that no execution has done, to complete a sentence."""
    steps = {name: pipeline.steps[name] for name in lacking}
    conditions = [name for name, step in steps.items() if home.step_types[step.type].branches(step)]
    outcomes = "".join(f" (--set Steps.{name}.Outcome=True or False)" for name in conditions)
    return f"or give their values by --set{outcomes}, or --done for a step that gives none"


def require_open_branches(pipeline: Pipeline, asked_for: Iterable[str], reused: Sequence[StepReused]) -> None:
    """Refuse a step that was asked for and could not run, since another branch was taken."""
    facts = {each.step: each for each in reused}
    taken = {each.step: each.branches_taken for each in reused}
    for name in asked_for:
        guard = closed_guard(pipeline.graph.nodes[name], taken)
        if guard:
            went = ", ".join(taken[guard.step]) or "none of its branches"
            where = (
                " as its outcome is given" if facts[guard.step].given else " in the source" * bool(facts[guard.step].source)
            )
            raise UsageError(
                f"Step {name!r} is in {guard.branch} of {guard.step!r}, which took {went}{where}: it would not run. "
                f"Let {guard.step!r} decide again (--from {guard.step}), or give its outcome: "
                f"--set Steps.{guard.step}.Outcome"
            )


def require_values(home: Home, pipeline: Pipeline, selection: Selection, reused: Sequence[StepReused]) -> None:
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
    name = f"Steps.{fact.step}.{format_property_path(reference.properties)}"
    option = f'--set "{name}=VALUE"'
    try:
        follow(fact.properties, reference.properties)
    except LookupError as error:
        if not fact.source:
            yield Problem(reference.path, f"it takes {name}, for which no value is given.", f"Give it too: {option}")
        else:
            where = f"in execution {fact.source.rpartition('/')[2]}"
            remedy = f"Let step {fact.step!r} run too, or give the value: {option}"
            yield Problem(reference.path, f"step {fact.step!r} has no such value {where}: {error}", remedy)

"""Random parts of random pipelines against the rules of service.md section 8, said again over plain sets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from test_scheduling import SEEDS, Draft, World, a_plan, caps, fate, pipelines, told_by

from localpipe.scheduling.events import ExecutionStarted, Recorded, RetryRequested, StepReused, numbered
from localpipe.scheduling.history import StepStatus
from localpipe.scheduling.selection import between, closed_guard, gaps, outside_of_branches, restricted, select

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PICKS = st.integers(0, 2**32 - 1)


# The rules over plain sets


def straight_before(draft: Draft) -> set[str]:
    return draft.needs | draft.refers_to | {condition for condition, _ in draft.around}


def all_before(drafts: Sequence[Draft]) -> dict[str, set[str]]:
    """Drafts stand in an order in which they could run."""
    before: dict[str, set[str]] = {}
    for draft in drafts:
        straight = straight_before(draft)
        before[draft.name] = straight.union(*(before[name] for name in straight))
    return before


def must_have(drafts: Iterable[Draft], selected: Iterable[str]) -> set[str]:
    chosen = set(selected)
    return set[str]().union(*(straight_before(draft) for draft in drafts if draft.name in chosen)) - chosen


def expected_part(
    drafts: Sequence[Draft], selected: Iterable[str], reused: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, int]]:
    """Status and attempts of each step that is listed: the reused ones, and those of the selected that are reached."""
    ended = dict.fromkeys(reused, ("Succeeded", 1))
    takes = {draft.name: draft.takes for draft in drafts}
    for draft in [draft for draft in drafts if draft.name in set(selected)]:
        succeeded = {name for name, (status, _) in ended.items() if status == "Succeeded"}
        open_branches = {(name, branch) for name in reused for branch in reused[name]}
        open_branches |= {(name, takes[name]) for name in succeeded - reused.keys()}
        if straight_before(draft) <= succeeded and set(draft.around) <= open_branches:
            ended[draft.name] = fate(draft)
    return ended


# A part as the code under test makes it


def facts_of_part(source: World, drafts: Sequence[Draft], selected: frozenset[str]) -> list[Recorded] | None:
    """The first facts of an execution of the part; None where the source lacks what is needed."""
    selection = select(source.plan.graph, selected)
    succeeded = source.state.having(StepStatus.SUCCEEDED)
    assert selection.needed == must_have(drafts, selected)
    assert selection.upstream == set(selection.needed).union(*(all_before(drafts)[n] for n in selection.needed)) - selected
    if not selection.needed <= succeeded:
        return None
    reused = [
        StepReused(name, 1, "arn", "selection", "job", branches_taken=source.state.steps[name].branches_taken)
        for name in source.plan.graph.nodes
        if name in selection.upstream & succeeded
    ]
    return list(numbered([ExecutionStarted("p", "e", {}, {}, None, {}), *reused], after=0, at=0.0))


def part_of(source: World, drafts: Sequence[Draft], selected: frozenset[str], facts: Sequence[Recorded], seed: int) -> World:
    taken = {fact.event.step: fact.event.branches_taken for fact in facts if isinstance(fact.event, StepReused)}
    plan = replace(source.plan, graph=restricted(source.plan.graph, selected, taken), max_parallel=None)
    assert plan.graph.nodes.keys() == selected | taken.keys()
    return World(plan, [draft for draft in drafts if draft.name in selected], seed, facts)


def pick(drafts: Sequence[Draft], number: int) -> str:
    return drafts[number % len(drafts)].name


def a_part(source: World, way: str, one: str, other: str) -> frozenset[str]:
    bounds = {"from": (one, None), "until": (None, one), "between": (one, other)}
    return frozenset({one}) if way == "only" else between(source.plan.graph, *bounds[way])


# The properties


@given(
    drafts=pipelines(most=25),
    cap=caps,
    seed=SEEDS,
    way=st.sampled_from(["from", "until", "between", "only"]),
    picks=st.tuples(PICKS, PICKS),
)
@settings(max_examples=150, deadline=None)
def test_a_part_runs_what_is_selected_and_takes_what_is_before_it_from_the_source(
    drafts: list[Draft], cap: int | None, seed: int, way: str, picks: tuple[int, int]
) -> None:
    source = World(a_plan(drafts, max_parallel=cap, seed=seed), drafts, seed).run()
    selected = a_part(source, way, *(pick(drafts, number) for number in picks))
    facts = facts_of_part(source, drafts, selected)
    if facts is None or not selected:
        return
    part = part_of(source, drafts, selected, facts, seed).run()
    reused = {fact.event.step: fact.event.branches_taken for fact in facts if isinstance(fact.event, StepReused)}
    expected = expected_part(drafts, selected, reused)
    assert told_by(part.facts) == expected
    assert set(part.first_starts()) == expected.keys() - reused.keys()


@given(drafts=pipelines(most=20, ends=["ok", "ok", "fail"]), seed=SEEDS, one=PICKS, stop=st.integers(2, 30))
@settings(max_examples=80, deadline=None)
def test_a_part_that_is_retried_never_does_a_reused_step(drafts: list[Draft], seed: int, one: int, stop: int) -> None:
    source = World(a_plan(drafts, seed=seed), drafts, seed).run()
    selected = between(source.plan.graph, pick(drafts, one), None)
    facts = facts_of_part(source, drafts, selected)
    if facts is None:
        return
    part = part_of(source, drafts, selected, facts, seed).run()
    if part.state.status.value == "Succeeded":
        return
    healed = [replace(draft, end="ok", flaky=0) for draft in drafts]
    again = part_of(source, healed, selected, part.facts, seed)
    again.append(RetryRequested())
    again.run(until=len(part.facts) + stop)
    again = part_of(source, healed, selected, again.facts, seed).run()
    reused = {fact.event.step: fact.event.branches_taken for fact in facts if isinstance(fact.event, StepReused)}
    assert again.state.status.value == "Succeeded"
    assert told_by(again.facts).keys() == expected_part(healed, selected, reused).keys()
    assert not set(again.first_starts()) & reused.keys()


@given(drafts=pipelines(most=25), seed=SEEDS, one=PICKS, other=PICKS)
@settings(max_examples=150, deadline=None)
def test_what_lies_between_two_steps(drafts: list[Draft], seed: int, one: int, other: int) -> None:
    graph, before = a_plan(drafts, seed=seed).graph, all_before(drafts)
    first, last = pick(drafts, one), pick(drafts, other)
    from_first = {first} | {name for name in before if first in before[name]}
    until_last = {last} | before[last]
    assert between(graph, first, None) == from_first
    assert between(graph, None, last) == until_last
    assert between(graph, first, last) == (from_first & until_last if first in until_last else set())


@given(drafts=pipelines(most=15), seed=SEEDS, picks=st.lists(PICKS, min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_a_selection_is_connected_if_every_step_on_the_way_is_selected(
    drafts: list[Draft], seed: int, picks: list[int]
) -> None:
    graph, before = a_plan(drafts, seed=seed).graph, all_before(drafts)
    selected = {pick(drafts, number) for number in picks}
    on_a_way = {name for one in selected for other in selected for name in before[other] if one in before[name]}
    assert set(gaps(graph, selected)) == on_a_way - selected
    assert {step for step, _ in outside_of_branches(graph, selected)} == {
        draft.name
        for draft in drafts
        if draft.name in selected and not {condition for condition, _ in draft.around} <= selected
    }


@given(drafts=pipelines(most=25), seed=SEEDS, one=PICKS)
@settings(max_examples=100, deadline=None)
def test_a_single_step_runs_unless_its_branch_was_not_taken(drafts: list[Draft], seed: int, one: int) -> None:
    source = World(a_plan(drafts, seed=seed), drafts, seed).run()
    name = pick(drafts, one)
    facts = facts_of_part(source, drafts, frozenset({name}))
    if facts is None:
        return
    taken = {fact.event.step: fact.event.branches_taken for fact in facts if isinstance(fact.event, StepReused)}
    part = part_of(source, drafts, frozenset({name}), facts, seed).run()
    assert (name in part.first_starts()) is (closed_guard(source.plan.graph.nodes[name], taken) is None)

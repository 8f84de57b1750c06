"""Random pipelines, run by the scheduler in random order, against a model of the service's rules over plain sets."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from localpipe.definition.model import Dependency, RetryPolicy, StepDefinition
from localpipe.scheduling.decide import Record, StartAttempt, StopAttempt, WakeAt, decide
from localpipe.scheduling.events import (
    AttemptFailed,
    AttemptStarted,
    AttemptStopped,
    ExecutionFinished,
    ExecutionStarted,
    JobLaunched,
    ParallelismChanged,
    Recorded,
    RetryRequested,
    RetryScheduled,
    StepReused,
    StepSucceeded,
    StopRequested,
    StopSignalled,
    from_json,
    to_json,
)
from localpipe.scheduling.graph import build_graph
from localpipe.scheduling.history import BUSY, StepStatus
from localpipe.scheduling.plan import ExecutionPlan
from localpipe.scheduling.state import apply, fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from localpipe.scheduling.decide import Command
    from localpipe.scheduling.events import Event
    from localpipe.scheduling.state import ExecutionState

T = TypeVar("T")
RETRYABLE = "SageMaker.JOB_INTERNAL_ERROR"
BRANCHES = ("IfSteps", "ElseSteps")
MOST_DECISIONS = 2_000
SEEDS = st.integers(0, 2**32 - 1)


# Random pipelines


@dataclass(frozen=True)
class Draft:
    """A step and what becomes of it: so many retryable failures first, then `end`."""

    name: str
    needs: frozenset[str]
    refers_to: frozenset[str]
    around: tuple[tuple[str, str], ...]
    """The conditions around it with the branch it stands in, outermost first."""
    is_condition: bool
    takes: str
    flaky: int
    retries: int | None
    """MaxAttempts of its retry policy; None: it has no policy."""
    end: str


class Digits:
    """A number read as choices, one after the other; 0 always makes the first one. Mutable: what is left of the number."""

    def __init__(self, number: int) -> None:
        self._left = number

    def one_of(self, options: Sequence[T]) -> T:
        self._left, index = divmod(self._left, len(options))
        return options[index]

    def some_of(self, options: Sequence[T], most: int) -> frozenset[T]:
        count = self.one_of(range(most + 1))
        return frozenset(self.one_of(options) for _ in range(count if options else 0))


ROWS = st.integers(0, 2**56 - 1)
"""A step as one number: hypothesis takes its time for each single draw."""


@st.composite
def pipelines(draw: st.DrawFn, *, most: int = 60, ends: Sequence[str] = ("ok",) * 18 + ("fail", "halt")) -> list[Draft]:
    """Steps in an order in which they could run, which is not the order of the definition."""
    size = draw(st.integers(1, most))
    drafts: list[Draft] = []
    places: list[tuple[tuple[str, str], ...]] = [()]
    for row in draw(st.lists(ROWS, min_size=size, max_size=size)):
        digits = Digits(row)
        names = [draft.name for draft in drafts]
        is_condition = digits.one_of((False, False, False, True))
        draft = Draft(
            name=f"S{len(drafts)}",
            needs=digits.some_of(names, 3),
            refers_to=digits.some_of(names, 1),
            around=digits.one_of(places) if digits.one_of((False, True)) else (),
            is_condition=is_condition,
            takes=digits.one_of(BRANCHES),
            flaky=0 if is_condition else digits.one_of((0,) * 7 + (1, 2, 3)),
            retries=None if is_condition else digits.one_of((None, 0, 1, 2)),
            end=digits.one_of(ends),
        )
        drafts.append(draft)
        if is_condition:
            places += [(*draft.around, (draft.name, branch)) for branch in BRANCHES]
    return drafts


@dataclass(frozen=True, kw_only=True)
class StartedPlan(ExecutionPlan):
    """A plan, and the MaxParallelExecutionSteps that its execution is started with."""

    max_parallel: int | None


def a_plan(drafts: Sequence[Draft], *, max_parallel: int | None = None, seed: int = 0) -> StartedPlan:
    """The plan of a definition with these steps, siblings in random order."""
    order = Random(seed)  # noqa: S311 - a test's dice

    def at(around: tuple[tuple[str, str], ...]) -> tuple[StepDefinition, ...]:
        siblings = [draft for draft in drafts if draft.around == around]
        order.shuffle(siblings)
        return tuple(definition(draft) for draft in siblings)

    def definition(draft: Draft) -> StepDefinition:
        limit = draft.retries
        return StepDefinition(
            name=draft.name,
            type="Condition" if draft.is_condition else "Job",
            path=f"$.{draft.name}",
            arguments={branch: at((*draft.around, (draft.name, branch))) for branch in BRANCHES if draft.is_condition},
            depends_on=tuple(Dependency(step=need) for need in sorted(draft.needs)),
            retry_policies=() if limit is None else (RetryPolicy(exception_types=(RETRYABLE,), max_attempts=limit),),
        )

    refers_to = {draft.name: draft.refers_to for draft in drafts}
    graph = build_graph(
        at(()), lambda step: step.arguments, lambda step: refers_to[step.name], lambda step: step.type != "Condition"
    )
    return StartedPlan(graph=graph, max_parallel=max_parallel)


# The model: which steps run, how each ends and after how many attempts, and how the execution ends


def expected_steps(drafts: Iterable[Draft]) -> dict[str, tuple[str, int]]:
    ended: dict[str, tuple[str, int]] = {}
    took: set[tuple[str, str]] = set()
    while True:
        succeeded = {name for name, (status, _) in ended.items() if status == "Succeeded"}
        took |= {(draft.name, draft.takes) for draft in drafts if draft.name in succeeded}
        reached = {
            draft.name: fate(draft)
            for draft in drafts
            if draft.name not in ended and (draft.needs | draft.refers_to) <= succeeded and set(draft.around) <= took
        }
        if not reached:
            return ended
        ended |= reached


def fate(draft: Draft) -> tuple[str, int]:
    retries = draft.retries or 0
    if draft.flaky > retries:
        return "Failed", retries + 1
    return {"ok": "Succeeded", "fail": "Failed", "halt": "Stopped", "end": "Failed"}[draft.end], draft.flaky + 1


def expected_execution(steps: Mapping[str, tuple[str, int]]) -> str:
    return "Failed" if any(status != "Succeeded" for status, _ in steps.values()) else "Succeeded"


ENDED: Mapping[type[Event], str] = {
    StepSucceeded: "Succeeded",
    StepReused: "Succeeded",
    AttemptFailed: "Failed",
    AttemptStopped: "Stopped",
}
OF_EXECUTION = (ExecutionStarted, ExecutionFinished, ParallelismChanged, RetryRequested, StopRequested)


def told_by(facts: Iterable[Recorded]) -> dict[str, tuple[str, int]]:
    """Status and attempts of each step, read off the last fact of each without any of our machinery."""
    told: dict[str, tuple[str, int]] = {}
    for fact in facts:
        if not isinstance(fact.event, OF_EXECUTION):
            told[fact.event.step] = ENDED.get(type(fact.event), "under way"), fact.event.attempt
    return told


# An engine without effects


class World:
    """Does what `decide` says; attempts end in random order, as their drafts say. Mutable: facts, state, time."""

    def __init__(self, plan: StartedPlan, drafts: Sequence[Draft], seed: int, facts: Sequence[Recorded] = ()) -> None:
        self.plan, self.drafts = plan, {draft.name: draft for draft in drafts}
        self.chance = Random(seed)  # noqa: S311 - a test's dice
        self.facts = list(facts) or [Recorded(1, 0.0, ExecutionStarted("p", "e", {}, {}, plan.max_parallel, {}))]
        self.state = fold(self.facts)
        self.now = self.facts[-1].at
        self.moments: list[tuple[ExecutionState, list[Command], float]] = []
        self.cap = plan.max_parallel
        self.told: dict[str, tuple[str, int]] = {}
        self.branches: dict[str, tuple[str, ...]] = {}
        self.backing_off: dict[str, float] = {}
        for fact in self.facts:
            self.note(fact)

    def append(self, event: Event) -> None:
        self.now += self.chance.random()
        self.facts.append(Recorded(len(self.facts) + 1, self.now, event))
        self.state = apply(self.state, self.facts[-1])
        self.note(self.facts[-1])

    def note(self, fact: Recorded) -> None:
        """Keep what the model asks for, read off the facts alone."""
        self.told |= told_by([fact])
        match fact.event:
            case StepSucceeded() | StepReused():
                self.branches[fact.event.step] = fact.event.branches_taken
            case RetryScheduled(step=step, at=at):
                self.backing_off[step] = at
            case AttemptStarted(step=step) | AttemptStopped(step=step):
                self.backing_off.pop(step, None)
            case ParallelismChanged(max_parallel=cap):
                self.cap = cap

    def run(self, until: int | None = None) -> World:
        """Go on to the end of the execution, or until there are so many facts."""
        while not self.state.finished and (until is None or len(self.facts) < until):
            commands = decide(self.plan, self.state, self.now)
            self.moments.append((self.state, commands, self.now))
            assert len(self.moments) < MOST_DECISIONS, "the execution comes to no end"
            waits = [command.at for command in commands if isinstance(command, WakeAt)]
            orders = [command for command in commands if not isinstance(command, WakeAt)]
            busy = sorted(self.state.having(*BUSY))
            for command in orders:
                self.perform(command)
            if orders:
                continue
            self.nothing_is_left_waiting()
            if busy and (not waits or self.chance.random() < 0.5):
                self.something_happens(self.chance.choice(busy))
            else:
                assert waits, "nothing runs, nothing is waited for, and the execution has not finished"
                self.now = waits[0]
        return self

    def perform(self, command: Command) -> None:
        match command:
            case StartAttempt(step=step, attempt=attempt):
                self.may_start(step)
                assert self.drafts[step].is_condition or self.has_room(), f"{step} started beyond the cap"
                self.append(AttemptStarted(step, attempt, f"{step}-{attempt}"))
            case StopAttempt(step=step, attempt=attempt):
                self.append(StopSignalled(step, attempt))
            case Record(event=event):
                self.append(event)

    def something_happens(self, name: str) -> None:
        step, draft = self.state.steps[name], self.drafts[name]
        if step.status is StepStatus.STARTING and not draft.is_condition and self.chance.random() < 0.5:
            self.append(JobLaunched(name, step.attempt, (f"/logs/{name}",), "docker run"))
        elif step.status is StepStatus.STOPPING and self.chance.random() < 0.7:
            self.append(AttemptStopped(name, step.attempt))
        elif sum(attempt.exception_type == RETRYABLE for attempt in step.attempts) < draft.flaky:
            self.append(AttemptFailed(name, step.attempt, "InternalServerError", RETRYABLE))
        else:
            self.append(ending(draft, step.attempt))

    def may_start(self, name: str) -> None:
        assert self.is_reached(self.drafts[name]), f"{name} started before its needs or outside of its branch"
        assert self.backing_off.get(name, 0.0) <= self.now, f"{name} started before it was due"

    def is_reached(self, draft: Draft) -> bool:
        needs = draft.needs | draft.refers_to
        return needs <= self.branches.keys() and all(
            branch in self.branches.get(condition, ()) for condition, branch in draft.around
        )

    def has_room(self) -> bool:
        return self.cap is None or self.slots_taken() < self.cap

    def slots_taken(self) -> int:
        under_way = {name for name, (status, _) in self.told.items() if status == "under way"}
        return sum(not self.drafts[name].is_condition for name in under_way - self.backing_off.keys())

    def nothing_is_left_waiting(self) -> None:
        """While an execution goes on, a step that could start is only held back by the cap."""
        if self.state.stop or any(attempt.ends_execution for step in self.state.steps.values() for attempt in step.attempts):
            return
        for draft in self.drafts.values():
            if draft.name not in self.told and self.is_reached(draft):
                assert not draft.is_condition, f"{draft.name} waits for room"
                assert not self.has_room(), f"{draft.name} waits although there is room"

    def first_starts(self) -> list[str]:
        return [fact.event.step for fact in self.facts if isinstance(fact.event, AttemptStarted) and fact.event.attempt == 1]


def ending(draft: Draft, attempt: int) -> Event:
    match draft.end:
        case "ok":
            taken = (draft.takes,) if draft.is_condition else ()
            return StepSucceeded(draft.name, attempt, {"of": draft.name}, {"report": "{}"}, taken)
        case "halt":
            return AttemptStopped(draft.name, attempt, "StopTrainingJob")
        case _:
            return AttemptFailed(draft.name, attempt, "AlgorithmError", ends_execution=draft.end == "end")


def through_json(facts: Iterable[Recorded]) -> list[Recorded]:
    def again(event: Event) -> Event:
        return from_json(type(event).__name__, json.loads(json.dumps(to_json(event))))

    return [replace(fact, event=again(fact.event)) for fact in facts]


caps = st.one_of(st.none(), st.integers(1, 4))


@given(drafts=pipelines(), cap=caps, other_cap=caps, change=st.integers(1, 200), seed=SEEDS)
@settings(max_examples=100, deadline=None)
def test_what_runs_and_how_it_ends_is_what_the_rules_say(
    drafts: list[Draft], cap: int | None, other_cap: int | None, change: int, seed: int
) -> None:
    world = World(a_plan(drafts, max_parallel=cap, seed=seed), drafts, seed).run(until=change)
    if not world.state.finished:
        world.append(ParallelismChanged(other_cap))
    world.run()
    expected = expected_steps(drafts)
    assert told_by(world.facts) == expected
    assert {name: (step.status.value, step.attempt) for name, step in world.state.steps.items()} == expected
    assert world.state.status.value == expected_execution(expected)


@given(
    drafts=pipelines(most=10, ends=["ok", "ok", "ok", "fail", "halt", "end"]), cap=caps, seed=SEEDS, stop=st.integers(1, 40)
)
@settings(max_examples=60, deadline=None)
def test_replay_equals_live_after_every_event(drafts: list[Draft], cap: int | None, seed: int, stop: int) -> None:
    world = World(a_plan(drafts, max_parallel=cap, seed=seed), drafts, seed).run(until=stop)
    if not world.state.finished:
        world.append(StopRequested())
    world.run()
    facts = through_json(world.facts)
    assert facts == world.facts
    for state, commands, now in world.moments:
        again = fold(facts[: state.seq])
        assert again == state
        assert decide(world.plan, again, now) == commands
        assert {name: status for status, names in again.names.items() for name in names} == {
            name: step.status for name, step in again.steps.items()
        }


@given(drafts=pipelines(most=25), cap=caps, seed=SEEDS, crash=st.integers(1, 200))
@settings(max_examples=100, deadline=None)
def test_a_crash_at_any_event_ends_as_the_uninterrupted_run(
    drafts: list[Draft], cap: int | None, seed: int, crash: int
) -> None:
    plan = a_plan(drafts, max_parallel=cap, seed=seed)
    whole = World(plan, drafts, seed).run()
    before = through_json(whole.facts[: 1 + crash % len(whole.facts)])
    resumed = World(plan, drafts, seed + 1, before)
    for name in sorted(resumed.state.having(*BUSY)):
        step = resumed.state.steps[name]
        resumed.append(AttemptStarted(name, step.attempt, step.job_name))
    resumed.run()
    assert told_by(resumed.facts) == told_by(whole.facts)
    assert resumed.state.status is whole.state.status
    ended = {name for name, (status, _) in told_by(before).items() if status == "Succeeded"}
    assert not ended & {fact.event.step for fact in resumed.facts[len(before) :] if isinstance(fact.event, AttemptStarted)}


@given(drafts=pipelines(), cap=caps, seed=SEEDS, moment=st.integers(1, 200), kill=st.booleans())
@settings(max_examples=100, deadline=None)
def test_a_stop_ends_what_runs_and_starts_nothing(
    drafts: list[Draft], cap: int | None, seed: int, moment: int, *, kill: bool
) -> None:
    plan = a_plan(drafts, max_parallel=cap, seed=seed)
    world = World(plan, drafts, seed).run(until=1 + moment % (len(World(plan, drafts, seed).run().facts) - 1))
    if world.state.finished:
        return
    at_stop, started = told_by(world.facts), world.first_starts()
    world.append(StopRequested())
    world.run(until=len(world.facts) + moment % 3)
    if kill and not world.state.finished:
        world.append(StopRequested(kill=True))
        busy = world.state.having(*BUSY)
        commands = decide(world.plan, world.state, world.now)
        assert {command.step for command in commands if isinstance(command, StopAttempt) and command.kill} == busy
    world.run()
    complete = at_stop == expected_steps(drafts)
    assert world.first_starts() == started
    assert all(status != "under way" for status, _ in told_by(world.facts).values())
    assert world.state.status.value == (expected_execution(at_stop) if complete else "Stopped")
    signals = Counter(fact.event for fact in world.facts if isinstance(fact.event, StopSignalled))
    assert all(count <= 1 + kill for count in signals.values())


@given(drafts=pipelines(most=25, ends=["ok"] * 6 + ["end"]), cap=caps, seed=SEEDS)
@settings(max_examples=100, deadline=None)
def test_after_a_step_that_ends_the_execution_nothing_starts(drafts: list[Draft], cap: int | None, seed: int) -> None:
    world = World(a_plan(drafts, max_parallel=cap, seed=seed), drafts, seed).run()
    told, expected = told_by(world.facts), expected_steps(drafts)
    ends = [n for n, fact in enumerate(world.facts) if isinstance(fact.event, AttemptFailed) and fact.event.ends_execution]
    if not ends:
        assert (told, world.state.status.value) == (expected, expected_execution(expected))
        return
    assert world.state.status.value == "Failed"
    assert told.keys() <= expected.keys()
    later = [fact.event for fact in world.facts[ends[0] :]]
    assert not [event for event in later if isinstance(event, AttemptStarted | RetryScheduled)]


@given(drafts=pipelines(most=25), cap=caps, seed=SEEDS, stop=st.one_of(st.none(), st.integers(2, 60)))
@settings(max_examples=100, deadline=None)
def test_a_requested_retry_does_again_what_failed_or_stopped_and_goes_on_behind_it(
    drafts: list[Draft], cap: int | None, seed: int, stop: int | None
) -> None:
    plan = a_plan(drafts, max_parallel=cap, seed=seed)
    world = World(plan, drafts, seed).run(until=stop)
    if not world.state.finished:
        world.append(StopRequested())
    world.run()
    if world.state.status.value == "Succeeded":
        return
    before, length = told_by(world.facts), len(world.facts)
    healed = [replace(draft, end="ok", flaky=0) for draft in drafts]
    again = World(plan, healed, seed, world.facts)
    again.append(RetryRequested())
    again.run()
    succeeded = {name for name, (status, _) in before.items() if status == "Succeeded"}
    expected = expected_steps(healed)
    assert not succeeded & {fact.event.step for fact in again.facts[length:] if isinstance(fact.event, AttemptStarted)}
    assert told_by(again.facts) == {
        name: before[name] if name in succeeded else ("Succeeded", before.get(name, ("", 0))[1] + 1) for name in expected
    }
    assert again.state.status.value == "Succeeded"

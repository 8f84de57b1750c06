"""The jobs that an attempt runs by itself."""

from __future__ import annotations

import json

import pytest
from stories import a_plan, after, launched, signalled, started, step

from localpipe.errors import InvalidTransition
from localpipe.scheduling.children import ChildExecution
from localpipe.scheduling.events import ChildAwaitedRoom, ChildEnded, ChildLaunched, ChildStarted, Event, from_json, to_json
from localpipe.scheduling.history import StepStatus
from localpipe.scheduling.state import ExecutionState

PLAN = a_plan(step("Tune"))
UNDER_WAY = (started("Tune"), launched("Tune"))


def state_after(*events: Event) -> ExecutionState:
    return after(PLAN, *UNDER_WAY, *events)


def children(state: ExecutionState) -> dict[int, ChildExecution]:
    return dict(state.steps["Tune"].attempts[-1].children)


def begun(child: int, name: str = "") -> ChildStarted:
    return ChildStarted("Tune", 1, child, name or f"tune-{child}", {"TunedHyperParameters": {"eta": "0.1"}})


def test_a_job_of_an_attempt_from_its_start_to_its_end() -> None:
    state = state_after(
        begun(1),
        begun(2),
        ChildLaunched("Tune", 1, 1, ("/log",), "docker run 1", ("s3://b/o",)),
        ChildEnded("Tune", 1, 1, "Failed", "AlgorithmError: no", {"A": 1}),
    )
    first, second = children(state).values()
    assert (first.status, first.reason, first.properties) == ("Failed", "AlgorithmError: no", {"A": 1})
    assert (first.log_files, first.repeat_command, first.outputs) == (("/log",), "docker run 1", ("s3://b/o",))
    assert (second.status, second.job_name, second.ended_at) == ("Starting", "tune-2", None)
    assert second.detail == {"TunedHyperParameters": {"eta": "0.1"}}
    assert state.steps["Tune"].status is StepStatus.EXECUTING


def test_jobs_outlive_the_crash_of_localpipe_and_those_without_an_end_are_done_anew() -> None:
    state = state_after(
        begun(1), begun(2), ChildEnded("Tune", 1, 1, "Completed"), started("Tune"), launched("Tune"), begun(2, "tune-2")
    )
    assert [(child, job.status) for child, job in children(state).items()] == [(1, "Completed"), (2, "Starting")]


@pytest.mark.parametrize(
    "then",
    [ChildLaunched("Tune", 1, 1), ChildEnded("Tune", 1, 1, "Stopped"), begun(1)],
    ids=["until it runs", "until it is stopped", "until it is done anew"],
)
def test_a_job_waits_for_room(then: Event) -> None:
    waiting = (begun(1), begun(2), ChildAwaitedRoom("Tune", 1, 1, "waits for room"))
    assert [(job.status, job.awaits) for job in children(state_after(*waiting)).values()] == [
        ("Starting", "waits for room"),
        ("Starting", ""),
    ]
    assert children(state_after(*waiting, then))[1].awaits == ""


def test_the_order_in_which_jobs_ended_is_known_of_those_that_are_written_down_at_once() -> None:
    started_jobs = [begun(child) for child in (1, 2, 3)]
    ends = [ChildEnded("Tune", 1, child, "Completed") for child in (3, 1, 2)]
    jobs = children(state_after(*started_jobs, *ends))
    assert sorted(jobs, key=lambda child: jobs[child].ended_before) == [3, 1, 2]


def test_jobs_go_on_while_their_attempt_is_told_to_stop() -> None:
    state = state_after(begun(1), signalled("Tune"), ChildLaunched("Tune", 1, 1), ChildEnded("Tune", 1, 1, "Stopped"))
    assert state.steps["Tune"].status is StepStatus.STOPPING
    assert children(state)[1].status == "Stopped"


@pytest.mark.parametrize(
    ("events", "refusal"),
    [
        ([ChildEnded("Tune", 1, 1, "Completed")], "ChildEnded while job 1 is not started"),
        ([begun(1), ChildEnded("Tune", 1, 1, "Failed"), ChildLaunched("Tune", 1, 1)], "ChildLaunched while job 1 is Failed"),
        ([begun(1), ChildEnded("Tune", 1, 1, "Completed"), begun(1)], "ChildStarted while job 1 is Completed"),
    ],
)
def test_a_fact_about_a_job_that_cannot_follow_is_refused(events: list[Event], refusal: str) -> None:
    with pytest.raises(InvalidTransition) as caught:
        state_after(*events)
    assert str(caught.value).startswith(f"step 'Tune': {refusal}. Story: #2 AttemptStarted(1), #3 JobLaunched")


@pytest.mark.parametrize(
    "event",
    [
        begun(1),
        ChildAwaitedRoom("Tune", 1, 1, "waits"),
        ChildLaunched("Tune", 1, 1, ("/log",)),
        ChildEnded("Tune", 1, 1, "Stopped"),
    ],
)
def test_facts_about_jobs_survive_json_both_ways(event: Event) -> None:
    assert from_json(type(event).__name__, json.loads(json.dumps(to_json(event)))) == event

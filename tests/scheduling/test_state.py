from __future__ import annotations

import json
from dataclasses import replace

import pytest
from stories import (
    a_plan,
    after,
    begun,
    done,
    failed,
    launched,
    on,
    recorded,
    signalled,
    started,
    step,
    stopped,
    succeeded,
)

from localpipe.errors import InvalidTransition
from localpipe.scheduling.events import (
    EVENT_TYPES,
    AttemptFailed,
    AttemptStopped,
    Event,
    ExecutionFinished,
    ExecutionStarted,
    JobLaunched,
    ParallelismChanged,
    Recorded,
    RetryRequested,
    RetryScheduled,
    StepSucceeded,
    StopRequested,
    from_json,
    to_json,
)
from localpipe.scheduling.history import StepStatus
from localpipe.scheduling.state import ExecutionState, ExecutionStatus, apply, fold
from localpipe.scheduling.transitions import TRANSITIONS, transitions_mermaid

PLAN = a_plan(step("Train", retry=on("SageMaker.CAPACITY_ERROR")), step("Other"))


def state_after(*events: Event) -> ExecutionState:
    return after(PLAN, *events)


def refusal(*events: Event) -> str:
    """What is said about the last of these events."""
    before = state_after(*events[:-1])
    with pytest.raises(InvalidTransition) as caught:
        apply(before, Recorded(before.seq + 1, 0, events[-1]))
    return str(caught.value)


def test_an_execution_begins_executing_with_nothing_started() -> None:
    state = fold([Recorded(1, 50.0, ExecutionStarted("p", "e", {}, {"N": 1}, 3, {}))])
    assert state.status is ExecutionStatus.EXECUTING
    assert (state.started_at, state.max_parallel, state.seq, state.steps) == (50.0, 3, 1, {})
    assert state.started.parameters == {"N": 1}
    assert not state.finished


def test_a_job_from_start_to_success() -> None:
    story = [begun(PLAN), started("Train"), launched("Train"), StepSucceeded("Train", 1, {"A": 1}, {"report": "{}"})]
    state = fold(Recorded(seq, 10.0 * seq, event) for seq, event in enumerate(story, 1))
    train = state.steps["Train"]
    assert train.status is StepStatus.SUCCEEDED
    assert (train.attempt, train.job_name, train.started_at, train.ended_at) == (1, "job-Train-1", 20.0, 40.0)
    assert (train.properties, train.property_files) == ({"A": 1}, {"report": "{}"})
    assert (train.log_files, train.repeat_command) == (("/logs/Train/1",), "docker run Train")


def test_a_failure_keeps_its_reason_type_and_properties() -> None:
    event = AttemptFailed("Train", 1, "ClientError: no", "SageMaker.CAPACITY_ERROR", {"A": 1})
    train = state_after(started("Train"), event).steps["Train"]
    assert train.status is StepStatus.FAILED
    assert (train.reason, train.exception_type, train.properties) == ("ClientError: no", event.exception_type, {"A": 1})


def test_a_retry_is_a_new_attempt_and_the_old_one_stays_in_the_history() -> None:
    train = state_after(
        started("Train"),
        launched("Train"),
        failed("Train", exception_type="SageMaker.CAPACITY_ERROR"),
        RetryScheduled("Train", 1, at=130, policy=0),
        started("Train", 2),
    ).steps["Train"]
    assert train.status is StepStatus.STARTING
    assert (train.attempt, train.job_name, train.reason, train.ended_at) == (2, "job-Train-2", "", None)
    assert [(old.attempt, old.reason) for old in train.attempts[:-1]] == [(1, "AlgorithmError")]
    assert (train.retries, train.due_at, train.tried_since) == ({0: 1}, None, 100.0)


def test_between_two_attempts_a_step_backs_off_and_has_not_ended() -> None:
    train = state_after(started("Train"), failed("Train"), RetryScheduled("Train", 1, at=130, policy=0)).steps["Train"]
    assert (train.status, train.due_at, train.ended_at) == (StepStatus.BACKING_OFF, 130, None)


@pytest.mark.parametrize("before", [[], [launched("Train")], [signalled("Train")]])
def test_a_crashed_attempt_is_written_anew_as_the_same_attempt(before: list[Event]) -> None:
    state = state_after(started("Train"), *before)
    anew = apply(state, Recorded(state.seq + 1, 500.0, started("Train"))).steps["Train"]
    assert anew.status is StepStatus.STARTING
    assert (anew.attempt, anew.started_at, anew.retries, len(anew.attempts)) == (1, 100.0, {}, 1)


def test_a_job_that_was_being_launched_when_told_to_stop_goes_on_stopping() -> None:
    train = state_after(started("Train"), signalled("Train"), launched("Train")).steps["Train"]
    assert train.status is StepStatus.STOPPING
    assert train.log_files == ("/logs/Train/1",)


def test_a_stop_makes_the_execution_stopping_and_a_kill_stays_one() -> None:
    state = state_after(StopRequested())
    assert state.status is ExecutionStatus.STOPPING
    assert state.stop is not None
    assert not state.stop.kill
    killed = state_after(StopRequested(kill=True), StopRequested())
    assert killed.stop is not None
    assert killed.stop.kill


def test_a_finished_execution_has_its_reason_and_end() -> None:
    state = state_after(started("Train"), failed("Train"), ExecutionFinished("Failed", "Step failure"))
    assert (state.status, state.failure_reason, state.ended_at) == (ExecutionStatus.FAILED, "Step failure", 100.0)
    assert state.finished


def test_a_stop_that_comes_too_late_changes_nothing() -> None:
    state = state_after(*done("Train", "Other"), ExecutionFinished("Succeeded"), StopRequested())
    assert state.status is ExecutionStatus.SUCCEEDED
    assert state.stop is None


def test_parallelism_may_change_while_running() -> None:
    assert state_after(ParallelismChanged(4)).max_parallel == 4
    assert state_after(ParallelismChanged(4), ParallelismChanged(None)).max_parallel is None


def test_a_requested_retry_sends_failed_and_stopped_steps_back_and_keeps_succeeded_ones() -> None:
    plan = a_plan(step("Good"), step("Bad"), step("Halted"))
    state = after(
        plan,
        started("Good"),
        StepSucceeded("Good", 1, {"A": 1}, branches_taken=("IfSteps",)),
        started("Bad"),
        failed("Bad"),
        RetryScheduled("Bad", 1, at=100, policy=0),
        started("Bad", 2),
        failed("Bad", 2),
        started("Halted"),
        StopRequested(),
        stopped("Halted"),
        ExecutionFinished("Stopped"),
        RetryRequested(),
    )
    assert state.status is ExecutionStatus.EXECUTING
    assert (state.ended_at, state.failure_reason, state.stop) == (None, "", None)
    assert {name: done.status.value for name, done in state.steps.items()} == {
        "Good": "Succeeded",
        "Bad": "Waiting",
        "Halted": "Waiting",
    }
    assert state.steps["Good"].branches_taken == ("IfSteps",)
    bad = state.steps["Bad"]
    assert (bad.attempt, bad.retries, bad.tried_since) == (2, {}, None)
    again = apply(state, Recorded(state.seq + 1, 900.0, started("Bad", 3))).steps["Bad"]
    assert (again.attempt, again.tried_since, len(again.attempts)) == (3, 900.0, 3)


def test_a_requested_retry_may_bring_its_own_parallelism() -> None:
    ended = [started("Train"), failed("Train"), ExecutionFinished("Failed")]
    assert state_after(ParallelismChanged(2), *ended, RetryRequested()).max_parallel == 2
    assert state_after(ParallelismChanged(2), *ended, RetryRequested(max_parallel=5)).max_parallel == 5


def test_an_impossible_event_is_told_with_the_story_of_its_step() -> None:
    assert refusal(started("Other"), started("Train"), launched("Train"), succeeded("Train"), launched("Train")) == (
        "step 'Train': JobLaunched while Succeeded. Story: #3 AttemptStarted(1), #4 JobLaunched, #5 StepSucceeded"
    )


def test_an_event_of_a_step_that_never_started_is_impossible() -> None:
    assert refusal(succeeded("Train")) == "step 'Train': StepSucceeded(1) while Waiting, attempt 0. Story: nothing before"


def test_an_event_of_an_older_attempt_is_impossible() -> None:
    story = [started("Train"), failed("Train"), RetryScheduled("Train", 1, at=1, policy=0), started("Train", 2)]
    assert refusal(*story, succeeded("Train", 1)) == (
        "step 'Train': StepSucceeded(1) while Starting, attempt 2."
        " Story: #2 AttemptStarted(1), #3 AttemptFailed, #4 RetryScheduled, #5 AttemptStarted(2)"
    )


@pytest.mark.parametrize("attempt", [0, 2])
def test_attempts_are_counted_without_a_gap(attempt: int) -> None:
    assert refusal(started("Train", attempt)).startswith(
        f"step 'Train': AttemptStarted({attempt}) while Waiting, attempt 0."
    )


def test_nothing_starts_in_a_finished_execution() -> None:
    assert refusal(*done("Train"), ExecutionFinished("Succeeded"), started("Other")) == (
        "step 'Other': AttemptStarted while Waiting in a finished execution. Story: nothing before"
    )


@pytest.mark.parametrize("ending", [[], [failed("Train"), RetryScheduled("Train", 1, at=1, policy=0)]])
def test_an_execution_cannot_finish_while_a_step_is_under_way(ending: list[Event]) -> None:
    assert refusal(started("Train"), *ending, ExecutionFinished("Failed")) == (
        "execution: ExecutionFinished while Executing. Story: #1 ExecutionStarted"
    )


@pytest.mark.parametrize("ending", [[], [ExecutionFinished("Succeeded")]])
def test_only_a_failed_or_stopped_execution_can_be_retried(ending: list[Event]) -> None:
    status = "Succeeded" if ending else "Executing"
    assert refusal(*done("Train"), *ending, RetryRequested()).startswith(f"execution: RetryRequested while {status}.")


def test_an_execution_starts_once_and_first() -> None:
    assert refusal(begun(PLAN)) == "execution: ExecutionStarted while Executing. Story: #1 ExecutionStarted"
    with pytest.raises(InvalidTransition) as caught:
        fold([Recorded(1, 0, started("Train"))])
    assert str(caught.value) == "execution: AttemptStarted(1) while not started. Story: nothing before"
    with pytest.raises(ValueError, match="an execution without events has no state"):
        fold([])


def test_a_step_is_found_by_its_status() -> None:
    state = state_after(*done("Train"), started("Other"))
    assert state.having(StepStatus.SUCCEEDED) == {"Train"}
    assert state.having(StepStatus.STARTING, StepStatus.SUCCEEDED) == {"Train", "Other"}
    assert state.having(StepStatus.FAILED) == frozenset()


def test_statuses_print_as_the_service_writes_them() -> None:
    assert f"{StepStatus.BACKING_OFF} {ExecutionStatus.FAILED}" == "BackingOff Failed"
    assert json.dumps([StepStatus.EXECUTING]) == '["Executing"]'


def test_no_event_leads_out_of_success() -> None:
    assert not [key for key in TRANSITIONS if key[0] is StepStatus.SUCCEEDED]


def test_every_status_but_waiting_is_reached_by_some_event() -> None:
    assert set(TRANSITIONS.values()) == set(StepStatus)


def test_the_diagram_is_drawn_from_the_table() -> None:
    diagram = transitions_mermaid().splitlines()
    assert diagram[:3] == ["stateDiagram-v2", "    [*] --> Waiting", "    Waiting --> Starting: AttemptStarted"]
    assert diagram[-1] == "    Succeeded --> [*]"
    assert len(diagram) == len(TRANSITIONS) + 3


@pytest.mark.parametrize(
    "event",
    [
        ExecutionStarted("p", "e", {"Steps": []}, {"N": 1.5}, None, {"runner": "docker"}),
        launched("Train"),
        StepSucceeded("Train", 1, {"A": [1]}, {"report": "{}"}, ("IfSteps",)),
        AttemptFailed("Train", 1, "no", "Step.THROTTLING", {"A": None}, ends_execution=True),
        AttemptStopped("Train", 1, "told to", {"A": 1}),
        RetryScheduled("Train", 1, at=1.5, policy=2),
        RetryRequested(max_parallel=3),
        ExecutionFinished("Failed", "Step failure"),
    ],
)
def test_events_survive_json_both_ways(event: Event) -> None:
    assert from_json(type(event).__name__, json.loads(json.dumps(to_json(event)))) == event


def test_every_event_of_the_table_can_be_written_down() -> None:
    assert {event.__name__ for _, event in TRANSITIONS} <= set(EVENT_TYPES)


def test_recorded_events_are_numbered_from_one() -> None:
    assert [fact.seq for fact in recorded(started("A"), launched("A"))] == [1, 2]


def test_a_job_found_running_after_a_crash_has_run_since_it_was_launched() -> None:
    plan = a_plan(step("A"))
    launch, again = JobLaunched("A", 1), JobLaunched("A", 1, found=True)
    story = [*recorded(begun(plan), started("A"), launch, at=100), *recorded(started("A"), again, at=160)]
    facts = [replace(fact, seq=seq) for seq, fact in enumerate(story, 1)]
    assert fold(facts).steps["A"].attempts[-1].launched_at == 100
    anew = [*facts[:-1], replace(facts[-1], event=launch)]
    assert fold(anew).steps["A"].attempts[-1].launched_at == 160

"""Executions as the service shows them."""

from __future__ import annotations

from collections.abc import Callable

from localpipe.core import JSON
from localpipe.definition.model import StepDefinition
from localpipe.scheduling.events import (
    AttemptFailed,
    AttemptStarted,
    ChildAwaitedRoom,
    ChildEnded,
    ChildLaunched,
    ChildStarted,
    Event,
    ExecutionFinished,
    ExecutionStarted,
    JobLaunched,
    Recorded,
    RetryRequested,
    RetryScheduled,
    RoomAwaited,
    StepReused,
    StepSucceeded,
)
from localpipe.scheduling.state import ExecutionState, fold
from localpipe.service.own_jobs import job_remark, job_rows
from localpipe.service.service_model import service_model
from localpipe.service.views import all_steps, remark, shown_status, started_steps, step_row, with_iso_times
from localpipe.steps import step_types


def state(*events: Event) -> ExecutionState:
    begun = ExecutionStarted("pipe", "abc", {}, {}, None, {})
    return fold(Recorded(seq, float(seq), event) for seq, event in enumerate((begun, *events), 1))


def test_rows_fit_the_service_model(misfits: Callable[[str, JSON], list[str]]) -> None:
    execution = state(
        AttemptStarted("Train", 1, "train-1"),
        JobLaunched("Train", 1, ("log",)),
        AttemptFailed(
            "Train", 1, "ClientError: no", None, {"TrainingJobArn": f"arn:aws:sagemaker:::training-job/{'x' * 10}"}
        ),
    ).steps["Train"]
    step = StepDefinition(
        name="Train", type="Training", path="$", arguments={}, display_name="My training", description="Trains"
    )
    row = step_row(execution, step, step_types()["Training"])
    assert misfits("PipelineExecutionStep", row) == []
    assert {
        key: row[key] for key in ("StepDisplayName", "StepDescription", "StepStatus", "AttemptCount", "FailureReason")
    } == {
        "StepDisplayName": "My training",
        "StepDescription": "Trains",
        "StepStatus": "Failed",
        "AttemptCount": 1,
        "FailureReason": "ClientError: no",
    }


def test_a_step_between_two_attempts_executes_for_everyone_else() -> None:
    execution = state(AttemptStarted("A", 1, ""), AttemptFailed("A", 1, "x"), RetryScheduled("A", 1, 99.0, 0)).steps["A"]
    assert shown_status(execution) == "Executing"


def test_a_step_that_is_to_be_retried_has_been_taken_up() -> None:
    again = state(AttemptStarted("A", 1, ""), AttemptFailed("A", 1, "x"), ExecutionFinished("Failed", ""), RetryRequested())
    assert shown_status(again.steps["A"]) == "Starting"


def test_steps_that_have_not_started_come_last() -> None:
    steps = all_steps(state(AttemptStarted("C", 1, "")), ("A", "B", "C"))
    assert [(step.step, shown_status(step)) for step in steps] == [
        ("C", "Starting"),
        ("A", "NotStarted"),
        ("B", "NotStarted"),
    ]


def test_a_remark_is_one_line() -> None:
    failed = (AttemptStarted("A", 1, ""), AttemptFailed("A", 1, "why\nmore"))
    assert remark(state(*failed).steps["A"]) == "why"
    waiting = state(*failed, RetryScheduled("A", 1, 99.0, 0)).steps["A"]
    assert remark(waiting) == "waits for attempt 2, due 1970-01-01T00:01:39.000Z. why"
    taken = state(AttemptStarted("A", 1, ""), StepSucceeded("A", 1, {}, {}, ("IfSteps",))).steps["A"]
    assert remark(taken) == "→ IfSteps"


def test_steps_are_in_the_order_of_their_first_start() -> None:
    listed = started_steps(
        state(
            AttemptStarted("B", 1, ""),
            AttemptStarted("A", 1, ""),
            AttemptFailed("B", 1, "x"),
            RetryScheduled("B", 1, 9.0, 0),
            StepSucceeded("A", 1, {}),
            AttemptStarted("B", 2, ""),
        )
    )
    assert [step.step for step in listed] == ["B", "A"]


def test_timestamps_become_text_wherever_the_shape_has_them() -> None:
    document = {
        "CreationTime": 0.5,
        "TrainingJobName": "t",
        "SecondaryStatusTransitions": [{"Status": "Starting", "StartTime": 1, "StatusMessage": "m"}],
        "Unknown": 5,
    }
    assert with_iso_times(document, "DescribeTrainingJobResponse", service_model()) == {
        "CreationTime": "1970-01-01T00:00:00.500Z",
        "TrainingJobName": "t",
        "SecondaryStatusTransitions": [
            {"Status": "Starting", "StartTime": "1970-01-01T00:00:01.000Z", "StatusMessage": "m"}
        ],
        "Unknown": 5,
    }
    assert with_iso_times({"CreationTime": 1}, None, service_model()) == {"CreationTime": 1}


def test_a_reused_step_tells_whose_result_it_has(misfits: Callable[[str, JSON], list[str]]) -> None:
    source = "arn:aws:sagemaker:us-east-1:111122223333:pipeline/pipe/execution/abcdefghij12"
    found = state(AttemptStarted("A", 1, "a-1"), StepReused("A", 1, source, "cache", "a-0", {}, {"f": "{}"}))
    skipped = state(StepReused("A", 1, source, "selection", "a-0", {}, branches_taken=("IfSteps",)))
    step, step_type = StepDefinition(name="A", type="Condition", path="$", arguments={}), step_types()["Fail"]
    rows = [step_row(each.steps["A"], step, step_type) for each in (found, skipped)]
    assert [misfits("PipelineExecutionStep", row) for row in rows] == [[], []]
    assert rows[0]["CacheHitResult"] == rows[1]["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": source}
    assert [(row["StepStatus"], row["AttemptCount"]) for row in rows] == [("Succeeded", 1)] * 2
    assert found.steps["A"].property_files == {"f": "{}"}
    assert skipped.steps["A"].branches_taken == ("IfSteps",)
    assert [remark(each.steps["A"]) for each in (found, skipped)] == [
        "cached: the result of execution abcdefghij12",
        "not selected: the result of execution abcdefghij12",
    ]


def test_a_job_that_waits_for_room_says_so_until_it_runs() -> None:
    waiting = (AttemptStarted("A", 1, "a-1"), RoomAwaited("A", 1, "waits for room: 8 jobs run"))
    step = state(*waiting).steps["A"]
    assert (shown_status(step), remark(step)) == ("Starting", "waits for room: 8 jobs run")
    assert remark(state(*waiting, JobLaunched("A", 1)).steps["A"]) == ""


def test_a_job_of_a_step_that_waits_for_room_says_so_until_it_runs() -> None:
    starting = [ChildStarted("A", 1, child, f"a-{child}") for child in (1, 2)]
    waiting = (*starting, ChildEnded("A", 1, 1, "Completed"), ChildAwaitedRoom("A", 1, 2, "waits for room: 8 jobs run"))
    step = state(AttemptStarted("A", 1, ""), JobLaunched("A", 1), *waiting).steps["A"]
    assert step.last is not None
    second = step.last.children[2]
    assert remark(step) == "1 of 2 jobs started have ended, job 2 waits for room: 8 jobs run"
    assert (job_remark(second), job_rows([second])[0]["Awaits"]) == ("waits for room: 8 jobs run",) * 2
    runs = state(AttemptStarted("A", 1, ""), JobLaunched("A", 1), *waiting, ChildLaunched("A", 1, 2)).steps["A"]
    assert remark(runs) == "1 of 2 jobs started have ended"

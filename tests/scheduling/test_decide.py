from __future__ import annotations

import pytest
from stories import (
    StartedPlan,
    a_plan,
    after,
    begun,
    choice,
    done,
    failed,
    launched,
    on,
    signalled,
    started,
    step,
    stopped,
    succeeded,
)

from localpipe.definition.model import RetryPolicy
from localpipe.scheduling.decide import (
    FAILURE_REASON,
    Command,
    PrepareAttempt,
    Record,
    StartAttempt,
    StopAttempt,
    WakeAt,
    decide,
    foresee,
)
from localpipe.scheduling.events import (
    AttemptStopped,
    Event,
    ExecutionFinished,
    ParallelismChanged,
    Recorded,
    RetryRequested,
    RetryScheduled,
    StopRequested,
)
from localpipe.scheduling.plan import FailureMode
from localpipe.scheduling.state import fold

INTERNAL = "SageMaker.JOB_INTERNAL_ERROR"
SUCCEEDED = [Record(ExecutionFinished("Succeeded"))]
FAILED = [Record(ExecutionFinished("Failed", "Step failure: One or multiple steps failed."))]
STOPPED = [Record(ExecutionFinished("Stopped"))]


def start(*names: str) -> list[Command]:
    return [StartAttempt(name, 1) for name in names]


def diamond() -> StartedPlan:
    return a_plan(step("A"), step("B", needs=["A"]), step("C", refers_to=["A"]), step("D", needs=["B", "C"]))


# Order, and the end


def test_steps_that_need_nothing_start_at_once_in_document_order() -> None:
    plan = a_plan(step("C"), step("A"), step("B"))
    assert decide(plan, after(plan), now=100) == start("C", "A", "B")


def test_a_step_starts_when_all_its_needs_have_succeeded() -> None:
    plan = diamond()
    assert decide(plan, after(plan), now=100) == start("A")
    assert decide(plan, after(plan, *done("A")), now=100) == start("B", "C")
    assert decide(plan, after(plan, *done("A", "B"), started("C")), now=100) == []
    assert decide(plan, after(plan, *done("A", "B", "C")), now=100) == start("D")


def test_nothing_is_said_while_all_that_can_run_is_running() -> None:
    plan = a_plan(step("A"))
    assert decide(plan, after(plan, started("A"), launched("A")), now=100) == []


def test_an_execution_succeeds_when_all_its_steps_have() -> None:
    plan = diamond()
    assert decide(plan, after(plan, *done("A", "B", "C", "D")), now=100) == SUCCEEDED


def test_a_finished_execution_needs_nothing() -> None:
    plan = a_plan(step("A"))
    assert decide(plan, after(plan, *done("A"), ExecutionFinished("Succeeded")), now=100) == []


def test_an_execution_without_steps_succeeds() -> None:
    plan = a_plan()
    assert decide(plan, after(plan), now=100) == SUCCEEDED


# The cap


def test_a_cap_lets_steps_through_in_document_order() -> None:
    plan = a_plan(step("A"), step("B"), step("C"), max_parallel=2)
    assert decide(plan, after(plan), now=100) == start("A", "B")
    assert decide(plan, after(plan, started("B"), started("C")), now=100) == []
    assert decide(plan, after(plan, started("B"), *done("C")), now=100) == start("A")


@pytest.mark.assumed
def test_instant_steps_take_no_room_and_wait_for_none() -> None:
    plan = a_plan(step("A"), choice("If"), step("B"), max_parallel=1)
    assert decide(plan, after(plan), now=100) == start("A", "If")
    assert decide(plan, after(plan, started("If")), now=100) == start("A")


def test_the_cap_may_be_raised_while_running() -> None:
    plan = a_plan(step("A"), step("B"), step("C"), max_parallel=1)
    assert decide(plan, after(plan, started("A"), ParallelismChanged(2)), now=100) == start("B")
    assert decide(plan, after(plan, started("A"), ParallelismChanged(None)), now=100) == start("B", "C")


def test_a_step_that_backs_off_takes_no_room_and_has_to_wait_for_it() -> None:
    plan = a_plan(step("A", retry=on(INTERNAL)), step("B"), max_parallel=1)
    backing_off = [started("A"), failed("A", exception_type=INTERNAL), RetryScheduled("A", 1, at=110, policy=0)]
    assert decide(plan, after(plan, *backing_off), now=100) == [*start("B"), WakeAt(110)]
    assert decide(plan, after(plan, *backing_off, started("B")), now=110) == []
    assert decide(plan, after(plan, *backing_off), now=110) == [StartAttempt("A", 2)]


# Branches


def test_only_the_branch_that_was_taken_runs() -> None:
    plan = a_plan(choice("If", then=[step("Yes")], otherwise=[step("No")]))
    assert decide(plan, after(plan), now=100) == start("If")
    no = [started("If"), succeeded("If", taking="ElseSteps")]
    assert decide(plan, after(plan, *no), now=100) == start("No")
    assert decide(plan, after(plan, *no, *done("No")), now=100) == SUCCEEDED


def test_a_condition_whose_taken_branch_is_empty_is_no_failure() -> None:
    plan = a_plan(choice("If", then=[step("Yes")]))
    assert decide(plan, after(plan, started("If"), succeeded("If", taking="ElseSteps")), now=100) == SUCCEEDED


def test_a_branch_step_also_waits_for_what_it_needs_outside() -> None:
    plan = a_plan(step("Slow"), choice("If", then=[step("Yes", needs=["Slow"])]))
    taken = [started("Slow"), started("If"), succeeded("If", taking="IfSteps")]
    assert decide(plan, after(plan, *taken), now=100) == []
    assert decide(plan, after(plan, *taken, succeeded("Slow")), now=100) == start("Yes")


def test_a_nested_branch_runs_only_if_the_outer_one_does() -> None:
    inner = choice("Inner", then=[step("Deep")])
    plan = a_plan(choice("Outer", then=[step("Shallow")], otherwise=[inner]))
    assert decide(plan, after(plan, started("Outer"), succeeded("Outer", taking="IfSteps")), now=100) == start("Shallow")
    other = [started("Outer"), succeeded("Outer", taking="ElseSteps")]
    assert decide(plan, after(plan, *other), now=100) == start("Inner")
    deeper = [*other, started("Inner"), succeeded("Inner", taking="IfSteps")]
    assert decide(plan, after(plan, *deeper), now=100) == start("Deep")


@pytest.mark.assumed
def test_depending_on_a_condition_means_after_it_was_evaluated() -> None:
    plan = a_plan(choice("If", then=[step("Yes")]), step("After", needs=["If"]), step("Shows", refers_to=["If"]))
    evaluated = after(plan, started("If"), succeeded("If", taking="ElseSteps"))
    assert decide(plan, evaluated, now=100) == start("After", "Shows")


def test_a_step_outside_that_depends_on_a_branch_runs_only_if_that_branch_was_taken() -> None:
    plan = a_plan(choice("If", then=[step("Yes")]), step("After", needs=["Yes"]), step("Later", needs=["After"]))
    taken = [started("If"), succeeded("If", taking="IfSteps"), *done("Yes")]
    assert decide(plan, after(plan, *taken), now=100) == start("After")
    assert decide(plan, after(plan, started("If"), succeeded("If", taking="ElseSteps")), now=100) == SUCCEEDED


def test_a_step_that_depends_on_both_branches_never_runs() -> None:
    plan = a_plan(choice("If", then=[step("Yes")], otherwise=[step("No")]), step("Join", needs=["Yes", "No"]))
    assert decide(plan, after(plan, started("If"), succeeded("If", taking="IfSteps"), *done("Yes")), now=100) == SUCCEEDED


def test_a_failed_condition_opens_no_branch() -> None:
    plan = a_plan(choice("If", then=[step("Yes")], otherwise=[step("No")]))
    assert decide(plan, after(plan, started("If"), failed("If")), now=100) == FAILED


# Failure


@pytest.mark.assumed
def test_after_a_failure_independent_steps_still_start_and_dependent_ones_never() -> None:
    plan = a_plan(step("Bad"), step("Behind", needs=["Bad"]), step("Good"), step("Next", needs=["Good"]))
    story = [started("Bad"), started("Good"), failed("Bad")]
    assert decide(plan, after(plan, *story), now=100) == []
    assert decide(plan, after(plan, *story, succeeded("Good")), now=100) == start("Next")
    assert decide(plan, after(plan, *story, succeeded("Good"), *done("Next")), now=100) == FAILED


def test_in_the_other_failure_mode_nothing_new_starts() -> None:
    plan = a_plan(step("Bad"), step("Good"), step("Next", needs=["Good"]), failure_mode=FailureMode.START_NOTHING_NEW)
    story = [started("Bad"), started("Good"), failed("Bad")]
    assert decide(plan, after(plan, *story), now=100) == []
    assert decide(plan, after(plan, *story, succeeded("Good")), now=100) == FAILED


def test_in_the_other_failure_mode_retries_of_other_steps_go_on() -> None:
    plan = a_plan(
        step("Bad"),
        step("Flaky", retry=on(INTERNAL)),
        step("Next"),
        failure_mode=FailureMode.START_NOTHING_NEW,
        max_parallel=2,
    )
    flaky = [started("Flaky"), failed("Flaky", exception_type=INTERNAL), RetryScheduled("Flaky", 1, at=110, policy=0)]
    assert decide(plan, after(plan, *flaky), now=100) == [*start("Bad", "Next"), WakeAt(110)]
    assert decide(plan, after(plan, *flaky, started("Bad"), failed("Bad")), now=100) == [WakeAt(110)]
    assert decide(plan, after(plan, *flaky, started("Bad"), failed("Bad")), now=110) == [StartAttempt("Flaky", 2)]


@pytest.mark.assumed
def test_a_step_that_was_stopped_from_outside_fails_the_execution() -> None:
    plan = a_plan(step("A"), step("B", needs=["A"]))
    assert decide(plan, after(plan, started("A"), stopped("A")), now=100) == FAILED


@pytest.mark.assumed
def test_a_step_that_ends_the_execution_stops_what_runs_and_starts_nothing_more() -> None:
    plan = a_plan(
        step("Fail"), step("Long"), step("Next", needs=["Long"]), step("Flaky", retry=on(INTERNAL)), max_parallel=3
    )
    story = [
        started("Long"),
        started("Flaky"),
        failed("Flaky", exception_type=INTERNAL),
        RetryScheduled("Flaky", 1, at=101, policy=0),
        started("Fail"),
        failed("Fail", ends_execution=True),
    ]
    assert decide(plan, after(plan, *story), now=200) == [
        StopAttempt("Long", 1, kill=False),
        Record(AttemptStopped("Flaky", 1)),
    ]
    stopping = [*story, signalled("Long"), stopped("Flaky")]
    assert decide(plan, after(plan, *stopping), now=200) == []
    assert decide(plan, after(plan, *stopping, stopped("Long")), now=200) == FAILED
    assert decide(plan, after(plan, *stopping, succeeded("Long")), now=200) == FAILED


# Retry policies


def test_retry_waits_then_starts_second_attempt() -> None:
    plan = a_plan(step("Train", retry=on(INTERNAL, interval_seconds=10)))
    story = [started("Train"), launched("Train"), failed("Train", exception_type=INTERNAL)]
    assert decide(plan, after(plan, *story), now=100) == [Record(RetryScheduled("Train", 1, at=110, policy=0))]
    story.append(RetryScheduled("Train", 1, at=110, policy=0))
    assert decide(plan, after(plan, *story), now=100) == [WakeAt(110)]
    assert decide(plan, after(plan, *story), now=110) == [StartAttempt("Train", 2)]


def test_a_retry_decided_late_is_due_as_if_it_had_been_decided_in_time() -> None:
    plan = a_plan(step("Train", retry=on(INTERNAL, interval_seconds=10)))
    state = after(plan, started("Train"), failed("Train", exception_type=INTERNAL))
    assert decide(plan, state, now=100) == decide(plan, state, now=5000)


def test_a_step_fails_for_good_when_its_policy_is_used_up() -> None:
    plan = a_plan(step("Train", retry=on(INTERNAL, max_attempts=1)))
    story = [
        started("Train"),
        failed("Train", exception_type=INTERNAL),
        RetryScheduled("Train", 1, at=101, policy=0),
        started("Train", 2),
        failed("Train", 2, exception_type=INTERNAL),
    ]
    assert decide(plan, after(plan, *story), now=200) == FAILED


def test_each_policy_keeps_its_own_count_while_another_is_used() -> None:
    plan = a_plan(step("A", retry=[*on(INTERNAL, max_attempts=1), *on("SageMaker.CAPACITY_ERROR", max_attempts=2)]))
    story = [
        started("A"),
        failed("A", exception_type=INTERNAL),
        RetryScheduled("A", 1, at=101, policy=0),
        started("A", 2),
        failed("A", 2, exception_type="SageMaker.CAPACITY_ERROR"),
        RetryScheduled("A", 2, at=101, policy=1),
        started("A", 3),
        failed("A", 3, exception_type=INTERNAL),
    ]
    assert decide(plan, after(plan, *story), now=100) == [Record(ExecutionFinished("Failed", FAILURE_REASON))]


def test_a_policy_that_expires_counts_from_the_first_attempt() -> None:
    policy = RetryPolicy(exception_types=(INTERNAL,), max_attempts=None, expire_after_minutes=1)
    plan = a_plan(step("A", retry=[policy]))
    story = [
        Recorded(1, 0, begun(plan)),
        Recorded(2, 0, started("A")),
        Recorded(3, 50, failed("A", exception_type=INTERNAL)),
        Recorded(4, 50, RetryScheduled("A", 1, at=51, policy=0)),
        Recorded(5, 51, started("A", 2)),
        Recorded(6, 58, failed("A", 2, exception_type=INTERNAL)),
    ]
    assert decide(plan, fold(story[:3]), now=50) == [Record(RetryScheduled("A", 1, at=51, policy=0))]
    assert decide(plan, fold(story), now=58) == FAILED


def test_the_next_of_several_retries_wakes_the_execution() -> None:
    plan = a_plan(step("A", retry=on(INTERNAL)), step("B", retry=on(INTERNAL)))
    story = [
        started("A"),
        started("B"),
        failed("A", exception_type=INTERNAL),
        RetryScheduled("A", 1, at=130, policy=0),
        failed("B", exception_type=INTERNAL),
        RetryScheduled("B", 1, at=120, policy=0),
    ]
    assert decide(plan, after(plan, *story), now=100) == [WakeAt(120)]
    assert decide(plan, after(plan, *story), now=125) == [StartAttempt("B", 2), WakeAt(130)]


def test_a_retry_finds_its_place_among_ready_steps_by_document_order() -> None:
    plan = a_plan(step("A"), step("B", retry=on(INTERNAL)), step("C"))
    story = [started("B"), failed("B", exception_type=INTERNAL), RetryScheduled("B", 1, at=100, policy=0)]
    assert decide(plan, after(plan, *story), now=100) == [StartAttempt("A", 1), StartAttempt("B", 2), StartAttempt("C", 1)]


# Stop


def test_a_stop_tells_each_running_step_once_and_starts_nothing() -> None:
    plan = a_plan(step("A"), step("B"), step("C", needs=["B"]), step("D"), max_parallel=2)
    story = [started("A"), launched("A"), started("B"), StopRequested()]
    assert decide(plan, after(plan, *story), now=100) == [StopAttempt("A", 1, kill=False), StopAttempt("B", 1, kill=False)]
    told = [*story, signalled("A"), signalled("B")]
    assert decide(plan, after(plan, *told), now=100) == []
    assert decide(plan, after(plan, *told, succeeded("B")), now=100) == []
    assert decide(plan, after(plan, *told, succeeded("B"), stopped("A")), now=100) == STOPPED


def test_a_second_request_kills_what_was_only_told_before_and_does_so_once() -> None:
    plan = a_plan(step("A"))
    story = [started("A"), StopRequested(), signalled("A"), StopRequested(kill=True)]
    assert decide(plan, after(plan, *story), now=100) == [StopAttempt("A", 1, kill=True)]
    assert decide(plan, after(plan, *story, signalled("A")), now=100) == []


def test_a_kill_may_come_first() -> None:
    plan = a_plan(step("A"))
    assert decide(plan, after(plan, started("A"), StopRequested(kill=True)), now=100) == [StopAttempt("A", 1, kill=True)]


def test_a_retry_that_is_due_later_is_given_up() -> None:
    plan = a_plan(step("A", retry=on(INTERNAL)))
    story = [
        started("A"),
        failed("A", exception_type=INTERNAL),
        RetryScheduled("A", 1, at=110, policy=0),
        StopRequested(),
    ]
    assert decide(plan, after(plan, *story), now=200) == [Record(AttemptStopped("A", 1))]
    state = after(plan, *story, stopped("A"))
    assert decide(plan, state, now=200) == STOPPED
    assert state.steps["A"].reason == "AlgorithmError"


def test_a_failure_is_not_retried_once_a_stop_was_asked_for() -> None:
    plan = a_plan(step("A", retry=on(INTERNAL)))
    story = [started("A"), StopRequested(), signalled("A"), failed("A", exception_type=INTERNAL)]
    assert decide(plan, after(plan, *story), now=100) == STOPPED


def test_a_step_that_succeeds_in_spite_of_the_stop_leaves_the_execution_stopped() -> None:
    plan = a_plan(step("A"))
    assert decide(plan, after(plan, started("A"), StopRequested(), signalled("A"), succeeded("A")), now=100) == STOPPED


@pytest.mark.parametrize(
    ("story", "end"), [([*done("A")], SUCCEEDED), ([started("A"), failed("A")], FAILED)], ids=["Succeeded", "Failed"]
)
def test_a_stop_after_all_work_was_done_is_too_late(story: list[Event], end: list[Command]) -> None:
    plan = a_plan(step("A"))
    assert decide(plan, after(plan, *story, StopRequested()), now=100) == end


def test_a_stop_between_two_steps_stops() -> None:
    plan = a_plan(step("A"), step("B", needs=["A"]))
    assert decide(plan, after(plan, *done("A"), StopRequested()), now=100) == STOPPED


def test_a_stop_before_a_retry_was_scheduled_stops() -> None:
    plan = a_plan(step("A", retry=on(INTERNAL)))
    story = [started("A"), failed("A", exception_type=INTERNAL), StopRequested()]
    assert decide(plan, after(plan, *story), now=100) == STOPPED


def test_an_attempt_found_again_after_a_crash_is_told_to_stop_again() -> None:
    plan = a_plan(step("A"))
    story = [started("A"), StopRequested(), signalled("A"), started("A")]
    assert decide(plan, after(plan, *story), now=100) == [StopAttempt("A", 1, kill=False)]


def test_a_step_that_ends_the_execution_fails_it_also_while_it_is_being_stopped() -> None:
    plan = a_plan(step("Fail"))
    story = [started("Fail"), StopRequested(), signalled("Fail"), failed("Fail", ends_execution=True)]
    assert decide(plan, after(plan, *story), now=100) == FAILED


# RetryPipelineExecution


def test_a_requested_retry_does_failed_steps_again_and_goes_on_behind_them() -> None:
    plan = a_plan(step("A"), step("B", needs=["A"]), step("C", needs=["B"]))
    story = [*done("A"), started("B"), failed("B"), ExecutionFinished("Failed"), RetryRequested()]
    assert decide(plan, after(plan, *story), now=100) == [StartAttempt("B", 2)]
    again = [*story, started("B", 2), succeeded("B", 2)]
    assert decide(plan, after(plan, *again), now=100) == start("C")
    assert decide(plan, after(plan, *again, *done("C")), now=100) == SUCCEEDED


def test_a_step_that_a_stop_kept_from_its_second_chance_gets_a_third() -> None:
    plan = a_plan(step("A"), step("B"), max_parallel=1)
    stop = [StopRequested(), ExecutionFinished("Stopped"), RetryRequested()]
    story = [started("A"), failed("A"), started("B"), failed("B"), ExecutionFinished("Failed"), RetryRequested(), *stop]
    assert decide(plan, after(plan, *story), now=100) == [StartAttempt("A", 2)]


def test_a_requested_retry_keeps_the_branch_that_was_taken() -> None:
    plan = a_plan(choice("If", then=[step("Yes")], otherwise=[step("No")]))
    story = [started("If"), succeeded("If", taking="IfSteps"), started("Yes"), stopped("Yes")]
    state = after(plan, *story, ExecutionFinished("Failed"), RetryRequested())
    assert decide(plan, state, now=100) == [StartAttempt("Yes", 2)]


def test_a_requested_retry_gives_each_policy_its_full_count_again() -> None:
    plan = a_plan(step("A", retry=on(INTERNAL, max_attempts=1)))
    story = [
        started("A"),
        failed("A", exception_type=INTERNAL),
        RetryScheduled("A", 1, at=101, policy=0),
        started("A", 2),
        failed("A", 2, exception_type=INTERNAL),
        ExecutionFinished("Failed"),
        RetryRequested(),
        started("A", 3),
        failed("A", 3, exception_type=INTERNAL),
    ]
    assert decide(plan, after(plan, *story), now=100) == [Record(RetryScheduled("A", 3, at=101, policy=0))]


# What can be made ready while others run


def prepare(*names: str) -> list[PrepareAttempt]:
    return [PrepareAttempt(name, 1) for name in names]


def running(*names: str) -> list[Event]:
    return [event for name in names for event in (started(name), launched(name))]


def test_what_comes_next_is_foreseen_once_a_job_runs() -> None:
    plan = diamond()
    assert foresee(plan, after(plan), 8) == []
    assert foresee(plan, after(plan, started("A")), 8) == []
    assert foresee(plan, after(plan, *done("A"), *running("B", "C")), 8) == prepare("D")


def test_what_follows_on_the_next_is_foreseen_after_it() -> None:
    plan = a_plan(step("A"), step("D", needs=["B"]), step("E", needs=["D"]), step("B", needs=["A"]), step("C", needs=["A"]))
    assert foresee(plan, after(plan, *running("A")), 8) == prepare("B", "C", "D")


def test_a_step_is_not_foreseen_before_the_last_of_its_needs_runs() -> None:
    plan = diamond()
    assert foresee(plan, after(plan, *done("A"), *running("B"), started("C")), 8) == []


def test_no_more_is_foreseen_than_the_limit_and_nothing_with_none() -> None:
    plan = a_plan(step("A"), *(step(name, needs=["A"]) for name in "BCD"))
    assert foresee(plan, after(plan, *running("A")), 2) == prepare("B", "C")
    assert foresee(plan, after(plan, *running("A")), 0) == []


def test_steps_that_wait_for_room_are_foreseen() -> None:
    plan = a_plan(step("A"), step("B"), max_parallel=1)
    assert foresee(plan, after(plan, *running("A")), 8) == prepare("B")


def test_a_branch_is_not_foreseen_before_it_is_taken() -> None:
    plan = a_plan(step("A"), choice("C", needs=["A"], then=[step("T", needs=["A"])]), step("L", needs=["A"]))
    assert "T" not in {command.step for command in foresee(plan, after(plan, *running("A")), 8)}


@pytest.mark.parametrize("event", [StopRequested(), failed("B")])
def test_nothing_is_foreseen_once_something_has_failed_or_is_to_stop(event: Event) -> None:
    plan = a_plan(step("A"), step("B"), step("C", needs=["A"]))
    assert foresee(plan, after(plan, *running("A"), started("B"), event), 8) == []


def test_a_retried_step_is_foreseen_with_its_next_attempt() -> None:
    plan = a_plan(step("A"), step("B"), max_parallel=1)
    failures = [*running("A"), failed("A"), *running("B"), failed("B"), ExecutionFinished("Failed"), RetryRequested()]
    state = after(plan, *failures, started("A", 2), launched("A", 2))
    assert foresee(plan, state, 8) == [PrepareAttempt("B", 2)]

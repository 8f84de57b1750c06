"""Each exception type with each policy, attempt by attempt, on a clock that jumps to whatever is due next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from stories import a_plan, begun, failed, recorded, started, step, succeeded

from localpipe.core.faults import fault_of, parse_fault
from localpipe.definition.model import RetryPolicy
from localpipe.scheduling.decide import Record, StartAttempt, WakeAt, decide
from localpipe.scheduling.events import Recorded
from localpipe.scheduling.history import StepStatus
from localpipe.scheduling.state import apply, fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localpipe.scheduling.events import Event
    from localpipe.scheduling.state import ExecutionState

ALGORITHM_ERROR = None
TYPES = (
    "Step.SERVICE_FAULT",
    "Step.THROTTLING",
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
)
DEFAULT = [1, 2, 4, 8, 16]
"""Seconds between the attempts by the service's default policy."""


def policy(*types: str, **members: float | None) -> RetryPolicy:
    return RetryPolicy(exception_types=types, **members)  # type: ignore[arg-type]


def waits(policies: Sequence[RetryPolicy], types: Sequence[str | None], job_seconds: float = 0) -> list[float]:
    """How long the step waited before each further attempt. Attempt n fails as `types[n - 1]`, after `job_seconds`."""
    plan, now = a_plan(step("Train", retry=policies)), 1000.0
    state, starts, ends = fold(recorded(begun(plan), at=now)), list[float](), list[float]()
    while commands := decide(plan, state, now):
        for command in commands:
            match command:
                case StartAttempt(attempt=attempt):
                    starts.append(now)
                    state = _told(state, started("Train", attempt), now)
                    now += job_seconds
                    ends.append(now)
                    fails = attempt <= len(types)
                    end = (
                        failed("Train", attempt, exception_type=types[attempt - 1]) if fails else succeeded("Train", attempt)
                    )
                    state = _told(state, end, now)
                case Record(event=event):
                    state = _told(state, event, now)
                case WakeAt(at=at):
                    now = at
    assert state.finished
    assert (state.steps["Train"].status is StepStatus.SUCCEEDED) == (len(starts) > len(types))
    return [after - before for before, after in zip(ends, starts[1:], strict=False)]


def _told(state: ExecutionState, event: Event, now: float) -> ExecutionState:
    return apply(state, Recorded(state.seq + 1, now, event))


@pytest.mark.documented
@pytest.mark.parametrize("exception_type", TYPES)
@pytest.mark.parametrize(
    ("members", "job_seconds", "expected"),
    [
        pytest.param({}, 0, [1, 2, 4, 8, 16], id="MaxAttempts 5 by default"),
        pytest.param({"max_attempts": 0}, 0, [], id="MaxAttempts 0 is never"),
        pytest.param({"max_attempts": 1}, 0, [1], id="once"),
        pytest.param({"max_attempts": 3, "interval_seconds": 10, "backoff_rate": 1.0}, 0, [10, 10, 10], id="even"),
        pytest.param({"max_attempts": 3, "interval_seconds": 5, "backoff_rate": 0}, 0, [5, 0, 0], id="BackoffRate 0"),
        pytest.param(
            {"max_attempts": None, "expire_after_minutes": 1, "interval_seconds": 8}, 0, [8, 16, 32], id="ExpireAfterMin"
        ),
        pytest.param(
            {"max_attempts": None, "expire_after_minutes": 1, "backoff_rate": 1.0}, 25, [1, 1], id="jobs use up its time"
        ),
        pytest.param({"max_attempts": None, "expire_after_minutes": 0}, 0, [], id="ExpireAfterMin 0 is never"),
    ],
)
def test_a_policy_gives_its_type_so_many_attempts_at_these_times(
    exception_type: str, members: dict[str, float | None], job_seconds: float, expected: list[float]
) -> None:
    assert waits([policy(exception_type, **members)], [exception_type] * 30, job_seconds) == expected


@pytest.mark.documented
@pytest.mark.parametrize("named", TYPES)
@pytest.mark.parametrize("fails_as", [*TYPES, ALGORITHM_ERROR])
def test_a_policy_counts_for_the_types_that_it_names_alone(named: str, fails_as: str | None) -> None:
    expected: list[float] = []
    if fails_as == named:
        expected = [7, 7]
    elif fails_as and fails_as.startswith("Step."):
        expected = [*map(float, DEFAULT)]
    assert waits([policy(named, max_attempts=2, interval_seconds=7, backoff_rate=1.0)], [fails_as] * 30) == expected


@pytest.mark.documented
def test_an_algorithm_error_is_never_retried_whatever_the_policies() -> None:
    assert waits([policy(*TYPES, max_attempts=20)], [ALGORITHM_ERROR]) == []
    assert waits([policy(*TYPES, max_attempts=20)], ["SageMaker.CAPACITY_ERROR", ALGORITHM_ERROR]) == [1]


def test_each_policy_has_a_counter_and_a_back_off_of_its_own() -> None:
    policies = [
        policy("Step.THROTTLING", interval_seconds=1, max_attempts=2),
        policy("SageMaker.CAPACITY_ERROR", interval_seconds=100, max_attempts=2),
    ]
    throttled, no_capacity = "Step.THROTTLING", "SageMaker.CAPACITY_ERROR"
    assert waits(policies, [throttled, no_capacity, throttled, no_capacity]) == [1, 100, 2, 200]
    assert waits(policies, [throttled, throttled, throttled]) == [1, 2]


def test_the_time_of_a_policy_counts_from_the_first_attempt_whatever_failed_before() -> None:
    policies = [
        policy("Step.THROTTLING", interval_seconds=50, max_attempts=5, backoff_rate=1.0),
        policy("SageMaker.CAPACITY_ERROR", max_attempts=None, expire_after_minutes=1),
    ]
    assert waits(policies, ["Step.THROTTLING", *["SageMaker.CAPACITY_ERROR"] * 9]) == [50, 1, 2, 4]


def test_faults_on_demand_meet_the_policies_in_their_order() -> None:
    faults = [parse_fault("Train=Step.THROTTLING*2"), parse_fault("Train=SageMaker.CAPACITY_ERROR")]
    met = [fault_of(faults, "Train", attempt) for attempt in (1, 2, 3)]
    policies = [policy("SageMaker.CAPACITY_ERROR", interval_seconds=30)]
    assert waits(policies, [fault.kind.value for fault in met if fault]) == [1, 2, 30]

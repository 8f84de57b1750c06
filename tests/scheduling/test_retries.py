from __future__ import annotations

import pytest

from localpipe.definition.model import RetryPolicy
from localpipe.scheduling.retries import LONGEST_DELAY_SECONDS, GiveUp, Retry, decide_retry, delay_seconds

THROTTLING = "Step.THROTTLING"
INTERNAL = "SageMaker.JOB_INTERNAL_ERROR"
CAPACITY = "SageMaker.CAPACITY_ERROR"
OLDER_CAPACITY = "SageMaker.JOB_CAPACITY_ERROR"
LIMIT = "SageMaker.RESOURCE_LIMIT"


def attempts(*types: str, limit: int = 5, interval: float = 1, rate: float = 2.0) -> RetryPolicy:
    return RetryPolicy(exception_types=types, interval_seconds=interval, backoff_rate=rate, max_attempts=limit)


def minutes(*types: str, limit: float, interval: float = 1, rate: float = 2.0) -> RetryPolicy:
    return RetryPolicy(
        exception_types=types, interval_seconds=interval, backoff_rate=rate, max_attempts=None, expire_after_minutes=limit
    )


@pytest.mark.documented
@pytest.mark.parametrize(
    ("interval", "rate", "delays"),
    [(1, 2.0, [1, 2, 4, 8]), (10, 1.0, [10, 10, 10, 10]), (3, 0.5, [3, 1.5, 0.75, 0.375]), (7, 0.0, [7, 0, 0, 0])],
)
def test_the_delay_grows_by_the_backoff_rate(interval: float, rate: float, delays: list[float]) -> None:
    policy = attempts(INTERNAL, interval=interval, rate=rate)
    assert [delay_seconds(policy, retry) for retry in (1, 2, 3, 4)] == delays


def test_a_steep_backoff_rate_never_waits_longer_than_an_execution_may_live() -> None:
    assert delay_seconds(attempts(INTERNAL, interval=1, rate=1e200), 20) == LONGEST_DELAY_SECONDS
    assert delay_seconds(attempts(INTERNAL, interval=43200, rate=100), 9) == LONGEST_DELAY_SECONDS
    assert delay_seconds(attempts(INTERNAL, interval=0, rate=1e200), 20) == 0


@pytest.mark.parametrize(
    ("policies", "exception_type", "retries", "decision"),
    [
        pytest.param([attempts(INTERNAL)], INTERNAL, {}, Retry(at=1001, policy=0), id="the first retry"),
        pytest.param([attempts(INTERNAL)], INTERNAL, {0: 2}, Retry(at=1004, policy=0), id="the third retry waits longer"),
        pytest.param(
            [attempts(INTERNAL, limit=2)],
            INTERNAL,
            {0: 2},
            GiveUp(f"The retry policy for {INTERNAL} has used up its MaxAttempts of 2."),
            id="MaxAttempts used up",
        ),
        pytest.param(
            [attempts(INTERNAL, limit=0)],
            INTERNAL,
            {},
            GiveUp(f"The retry policy for {INTERNAL} has used up its MaxAttempts of 0."),
            id="MaxAttempts 0 is never",
        ),
        pytest.param([attempts(LIMIT)], INTERNAL, {}, GiveUp(f"No retry policy for {INTERNAL}."), id="another type"),
        pytest.param(
            [attempts(INTERNAL)],
            None,
            {},
            GiveUp("This failure is of no type that can be retried."),
            id="an algorithm error",
        ),
        pytest.param(
            [attempts(LIMIT), attempts(INTERNAL, interval=30)],
            INTERNAL,
            {0: 4},
            Retry(1030, 1),
            id="each has its own counter",
        ),
        pytest.param(
            [attempts(INTERNAL, limit=1), attempts(INTERNAL, LIMIT)],
            INTERNAL,
            {0: 1},
            GiveUp(f"The retry policy for {INTERNAL} has used up its MaxAttempts of 1."),
            id="the first that names the type applies, used up or not",
        ),
        pytest.param([attempts(LIMIT, INTERNAL)], INTERNAL, {}, Retry(1001, 0), id="any type of the list"),
        pytest.param([attempts(OLDER_CAPACITY)], CAPACITY, {}, Retry(1001, 0), id="the older spelling in the policy"),
        pytest.param([attempts(CAPACITY)], OLDER_CAPACITY, {}, Retry(1001, 0), id="the older spelling of the failure"),
        pytest.param([], THROTTLING, {}, Retry(1001, 0), id="throttling by default"),
        pytest.param([attempts(LIMIT)], "Step.SERVICE_FAULT", {1: 1}, Retry(1002, 1), id="a service fault by default"),
        pytest.param(
            [attempts(THROTTLING, interval=60)], THROTTLING, {}, Retry(1060, 0), id="a policy replaces the default"
        ),
        pytest.param(
            [attempts(THROTTLING, limit=0)],
            THROTTLING,
            {},
            GiveUp(f"The retry policy for {THROTTLING} has used up its MaxAttempts of 0."),
            id="a policy can switch the default off",
        ),
    ],
)
def test_whether_and_when_an_attempt_follows(
    policies: list[RetryPolicy], exception_type: str | None, retries: dict[int, int], decision: Retry | GiveUp
) -> None:
    assert decision == decide_retry(policies, exception_type=exception_type, retries=retries, started_at=900, failed_at=1000)


@pytest.mark.parametrize(
    ("limit", "failed_at", "retried"),
    [
        pytest.param(10, 1000, True, id="within the time"),
        pytest.param(10, 1598.9, True, id="due just within the time"),
        pytest.param(10, 1599, False, id="due at its end"),
        pytest.param(10, 3000, False, id="after it"),
        pytest.param(0, 1000, False, id="0 is never"),
    ],
)
def test_expire_after_min_counts_from_the_start_of_the_step(limit: float, failed_at: float, retried: bool) -> None:  # noqa: FBT001
    policies = [minutes(INTERNAL, limit=limit)]
    decision = decide_retry(policies, exception_type=INTERNAL, retries={}, started_at=1000, failed_at=failed_at)
    assert decision == (
        Retry(failed_at + 1, 0)
        if retried
        else GiveUp(f"The retry policy for {INTERNAL} ends {limit} minutes after the start of the step (ExpireAfterMin).")
    )


def test_an_expiring_policy_has_no_limit_of_attempts() -> None:
    policies = [minutes(INTERNAL, limit=14400, rate=1.0)]
    decision = decide_retry(policies, exception_type=INTERNAL, retries={0: 500}, started_at=0, failed_at=1000)
    assert decision == Retry(1001, 0)

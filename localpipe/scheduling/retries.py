"""Retry policies: after a failed attempt, another one at a time, or none and why. Follows: service.md section 7."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from localpipe.definition.model import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_POLICY = RetryPolicy(exception_types=("Step.SERVICE_FAULT", "Step.THROTTLING"))
"""Applies where no policy of the step names the type (service.md section 7). Assumed: 5 attempts (UNVERIFIED)."""

LONGEST_DELAY_SECONDS = 672 * 3600.0
"""The lifetime of an execution (service.md section 1.2), so that a steep BackoffRate stays a number."""

_OLDER_SPELLINGS = {"SageMaker.JOB_CAPACITY_ERROR": "SageMaker.CAPACITY_ERROR"}


@dataclass(frozen=True)
class Retry:
    """Another attempt is due at `at` (epoch seconds). `policy` is the index of the policy that allows it.

    The service's default policy has the index behind the step's own.
    """

    at: float
    policy: int


@dataclass(frozen=True)
class GiveUp:
    """No further attempt; `reason` is a sentence."""

    reason: str


RetryDecision: TypeAlias = Retry | GiveUp


def decide_retry(
    policies: Sequence[RetryPolicy],
    *,
    exception_type: str | None,
    retries: Mapping[int, int],
    started_at: float,
    failed_at: float,
) -> RetryDecision:
    """Return whether and when a failed step is tried again.

    `exception_type` None is never retried. `retries`: index of a policy → how often it was used since the step started.
    `started_at`, `failed_at`: epoch seconds of the step's first attempt and of the failure.

    The first policy whose list contains the type applies, by its own counter; once it is used up no other is asked.
    """
    if exception_type is None:
        return GiveUp("This failure is of no type that can be retried.")
    index, policy = _applicable(policies, exception_type)
    if policy is None:
        return GiveUp(f"No retry policy for {exception_type}.")
    used = retries.get(index, 0)
    if policy.max_attempts is not None and used >= policy.max_attempts:
        return GiveUp(f"The retry policy for {exception_type} has used up its MaxAttempts of {policy.max_attempts}.")
    at = failed_at + delay_seconds(policy, used + 1)
    if policy.expire_after_minutes is not None and at >= started_at + policy.expire_after_minutes * 60:
        minutes = f"{policy.expire_after_minutes:g}"
        return GiveUp(
            f"The retry policy for {exception_type} ends {minutes} minutes after the start of the step (ExpireAfterMin)."
        )
    return Retry(at, index)


def is_configured(policies: Sequence[RetryPolicy], exception_type: str) -> bool:
    """Whether a policy of the step, or the service's default, names the type, used up or not."""
    return _applicable(policies, exception_type)[1] is not None


def delay_seconds(policy: RetryPolicy, retry: int) -> float:
    """Seconds before a retry, counted from 1: IntervalSeconds x BackoffRate^(retry - 1)."""
    if not policy.interval_seconds:
        return 0
    try:
        delay = policy.interval_seconds * policy.backoff_rate ** (retry - 1)
    except OverflowError:
        return LONGEST_DELAY_SECONDS
    return min(delay, LONGEST_DELAY_SECONDS)


def _applicable(policies: Sequence[RetryPolicy], exception_type: str) -> tuple[int, RetryPolicy | None]:
    wanted = _spelling(exception_type)
    for index, policy in enumerate((*policies, DEFAULT_POLICY)):
        if wanted in map(_spelling, policy.exception_types):
            return index, policy
    return -1, None


def _spelling(exception_type: str) -> str:
    return _OLDER_SPELLINGS.get(exception_type, exception_type)

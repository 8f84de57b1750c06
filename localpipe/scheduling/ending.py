"""The fact that ends an attempt, from what came of its work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import assert_never

from localpipe.core.work import Failure, Stopped, Success
from localpipe.scheduling.events import AttemptFailed, AttemptStopped, StepSucceeded

if TYPE_CHECKING:
    from collections.abc import Collection

    from localpipe.core.names import AttemptKey
    from localpipe.core.work import Outcome
    from localpipe.scheduling.events import Event


def fact_of(
    key: AttemptKey, outcome: Outcome, never_retried: Collection[str] = (), result_keys: tuple[str, ...] = ()
) -> Event:
    """The event that ends an attempt with this outcome. `result_keys`: what its result, if it has one, is found by."""
    match outcome:
        case Success():
            return StepSucceeded(
                step=key.step,
                attempt=key.attempt,
                properties=outcome.properties,
                property_files=dict(outcome.property_files),
                branches_taken=tuple(sorted(outcome.branches_taken)),
                keys=result_keys,
            )
        case Failure():
            return AttemptFailed(
                step=key.step,
                attempt=key.attempt,
                reason=outcome.reason,
                exception_type=None if outcome.exception_type in never_retried else outcome.exception_type,
                properties=outcome.properties,
                ends_execution=outcome.ends_execution,
                failed_host=outcome.failed_host,
            )
        case Stopped():
            return AttemptStopped(step=key.step, attempt=key.attempt, reason=outcome.reason, properties=outcome.properties)
        case _:
            assert_never(outcome)

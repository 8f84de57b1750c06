"""How long a job may run and wait: its limits on the service, and the faults that come sooner.

Follows: service.md section 7; containers.md 2.1, 2.11, 2.14.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.core.faults import FaultKind
from localpipe.core.jobspec import JobEnd

if TYPE_CHECKING:
    from localpipe.core.faults import Fault
    from localpipe.core.jobspec import JobSpec
    from localpipe.core.ports import Clock

_LOOK_SECONDS = 2.0
"""A job that is found when its time is up still gets this long, so that we see an end it came to by itself."""


@dataclass(frozen=True)
class Patience:
    """How long a job is let run, in seconds, and how its run ends when that is up."""

    seconds: float
    end: JobEnd = JobEnd.TIMED_OUT


class Allowance:
    """The time that a job has. It belongs to the thread that runs the job, and begins with `count_from`.

    MaxRuntimeInSeconds is for all its runs in total; MaxWaitTimeInSeconds, of a spot job, for all from its creation to its
    end, waiting for room and interruptions included. Mutable: holds what of it was spent.
    """

    def __init__(self, spec: JobSpec, fault: Fault | None, clock: Clock) -> None:
        self._spec, self._fault, self._clock = spec, fault, clock
        self._counts_from = self._ran_seconds = 0.0

    def count_from(self, at: float) -> None:
        """Nothing is spent but what has gone by since `at` (epoch seconds)."""
        self._counts_from, self._ran_seconds = at, 0.0

    def spend(self, seconds: float) -> None:
        """A run has taken so long."""
        self._ran_seconds += seconds

    def of_next_run(self, interruptions: int) -> Patience:
        """How long the next run may last. `interruptions`: those that the job has had."""
        return min([self._left(self._ran_seconds), *self._sooner(interruptions)], key=_seconds)

    def of_found(self, launched_at: float | None) -> Patience:
        """How long a job may go on that runs since `launched_at` (None: since now). No fault comes to it."""
        ran_seconds = 0.0 if launched_at is None else self._clock.now() - launched_at
        left = self._left(ran_seconds)
        return Patience(max(left.seconds, _LOOK_SECONDS), left.end)

    def of_waiting(self) -> float | None:
        """How many seconds it may wait for its next run; None: as long as it takes."""
        most = self._spec.max_wait_seconds
        return None if most is None else max(0.0, self._counts_from + most - self._clock.now())

    def _left(self, ran_seconds: float) -> Patience:
        run = Patience(max(0.0, self._spec.max_runtime_seconds - ran_seconds))
        waiting = self.of_waiting()
        return run if waiting is None else min(run, Patience(waiting, JobEnd.WAITED_OUT), key=_seconds)

    def _sooner(self, interruptions: int) -> list[Patience]:
        """What the fault does, if it has not been done."""
        fault = self._fault
        if fault and fault.limit_seconds is not None:
            return [Patience(fault.limit_seconds)]
        if fault and fault.kind is FaultKind.SPOT_INTERRUPTION and interruptions < fault.times:
            return [Patience(fault.after_seconds, JobEnd.INTERRUPTED)]
        return []


def _seconds(patience: Patience) -> float:
    return patience.seconds

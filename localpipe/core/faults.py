"""Faults on demand: which attempts of a step meet what trouble, so that people can try the policies they wrote.

As text a fault is `STEP=KIND[*TIMES][@SECONDS]`. Follows: service.md section 7 ("Offer fault injection for tests").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from typing import TYPE_CHECKING

from localpipe.errors import JOB_INTERNAL_ERROR, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable


class FaultKind(str, Enum):
    """What happens. Those that are exception types are named as in RetryPolicies."""

    THROTTLING = "Step.THROTTLING"
    SERVICE_FAULT = "Step.SERVICE_FAULT"
    RESOURCE_LIMIT = "SageMaker.RESOURCE_LIMIT"
    CAPACITY_ERROR = "SageMaker.CAPACITY_ERROR"
    INTERNAL_ERROR = JOB_INTERNAL_ERROR
    SPOT_INTERRUPTION = "spot-interruption"
    TIME_LIMIT = "time-limit"


OF_THE_CREATE_CALL = frozenset({FaultKind.THROTTLING, FaultKind.SERVICE_FAULT, FaultKind.RESOURCE_LIMIT})
"""They refuse the Create call: there is no job."""

OF_THE_JOB = frozenset({FaultKind.CAPACITY_ERROR, FaultKind.INTERNAL_ERROR})
"""The job is created and fails before its containers run."""

WHILE_IT_RUNS = frozenset({FaultKind.SPOT_INTERRUPTION, FaultKind.TIME_LIMIT})
"""They come when the containers have run for a while."""

_OLDER_SPELLINGS = {"SageMaker.JOB_CAPACITY_ERROR": FaultKind.CAPACITY_ERROR}
_SOON_SECONDS = 1.0
_MOST_TIMES = 9999
_FORM = re.compile(r"(?P<step>[^=]+)=(?P<kind>[^*@]+)(?:\*(?P<times>[0-9]+))?(?:@(?P<after>[0-9]+(?:\.[0-9]+)?))?")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """So many attempts of a step, those before it in a list of faults left out, meet this fault.

    Only a spot interruption comes so often within one attempt, since it ends none. `after_seconds`: how long the containers
    have run then, counted anew each time they start; it means nothing unless the fault comes while they run.
    """

    step: str
    kind: FaultKind
    times: int = 1
    after_seconds: float = _SOON_SECONDS

    def __str__(self) -> str:
        after = f"@{self.after_seconds:g}" if self.kind in WHILE_IT_RUNS else ""
        return f"{self.step}={self.kind.value}*{self.times}{after}"

    @property
    def limit_seconds(self) -> float | None:
        """The time limit that it stands for; None: it is no time limit."""
        return self.after_seconds if self.kind is FaultKind.TIME_LIMIT else None

    @property
    def attempts(self) -> int:
        """How many attempts it takes."""
        return 1 if self.kind is FaultKind.SPOT_INTERRUPTION else self.times


def parse_fault(text: str) -> Fault:
    """The fault that a text names. Raises UsageError, with what there is to choose from."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise UsageError(
            f"Fault {text!r} is not of the form STEP=KIND, STEP=KIND*TIMES or STEP=KIND*TIMES@SECONDS. {_known_kinds()}"
        )
    kind, times, after = _kind(match["kind"]), match["times"], match["after"]
    if times is not None and int(times) == 0:
        raise UsageError(f"Fault {text!r} never happens: the number of times is at least 1.")
    if times is not None and int(times) > _MOST_TIMES:
        raise UsageError(f"Fault {text!r}: the number of times is at most {_MOST_TIMES}.")
    if after is not None and kind not in WHILE_IT_RUNS:
        raise UsageError(f"Fault {text!r}: {kind.value} comes before the containers run, so it takes no seconds.")
    return Fault(
        step=match["step"],
        kind=kind,
        times=int(times) if times else 1,
        after_seconds=_SOON_SECONDS if after is None else float(after),
    )


def fault_of(faults: Iterable[Fault], step: str, attempt: int) -> Fault | None:
    """What an attempt of a step meets: its faults follow one another, in the order in which they were asked for."""
    left = attempt
    for fault in faults:
        if fault.step == step:
            if left <= fault.attempts:
                return fault
            left -= fault.attempts
    return None


def _kind(name: str) -> FaultKind:
    kinds = {kind.value: kind for kind in FaultKind} | _OLDER_SPELLINGS
    if name in kinds:
        return kinds[name]
    part = (known for known in kinds if name.casefold() in known.casefold())
    near = [*part, *get_close_matches(name, kinds, n=1)]
    hint = f"Did you mean {near[0]!r}? " if near else ""
    raise UsageError(f"There is no fault {name!r}. {hint}{_known_kinds()}")


def _known_kinds() -> str:
    return f"Kinds are {', '.join(kind.value for kind in FaultKind)}."

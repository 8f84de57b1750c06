"""Which running trials are not worth going on with, from the objectives that trials report, one an epoch.

Follows: containers.md 4.3, 4.4; Developer Guide, "Stop Training Jobs Early".
"""

from __future__ import annotations

import math
from itertools import takewhile
from statistics import fmean, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from localpipe.core.tuning import Epochs, Objective, Trial

FEWEST_BEFORE = 3
"""Ended trials that have reached an epoch before the median of that epoch stops anybody. Assumed: it is not documented."""

REDUCTION = 3
"""Hyperband: of so many trials that reach a rung, one goes on; the next rung is so many times as many epochs. Assumed."""


def below_median(trial: Trial, others: Sequence[Trial], objective: Objective) -> bool:
    """Whether the last value of a trial is worse than the median of the running averages of the trials before it.

    `others`: trials of the same definition; those that have ended by now came before it.
    """
    epoch = len(trial.reported)
    before = [other.reported[:epoch] for other in others if other.status.ended and len(other.reported) >= epoch]
    if epoch == 0 or len(before) < FEWEST_BEFORE:
        return False
    middle = median(fmean(map(objective.loss, reported)) for reported in before)
    return objective.loss(trial.reported[-1]) > middle


def falls_behind(trial: Trial, others: Sequence[Trial], objective: Objective, epochs: Epochs) -> bool:
    """Whether Hyperband stops a trial: it is not in the best third that reached a rung, or goes on past the last epoch.

    Rungs are judged as trials come by (asynchronous successive halving), among trials of the same bracket alone.
    """
    if len(trial.reported) > epochs.most:
        return True
    bracket = bracket_of(trial.number, epochs)
    rivals = [other for other in others if bracket_of(other.number, epochs) == bracket]
    return any(_is_beaten(trial, rivals, objective, rung) for rung in _rungs(bracket, epochs))


def bracket_of(number: int, epochs: Epochs) -> int:
    """The bracket of a trial: of brackets 0, 1, ... the first stops soonest and has the most trials, the last stops none."""
    count = _halvings(epochs) + 1
    sizes = [REDUCTION ** (count - 1 - bracket) for bracket in range(count)]
    place = (number - 1) % sum(sizes)
    return next(bracket for bracket in range(count) if place < sum(sizes[: bracket + 1]))


def _halvings(epochs: Epochs) -> int:
    return sum(1 for _ in _powers(epochs))


def _rungs(bracket: int, epochs: Epochs) -> Sequence[int]:
    """The epochs at which a bracket is thinned out; never the last one, after which there is nothing to save."""
    return list(_powers(epochs))[bracket:]


def _powers(epochs: Epochs) -> Iterator[int]:
    factors = (REDUCTION**power for power in range(epochs.most.bit_length()))
    return takewhile(lambda rung: rung < epochs.most, (epochs.least * factor for factor in factors))


def _is_beaten(trial: Trial, rivals: Sequence[Trial], objective: Objective, rung: int) -> bool:
    """Whether at a rung that the trial has reached it is not among those that go on."""
    if len(trial.reported) < rung:
        return False
    own = objective.loss(trial.reported[rung - 1])
    others = [objective.loss(rival.reported[rung - 1]) for rival in rivals if len(rival.reported) >= rung]
    going_on = math.ceil((len(others) + 1) / REDUCTION)
    return sum(other < own for other in others) >= going_on

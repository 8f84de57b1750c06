"""The model of the Bayesian strategy: optuna's multivariate TPE. Imports optuna, so it is imported only where it is used.

Any reasonable surrogate is conformant: the service documents no sequence. Follows: containers.md 4.3.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from localpipe.core.tuning import CategoricalRange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.trial import FrozenTrial

    from localpipe.core.tuning import Range

_RANDOM_FIRST = 5
"""Trials that have to end before the model is asked: until then it draws at random."""

_GOOD_SHARE, _MOST_GOOD = 0.25, 25
"""Which of the trials the model takes for good ones.

A tenth, as optuna has it, is for more trials than a tuning job has: with 20 on a smooth function this finds better ones than
random draws in 85 of 100 cases, a tenth in 73.
"""


def suggest(
    ranges: Sequence[Range], known: Sequence[tuple[Mapping[str, float], float | None, bool]], seed: int
) -> Mapping[str, float]:
    """A place for each range. `known`: places, loss and whether it runs, of each trial so far.

    Trials that run are taken into account, so that those at the same time are not alike. What optuna logs and warns of
    meanwhile (`multivariate` and `gamma` are experimental or deprecated, by its version) is for the caller to silence.
    """
    distributions = {range_.name: _distribution(range_) for range_ in ranges}
    sampler = optuna.samplers.TPESampler(
        n_startup_trials=_RANDOM_FIRST, gamma=_good, multivariate=True, constant_liar=True, seed=seed
    )
    study = optuna.create_study(sampler=sampler)
    for places, loss, running in known:
        study.add_trial(_trial(ranges, distributions, places, loss, running=running))
    found = study.ask(distributions).params
    return {range_.name: _place(range_, found[range_.name]) for range_ in ranges}


def _good(count: int) -> int:
    return min(math.ceil(_GOOD_SHARE * count), _MOST_GOOD)


def _distribution(range_: Range) -> BaseDistribution:
    if isinstance(range_, CategoricalRange):
        return CategoricalDistribution(range(len(range_.values)))
    return FloatDistribution(0.0, 1.0)


def _trial(
    ranges: Sequence[Range],
    distributions: Mapping[str, BaseDistribution],
    places: Mapping[str, float],
    loss: float | None,
    *,
    running: bool,
) -> FrozenTrial:
    state = TrialState.RUNNING if running else TrialState.FAIL if loss is None else TrialState.COMPLETE
    return create_trial(
        params={range_.name: _param(range_, places[range_.name]) for range_ in ranges},
        distributions=dict(distributions),
        value=loss if state is TrialState.COMPLETE else None,
        state=state,
    )


def _param(range_: Range, place: float) -> float:
    return int(place * len(range_.values)) if isinstance(range_, CategoricalRange) else place


def _place(range_: Range, param: float) -> float:
    return (param + 0.5) / len(range_.values) if isinstance(range_, CategoricalRange) else param

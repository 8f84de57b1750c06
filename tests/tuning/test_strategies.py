"""What each strategy tries next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from localpipe.core.tuning import CategoricalRange, ContinuousRange, IntegerRange, Scaling
from localpipe.tuning.ranges import place_of
from localpipe.tuning.strategies import Observation, propose_by_model, propose_from_grid, propose_random

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localpipe.core.tuning import Parameters, Range
    from localpipe.tuning.strategies import Proposing

pytestmark = pytest.mark.filterwarnings("ignore:.*(multivariate|constant_liar|gamma)")
"""What optuna says of the model's options, by its version."""

X = ContinuousRange(name="x", low=0.0, high=1.0)
RATE = ContinuousRange(name="rate", low=1e-5, high=1.0, scaling=Scaling.LOGARITHMIC)
DEPTH = IntegerRange(name="depth", low=1, high=4)
WORD = CategoricalRange(name="word", values=("a", "b", "c"))


def trials(propose: Proposing, ranges: Sequence[Range], seed: int, count: int) -> list[Parameters]:
    """The parameters of trials that end one after the other."""
    history: list[Observation] = []
    for turn in range(count):
        proposed = propose(ranges, seed, turn, history)
        if proposed is None:
            break
        history.append(Observation(parameters=proposed, loss=smooth(proposed), running=False))
    return [each.parameters for each in history]


def smooth(parameters: Parameters) -> float:
    """Least at x = 0.3 and rate = 0.01."""
    x, rate = float(parameters.get("x", "0.3")), float(parameters.get("rate", "0.01"))
    return (x - 0.3) ** 2 + ((math.log10(rate) + 2) / 5) ** 2


@pytest.mark.parametrize("propose", [propose_random, propose_by_model])
def test_a_repeated_seed_repeats_the_trials_and_another_does_not(propose: Proposing) -> None:
    ranges = (X, RATE, DEPTH, WORD)
    assert trials(propose, ranges, 1, 9) == trials(propose, ranges, 1, 9)
    assert trials(propose, ranges, 1, 9) != trials(propose, ranges, 2, 9)


@pytest.mark.parametrize("propose", [propose_random, propose_by_model])
def test_every_value_lies_in_its_range(propose: Proposing) -> None:
    ranges = (X, RATE, DEPTH, WORD)
    for parameters in trials(propose, ranges, 3, 12):
        assert set(parameters) == {"x", "rate", "depth", "word"}
        assert all(place_of(range_, parameters[range_.name]) is not None for range_ in ranges)


@pytest.mark.parametrize("propose", [propose_random, propose_by_model])
def test_no_combination_comes_twice_and_when_all_were_tried_there_is_no_other(propose: Proposing) -> None:
    found = trials(propose, (DEPTH, WORD), 5, 20)
    assert len(found) == 12
    assert len({tuple(sorted(each.items())) for each in found}) == 12


def test_the_random_strategy_needs_no_history() -> None:
    after_others = [Observation(parameters={"x": "0.5"}, loss=1.0, running=False)]
    assert propose_random((X,), 1, 4, after_others) == propose_random((X,), 1, 4, [])


def test_a_grid_covers_its_product() -> None:
    ranges = (WORD, CategoricalRange(name="other", values=("1", "2")))
    found = trials(propose_from_grid, ranges, 0, 100)
    assert {(each["word"], each["other"]) for each in found} == {(a, b) for a in "abc" for b in "12"}
    assert len(found) == 6


def test_trials_that_run_at_the_same_time_are_not_alike() -> None:
    ended = [Observation(parameters={"x": str(n / 10)}, loss=abs(n / 10 - 0.3), running=False) for n in range(10)]
    first = propose_by_model((X,), 1, 10, ended)
    assert first
    second = propose_by_model((X,), 1, 11, [*ended, Observation(parameters=first, loss=None, running=True)])
    assert second
    assert abs(float(first["x"]) - float(second["x"])) > 0.001


def test_the_model_is_better_than_chance_on_a_smooth_function() -> None:
    def best(propose: Proposing, seed: int) -> float:
        return min(map(smooth, trials(propose, (X, RATE), seed, 30)))

    assert sum(best(propose_by_model, seed) < best(propose_random, seed) for seed in range(10)) >= 8


def test_what_a_parent_tried_outside_of_the_ranges_is_passed_over() -> None:
    history = [Observation(parameters={"x": "7.5"}, loss=0.0, running=False)]
    found = propose_by_model((X,), 1, 0, history)
    assert found is not None
    assert place_of(X, found["x"]) is not None

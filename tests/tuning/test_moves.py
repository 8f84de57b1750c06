"""What a tuning job does next, from its trials so far."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from localpipe.core.names import Identity
from localpipe.core.tuning import (
    CategoricalRange,
    Completion,
    ContinuousRange,
    Epochs,
    Objective,
    Strategy,
    TrainingDefinition,
    Trial,
    TrialStatus,
    TuningSpec,
    best_first,
)
from localpipe.tuning.history import History
from localpipe.tuning.moves import Halt, Over, StartTrial, next_moves, trials_without_improvement, why_over
from localpipe.tuning.stopping import bracket_of

if TYPE_CHECKING:
    from collections.abc import Sequence

from localpipe.tuning.moves import Move

LOSS = Objective(metric="loss", maximize=False)
X = ContinuousRange(name="x", low=0.0, high=1.0)


def definition(name: str | None = None, *, values: tuple[str, ...] = (), maximize: bool = False) -> TrainingDefinition:
    range_ = CategoricalRange(name="x", values=values) if values else X
    objective = Objective(metric="loss", maximize=maximize)
    return TrainingDefinition(name=name, request={}, ranges=(range_,), objective=objective)


SPEC = TuningSpec(
    job_name="tune",
    identity=Identity(account="111122223333", region="us-east-1", role_arn="arn"),
    strategy=Strategy.RANDOM,
    definitions=(definition(),),
    max_trials=5,
    max_parallel=2,
    max_runtime_seconds=None,
    seed="1",
    early_stopping=False,
    epochs=None,
    completion=Completion(),
)


def running(number: int, *reported: float, definition: int = 0, halted: bool = False) -> Trial:
    return Trial(
        number=number, tuning_job="tune", definition=definition, parameters={"x": "0"}, reported=reported, halted=halted
    )


def completed(number: int, *reported: float, definition: int = 0) -> Trial:
    """One whose objective is the last value that it reported."""
    trial = running(number, *reported, definition=definition)
    return replace(trial, status=TrialStatus.COMPLETED, objective=reported[-1] if reported else None)


def failed(number: int) -> Trial:
    return replace(running(number), status=TrialStatus.FAILED, objective=0.0)


def moves_of(spec: TuningSpec, trials: Sequence[Trial], over: Over | None) -> Sequence[Move]:
    """What is to be done where those that have ended did so in the order of their numbers."""
    ended = tuple(trial.number for trial in trials if trial.status.ended)
    return next_moves(spec, History(trials=tuple(trials), ended=ended), over)


def numbers(moves: Sequence[Move]) -> list[tuple[str, int]]:
    return [(type(move).__name__, move.number) for move in moves]


def test_as_many_trials_start_as_may_run_at_once() -> None:
    assert numbers(moves_of(SPEC, [], None)) == [("StartTrial", 1), ("StartTrial", 2)]
    assert numbers(moves_of(SPEC, [running(1), completed(2, 0.5)], None)) == [("StartTrial", 3)]
    assert moves_of(SPEC, [running(1), running(2)], None) == []


def test_a_move_to_start_a_trial_has_all_of_it() -> None:
    (move,) = moves_of(replace(SPEC, max_parallel=1), [], None)
    assert isinstance(move, StartTrial)
    assert move.trial("tune") == Trial(number=1, tuning_job="tune", definition=0, parameters=move.parameters)


def test_no_more_trials_start_than_are_allowed() -> None:
    ended = [completed(number, 0.5) for number in range(1, 5)]
    assert numbers(moves_of(SPEC, ended, None)) == [("StartTrial", 5)]
    assert moves_of(SPEC, [*ended, completed(5, 0.5)], None) == []


def played(spec: TuningSpec, ends_at_once: int) -> list[str]:
    """What the trials try, if they end in their order, and so many ends are taken in before anything is chosen."""
    history = History()
    while True:
        for move in next_moves(spec, history, None):
            assert isinstance(move, StartTrial)
            history = history.launched(move.trial("tune"))
        if history.all_ended:
            return [trial.parameters["x"] for trial in history.trials]
        for trial in [each for each in history.trials if not each.status.ended][:ends_at_once]:
            loss = (float(trial.parameters["x"]) - 0.3) ** 2
            history = history.with_end(replace(trial, status=TrialStatus.COMPLETED, objective=loss))


@pytest.mark.filterwarnings("ignore:.*(multivariate|constant_liar|gamma)")
def test_what_a_model_tries_hangs_on_the_order_of_ends_alone() -> None:
    spec = replace(SPEC, strategy=Strategy.BAYESIAN, max_parallel=3, max_trials=16)
    one_by_one = played(spec, 1)
    assert played(spec, 2) == played(spec, 3) == one_by_one
    assert played(replace(spec, max_parallel=1), 1) != one_by_one


def test_a_grid_ends_when_all_of_it_was_tried() -> None:
    spec = replace(SPEC, strategy=Strategy.GRID, definitions=(definition(values=("a", "b", "c")),), max_trials=None)
    moves = moves_of(replace(spec, max_parallel=9), [], None)
    assert [move.parameters["x"] for move in moves if isinstance(move, StartTrial)] == ["a", "b", "c"]


def test_definitions_take_turns_each_with_draws_of_its_own() -> None:
    spec = replace(SPEC, definitions=(definition("one"), definition("two")), max_parallel=4)
    moves = [move for move in moves_of(spec, [], None) if isinstance(move, StartTrial)]
    assert [move.definition for move in moves] == [0, 1, 0, 1]
    assert len({move.parameters["x"] for move in moves}) == 4


def test_a_definition_whose_combinations_are_used_up_leaves_its_turns_to_the_others() -> None:
    spec = replace(SPEC, definitions=(definition("one", values=("a",)), definition("two")), max_parallel=4)
    assert [move.definition for move in moves_of(spec, [], None) if isinstance(move, StartTrial)] == [0, 1, 1, 1]


def test_a_tuning_job_that_is_over_starts_nothing_and_stops_what_runs_once() -> None:
    trials = [running(1), running(2, halted=True), completed(3, 0.1)]
    assert moves_of(SPEC, trials, Over.TARGET) == [Halt(number=1)]


def test_a_trial_worse_than_the_median_of_those_before_is_stopped_early() -> None:
    spec = replace(SPEC, early_stopping=True, max_parallel=2, max_trials=4)
    before = [completed(1, 9.0, 5.0), completed(2, 8.0, 4.0), completed(3, 7.0, 3.0)]
    assert moves_of(spec, [*before, running(4, 8.0)], None) == []  # the median after one epoch is 8
    assert moves_of(spec, [*before, running(4, 8.5)], None) == [Halt(number=4)]
    assert moves_of(spec, [*before, running(4, 9.0, 6.5)], None) == [Halt(number=4)]  # of the averages it is 6
    assert moves_of(spec, [*before[:2], running(3, 99.0), running(4)], None) == []  # too few came before


def test_early_stopping_knows_what_is_to_be_maximized() -> None:
    spec = replace(SPEC, early_stopping=True, definitions=(definition(maximize=True),), max_trials=4)
    before = [completed(1, 0.7), completed(2, 0.8), completed(3, 0.9)]
    assert moves_of(spec, [*before, running(4, 0.95)], None) == []
    assert moves_of(spec, [*before, running(4, 0.6)], None) == [Halt(number=4)]


HYPERBAND = replace(SPEC, strategy=Strategy.HYPERBAND, epochs=Epochs(least=1, most=9), max_trials=4, max_parallel=4)


def test_hyperband_lets_a_third_of_those_that_reach_a_rung_go_on() -> None:
    best = [running(number, loss) for number, loss in ((1, 1.0), (2, 2.0), (3, 3.0))]
    assert numbers(moves_of(HYPERBAND, [*best, running(4)], None)) == [("Halt", 2), ("Halt", 3)]
    assert moves_of(HYPERBAND, [running(1, 1.0), running(2), running(3), running(4)], None) == []


def test_hyperband_stops_a_trial_that_goes_on_past_the_last_epoch() -> None:
    trials = [running(1, *[1.0] * 10), *(running(number) for number in (2, 3, 4))]
    assert moves_of(HYPERBAND, trials, None) == [Halt(number=1)]


def test_brackets_of_hyperband_begin_with_that_which_stops_soonest() -> None:
    epochs = Epochs(least=1, most=9)
    assert [bracket_of(number, epochs) for number in range(1, 15)] == [*[0] * 9, *[1] * 3, 2, 0]
    assert bracket_of(5, Epochs(least=3, most=3)) == 0


def test_a_reached_target_ends_the_tuning_job() -> None:
    spec = replace(SPEC, completion=Completion(target=0.2))
    assert why_over(spec, [completed(1, 0.3)], 0.0) is None
    assert why_over(spec, [completed(1, 0.3), completed(2, 0.2)], 0.0) is Over.TARGET
    upwards = replace(spec, definitions=(definition(maximize=True),))
    assert why_over(upwards, [completed(1, 0.1)], 0.0) is None
    assert why_over(upwards, [completed(1, 0.3)], 0.0) is Over.TARGET


def test_trials_that_improve_nothing_end_the_tuning_job() -> None:
    spec = replace(SPEC, completion=Completion(not_improving=3))
    losses = [10.0, 5.0, 4.99, 5.2, 4.96]
    assert why_over(spec, [completed(n, loss) for n, loss in enumerate(losses[:4], 1)], 0.0) is None
    assert why_over(spec, [completed(n, loss) for n, loss in enumerate(losses, 1)], 0.0) is Over.NOT_IMPROVING


def test_convergence_is_ten_trials_without_an_improvement() -> None:
    spec = replace(SPEC, completion=Completion(converged=True))
    trials = [completed(number, 1.0) for number in range(1, 12)]
    assert why_over(spec, trials[:10], 0.0) is None
    assert why_over(spec, trials, 0.0) is Over.CONVERGED


def test_time_that_is_up_ends_the_tuning_job() -> None:
    spec = replace(SPEC, max_runtime_seconds=120)
    assert why_over(spec, [], 119.0) is None
    assert why_over(spec, [], 120.0) is Over.OUT_OF_TIME


def test_five_trials_without_one_success_end_the_tuning_job() -> None:
    trials = [failed(1), failed(2), completed(3), failed(4), failed(5)]
    assert why_over(SPEC, trials[:4], 0.0) is None
    assert why_over(SPEC, trials, 0.0) is Over.FAILING
    assert why_over(SPEC, [*trials, completed(6, 1.0)], 0.0) is None


def test_an_improvement_is_one_percent() -> None:
    assert trials_without_improvement([]) == 0
    assert trials_without_improvement([100.0, 99.5, 99.2]) == 2
    assert trials_without_improvement([100.0, 99.5, 98.9]) == 0
    assert trials_without_improvement([-0.90, -0.905, -0.92]) == 0


def test_the_best_comes_first_and_what_failed_not_at_all() -> None:
    trials = [completed(1, 0.3), failed(2), completed(3, 0.1), completed(4), completed(5, 0.3)]
    assert [trial.number for trial in best_first(trials, LOSS)] == [3, 1, 5]
    assert [trial.number for trial in best_first(trials, Objective(metric="loss", maximize=True))] == [1, 5, 3]

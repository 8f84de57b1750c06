"""What a tuning job does next, from its trials so far: start some, stop some, or end.

Follows: containers.md section 4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, TypeAlias

from localpipe.core.tuning import Strategy, Trial, TrialStatus
from localpipe.tuning.draws import seed_of
from localpipe.tuning.ranges import size_of
from localpipe.tuning.stopping import below_median, falls_behind
from localpipe.tuning.strategies import PROPOSING, Observation

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from localpipe.core.tuning import Objective, Parameters, TuningSpec
    from localpipe.tuning.history import History

_IMPROVEMENT = 0.01
"""What counts as an improvement: this share of the best objective before, as the service's model has it."""

_CONVERGED_AFTER = 10
"""Trials in a row without an improvement that count as convergence. UNVERIFIED: the service tells no criteria."""

_MOST_FAILURES = 5
"""Trials that end without an objective before any gives one, after which the service gives up; recorded in public."""


@dataclass(frozen=True, kw_only=True)
class StartTrial:
    """Start a trial of the definition with that index."""

    number: int
    definition: int
    parameters: Parameters

    def trial(self, job_name: str) -> Trial:
        """The trial of that tuning job, as it starts."""
        return Trial(number=self.number, tuning_job=job_name, definition=self.definition, parameters=self.parameters)


@dataclass(frozen=True, kw_only=True)
class Halt:
    """Tell a running trial to stop."""

    number: int


Move: TypeAlias = StartTrial | Halt


class Over(Enum):
    """Why no further trial starts, and those that run are stopped."""

    STOPPED = auto()
    OUT_OF_TIME = auto()
    TARGET = auto()
    NOT_IMPROVING = auto()
    CONVERGED = auto()
    FAILING = auto()


def next_moves(spec: TuningSpec, history: History, over: Over | None, parents: Sequence[Trial] = ()) -> Sequence[Move]:
    """What to do now. `parents`: the trials of tuning jobs to learn from.

    When nothing runs and nothing is to be done, the tuning job is over.
    """
    trials = history.trials
    running = [trial for trial in trials if not trial.status.ended]
    unworthy = running if over else [trial for trial in running if _is_unworthy(trial, trials, spec)]
    halts = [Halt(number=trial.number) for trial in unworthy if not trial.halted]
    return halts if over else [*halts, *_starts(spec, history, parents, spec.max_parallel - len(running))]


def most_trials(spec: TuningSpec) -> int | None:
    """How many training jobs there are at most, since no combination is tried twice; None: without end."""
    sizes = [size_of(definition.ranges) for definition in spec.definitions]
    limits = [] if None in sizes else [sum(size for size in sizes if size)]
    return min((*limits, *([] if spec.max_trials is None else [spec.max_trials])), default=None)


def why_over(spec: TuningSpec, trials: Sequence[Trial], elapsed_seconds: float) -> Over | None:
    """Why a tuning job ends before it has had all its trials. `trials`: those that have ended, in that order."""
    if spec.max_runtime_seconds is not None and elapsed_seconds >= spec.max_runtime_seconds:
        return Over.OUT_OF_TIME
    completion, losses = spec.completion, losses_of(spec, trials)
    if completion.target is not None and losses and min(losses) <= spec.objective.loss(completion.target):
        return Over.TARGET
    if not losses and len(trials) >= _MOST_FAILURES:
        return Over.FAILING
    idle = trials_without_improvement(losses)
    if completion.not_improving is not None and idle >= completion.not_improving:
        return Over.NOT_IMPROVING
    return Over.CONVERGED if completion.converged and idle >= _CONVERGED_AFTER else None


def trials_without_improvement(losses: Iterable[float]) -> int:
    """How many of the last trials in a row gave nothing that is better than the best before by one percent."""
    best: float | None = None
    idle = 0
    for loss in losses:
        if best is None or loss < best - _IMPROVEMENT * abs(best):
            best, idle = loss, 0
        else:
            idle += 1
    return idle


def losses_of(spec: TuningSpec, trials: Iterable[Trial]) -> Sequence[float]:
    """How the trials did that gave an objective, in their order."""
    losses = (trial.loss(spec.objective) for trial in trials)
    return [loss for loss in losses if loss is not None]


def _is_unworthy(trial: Trial, trials: Sequence[Trial], spec: TuningSpec) -> bool:
    objective = spec.definitions[trial.definition].objective
    others = [other for other in trials if other.definition == trial.definition and other.number != trial.number]
    if spec.epochs:
        return falls_behind(trial, others, objective, spec.epochs)
    return spec.early_stopping and below_median(trial, others, objective)


def _starts(spec: TuningSpec, history: History, parents: Sequence[Trial], room: int) -> Sequence[StartTrial]:
    """As many trials as there is room for.

    Each knows of those before it, and how those went whose end made room for it, in the order of their ends: so that what
    it tries hangs on that order alone, and not on how many ends are taken in at once.
    """
    trials = list(history.trials)
    starts: list[StartTrial] = []
    while len(starts) < room and (spec.max_trials is None or len(trials) < spec.max_trials):
        made_room = history.ended[: max(0, len(trials) + 1 - spec.max_parallel)]
        start = _next_start(spec, _when_ended(trials, made_room), parents)
        if start is None:
            break
        starts.append(start)
        trials.append(start.trial(spec.job_name))
    return starts


def _when_ended(trials: Iterable[Trial], ended: Collection[int]) -> Sequence[Trial]:
    """The trials as they were when those numbers, and no others, had ended."""
    return [trial if trial.number in ended else replace(trial, status=TrialStatus.RUNNING) for trial in trials]


def _next_start(spec: TuningSpec, known: Sequence[Trial], parents: Sequence[Trial]) -> StartTrial | None:
    """The next trial, of the definition that has had the fewest; None where all combinations have been tried.

    Assumed: how the service shares trials out among definitions is not documented.
    """
    counts = [sum(trial.definition == index for trial in known) for index in range(len(spec.definitions))]
    for index in sorted(range(len(counts)), key=counts.__getitem__):
        definition = spec.definitions[index]
        same = [trial for trial in (*parents, *known) if trial.definition == index]
        history = [_observation(trial, definition.objective) for trial in same]
        seed = seed_of(spec.seed, definition.name or "")
        parameters = PROPOSING[spec.strategy](definition.ranges, seed, counts[index], history)
        if parameters is not None:
            return StartTrial(number=len(known) + 1, definition=index, parameters=parameters)
    return None


def _observation(trial: Trial, objective: Objective) -> Observation:
    return Observation(parameters=trial.parameters, loss=trial.loss(objective), running=not trial.status.ended)


def reads_epochs(spec: TuningSpec) -> bool:
    """Whether what trials report while they run is asked for at all."""
    return spec.early_stopping or spec.strategy is Strategy.HYPERBAND

"""A tuning job as a value: wanted (`TuningSpec`), its training jobs as trials (`Trial`), happened (`TuningResult`).

Parameters are text, as requests and containers have them. Follows: containers.md section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.core.names import Identity

HALT_GRACE_SECONDS = 10.0
"""How long a training job has to end that its tuning job has stopped.

The service gives 120, in which one that does not hear SIGTERM, as images' own toolkits do not, would train to its end here.
"""

Parameters: TypeAlias = "Mapping[str, str]"
"""The values of the tuned hyperparameters by name."""


class Strategy(str, Enum):
    """How the next parameters are chosen."""

    RANDOM = "Random"
    GRID = "Grid"
    BAYESIAN = "Bayesian"
    HYPERBAND = "Hyperband"


class Scaling(str, Enum):
    """In which measure a range is even. The service's `Auto` has been decided already."""

    LINEAR = "Linear"
    LOGARITHMIC = "Logarithmic"
    REVERSE_LOGARITHMIC = "ReverseLogarithmic"


@dataclass(frozen=True, kw_only=True)
class IntegerRange:
    """Whole numbers from `low` to `high`, both included."""

    name: str
    low: int
    high: int
    scaling: Scaling = Scaling.LINEAR


@dataclass(frozen=True, kw_only=True)
class ContinuousRange:
    """Numbers from `low` to `high`, both included."""

    name: str
    low: float
    high: float
    scaling: Scaling = Scaling.LINEAR


@dataclass(frozen=True, kw_only=True)
class CategoricalRange:
    """One of some texts, which are passed through as they are."""

    name: str
    values: tuple[str, ...]


Range: TypeAlias = IntegerRange | ContinuousRange | CategoricalRange


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The metric that is to become great (`maximize`) or small."""

    metric: str
    maximize: bool

    def loss(self, value: float) -> float:
        """The smaller, the better."""
        return -value if self.maximize else value


@dataclass(frozen=True, kw_only=True)
class TrainingDefinition:
    """What the trials of one definition have in common. `name` None: it is the only one and has none.

    `request` is a CreateTrainingJob request whose HyperParameters are the static ones. Ranges are in the request's order.
    """

    name: str | None
    request: JSON
    ranges: tuple[Range, ...]
    objective: Objective


@dataclass(frozen=True, kw_only=True)
class Completion:
    """When a tuning job ends before it has had all its trials; None: not for that reason.

    `target`: an objective at least as good. `not_improving`: so many trials in a row that improved nothing. `converged`: no
    improvement is to be expected any more.
    """

    target: float | None = None
    not_improving: int | None = None
    converged: bool = False


@dataclass(frozen=True, kw_only=True)
class Epochs:
    """How many values of the objective a trial of Hyperband is given at least and at most."""

    least: int
    most: int


@dataclass(frozen=True, kw_only=True)
class TuningSpec:
    """What a CreateHyperParameterTuningJob request asks for.

    The objectives of its definitions are all maximized, or all minimized. `max_trials` None: as many as the grid has.
    `seed`: a repeated one repeats the trials. `early_stopping`: trials that do
    worse than the ones before are stopped. `epochs`: of Hyperband alone. `parents`: names of tuning jobs to learn from.
    `transfer`: those may have had other ranges, so their trials are not trials of this one (TransferLearning).
    """

    job_name: str
    identity: Identity
    strategy: Strategy
    definitions: tuple[TrainingDefinition, ...]
    max_trials: int | None
    max_parallel: int
    max_runtime_seconds: float | None
    seed: str
    early_stopping: bool
    epochs: Epochs | None
    completion: Completion
    parents: tuple[str, ...] = ()
    transfer: bool = False

    @property
    def job_arn(self) -> str:
        """Its ARN. Follows: service.md section 9.2."""
        return self.identity.arn("hyper-parameter-tuning-job", self.job_name)

    @property
    def objective(self) -> Objective:
        """That of its first definition, by which the trials of all are ranked."""
        return self.definitions[0].objective


class TrialStatus(str, Enum):
    """TrainingJobStatus of a trial."""

    RUNNING = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"

    @property
    def ended(self) -> bool:
        """Whether it has."""
        return self is not TrialStatus.RUNNING


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training job of a tuning job. `number` counts from 1; `definition` is the index of its definition.

    `reported`: the values of its objective so far, one an epoch, where somebody wants to know them while it runs. `halted`:
    the tuning job has told it to stop. `objective`: the last value, None while it runs and where there is none.
    `description`: DescribeTrainingJob once it has ended. `unread`: what its log told in place of a finite objective.
    `tuning_job`: whose trial it was.
    """

    number: int
    tuning_job: str
    definition: int
    parameters: Parameters
    status: TrialStatus = TrialStatus.RUNNING
    reported: tuple[float, ...] = ()
    halted: bool = False
    objective: float | None = None
    description: JSON = None
    unread: str = ""

    def loss(self, objective: Objective) -> float | None:
        """How it did, the smaller the better; None: nothing to be counted, since it runs, failed or gave no objective.

        What a trial gave that was stopped counts, too.
        """
        counts = self.objective is not None and self.status in {TrialStatus.COMPLETED, TrialStatus.STOPPED}
        return objective.loss(self.objective) if counts and self.objective is not None else None


@dataclass(frozen=True, kw_only=True)
class TrialDetail:
    """What the fact of a trial's start holds besides its name. `definition_name` None: its definition is the only one."""

    parameters: Parameters
    definition: int
    definition_name: str | None
    objective: Objective

    def to_json(self) -> JSON:
        """As it is written down."""
        objective = {"Type": "Maximize" if self.objective.maximize else "Minimize", "MetricName": self.objective.metric}
        return {
            "TunedHyperParameters": dict(self.parameters),
            "TrainingJobDefinition": self.definition,
            "Objective": objective,
            **({"TrainingJobDefinitionName": self.definition_name} if self.definition_name else {}),
        }

    @classmethod
    def from_json(cls, detail: JSON) -> TrialDetail:
        """What was written down."""
        objective = detail["Objective"]
        return cls(
            parameters=detail["TunedHyperParameters"],
            definition=detail["TrainingJobDefinition"],
            definition_name=detail.get("TrainingJobDefinitionName"),
            objective=Objective(metric=objective["MetricName"], maximize=objective["Type"] == "Maximize"),
        )


def best_first(trials: Iterable[Trial], objective: Objective) -> Sequence[Trial]:
    """The trials that gave an objective, the best first; of equals the older."""
    losses = ((trial.loss(objective), trial) for trial in trials)
    ranked = [(loss, trial.tuning_job, trial.number, trial) for loss, trial in losses if loss is not None]
    return [trial for *_, trial in sorted(ranked, key=lambda each: each[:3])]


class TuningEnd(str, Enum):
    """HyperParameterTuningJobStatus of a tuning job that ended."""

    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"


@dataclass(frozen=True, kw_only=True)
class TuningResult:
    """What happened to a tuning job. Times are epoch seconds.

    `trials` in the order in which they ended. `parents`: those of the tuning jobs that it learned from.
    `not_improving`: how many trials in a row, up to the last, improved nothing. `converged_at`: when its convergence was
    seen.
    """

    end: TuningEnd
    trials: tuple[Trial, ...]
    created_at: float
    ended_at: float
    parents: tuple[Trial, ...] = ()
    not_improving: int = 0
    converged_at: float | None = None

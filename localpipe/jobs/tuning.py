"""Tuning jobs: CreateHyperParameterTuningJob request → `TuningSpec`, and from that each training job.

Follows: containers.md section 4.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from localpipe.core.tuning import Completion, Epochs, Strategy, TuningSpec
from localpipe.jobs.requests import require_none
from localpipe.jobs.training import training_spec
from localpipe.jobs.training_description import describe_training_job
from localpipe.jobs.tuning_autotune import AUTOTUNE, AUTOTUNED_TRIALS
from localpipe.jobs.tuning_definitions import CONFIG, training_definitions
from localpipe.jobs.tuning_problems import hyperband_epochs, tuning_problems
from localpipe.jobs.tuning_ranges import first_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpipe.core import JSON
    from localpipe.core.jobspec import JobResult, JobSpec
    from localpipe.core.names import Identity
    from localpipe.core.tuning import Parameters

OPERATION = "CreateHyperParameterTuningJob"
_OBJECTIVE_PARAMETER = "_tuning_objective_metric"


def tuning_spec(request: JSON, *, job_name: str, identity: Identity, path: str = "$") -> TuningSpec:
    """The tuning job that a request with all values resolved asks for. `path` is the JSON path of the request.

    Without RandomSeed the seed is the job's name. Raises JobFailed for what `tuning_problems` finds.
    """
    require_none(tuning_problems(request, path), OPERATION)
    config, warm_start = request[CONFIG], request.get("WarmStartConfig", {})
    limits, strategy = config["ResourceLimits"], Strategy(config["Strategy"])
    return TuningSpec(
        job_name=job_name,
        identity=identity,
        strategy=strategy,
        definitions=training_definitions(request),
        max_trials=limits.get("MaxNumberOfTrainingJobs", _trials_unsaid(request, strategy)),
        max_parallel=limits["MaxParallelTrainingJobs"],
        max_runtime_seconds=limits.get("MaxRuntimeInSeconds"),
        seed=str(config.get("RandomSeed", job_name)),
        early_stopping=config.get("TrainingJobEarlyStoppingType") == "Auto",
        epochs=_epochs(request) if strategy is Strategy.HYPERBAND else None,
        completion=_completion(config.get("TuningJobCompletionCriteria", {})),
        parents=tuple(each["HyperParameterTuningJobName"] for each in warm_start.get("ParentHyperParameterTuningJobs", [])),
        transfer=warm_start.get("WarmStartType") == "TransferLearning",
    )


def _trials_unsaid(request: JSON, strategy: Strategy) -> int | None:
    """How many training jobs there are at most where that is not said; None: as many as the grid has."""
    return AUTOTUNED_TRIALS if request.get(AUTOTUNE) and strategy is not Strategy.GRID else None


def _epochs(request: JSON) -> Epochs:
    least, most = hyperband_epochs(request)
    return Epochs(least=least, most=most)


def _completion(criteria: JSON) -> Completion:
    return Completion(
        target=criteria.get("TargetObjectiveMetricValue"),
        not_improving=criteria.get("BestObjectiveNotImproving", {}).get("MaxNumberOfTrainingJobsNotImproving"),
        converged=criteria.get("ConvergenceDetected", {}).get("CompleteOnConvergence") == "Enabled",
    )


def trial_name(tuning_job: str, number: int) -> str:
    """The name of a training job: `<tuning job>-<NNN>-<8 hex>`. Follows: containers.md 4.4."""
    digest = hashlib.sha256(f"{tuning_job}/{number}".encode()).hexdigest()
    return f"{tuning_job}-{number:03}-{digest[:8]}"


def trial_request(spec: TuningSpec, definition: int, parameters: Parameters, job_name: str) -> JSON:
    """The CreateTrainingJob request of a trial: the definition's, with the hyperparameters of this trial.

    Each has checkpoints of its own, below the prefix of the request. UNVERIFIED: of the service it is not documented; trials
    that shared a prefix would take each other's for theirs.
    """
    wanted = spec.definitions[definition]
    static, checkpoints = wanted.request["HyperParameters"], wanted.request.get("CheckpointConfig")
    own = {"S3Uri": f"{checkpoints['S3Uri'].rstrip('/')}/{job_name}"} if checkpoints else {}
    return {
        **wanted.request,
        "HyperParameters": {**static, **parameters, _OBJECTIVE_PARAMETER: wanted.objective.metric},
        **({"CheckpointConfig": {**checkpoints, **own}} if checkpoints else {}),
    }


def trial_spec(spec: TuningSpec, request: JSON, job_name: str) -> JobSpec:
    """The training job of a trial's request."""
    return training_spec(request, job_name=job_name, identity=spec.identity)


def describe_trial(spec: TuningSpec, request: JSON, job: JobSpec, result: JobResult) -> JSON:
    """DescribeTrainingJob of a trial that ended: that of any training job, and whose it is."""
    return describe_training_job(request, job, result, spec.identity) | {"TuningJobArn": spec.job_arn}


def objective_in(description: JSON, metric: str) -> float | None:
    """The last value of the objective in DescribeTrainingJob; None if no line of the log gave one."""
    values = (each["Value"] for each in description.get("FinalMetricDataList", []) if each["MetricName"] == metric)
    return next(values, None)


def foreseen_trials(spec: TuningSpec) -> Iterator[JobSpec]:
    """A training job of each definition as it might be, to judge its images, inputs and outputs before any runs."""
    name = trial_name(spec.job_name, 1)
    for index, definition in enumerate(spec.definitions):
        parameters = {range_.name: first_value(range_) for range_ in definition.ranges}
        yield trial_spec(spec, trial_request(spec, index, parameters, name), name)

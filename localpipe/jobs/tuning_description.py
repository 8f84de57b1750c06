"""Tuning jobs: `TuningResult` → DescribeHyperParameterTuningJob response, with the summaries that pipelines add.

Follows: containers.md 4.5.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from localpipe.core.tuning import TrialStatus, TuningEnd, best_first
from localpipe.jobs.metrics import no_value_text
from localpipe.jobs.requests import echoed

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.core.tuning import Trial, TuningResult, TuningSpec

MOST_SUMMARIES = 50
_ECHOED = ("HyperParameterTuningJobConfig", "TrainingJobDefinition", "TrainingJobDefinitions", "WarmStartConfig", "Autotune")


def describe_tuning_job(request: JSON, spec: TuningSpec, result: TuningResult) -> JSON:
    """DescribeHyperParameterTuningJob of a tuning job that ended, and `TrainingJobSummaries`, the best first.

    OverallBestTrainingJob is of tuning jobs whose parents' training jobs count as theirs.
    """
    ranked = best_first(result.trials, spec.objective)
    counted = spec.parents and not spec.transfer
    overall = best_first((*result.trials, *result.parents), spec.objective) if counted else ()
    reason = failure_reason(spec, result)
    return {
        "HyperParameterTuningJobName": spec.job_name,
        "HyperParameterTuningJobArn": spec.job_arn,
        "HyperParameterTuningJobStatus": result.end.value,
        **({"FailureReason": reason} if reason else {}),
        **echoed(request, _ECHOED),
        "CreationTime": result.created_at,
        "HyperParameterTuningEndTime": result.ended_at,
        "LastModifiedTime": result.ended_at,
        "TrainingJobStatusCounters": _status_counters(result),
        "ObjectiveStatusCounters": {"Succeeded": len(ranked), "Pending": 0, "Failed": len(result.trials) - len(ranked)},
        **({"BestTrainingJob": _summary(spec, ranked[0])} if ranked else {}),
        **({"OverallBestTrainingJob": _summary(spec, overall[0])} if overall else {}),
        "TuningJobCompletionDetails": _completion_details(result),
        "ConsumedResources": {"RuntimeInSeconds": math.ceil(result.ended_at - result.created_at)},
        "TrainingJobSummaries": [_summary(spec, trial) for trial in ranked[:MOST_SUMMARIES]],
    }


def failure_reason(spec: TuningSpec, result: TuningResult) -> str:
    """The tuning job's FailureReason, empty unless it failed.

    The first sentences are the service's, recorded in public; with fewer attempts than five its words are not recorded.
    """
    if result.end is not TuningEnd.FAILED:
        return ""
    return (
        f"No training job succeeded after {max(len(result.trials), 1)} attempts. For additional details, please take a look "
        f"at the training job failures by listing training jobs for the hyperparameter tuning job.{_in_vain(spec, result)}"
    )


def _in_vain(spec: TuningSpec, result: TuningResult) -> str:
    """Of a tuning job without an objective: the first training job that failed at nothing else."""
    trials = sorted(result.trials, key=lambda trial: trial.number)
    trial = next((each for each in trials if each.status is TrialStatus.COMPLETED), None)
    if trial is None:
        return ""
    metric = spec.definitions[trial.definition].objective.metric
    return f" Job {trial.number} completed, but {no_value_text(trial.description, metric, trial.unread)}."


def _status_counters(result: TuningResult) -> JSON:
    """A training job that failed is not tried again: RetryStrategy was for that."""
    count = [trial.status for trial in result.trials].count
    return {
        "Completed": count(TrialStatus.COMPLETED),
        "InProgress": 0,
        "RetryableError": 0,
        "NonRetryableError": count(TrialStatus.FAILED),
        "Stopped": count(TrialStatus.STOPPED),
    }


def _completion_details(result: TuningResult) -> JSON:
    converged = result.converged_at
    return {
        "NumberOfTrainingJobsObjectiveNotImproving": result.not_improving,
        **({"ConvergenceDetectedTime": converged} if converged is not None else {}),
    }


def _summary(spec: TuningSpec, trial: Trial) -> JSON:
    """HyperParameterTrainingJobSummary of a trial that gave an objective; a parent's names its own tuning job."""
    definition, described = spec.definitions[trial.definition], trial.description
    kind = "Maximize" if definition.objective.maximize else "Minimize"
    return {
        **({"TrainingJobDefinitionName": definition.name} if definition.name else {}),
        **echoed(described, ("TrainingJobName", "TrainingJobArn")),
        "TuningJobName": trial.tuning_job,
        **echoed(described, ("CreationTime", "TrainingStartTime", "TrainingEndTime", "TrainingJobStatus")),
        "TunedHyperParameters": dict(trial.parameters),
        "FinalHyperParameterTuningJobObjectiveMetric": {
            "Type": kind,
            "MetricName": definition.objective.metric,
            "Value": trial.objective,
        },
        "ObjectiveStatus": "Succeeded",
    }

"""What becomes of each member of a CreateHyperParameterTuningJob request."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from localpipe.core.fidelity import Rule, Verdict
from localpipe.core.tuning import HALT_GRACE_SECONDS, Strategy
from localpipe.jobs.fidelity import NO_TAGS, NO_VOLUME, NOT_ENCRYPTED, approximated, below, exact, ignored, instance
from localpipe.jobs.training_fidelity import TRAINING_FIDELITY
from localpipe.jobs.tuning_autotune import AUTO, AUTOTUNE, AUTOTUNED_TRIALS, RULE

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.core.fidelity import Circumstances

_CONFIG = "HyperParameterTuningJobConfig"
_ONE, _SEVERAL = "TrainingJobDefinition", "TrainingJobDefinitions[*]"
_RANGE_MEMBERS = (
    *("IntegerParameterRanges[*].Name", "IntegerParameterRanges[*].MinValue", "IntegerParameterRanges[*].MaxValue"),
    *("ContinuousParameterRanges[*].Name", "ContinuousParameterRanges[*].MinValue", "ContinuousParameterRanges[*].MaxValue"),
    *("CategoricalParameterRanges[*].Name", "CategoricalParameterRanges[*].Values"),
)

OTHER_SEQUENCE = "The service documents no sequence of trials: these are others, chosen by the same strategy."
CHOSEN_SCALE = "The scale was chosen here: logarithmic for positive values over two orders of magnitude, else linear."
SHORT_GRACE = f"A training job that was stopped early had at most {HALT_GRACE_SECONDS:g} seconds to end, not 120."
OTHER_STOPS = (
    "Training jobs were stopped by the rule that is documented; the service has more conditions of its own. " + SHORT_GRACE
)
OTHER_CONVERGENCE = (
    "Ten training jobs in a row without an improvement counted as convergence; the service has its own criteria."
)
FIRST_INSTANCES = "The first instance type was taken, on this machine."
CHOSEN_RANGES = f"The service does not tell how it chooses ranges. Here: {RULE}."
NOTHING_CHOSEN = (
    "What the request says was done, and what it leaves out has its default: nothing else was chosen. "
    f"Without MaxNumberOfTrainingJobs there were at most {AUTOTUNED_TRIALS} training jobs."
)
OTHER_PRIOR = "What the parents' training jobs gave was taken into account as it stands."

_NOT_IN_DEFINITIONS = (
    *("TrainingJobName", "HyperParameters", "AlgorithmSpecification.ContainerEntrypoint"),
    *("AlgorithmSpecification.ContainerArguments", "AlgorithmSpecification.EnableSageMakerMetricsTimeSeries"),
    *("AlgorithmSpecification.TrainingImageConfig", "DebugHookConfig", "DebugRuleConfigurations", "ProfilerConfig"),
    *("ProfilerRuleConfigurations", "TensorBoardOutputConfig", "RemoteDebugConfig.EnableRemoteDebug"),
    *("InfraCheckConfig.EnableInfraCheck", "SessionChainingConfig.EnableSessionTagChaining", "Tags", "ExperimentConfig"),
    *("MlflowConfig", "ModelPackageConfig"),
)
"""What a CreateTrainingJob request has and a definition has not."""


def _fewer_trials(value: JSON, run: Circumstances) -> str:
    if run.max_trials is None or not isinstance(value, int) or value <= run.max_trials:
        return ""
    return f"`max_trials` left {run.max_trials} of {value} training jobs."


def _chosen_scale(value: JSON, run: Circumstances) -> str:
    del run
    return CHOSEN_SCALE if value == "Auto" else ""


def _ranges(place: str) -> tuple[Rule, ...]:
    return (
        *exact(*below(place, *_RANGE_MEMBERS)),
        approximated(f"{place}.{AUTO}", CHOSEN_RANGES),
        *(
            Rule(
                member=f"{place}.{kind}[*].ScalingType",
                verdict=Verdict.APPROXIMATED,
                told=f"`Auto`: {CHOSEN_SCALE}",
                note=_chosen_scale,
            )
            for kind in ("IntegerParameterRanges", "ContinuousParameterRanges")
        ),
    )


def _definition(place: str) -> tuple[Rule, ...]:
    """A definition: what becomes of a training job's request, and what it has besides."""
    flexible = f"{place}.HyperParameterTuningResourceConfig"
    return (
        *(
            replace(rule, member=f"{place}.{rule.member}")
            for rule in TRAINING_FIDELITY
            if rule.member not in _NOT_IN_DEFINITIONS
        ),
        *exact(*below(place, "DefinitionName", "StaticHyperParameters", "TuningObjective")),
        *_ranges(f"{place}.HyperParameterRanges"),
        instance(f"{flexible}.InstanceType"),
        *exact(f"{flexible}.InstanceCount"),
        approximated(f"{flexible}.VolumeSizeInGB", NO_VOLUME),
        approximated(f"{flexible}.VolumeKmsKeyId", NOT_ENCRYPTED),
        ignored(f"{flexible}.AllocationStrategy", FIRST_INSTANCES),
        approximated(f"{flexible}.InstanceConfigs", FIRST_INSTANCES),
    )


TUNING_FIDELITY: tuple[Rule, ...] = (
    *exact(
        "HyperParameterTuningJobName",
        *below(
            _CONFIG,
            *("StrategyConfig", "HyperParameterTuningJobObjective", "RandomSeed"),
            *("ResourceLimits.MaxParallelTrainingJobs", "ResourceLimits.MaxRuntimeInSeconds"),
            *(
                "TuningJobCompletionCriteria.TargetObjectiveMetricValue",
                "TuningJobCompletionCriteria.BestObjectiveNotImproving",
            ),
        ),
    ),
    Rule(
        member=f"{_CONFIG}.Strategy",
        verdict=Verdict.APPROXIMATED,
        told=f"{OTHER_SEQUENCE} `Hyperband`: {SHORT_GRACE}",
        note=lambda value, _: f"{OTHER_SEQUENCE} {SHORT_GRACE}" if value == Strategy.HYPERBAND.value else OTHER_SEQUENCE,
    ),
    Rule(
        member=f"{_CONFIG}.ResourceLimits.MaxNumberOfTrainingJobs",
        verdict=Verdict.APPROXIMATED,
        told="With `max_trials`: no more training jobs than that. Else exact.",
        note=_fewer_trials,
    ),
    Rule(
        member=f"{_CONFIG}.TrainingJobEarlyStoppingType",
        verdict=Verdict.APPROXIMATED,
        told=f"`Auto`: {OTHER_STOPS}",
        note=lambda value, _: OTHER_STOPS if value == "Auto" else "",
    ),
    approximated(f"{_CONFIG}.TuningJobCompletionCriteria.ConvergenceDetected", OTHER_CONVERGENCE),
    *_ranges(f"{_CONFIG}.ParameterRanges"),
    *_definition(_ONE),
    *_definition(_SEVERAL),
    approximated("WarmStartConfig", OTHER_PRIOR),
    approximated(AUTOTUNE, NOTHING_CHOSEN),
    ignored("Tags", NO_TAGS),
)

"""CreateHyperParameterTuningJob requests: what is refused, and the tuning job that they ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tuning_support import categorical, continuous, integer, ranges, training_definition, tuning_request

from localpipe.core.names import Identity
from localpipe.core.tuning import CategoricalRange, Completion, ContinuousRange, Epochs, IntegerRange, Scaling, Strategy
from localpipe.errors import JobFailed
from localpipe.jobs.tuning import foreseen_trials, trial_name, trial_request, trial_spec, tuning_spec
from localpipe.jobs.tuning_problems import tuning_problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from localpipe.core import JSON
    from localpipe.core.tuning import TuningSpec

IDENTITY = Identity(account="111122223333", region="us-east-1", role_arn="arn:aws:iam::111122223333:role/test")


def problems(request: JSON) -> list[str]:
    return [str(problem) for problem in tuning_problems(request, "$")]


def spec_of(request: JSON) -> TuningSpec:
    return tuning_spec(request, job_name="tune", identity=IDENTITY)


def hyperband(config: JSON = None, **static: str) -> JSON:
    definition = training_definition(StaticHyperParameters=static)
    return tuning_request(strategy="Hyperband", config=config, TrainingJobDefinition=definition)


@pytest.mark.documented
def test_what_the_sdk_sends_is_understood(sdk_request: Callable[[str], JSON]) -> None:
    spec = spec_of(sdk_request("v2_tuner"))
    assert (spec.strategy, spec.max_trials, spec.max_parallel, spec.seed) == (Strategy.RANDOM, 5, 2, "3")
    assert spec.early_stopping
    assert spec.completion == Completion(target=0.1, not_improving=4)
    (definition,) = spec.definitions
    assert definition.ranges == (
        IntegerRange(name="max_depth", low=2, high=9),
        ContinuousRange(name="eta", low=0.01, high=0.5, scaling=Scaling.LOGARITHMIC),
        CategoricalRange(name="booster", values=("gbtree", "dart")),
    )
    assert definition.request["ResourceConfig"] == {
        "InstanceType": "ml.m5.xlarge",
        "InstanceCount": 1,
        "VolumeSizeInGB": 30,
    }
    several = spec_of(sdk_request("v2_tuner_of_several"))
    assert [(each.name, [range_.name for range_ in each.ranges]) for each in several.definitions] == [
        ("deep", ["max_depth"]),
        ("flat", ["max_depth", "eta"]),
    ]
    assert several.seed == "tune"


@pytest.mark.documented
def test_a_training_job_has_the_static_the_tuned_and_the_objectives_name() -> None:
    definition = training_definition(
        StaticHyperParameters={"epochs": "3"}, CheckpointConfig={"S3Uri": "s3://bucket/checkpoints/"}
    )
    spec = spec_of(tuning_request(TrainingJobDefinition=definition, Tags=[{"Key": "a", "Value": "b"}]))
    name = trial_name("tune", 12)
    assert name[:9] == "tune-012-"
    assert len(name) == 17
    request = trial_request(spec, 0, {"x": "0.5"}, name)
    assert request["HyperParameters"] == {"epochs": "3", "x": "0.5", "_tuning_objective_metric": "loss"}
    assert request["CheckpointConfig"] == {"S3Uri": f"s3://bucket/checkpoints/{name}"}
    assert request["Tags"] == [{"Key": "a", "Value": "b"}]
    outputs = {output.name: str(output.uri) for output in trial_spec(spec, request, name).outputs}
    assert f"s3://bucket/models/{name}/output/model.tar.gz" in outputs.values()


def test_of_several_instance_types_the_first_is_taken() -> None:
    flexible = {
        "AllocationStrategy": "Prioritized",
        "InstanceConfigs": [
            {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
            {"InstanceType": "ml.c5.large", "InstanceCount": 2, "VolumeSizeInGB": 20},
        ],
    }
    definition = training_definition(HyperParameterTuningResourceConfig=flexible)
    del definition["ResourceConfig"]
    (job,) = foreseen_trials(spec_of(tuning_request(TrainingJobDefinition=definition)))
    assert [host.instance_type for host in job.hosts] == ["ml.m5.large"]


@pytest.mark.parametrize("junk", [True, 2, "x", ["x"]])
def test_what_has_not_its_form_is_left_to_the_check_of_forms(junk: JSON) -> None:
    of_static = tuning_request(TrainingJobDefinition=training_definition(StaticHyperParameters=junk))
    flexible = {"HyperParameterTuningResourceConfig": {"InstanceConfigs": junk}}
    definition = training_definition(**flexible)
    del definition["ResourceConfig"]
    assert problems(of_static) == []
    place = "$.TrainingJobDefinition.ResourceConfig"
    assert {text.partition(":")[0] for text in problems(tuning_request(TrainingJobDefinition=definition))} == {place}


@pytest.mark.assumed
@pytest.mark.parametrize(
    ("low", "high", "scaling"),
    [("1", "100", Scaling.LOGARITHMIC), ("1", "99", Scaling.LINEAR), ("0", "1000", Scaling.LINEAR)],
)
def test_an_automatic_scale_is_logarithmic_over_two_orders_of_magnitude(low: str, high: str, scaling: Scaling) -> None:
    given = ranges(continuous=[continuous("x", low, high, ScalingType="Auto")])
    (range_,) = spec_of(tuning_request(ranges=given)).definitions[0].ranges
    assert isinstance(range_, ContinuousRange)
    assert range_.scaling is scaling


@pytest.mark.documented
def test_hyperband_takes_its_epochs_from_the_request_or_the_static_hyperparameters() -> None:
    resources = {"StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 2, "MaxResource": 20}}}
    assert spec_of(hyperband(resources)).epochs == Epochs(least=2, most=20)
    assert spec_of(hyperband(n_epochs="27")).epochs == Epochs(least=1, most=27)
    assert spec_of(hyperband(epochs='"27"')).epochs == Epochs(least=1, most=27)


def test_a_request_that_is_refused_says_so_in_the_services_words() -> None:
    with pytest.raises(JobFailed) as refused:
        spec_of(tuning_request(ranges=ranges()))
    assert str(refused.value) == (
        "Failed to invoke sagemaker:CreateHyperParameterTuningJob. Error Details: "
        "$.HyperParameterTuningJobConfig.ParameterRanges: It has no range. Give at least one hyperparameter a range."
    )


CONFIG = "$.HyperParameterTuningJobConfig"


@pytest.mark.documented
@pytest.mark.parametrize(
    ("range_", "problem"),
    [
        (continuous("x", "one", "2"), "[0].MinValue: 'one' is not a number."),
        (continuous("x", "3", "2"), "[0].MinValue: 3 is more than MaxValue (2)."),
        (
            continuous("x", "0", "2", ScalingType="Logarithmic"),
            "[0].ScalingType: Logarithmic scaling needs a MinValue greater than 0. Use Linear or Auto.",
        ),
        (
            continuous("x", "0", "1", ScalingType="ReverseLogarithmic"),
            "[0].ScalingType: ReverseLogarithmic scaling needs values from 0 to less than 1. Use Linear or Auto.",
        ),
    ],
)
def test_a_range_that_cannot_be_is_refused(range_: JSON, problem: str) -> None:
    found = problems(tuning_request(ranges=ranges(continuous=[range_])))
    assert found == [f"{CONFIG}.ParameterRanges.ContinuousParameterRanges{problem}"]


@pytest.mark.documented
@pytest.mark.parametrize(
    ("range_", "problem"),
    [
        (integer("x", "1.5", "2"), "[0].MinValue: '1.5' is not a whole number."),
        (
            integer("x", "1", "2", ScalingType="ReverseLogarithmic"),
            "[0].ScalingType: ReverseLogarithmic scaling is for continuous ranges. Use Linear or Auto.",
        ),
    ],
)
def test_a_range_of_whole_numbers_that_cannot_be_is_refused(range_: JSON, problem: str) -> None:
    found = problems(tuning_request(ranges=ranges(integers=[range_])))
    assert found == [f"{CONFIG}.ParameterRanges.IntegerParameterRanges{problem}"]


def test_bounds_that_are_expressions_are_judged_when_they_have_values() -> None:
    range_ = {"Name": "x", "MinValue": {"Get": "Parameters.Low"}, "MaxValue": "1"}
    assert problems(tuning_request(ranges=ranges(continuous=[range_]))) == []


def test_a_hyperparameter_is_tuned_once_and_not_static_too() -> None:
    given = ranges(continuous=[continuous("x", "0", "1")], categories=[categorical("x", "a")])
    assert problems(tuning_request(ranges=given)) == [
        (
            f"{CONFIG}.ParameterRanges.CategoricalParameterRanges[0].Name: 'x' has more than one range. "
            "Give each hyperparameter one."
        )
    ]
    assert problems(tuning_request(TrainingJobDefinition=training_definition(StaticHyperParameters={"x": "1"}))) == [
        "$.TrainingJobDefinition.StaticHyperParameters.x: The hyperparameter has a range, too. Leave it out of one of them."
    ]


@pytest.mark.documented
def test_a_grid_has_categories_alone_and_as_many_training_jobs_as_combinations() -> None:
    grid = ranges(categories=[categorical("x", "a", "b"), categorical("y", "1", "2", "3")])
    assert problems(tuning_request(strategy="Grid", jobs=None, ranges=grid)) == []
    assert problems(tuning_request(strategy="Grid", jobs=6, ranges=grid)) == []
    assert problems(tuning_request(strategy="Grid", jobs=5, ranges=grid)) == [
        (
            f"{CONFIG}.ResourceLimits.MaxNumberOfTrainingJobs: 5 is not the size of the grid (6). "
            "Leave it out, or write the size."
        )
    ]
    assert problems(tuning_request(strategy="Grid", jobs=None)) == [
        (
            f"{CONFIG}.ParameterRanges.ContinuousParameterRanges: The Grid strategy takes categorical ranges alone. "
            "Write its values as CategoricalParameterRanges."
        )
    ]


@pytest.mark.documented
def test_other_strategies_need_a_number_of_training_jobs() -> None:
    missing = f"{CONFIG}.ResourceLimits: MaxNumberOfTrainingJobs is missing."
    assert problems(tuning_request(jobs=None)) == [missing]
    assert problems(tuning_request(strategy="Bayesian", jobs=None)) == [missing]


@pytest.mark.documented
def test_hyperband_needs_epochs_and_no_early_stopping() -> None:
    place = f"{CONFIG}.StrategyConfig.HyperbandStrategyConfig"
    assert problems(hyperband()) == [
        (
            f"{place}: MaxResource is missing. "
            "Add it, or a static hyperparameter epochs, numepochs, n-epochs, n_epochs, num_epochs."
        )
    ]
    assert problems(hyperband({"TrainingJobEarlyStoppingType": "Auto"}, epochs="9")) == [
        f"{CONFIG}.TrainingJobEarlyStoppingType: Hyperband stops training jobs by itself: it must be Off."
    ]
    backwards = {"StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 9, "MaxResource": 3}}}
    assert problems(hyperband(backwards)) == [f"{place}.MinResource: 9 is more than MaxResource (3)."]
    assert problems(tuning_request(config=backwards)) == [
        f"{CONFIG}.StrategyConfig: StrategyConfig is for Hyperband only. Leave it out."
    ]


def test_the_objective_must_be_a_metric_that_lines_can_give() -> None:
    config = {"HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "los"}}
    assert problems(tuning_request(config=config)) == [
        (
            f"{CONFIG}.HyperParameterTuningJobObjective.MetricName: No metric definition is named 'los'. Those are loss. "
            "Add its name and regular expression to AlgorithmSpecification.MetricDefinitions."
        )
    ]


def test_a_metric_that_cannot_be_read_is_refused() -> None:
    definition = training_definition()
    definition["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": "loss=("}]
    assert problems(tuning_request(TrainingJobDefinition=definition)) == [
        (
            "$.TrainingJobDefinition.AlgorithmSpecification.MetricDefinitions[0].Regex: 'loss=(' is not a regular "
            "expression: missing ), unterminated subpattern at position 5."
        )
    ]


def test_an_objective_whose_expression_has_no_group_is_refused() -> None:
    definition = training_definition()
    metrics = [{"Name": "loss", "Regex": "loss=[0-9.]+"}, {"Name": "seen", "Regex": "epoch"}]
    definition["AlgorithmSpecification"]["MetricDefinitions"] = metrics
    assert problems(tuning_request(TrainingJobDefinition=definition)) == [
        (
            f"{CONFIG}.HyperParameterTuningJobObjective.MetricName: The expression of the metric 'loss', "
            "'loss=[0-9.]+', has no group, so no line gives a value. Put the number in parentheses, as in "
            "'loss=([0-9.]+)'."
        )
    ]


@pytest.mark.documented
def test_definitions_are_one_or_several() -> None:
    both = tuning_request(TrainingJobDefinitions=[training_definition(DefinitionName="a")])
    assert problems(both)[0] == "$: It needs either TrainingJobDefinition or TrainingJobDefinitions; both are there."
    objective = {"Type": "Minimize", "MetricName": "loss"}
    misplaced = training_definition(TuningObjective=objective)
    assert problems(tuning_request(TrainingJobDefinition=misplaced)) == [
        (
            "$.TrainingJobDefinition.TuningObjective: With this form of definitions it stands in "
            "HyperParameterTuningJobConfig. Move it there."
        )
    ]


def test_what_is_wrong_with_the_training_jobs_is_said_at_its_place() -> None:
    definition = training_definition(OutputDataConfig={"S3OutputPath": "/models"})
    assert problems(tuning_request(TrainingJobDefinition=definition)) == [
        "$.TrainingJobDefinition.OutputDataConfig.S3OutputPath: '/models' is not an S3 URI (s3://bucket/key)."
    ]
    del definition["ResourceConfig"]
    assert (
        "$.TrainingJobDefinition: It needs either ResourceConfig or HyperParameterTuningResourceConfig; neither is there."
        in problems(tuning_request(TrainingJobDefinition=definition))
    )

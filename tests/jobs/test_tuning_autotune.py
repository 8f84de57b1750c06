"""AutoParameters and Autotune: what is tuned of hyperparameters of which only an example is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tuning_support import X, categorical, ranges, training_definition, tuning_request

from localpipe.core.names import Identity
from localpipe.core.tuning import ContinuousRange, IntegerRange, Scaling
from localpipe.jobs.tuning import foreseen_trials, tuning_spec
from localpipe.jobs.tuning_problems import tuning_problems

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.core.tuning import Range, TuningSpec

PLACE = "$.HyperParameterTuningJobConfig.ParameterRanges.AutoParameters"
AUTOTUNE = {"Mode": "Enabled"}


def auto(**hints: JSON) -> JSON:
    return {"AutoParameters": [{"Name": name, "ValueHint": hint} for name, hint in hints.items()]}


def spec_of(request: JSON) -> TuningSpec:
    identity = Identity(account="111122223333", region="us-east-1", role_arn="arn:aws:iam::111122223333:role/test")
    return tuning_spec(request, job_name="tune", identity=identity)


def ranges_around(**hints: str) -> tuple[Range, ...]:
    return spec_of(tuning_request(ranges=auto(**hints))).definitions[0].ranges


def problems(request: JSON) -> list[str]:
    return [str(problem) for problem in tuning_problems(request, "$")]


@pytest.mark.parametrize(
    ("hint", "low", "high"), [("10", 5, 20), ("1", 1, 2), ("7", 3, 14), ("-4", -8, -2), ('"10"', 5, 20)]
)
def test_a_whole_number_gets_a_range_from_half_to_twice(hint: str, low: int, high: int) -> None:
    assert ranges_around(depth=hint) == (IntegerRange(name="depth", low=low, high=high),)


@pytest.mark.parametrize(
    ("hint", "low", "high"), [("20.0", 2.0, 200.0), ("0.5", 0.05, 1.0), ("1e-3", 1e-4, 1e-2), ("1.0", 0.1, 1.0)]
)
def test_a_fraction_gets_a_logarithmic_range_and_a_share_stays_one(hint: str, low: float, high: float) -> None:
    (found,) = ranges_around(rate=hint)
    assert found == ContinuousRange(
        name="rate", low=pytest.approx(low), high=pytest.approx(high), scaling=Scaling.LOGARITHMIC
    )


def test_a_negative_fraction_gets_a_linear_range() -> None:
    assert ranges_around(bias="-2.0") == (ContinuousRange(name="bias", low=-20.0, high=-0.2),)


@pytest.mark.parametrize("hint", ["0", "0.0", "adam", '"adam"', "true", "nan", "inf", "1e-323", "1e308", ""])
def test_what_gives_no_range_is_what_every_training_job_has(hint: str) -> None:
    (definition,) = spec_of(tuning_request(ranges=X | auto(other=hint))).definitions
    assert [each.name for each in definition.ranges] == ["x"]
    assert definition.request["HyperParameters"] == {"other": hint}


def test_settings_of_the_sdk_are_never_tuned() -> None:
    given = {"rate": "0.1", "sagemaker_container_log_level": "20", "sagemaker_program": '"train.py"', "_kfold": "5"}
    spec = spec_of(tuning_request(ranges=auto(**given)))
    assert [each.name for each in spec.definitions[0].ranges] == ["rate"]
    (job,) = foreseen_trials(spec)
    assert job.hosts[0].files
    assert spec.definitions[0].request["HyperParameters"] == {name: value for name, value in given.items() if name != "rate"}


def test_each_definition_has_hints_of_its_own() -> None:
    objective = {"Type": "Minimize", "MetricName": "loss"}
    several = [
        training_definition(DefinitionName=name, TuningObjective=objective, HyperParameterRanges=auto(depth=hint))
        for name, hint in (("deep", "10"), ("flat", "2"))
    ]
    request = tuning_request(ranges=None, TrainingJobDefinitions=several)
    del request["TrainingJobDefinition"]
    del request["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
    assert [each.ranges for each in spec_of(request).definitions] == [
        (IntegerRange(name="depth", low=5, high=20),),
        (IntegerRange(name="depth", low=1, high=4),),
    ]


def test_hints_of_which_none_gives_a_range_are_refused() -> None:
    assert problems(tuning_request(ranges=auto(optimizer="adam"), Autotune=AUTOTUNE)) == [
        (
            f"{PLACE}: None of the AutoParameters has a number for a ValueHint, so none gets a range. "
            "Give at least one hyperparameter a range."
        )
    ]
    assert problems(tuning_request(ranges=auto(rate={"Get": "Parameters.Rate"}))) == []


def test_a_hyperparameter_is_in_one_place() -> None:
    definition = training_definition(StaticHyperParameters={"x": "1"})
    twice = X | auto(x="0.1")
    assert problems(tuning_request(ranges=twice, TrainingJobDefinition=definition)) == [
        f"{PLACE}[0].Name: 'x' has more than one range. Give each hyperparameter one.",
        "$.TrainingJobDefinition.StaticHyperParameters.x: The hyperparameter has a range, too. Leave it out of one of them.",
    ]


def test_the_grid_takes_no_hint_that_gives_a_range() -> None:
    categories = ranges(categories=[categorical("booster", "a", "b")])
    grid = tuning_request(strategy="Grid", jobs=None, ranges=categories | auto(rate="0.1", kind="tree"), Autotune=AUTOTUNE)
    assert problems(grid) == [
        (
            f"{PLACE}[0]: The Grid strategy takes categorical ranges alone; rate would get a range of numbers. "
            "Write its values as CategoricalParameterRanges."
        )
    ]
    fine = spec_of(tuning_request(strategy="Grid", jobs=None, ranges=categories | auto(kind="tree"), Autotune=AUTOTUNE))
    assert fine.max_trials is None


def test_autotune_says_how_many_training_jobs_there_are_where_the_request_does_not() -> None:
    assert spec_of(tuning_request(jobs=None, Autotune=AUTOTUNE)).max_trials == 20
    assert spec_of(tuning_request(jobs=3, Autotune=AUTOTUNE)).max_trials == 3
    assert spec_of(tuning_request(strategy="Bayesian", jobs=None, Autotune=AUTOTUNE)).early_stopping is False

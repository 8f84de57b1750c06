from __future__ import annotations

import pytest
from localpipe_xgboost import hyperparameters
from localpipe_xgboost.errors import UserError


def test_strings_become_what_xgboost_takes() -> None:
    settings = hyperparameters.read(
        {
            "num_round": "50",
            "objective": "reg:linear",
            "eta": "0.2",
            "max_depth": "5",
            "silent": "0",
            "sagemaker_region": '"us-east-1"',
        }
    )
    assert settings == hyperparameters.Settings(
        num_round=50,
        parameters={"objective": "reg:linear", "eta": 0.2, "max_depth": 5, "silent": 0},
        metrics=(),
        early_stopping_rounds=None,
        csv_weights=False,
    )


def test_values_that_the_sdk_quoted_as_json_are_taken() -> None:
    settings = hyperparameters.read({"num_round": '"50"', "objective": '"binary:logistic"'})
    assert (settings.num_round, settings.parameters) == (50, {"objective": "binary:logistic"})


def test_metrics_are_a_list_and_the_metric_of_a_tuning_job_joins_them() -> None:
    given = {"num_round": "1", "eval_metric": "rmse, mae", "_tuning_objective_metric": "validation:r2"}
    assert hyperparameters.read(given).metrics == ("rmse", "mae", "r2")


def test_stopping_and_weights_do_not_go_to_xgboost() -> None:
    settings = hyperparameters.read({"num_round": "9", "early_stopping_rounds": "3", "csv_weights": "1"})
    assert (settings.early_stopping_rounds, settings.csv_weights, settings.parameters) == (3, True, {})


def test_other_names_of_a_hyperparameter_are_taken() -> None:
    given = {"num_round": "1", "learning_rate": "0.3", "reg_alpha": "1", "reg_lambda": "2", "min_split_loss": "3"}
    assert hyperparameters.read(given).parameters == {"eta": 0.3, "alpha": 1.0, "lambda": 2.0, "gamma": 3.0}


def test_what_does_not_change_the_model_is_taken_and_not_passed_on() -> None:
    given = {"num_round": "1", "predictor": "cpu_predictor", "save_model_on_termination": "true", "prob_buffer_row": "2"}
    assert hyperparameters.read(given).parameters == {}


def test_ranges_begin_where_those_of_the_aws_image_do() -> None:
    assert hyperparameters.read({"num_round": "1", "max_bin": "0"}).parameters == {"max_bin": 0}


def test_every_problem_is_reported_at_once() -> None:
    given = {
        "eta": "fast",
        "max_depth": "2.5",
        "subsample": "1.5",
        "gamma": "-1",
        "booster": "tree",
        "tree_depth": "3",
        "_kfold": "5",
        "objective": "multi:softmax",
    }
    with pytest.raises(UserError) as raised:
        hyperparameters.read(given)
    assert str(raised.value).splitlines() == [
        "Hyperparameter eta: 'fast' is not a number.",
        "Hyperparameter max_depth: '2.5' is not an integer.",
        "Hyperparameter subsample: '1.5' is not between 0 and 1.",
        "Hyperparameter gamma: '-1' is not 0 or more.",
        "Hyperparameter booster: 'tree' is not one of gbtree, gblinear, dart.",
        "Extraneous hyperparameter found: tree_depth.",
        "Hyperparameter _kfold: cross-validation inside one job is not supported by localpipe's stand-in.",
        "Missing required hyperparameter: num_round.",
        "Missing required hyperparameter: num_class (objective multi:softmax needs it).",
    ]

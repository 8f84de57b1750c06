"""PURE: the hyperparameters of the built-in algorithm, from the request's strings to what XGBoost takes.

Names and ranges follow the Developer Guide, "XGBoost hyperparameters", and what AWS's image takes beyond it. Every problem
is reported at once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from localpipe_xgboost.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Value = Union[int, float, str, "list[str]"]
_INFINITY = float("inf")


@dataclass(frozen=True)
class Rule:
    """What one hyperparameter takes. `kind` is int, float or str; `low` and `high` are inclusive; no choices: any text."""

    kind: type
    low: float = -_INFINITY
    high: float = _INFINITY
    choices: tuple[str, ...] = ()
    is_list: bool = False

    def read(self, text: str) -> Value:
        """The typed value. Raises ValueError, saying what is taken, for anything else."""
        if self.is_list:
            return [part.strip() for part in text.split(",") if part.strip()]
        if self.kind is str:
            if self.choices and text not in self.choices:
                raise ValueError(f"one of {', '.join(self.choices)}")
            return text
        value = self._number(text)
        if not self.low <= value <= self.high:
            raise ValueError(self._range())
        return value

    def _number(self, text: str) -> float | int:
        try:
            return int(text) if self.kind is int else float(text)
        except ValueError:
            raise ValueError("an integer" if self.kind is int else "a number") from None

    def _range(self) -> str:
        if self.high == _INFINITY:
            return f"{self.low:g} or more"
        return f"between {self.low:g} and {self.high:g}"


@dataclass(frozen=True)
class Settings:
    """What a training run is asked to do. `parameters` go to XGBoost as they are.

    `metrics` are evaluated in this order, none: XGBoost's own for the objective. `early_stopping_rounds` None: never.
    """

    num_round: int
    parameters: Mapping[str, Value]
    metrics: tuple[str, ...]
    early_stopping_rounds: int | None
    csv_weights: bool


_ANY = Rule(float)
_POSITIVE = Rule(float, 0)
_FRACTION = Rule(float, 0, 1)
_COUNT = Rule(int, 0)
_FLAG = Rule(int, 0, 1)
_TEXT = Rule(str)

_RULES: Mapping[str, Rule] = {
    "num_round": Rule(int, 1),
    "csv_weights": _FLAG,
    "early_stopping_rounds": Rule(int, 1),
    "booster": Rule(str, choices=("gbtree", "gblinear", "dart")),
    "verbosity": Rule(int, 0, 3),
    "silent": _FLAG,
    "nthread": Rule(int, 1),
    "seed": Rule(int),
    "objective": _TEXT,
    "eval_metric": Rule(str, is_list=True),
    "base_score": _ANY,
    "num_class": Rule(int, 2),
    "eta": _FRACTION,
    "gamma": _POSITIVE,
    "max_depth": _COUNT,
    "min_child_weight": _POSITIVE,
    "max_delta_step": _POSITIVE,
    "subsample": _FRACTION,
    "sampling_method": Rule(str, choices=("uniform", "gradient_based")),
    "colsample_bytree": _FRACTION,
    "colsample_bylevel": _FRACTION,
    "colsample_bynode": _FRACTION,
    "lambda": _POSITIVE,
    "alpha": _POSITIVE,
    "lambda_bias": _FRACTION,
    "tree_method": Rule(str, choices=("auto", "exact", "approx", "hist")),
    "sketch_eps": _FRACTION,
    "scale_pos_weight": _POSITIVE,
    "updater": _TEXT,
    "dsplit": Rule(str, choices=("row", "col")),
    "refresh_leaf": _FLAG,
    "process_type": Rule(str, choices=("default", "update")),
    "grow_policy": Rule(str, choices=("depthwise", "lossguide")),
    "max_leaves": _COUNT,
    "max_bin": _COUNT,
    "predictor": Rule(str, choices=("auto", "cpu_predictor", "gpu_predictor")),
    "prob_buffer_row": Rule(int, 2),
    "num_parallel_tree": Rule(int, 1),
    "monotone_constraints": _TEXT,
    "interaction_constraints": _TEXT,
    "single_precision_histogram": Rule(str, choices=("true", "false")),
    "deterministic_histogram": Rule(str, choices=("true", "false")),
    "sample_type": Rule(str, choices=("uniform", "weighted")),
    "normalize_type": Rule(str, choices=("tree", "forest")),
    "rate_drop": _FRACTION,
    "one_drop": _FLAG,
    "skip_drop": _FRACTION,
    "feature_selector": Rule(str, choices=("cyclic", "shuffle", "random", "greedy", "thrifty")),
    "top_k": _COUNT,
    "tweedie_variance_power": Rule(float, 1, 2),
    "huber_slope": _ANY,
    "aft_loss_distribution": Rule(str, choices=("normal", "logistic", "extreme")),
    "aft_loss_distribution_scale": _POSITIVE,
    "save_model_on_termination": Rule(str, choices=("true", "false")),
}
_ALIASES = {"learning_rate": "eta", "min_split_loss": "gamma", "reg_alpha": "alpha", "reg_lambda": "lambda"}
_OURS = ("num_round", "csv_weights", "early_stopping_rounds", "eval_metric")
_WITHOUT_EFFECT = ("predictor", "prob_buffer_row", "save_model_on_termination")  # on the model of a job that ends by itself
_FRAMEWORK_PREFIX = "sagemaker_"
_TUNING_METRIC = "_tuning_objective_metric"
_UNSUPPORTED = {
    "_kfold": "cross-validation inside one job",
    "_num_cv_round": "cross-validation inside one job",
    "use_dask_gpu_training": "training on GPUs",
}


def read(strings: Mapping[str, str]) -> Settings:
    """Check and type the request's hyperparameters. Raises UserError with every problem, one a line."""
    given = {name: plain(text) for name, text in strings.items() if not name.startswith(_FRAMEWORK_PREFIX)}
    own = {_ALIASES.get(name, name): text for name, text in given.items()}
    tuned = own.pop(_TUNING_METRIC, "")
    values: dict[str, Value] = {}
    problems = []
    for name, text in own.items():
        try:
            values[name] = _value(name, text)
        except UserError as error:  # noqa: PERF203 - every problem is wanted
            problems.append(str(error))
    problems += _missing(values, own)
    if problems:
        raise UserError("\n".join(problems))
    return _settings(values, tuned)


def plain(text: str) -> str:
    """The text of a value that may be a JSON string in a string, as the SDK's framework classes write it."""
    try:
        decoded = json.loads(text)
    except ValueError:
        return text
    return decoded if isinstance(decoded, str) else text


def _value(name: str, text: str) -> Value:
    if name in _UNSUPPORTED:
        raise UserError(f"Hyperparameter {name}: {_UNSUPPORTED[name]} is not supported by localpipe's stand-in.")
    if name not in _RULES:
        raise UserError(f"Extraneous hyperparameter found: {name}.")
    try:
        return _RULES[name].read(text)
    except ValueError as error:
        raise UserError(f"Hyperparameter {name}: {text!r} is not {error}.") from None


def _missing(values: Mapping[str, Value], given: Mapping[str, str]) -> Iterator[str]:
    if "num_round" not in given:
        yield "Missing required hyperparameter: num_round."
    if str(values.get("objective", "")).startswith("multi:") and "num_class" not in given:
        yield f"Missing required hyperparameter: num_class (objective {values['objective']} needs it)."


def _settings(values: Mapping[str, Value], tuned: str) -> Settings:
    listed = values.get("eval_metric", [])
    metrics = list(listed) if isinstance(listed, list) else [str(listed)]
    wanted = tuned.rpartition(":")[2]  # `validation:rmse`: what the tuning job optimises must be printed
    if wanted and wanted not in metrics:
        metrics.append(wanted)
    stopping = values.get("early_stopping_rounds")
    return Settings(
        num_round=int(str(values["num_round"])),
        parameters={name: value for name, value in values.items() if name not in (*_OURS, *_WITHOUT_EFFECT)},
        metrics=tuple(metrics),
        early_stopping_rounds=None if stopping is None else int(str(stopping)),
        csv_weights=values.get("csv_weights") == 1,
    )

"""Metric definitions of training jobs: the request's, or the ones that a built-in algorithm brings along."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localpipe.core.jobspec import MetricDefinition
from localpipe.errors import Problem
from localpipe.jobs.members import texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpipe.core import JSON

# The XGBoost algorithm's evaluation metrics; each is logged for the channels train and validation.
_XGBOOST_METRICS = (
    *("accuracy", "aft-nloglik", "auc", "aucpr", "balanced_accuracy", "cox-nloglik", "error", "f1", "f1_binary", "f1_macro"),
    *("gamma-deviance", "gamma-nloglik", "interval-regression-accuracy", "logloss", "mae", "map", "mape", "merror"),
    *("mlogloss", "mphe", "mse", "ndcg", "poisson-nloglik", "precision", "precision_macro", "precision_micro", "r2"),
    *("recall", "recall_macro", "recall_micro", "rmse", "rmsle", "tweedie-nloglik"),
)

# Assumed: a metric that was asked for only with a threshold or parameter (`error@0.7`) counts under its plain name.
# tweedie-nloglik always has one.
_WITH_PARAMETER = frozenset({"error", "map", "ndcg", "tweedie-nloglik"})


def _xgboost_regex(channel: str, metric: str) -> str:
    """The service's, without its leading `.*`: every start in a line would be tried, only to find the same."""
    prefix = rf"\[[0-9]+\].*#011{channel}-{metric}"
    return rf"(?:{prefix}|{prefix}@[^:]+):(\S+)" if metric in _WITH_PARAMETER else rf"{prefix}:(\S+)"


_XGBOOST = tuple(
    MetricDefinition(name=f"{channel}:{metric}", regex=_xgboost_regex(channel, metric))
    for channel in ("train", "validation")
    for metric in _XGBOOST_METRICS
)

_SHOWN_LENGTH = 40

_BUILT_IN: tuple[tuple[re.Pattern[str], tuple[MetricDefinition, ...]], ...] = (
    (re.compile(r"(?:.*/)?(?:sagemaker-)?xgboost(?:[:@].*)?"), _XGBOOST),
)


def metric_problems(request: JSON, path: str) -> Iterator[Problem]:
    """What is wrong with the regular expressions of a CreateTrainingJob request; expressions are passed over.

    One without a group is none of it: its metric has no values, and the job goes on. Follows: containers.md 2.13.
    """
    for place, regex in texts(request, "AlgorithmSpecification.MetricDefinitions[*].Regex", path):
        if fault := _fault(regex):
            yield Problem(place, f"'{regex}' is not a regular expression: {fault}.")


def gives_values(regex: str) -> bool:
    """Whether it has a group, which is what gives a metric its values; true of one that is no regular expression at all."""
    return bool(_fault(regex)) or re.compile(regex).groups > 0


def _fault(regex: str) -> str:
    try:
        re.compile(regex)
    except re.error as error:
        return str(error)
    return ""


def no_value_text(description: JSON, metric: str, unread: str) -> str:
    """That the log of a job gave no value of a metric, with what was searched for. `description`: of the job.

    `unread`: what was found that is no finite number, empty for nothing.
    """
    found = " or ".join(f"'{each.regex}'" for each in metric_definitions(description) if each.name == metric)
    if unread:
        shown = unread if len(unread) <= _SHOWN_LENGTH else f"{unread[:_SHOWN_LENGTH]}..."
        return f"its log gave {shown!r} for the metric {metric!r} (regex {found}), which is no finite number"
    return f"no line of its log matched the metric {metric!r} (regex {found}) with a finite number"


def metric_definitions(request: JSON) -> tuple[MetricDefinition, ...]:
    """MetricDefinitions of a CreateTrainingJob request, else those of its algorithm image. Follows: containers.md 2.13."""
    algorithm = request["AlgorithmSpecification"]
    if algorithm.get("MetricDefinitions"):
        return tuple(MetricDefinition(name=entry["Name"], regex=entry["Regex"]) for entry in algorithm["MetricDefinitions"])
    return next((built_in for image, built_in in _BUILT_IN if image.fullmatch(algorithm["TrainingImage"])), ())

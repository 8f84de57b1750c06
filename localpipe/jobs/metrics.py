"""Metric definitions of training jobs: the request's, or the ones that a built-in algorithm brings along."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localpipe.core.jobspec import MetricDefinition

if TYPE_CHECKING:
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

_BUILT_IN: tuple[tuple[re.Pattern[str], tuple[MetricDefinition, ...]], ...] = (
    (re.compile(r"(?:.*/)?(?:sagemaker-)?xgboost(?:[:@].*)?"), _XGBOOST),
)


def metric_definitions(request: JSON) -> tuple[MetricDefinition, ...]:
    """MetricDefinitions of a CreateTrainingJob request, else those of its algorithm image. Follows: containers.md 2.13."""
    algorithm = request["AlgorithmSpecification"]
    if algorithm.get("MetricDefinitions"):
        return tuple(MetricDefinition(name=entry["Name"], regex=entry["Regex"]) for entry in algorithm["MetricDefinitions"])
    return next((built_in for image, built_in in _BUILT_IN if image.fullmatch(algorithm["TrainingImage"])), ())

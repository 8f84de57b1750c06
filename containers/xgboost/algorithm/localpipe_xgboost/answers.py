"""PURE: predictions of the built-in algorithm as text: plain, or the contents that `SAGEMAKER_INFERENCE_OUTPUT` names.

A prediction is a number or, for a model that gives each class a probability, a list of numbers.
Follows: the image's own package, github.com/aws/sagemaker-xgboost-container, `algorithm_mode/serve_utils.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"
ACCEPTS = (CSV, JSON, JSON_LINES)
_REGRESSIONS = ("reg:squarederror", "reg:logistic", "reg:gamma", "reg:tweedie")
_PREDICTED_LABELS: Mapping[str, Callable[[Any], Any]] = {
    "binary:logistic": lambda probability: int(probability > 0.5),  # noqa: PLR2004 - the likelier of two
    "binary:logitraw": lambda score: int(score > 0),
    "binary:hinge": lambda label: label,
    "multi:softmax": lambda label: label,
    "multi:softprob": lambda probabilities: probabilities.index(max(probabilities)),
}
_GIVES_PROBABILITIES = ("binary:logistic", "multi:softprob")


@dataclass(frozen=True)
class Objective:
    """What a model was trained for. `classes`: how many, 0 where XGBoost does not keep it."""

    name: str
    classes: int = 0


def plain(predictions: Sequence[Any], accept: str, *, batch: bool) -> str:
    """`batch`: one prediction a line, whatever `accept` says; else CSV separates all of them by commas."""
    if batch:
        return "".join(f"{prediction}\n" for prediction in predictions)
    if accept == CSV:
        return ",".join(map(str, predictions))
    return _listed([{"score": prediction} for prediction in predictions], accept)


def selected(predictions: Sequence[Any], keys: Sequence[str], objective: Objective) -> list[dict[str, Any]]:
    """For each prediction the contents of these names, NaN for those that the objective does not give.

    Raises ValueError for an objective that gives none.
    """
    given = _contents(objective)
    if not given:
        raise ValueError(f"Objective `{objective.name}` unsupported for selectable inference predictions.")
    return [{key: given[key](each) if key in given else float("nan") for key in keys} for each in predictions]


def encoded(rows: Sequence[Mapping[str, Any]], accept: str, *, batch: bool) -> str:
    """Selected contents: CSV with lists in quotes, `{"predictions": [...]}`, or one object a line."""
    if accept != CSV:
        return _listed(rows, accept)
    lines = (",".join(f'"{value}"' if isinstance(value, list) else str(value) for value in row.values()) for row in rows)
    return "\n".join(lines) + ("\n" if batch else "")


def _contents(objective: Objective) -> Mapping[str, Callable[[Any], Any]]:
    """Name → how it comes from a prediction; empty for an objective that is not in AWS's table."""
    if objective.name in _REGRESSIONS:
        return {"predicted_score": lambda score: score}
    if objective.name not in _PREDICTED_LABELS:
        return {}
    classes = 2 if objective.name.startswith("binary:") else objective.classes
    labels = {"predicted_label": _PREDICTED_LABELS[objective.name], "labels": lambda _: list(range(classes))}
    scores = {"raw_score": _best, "raw_scores": _all}
    probabilities = {"probability": _best, "probabilities": _all}
    return {**labels, **scores, **(probabilities if objective.name in _GIVES_PROBABILITIES else {})}


def _best(prediction: Any) -> float:
    return max(prediction) if isinstance(prediction, list) else prediction


def _all(prediction: Any) -> list[float]:
    return prediction if isinstance(prediction, list) else [1.0 - prediction, prediction]


def _listed(rows: Sequence[Mapping[str, Any]], accept: str) -> str:
    if accept == JSON_LINES:
        return "".join(f"{json.dumps(row)}\n" for row in rows)
    return json.dumps({"predictions": list(rows)})

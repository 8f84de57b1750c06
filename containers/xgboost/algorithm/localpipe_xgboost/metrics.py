"""Metrics that AWS's XGBoost images add to XGBoost's own; tuning jobs may optimise them.

Follows: Developer Guide, "Metrics computed by the XGBoost algorithm".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn import metrics as sk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    import xgboost as xgb

    Metric: TypeAlias = Callable[[np.ndarray, np.ndarray], float]


def classes(predictions: np.ndarray) -> np.ndarray:
    """Predicted classes: of probabilities a row each, of a probability of class 1, or of classes already."""
    if predictions.ndim > 1:
        return predictions.argmax(axis=1)
    return np.rint(np.clip(predictions, 0, None)) if predictions.max(initial=0) > 1 else (predictions > 0.5).astype(int)  # noqa: PLR2004 - even odds


def _of_classes(score: Callable[..., float], **options: object) -> Metric:
    return lambda labels, predictions: float(score(labels, classes(predictions), **options))


ADDED: Mapping[str, Metric] = {
    "accuracy": _of_classes(sk.accuracy_score),
    "balanced_accuracy": _of_classes(sk.balanced_accuracy_score),
    "f1": _of_classes(sk.f1_score, average="macro"),
    "f1_binary": _of_classes(sk.f1_score, average="binary"),
    "f1_macro": _of_classes(sk.f1_score, average="macro"),
    "precision": _of_classes(sk.precision_score, average="binary"),
    "precision_macro": _of_classes(sk.precision_score, average="macro"),
    "precision_micro": _of_classes(sk.precision_score, average="micro"),
    "recall": _of_classes(sk.recall_score, average="binary"),
    "recall_macro": _of_classes(sk.recall_score, average="macro"),
    "recall_micro": _of_classes(sk.recall_score, average="micro"),
    "mse": lambda labels, predictions: float(sk.mean_squared_error(labels, predictions)),
    "r2": lambda labels, predictions: float(sk.r2_score(labels, predictions)),
}


def maximize(names: Sequence[str]) -> bool | None:
    """Whether more is better in the metric that early stopping watches, the last; None: XGBoost knows its own."""
    added = [name for name in names if name in ADDED]
    return added[-1] != "mse" if added else None


def function(names: Sequence[str]) -> Callable[[np.ndarray, xgb.DMatrix], list[tuple[str, float]]] | None:
    """What XGBoost calls each round for the added ones among `names`; None if there are none."""
    added = [name for name in names if name in ADDED]
    if not added:
        return None
    return lambda predictions, matrix: [(name, ADDED[name](matrix.get_label(), predictions)) for name in added]

from __future__ import annotations

import json

import pytest
from localpipe_xgboost.answers import Objective, encoded, plain, selected

SOFTPROB = Objective("multi:softprob", 3)
CLASSES = [[0.5, 0.25, 0.25], [0.0, 0.25, 0.75]]


def test_a_batch_has_one_prediction_a_line_whatever_is_accepted() -> None:
    assert plain([1.5, 2.0], "application/json", batch=True) == "1.5\n2.0\n"
    assert plain(CLASSES, "text/csv", batch=True) == "[0.5, 0.25, 0.25]\n[0.0, 0.25, 0.75]\n"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/csv", "1.5,2.0"),
        ("application/json", '{"predictions": [{"score": 1.5}, {"score": 2.0}]}'),
        ("application/jsonlines", '{"score": 1.5}\n{"score": 2.0}\n'),
    ],
)
def test_an_endpoint_answers_as_is_accepted(accept: str, expected: str) -> None:
    assert plain([1.5, 2.0], accept, batch=False) == expected


@pytest.mark.parametrize(
    ("objective", "prediction", "expected"),
    [
        (
            Objective("binary:logistic"),
            0.75,
            {
                "predicted_label": 1,
                "labels": [0, 1],
                "probability": 0.75,
                "probabilities": [0.25, 0.75],
                "raw_score": 0.75,
                "raw_scores": [0.25, 0.75],
            },
        ),
        (Objective("binary:logitraw"), -2.0, {"predicted_label": 0, "raw_score": -2.0, "raw_scores": [3.0, -2.0]}),
        (Objective("binary:hinge"), 1.0, {"predicted_label": 1.0, "labels": [0, 1]}),
        (Objective("multi:softmax", 3), 2.0, {"predicted_label": 2.0, "labels": [0, 1, 2], "raw_score": 2.0}),
        (
            SOFTPROB,
            [0.0, 0.25, 0.75],
            {
                "predicted_label": 2,
                "labels": [0, 1, 2],
                "probability": 0.75,
                "probabilities": [0.0, 0.25, 0.75],
                "raw_score": 0.75,
                "raw_scores": [0.0, 0.25, 0.75],
            },
        ),
        (Objective("reg:squarederror"), 4.5, {"predicted_score": 4.5}),
    ],
)
def test_contents_follow_from_the_objective(objective: Objective, prediction: object, expected: dict[str, object]) -> None:
    assert selected([prediction], list(expected), objective) == [expected]


def test_a_content_that_the_objective_does_not_give_is_nan() -> None:
    (row,) = selected([4.5], ["predicted_score", "probability"], Objective("reg:squarederror"))
    assert json.dumps(row) == '{"predicted_score": 4.5, "probability": NaN}'


def test_an_objective_without_contents_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Objective `rank:ndcg` unsupported for selectable inference predictions\."):
        selected([1.0], ["predicted_label"], Objective("rank:ndcg"))


@pytest.mark.parametrize(
    ("accept", "batch", "expected"),
    [
        ("text/csv", False, '0,"[0.5, 0.25, 0.25]"\n2,"[0.0, 0.25, 0.75]"'),
        ("text/csv", True, '0,"[0.5, 0.25, 0.25]"\n2,"[0.0, 0.25, 0.75]"\n'),
        (
            "application/jsonlines",
            True,
            (
                '{"predicted_label": 0, "probabilities": [0.5, 0.25, 0.25]}\n'
                '{"predicted_label": 2, "probabilities": [0.0, 0.25, 0.75]}\n'
            ),
        ),
        (
            "application/json",
            False,
            (
                '{"predictions": [{"predicted_label": 0, "probabilities": [0.5, 0.25, 0.25]}, '
                '{"predicted_label": 2, "probabilities": [0.0, 0.25, 0.75]}]}'
            ),
        ),
    ],
)
def test_selected_contents_in_each_format(accept: str, *, batch: bool, expected: str) -> None:
    rows = selected(CLASSES, ["predicted_label", "probabilities"], SOFTPROB)
    assert encoded(rows, accept, batch=batch) == expected

from __future__ import annotations

import pytest

from localpipe.core import JSON
from localpipe.definition.conditions import check_conditions, evaluate_conditions
from localpipe.errors import ExpressionError


def compare(kind: str, left: JSON, right: JSON) -> JSON:
    return {"Type": kind, "LeftValue": left, "RightValue": right}


def holds(*conditions: JSON) -> bool:
    assert check_conditions(list(conditions), "$.C") == []
    return evaluate_conditions(list(conditions), "$.C")


@pytest.mark.parametrize(
    ("kind", "left", "right", "expected"),
    [
        ("Equals", 3, 3.0, True),
        ("Equals", "a", "a", True),
        ("Equals", True, True, True),
        ("NotEquals", True, False, True),
        ("GreaterThan", "1", "3", False),
        ("GreaterThan", "1", "0", True),
        ("GreaterThan", "Z", "a", False),
        ("GreaterThanOrEqualTo", 2, 2, True),
        ("LessThan", 1.5, 2, True),
        ("LessThanOrEqualTo", 6.1, 6.0, False),
    ],
)
def test_comparisons(kind: str, left: JSON, right: JSON, *, expected: bool) -> None:
    assert holds(compare(kind, left, right)) is expected


def test_all_must_hold_and_none_is_true() -> None:
    assert holds()
    assert holds(compare("Equals", 1, 1), compare("LessThan", 1, 2))
    assert not holds(compare("Equals", 1, 1), compare("LessThan", 2, 1))


def test_in_takes_both_spellings() -> None:
    assert holds({"Type": "In", "QueryValue": "a", "Values": ["b", "a"]})
    assert holds({"Type": "In", "Value": "a", "In": ["b", "a"]})
    assert holds({"Type": "NotIn", "QueryValue": 1, "Values": []})
    assert not holds({"Type": "In", "QueryValue": "a", "Values": []})


def test_not_and_or_nest() -> None:
    inner = {"Type": "In", "QueryValue": 3, "Values": [1, 2]}
    assert holds({"Type": "Not", "Condition": inner})
    assert holds({"Type": "Or", "Conditions": [inner, {"Type": "Or", "Conditions": [compare("Equals", 1, 1)]}]})
    assert not holds({"Type": "Or", "Conditions": []})


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (compare("Equals", "3", 3), 'Equals at $.C[0] cannot compare "3" (a string) with 3 (a number).'),
        (compare("Equals", True, 1), "Equals at $.C[0] cannot compare true (a boolean) with 1 (a number)."),
        (compare("LessThan", None, 1), "LessThan at $.C[0] cannot compare null (null) with 1 (a number)."),
        (
            compare("LessThan", True, False),
            "LessThan at $.C[0] cannot order the booleans true and false; only Equals compares them.",
        ),
        (
            {"Type": "Not", "Condition": {"Type": "In", "QueryValue": 1, "Values": ["a"]}},
            'Equals at $.C[0].Condition cannot compare 1 (a number) with "a" (a string).',
        ),
        (
            {"Type": "In", "QueryValue": "a", "Values": ["a", 1]},
            'Equals at $.C[0] cannot compare "a" (a string) with 1 (a number).',
        ),
    ],
)
def test_values_that_cannot_be_compared_are_named(condition: JSON, message: str) -> None:
    with pytest.raises(ExpressionError) as error:
        evaluate_conditions([condition], "$.C")
    assert str(error.value) == message


def problems_of(conditions: JSON) -> list[str]:
    return [str(problem) for problem in check_conditions(conditions, "$.C")]


def test_unknown_member_is_refused_in_the_services_words() -> None:
    (problem,) = problems_of([{"Type": "Not", "Condition": compare("Equals", 1, 1), "Expresion": 1}])
    assert problem == (
        "$.C[0].Expresion: Unable to parse pipeline definition. Cannot parse object, unknown property 'Expresion'. "
        "Choose one of 'Type', 'Condition'."
    )


def test_wrong_forms_are_located() -> None:
    assert problems_of({"Get": "Parameters.C"}) == [
        "$.C: Unable to parse pipeline definition. Expecting start of Json Array. Conditions is a list; found an object."
    ]
    assert problems_of([{"Type": "Equal", "LeftValue": 1, "RightValue": 1}]) == [
        "$.C[0].Type: Unable to parse pipeline definition. \"Equal\" is no type of condition. Did you mean 'Equals'?"
    ]
    assert problems_of([{"Type": "And", "Conditions": []}]) == [
        "$.C[0].Type: there is no condition type 'And'. List the conditions one after the other: all must hold."
    ]
    assert problems_of([{"Type": "In", "QueryValue": "a", "Values": "abc"}]) == [
        "$.C[0].Values: Unable to parse pipeline definition. Expecting start of Json Array. In takes a list; found a string."
    ]
    assert [problem.split(":")[0] for problem in problems_of([compare("Equals", {"a": 1}, [1]), {"Type": []}, 3])] == [
        "$.C[0].LeftValue",
        "$.C[0].RightValue",
        "$.C[1].Type",
        "$.C[2]",
    ]


def test_absent_conditions_are_an_empty_list() -> None:
    assert problems_of(None) == []
    assert evaluate_conditions(None, "$.C")


def test_the_negation_of_an_old_sdk_is_refused_as_the_service_does() -> None:
    equals = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}
    (problem,) = check_conditions([{"Type": "Not", "Expression": equals}], "$.C")
    assert str(problem) == (
        "$.C[0].Expression: Unable to parse pipeline definition. Cannot parse object, unknown property 'Expression'. "
        "Old versions of the SageMaker SDK write it instead of 'Condition', and SageMaker refuses it as well: "
        "upgrade the SDK, or rename the member."
    )

from __future__ import annotations

import pytest

from localpipe.core import JSON
from localpipe.definition.model import Parameter
from localpipe.definition.parameters import resolve_parameters
from localpipe.errors import ParameterError


def declared(name: str, kind: str = "String", default: JSON = None, enum: tuple[str, ...] | None = None) -> Parameter:
    return Parameter(name=name, type=kind, default=default, enum=enum, path="$.Parameters[0]")


def problems_of(parameters: list[Parameter], **given: JSON) -> list[str]:
    with pytest.raises(ParameterError) as refusal:
        resolve_parameters(parameters, given)
    return [str(problem) for problem in refusal.value.problems]


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("String", "3", "3"),
        ("String", 3, "3"),
        ("Integer", "-3", -3),
        ("Integer", "+07", 7),
        ("Integer", 5, 5),
        ("Float", "1e-3", 0.001),
        ("Float", "2", 2.0),
        ("Float", 0.25, 0.25),
        ("Boolean", "True", True),
        ("Boolean", "false", False),
        ("Boolean", True, True),
    ],
)
def test_values_are_converted_as_their_text_on_the_wire(kind: str, given: JSON, expected: JSON) -> None:
    values = resolve_parameters([declared("P", kind)], {"P": given})
    assert values == {"P": expected}
    assert type(values["P"]) is type(expected)


def test_defaults_fill_in_and_given_values_win() -> None:
    parameters = [declared("A", default="a"), declared("B", "Boolean", default=False), declared("C", "Integer", 1)]
    assert resolve_parameters(parameters, {"C": "2"}) == {"A": "a", "B": False, "C": 2}


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("Integer", "3.0", "Give an integer such as 3."),
        ("Integer", "True", "Give an integer such as 3."),
        ("Float", "nan", "Give a number such as 0.5."),
        ("Float", "1e999", "Give a number such as 0.5."),
        ("Boolean", "1", "Give `true` or `false`."),
    ],
)
def test_what_cannot_be_converted_is_refused(kind: str, text: str, expected: str) -> None:
    assert problems_of([declared("P", kind)], P=text) == [
        f"$.Parameters[0]: Unexpected type for parameter 'P': '{text}' is no {kind}. {expected}"
    ]


def test_every_problem_is_reported_at_once() -> None:
    parameters = [
        declared("InputData"),
        declared("Stage", enum=("dev", "prod")),
        declared("Empty", default="x"),
        declared("Kind", enum=("a",), default="a"),
    ]
    assert problems_of(parameters, Inputdata="x", Stage="test", Empty="") == [
        "Parameters.Inputdata: Unknown parameter 'Inputdata'. Did you mean 'InputData'?",
        "$.Parameters[0]: Parameter 'InputData' is undefined. It has no default: give a value of type String.",
        "$.Parameters[0]: Parameter 'Stage' cannot be 'test'. It is one of 'dev', 'prod'.",
        (
            "$.Parameters[0]: Parameter 'Empty': [string \"\" is too short (length: 0, required minimum: 1)]. "
            "Leave it out to use its default."
        ),
    ]


def test_missing_value_names_the_allowed_ones() -> None:
    assert problems_of([declared("Stage", enum=("dev", "prod"))]) == [
        (
            "$.Parameters[0]: Parameter 'Stage' is undefined. It has no default: give a value of type String. "
            "It is one of 'dev', 'prod'."
        )
    ]


def test_unknown_parameter_of_a_pipeline_without_any() -> None:
    assert problems_of([], X="1") == ["Parameters.X: Unknown parameter 'X'. The pipeline declares no parameters."]


def test_limits_of_a_start_request() -> None:
    assert resolve_parameters([declared("P")], {"P": "x" * 1024})
    assert problems_of([declared("P")], P="x" * 1025) == [
        (
            "$.Parameters[0]: Parameter 'P' is too long (length: 1025, allowed maximum: 1024). "
            "Put long values into an S3 object and give its URI."
        )
    ]
    many = [declared(f"P{n}") for n in range(201)]
    assert problems_of(many, **{p.name: "x" for p in many}) == ["Parameters: 201 values are given; at most 200 are taken."]


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        ("String", None, "null is no String. Give a text."),
        ("String", ["a"], "a list is no String. Give a text."),
        ("Integer", {"a": 1}, "an object is no Integer. Give an integer such as 3."),
    ],
)
def test_value_that_is_no_scalar_is_refused(kind: str, value: JSON, problem: str) -> None:
    assert problems_of([declared("P", kind)], P=value) == [f"$.Parameters[0]: Unexpected type for parameter 'P': {problem}"]

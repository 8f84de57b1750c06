"""Definitions mutated at random are refused with located problems or pass; expressions obey their grammar."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
from botocore.loaders import Loader
from hypothesis import example, given, settings
from hypothesis import strategies as st

from localpipe.core import JSON
from localpipe.definition.check import load_definition
from localpipe.definition.conditions import evaluate_conditions
from localpipe.definition.expression_forms import check_expressions
from localpipe.definition.expressions import EvaluationContext, evaluate, references
from localpipe.definition.json_paths import parse_json_path, read_scalar
from localpipe.definition.property_paths import format_property_path, parse_property_path
from localpipe.definition.requests import check_request, fit_to_request
from localpipe.definition.wording import scalar_text
from localpipe.errors import DefinitionError, ExpressionError
from localpipe.steps import step_types

GOLDEN = [
    json.loads(path.read_text()) for path in sorted((Path(__file__).parents[1] / "golden" / "definitions").glob("*.json"))
]
NOTHING = EvaluationContext(parameters={}, execution={}, steps={})

names = st.text("abcXYZ019_-", min_size=1, max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
gets = st.sampled_from(
    ["Parameters.X", "Execution.TrainingJobName", "Steps.A.B", "Steps.Train.X[0]['k']", "Steps.E.PropertyFiles.R", "Foo"]
)
expressions = st.one_of(
    st.fixed_dictionaries({"Get": gets | scalars}),
    st.fixed_dictionaries({"Std:Join": st.fixed_dictionaries({"On": scalars, "Values": st.lists(scalars) | scalars})}),
    st.fixed_dictionaries({"Std:JsonGet": st.dictionaries(st.sampled_from(["S3Uri", "PropertyFile", "Path"]), scalars)}),
)
keys = names | st.sampled_from(["Get", "Std:Join", "Type", "Name", "Arguments", "Conditions", "Values", "Step"])
json_values = st.recursive(
    scalars | expressions, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)


@cache
def model() -> JSON:
    return Loader().load_service_model("sagemaker", "service-2")


def places(value: JSON) -> Iterator[tuple[JSON, str | int]]:
    """Every member and element of a document, as its holder and its key or index."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield value, key
        yield from places(inner)


@st.composite
def mutated_definitions(draw: st.DrawFn) -> JSON:
    document = deepcopy(draw(st.sampled_from(GOLDEN)))
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(list(places(document))))
        match draw(st.sampled_from(["replace", "remove", "add", "swap"])):
            case "replace":
                holder[key] = draw(json_values)
            case "remove":
                del holder[key]
            case "add" if isinstance(holder, dict):
                holder[draw(keys)] = draw(json_values)
            case "add":
                holder.insert(key, draw(json_values))
            case _:
                other, other_key = draw(st.sampled_from(list(places(document))))
                holder[key] = deepcopy(other[other_key])
    return document


def problem_paths(source: JSON) -> list[str]:
    try:
        load_definition(source, step_types(), model())
    except DefinitionError as error:
        return [problem.path for problem in error.problems]
    return []


@settings(max_examples=300, deadline=None)
@given(mutated_definitions())
def test_mutated_definition_passes_or_is_refused_with_located_problems(source: JSON) -> None:
    assert all(path.startswith("$") for path in problem_paths(source))


@settings(max_examples=100, deadline=None)
@given(st.one_of(json_values.map(json.dumps), st.text(max_size=30), st.binary(max_size=30)))
@example("[" * 5000)
def test_anything_else_is_refused_with_located_problems(source: str | bytes) -> None:
    paths = problem_paths(source)
    assert paths
    assert all(path.startswith("$") for path in paths)


@given(json_values)
def test_well_formed_expressions_have_a_value_or_an_expression_error(value: JSON) -> None:
    if list(check_expressions(value, "$")):
        return
    try:
        result = evaluate(value, NOTHING)
    except ExpressionError:
        return
    assert list(references(result, "$")) == []


@given(st.text(max_size=3), st.lists(st.booleans() | st.integers() | st.text(max_size=5)))
def test_join_is_the_texts_with_the_separator_between(on: str, values: list[JSON]) -> None:
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    assert evaluate({"Std:Join": {"On": on, "Values": values}}, NOTHING) == on.join(texts)


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(1e-05)
@example(1e22)
@example(2.0)
def test_text_of_a_float_is_a_plain_decimal_of_the_same_value(value: float) -> None:
    text = scalar_text(value)
    assert float(text) == value
    assert set(text) <= set("-0123456789.")


@given(st.lists(st.integers(0, 99) | names | st.text(max_size=5).filter(lambda t: "'" not in t), min_size=1))
def test_property_paths_survive_being_written_and_read(path: list[str | int]) -> None:
    text = format_property_path(tuple(path))
    assert parse_property_path(text if text.startswith("[") else f".{text}") == tuple(path)


@given(st.text(max_size=20))
def test_any_text_is_a_property_path_or_none(text: str) -> None:
    assert parse_property_path(text) is None or isinstance(parse_property_path(text), tuple)


@given(st.text("ab.[]'\"0-$*|:,?@ ", max_size=12) | st.text(max_size=12))
def test_any_text_is_a_json_path_or_a_value_error(text: str) -> None:
    try:
        keys = parse_json_path(text)
    except ValueError:
        return
    assert all(isinstance(key, str | int) for key in keys)


documents = st.recursive(
    st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(names, inner, min_size=1, max_size=3),
    max_leaves=10,
)


@given(documents)
def test_every_path_that_an_error_lists_can_be_read(document: JSON) -> None:
    text = json.dumps(document)
    with pytest.raises(ExpressionError) as error:
        read_scalar(text, "['not there']", "file")
    listed = str(error.value).partition("It has: ")[2].removesuffix(".").split(", ")
    for path in listed:
        read_scalar(text, path, "file")


orderings = ["Equals", "NotEquals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo"]


@given(st.sampled_from(orderings), st.integers() | st.floats(allow_nan=False), st.integers() | st.floats(allow_nan=False))
def test_not_turns_every_comparison_round(kind: str, left: float, right: float) -> None:
    comparison = {"Type": kind, "LeftValue": left, "RightValue": right}
    plain = evaluate_conditions([comparison], "$")
    assert evaluate_conditions([{"Type": "Not", "Condition": comparison}], "$") is not plain
    assert evaluate_conditions([{"Type": "Or", "Conditions": [comparison, comparison]}], "$") is plain


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_request_without_problems_can_be_fitted_and_stays_without(data: st.DataObject) -> None:
    request = {
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": data.draw(scalars)}
        },
        "AppSpecification": {"ImageUri": "image", "ContainerArguments": data.draw(st.lists(scalars, max_size=3))},
        "RoleArn": "arn:aws:iam::123456789012:role/Role",
        "Environment": data.draw(st.dictionaries(names, scalars, max_size=3)),
    }
    shape = "CreateProcessingJobRequest"
    may_lack = frozenset({"ProcessingJobName"})
    if not check_request(shape, request, model(), "$", lambda _: None, may_lack=may_lack):
        fitted = fit_to_request(shape, request, model())
        assert fit_to_request(shape, fitted, model()) == fitted
        assert check_request(shape, fitted, model(), "$", lambda _: None, may_lack=may_lack) == []

from __future__ import annotations

import pytest

from localpipe.core import JSON
from localpipe.core.names import S3Uri
from localpipe.definition.expression_forms import check_expressions
from localpipe.definition.expressions import (
    EvaluationContext,
    ExecutionReference,
    ParameterReference,
    PropertyFileReference,
    PropertyReference,
    StepValues,
    documents_needed,
    evaluate,
    is_expression,
    referenced_steps,
    references,
)
from localpipe.errors import ExpressionError

OUTPUTS = [{"OutputName": "train", "S3Output": {"S3Uri": "s3://b/train"}}, {"OutputName": "test"}]
REPORT = {"PropertyFile": {"Get": "Steps.Eval.PropertyFiles.R"}, "Path": "m.mse"}
CONTEXT = EvaluationContext(
    parameters={"S": "text", "I": 3, "F": 0.5, "B": True},
    execution={"PipelineExecutionId": "abcdefghijkl"},
    steps={
        "Prep": StepValues(properties={"ProcessingOutputConfig": {"Outputs": OUTPUTS}, "Environment": {"a.b": "c"}}),
        "Eval": StepValues(properties={"ExitMessage": None}, property_files={"R": '{"m": {"mse": 4.25}}', "Bad": "{"}),
    },
    documents={S3Uri("b", "r.json"): '{"Result": [7]}', S3Uri("b", "gone.json"): None},
)


def get(text: str) -> JSON:
    return {"Get": text}


def join(on: str, *values: JSON) -> JSON:
    return {"Std:Join": {"On": on, "Values": list(values)}}


def error_of(value: JSON) -> str:
    with pytest.raises(ExpressionError) as error:
        evaluate(value, CONTEXT, "$.Arguments")
    return str(error.value)


@pytest.mark.parametrize("value", [get("Parameters.S"), join(""), {"Std:JsonGet": {}}])
def test_object_with_one_member_of_the_three_is_an_expression(value: JSON) -> None:
    assert is_expression(value)


@pytest.mark.parametrize("value", [{}, {"Get": "x", "B": 1}, {"get": "x"}, ["Get"], "Get", None])
def test_everything_else_is_data(value: JSON) -> None:
    assert not is_expression(value)


def test_every_reference_is_found_with_its_path() -> None:
    value = {
        "a": [get("Parameters.S"), "text"],
        "b": join("/", get("Execution.PipelineName"), get("Steps.Prep.A.B[0]['k.x']")),
        "c": {"Std:JsonGet": REPORT},
        "d.e": get("Steps.No"),
    }
    assert list(references(value, "$")) == [
        ParameterReference("S", "$.a[0]"),
        ExecutionReference("PipelineName", "$.b['Std:Join'].Values[0]"),
        PropertyReference("Prep", ("A", "B", 0, "k.x"), "$.b['Std:Join'].Values[1]"),
        PropertyFileReference("Eval", "R", "$.c['Std:JsonGet'].PropertyFile"),
    ]
    assert referenced_steps(value) == {"Prep", "Eval"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (get("Parameters.I"), 3),
        (get("Parameters.B"), True),
        (get("Execution.PipelineExecutionId"), "abcdefghijkl"),
        (get("Steps.Prep.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"), "s3://b/train"),
        (get("Steps.Prep.ProcessingOutputConfig.Outputs[1].OutputName"), "test"),
        (get("Steps.Prep.Environment['a.b']"), "c"),
        (get("Steps.Eval.ExitMessage"), None),
        ({"Std:JsonGet": REPORT}, 4.25),
        ({"Std:JsonGet": {"S3Uri": "s3://b/r.json", "Path": "Result[0]"}}, 7),
        ({"x": [get("Parameters.F"), None, 1]}, {"x": [0.5, None, 1]}),
        (join("", get("Parameters.I")), "3"),
        (join("-", "a", get("Parameters.B"), 2.0, get("Parameters.F"), join("", "b")), "a-true-2-0.5-b"),
    ],
)
def test_expressions_are_replaced_by_their_values(value: JSON, expected: JSON) -> None:
    result = evaluate(value, CONTEXT)
    assert result == expected
    assert type(result) is type(expected)


def test_text_is_never_interpolated() -> None:
    assert evaluate("s3://${Parameters.S}", CONTEXT) == "s3://${Parameters.S}"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([get("Parameters.X")], '"Parameters.X" has no value. It is referred to at $.Arguments[0].'),
        (get("Steps.Other.A"), '"Steps.Other.A" has no value. It is referred to at $.Arguments.'),
        (
            get("Steps.Prep.ProcessingOutputConfig.Outputs['tain']"),
            (
                "Steps.Prep.ProcessingOutputConfig.Outputs['tain'] has no value: "
                "'ProcessingOutputConfig.Outputs' has no member "
                "'tain'. Did you mean 'train'? It is referred to at $.Arguments."
            ),
        ),
        (
            get("Steps.Prep.ProcessingOutputConfig.Outputs[2]"),
            (
                "Steps.Prep.ProcessingOutputConfig.Outputs[2] has no value: "
                "'ProcessingOutputConfig.Outputs' has no index [2]. "
                "It has 2 elements. It is referred to at $.Arguments."
            ),
        ),
        (
            get("Steps.Eval.PropertyFiles.R"),
            "Steps.Eval.PropertyFiles.R is a property file, which only Std:JsonGet reads. It is referred to at $.Arguments.",
        ),
        (
            join("", get("Steps.Eval.ExitMessage")),
            "Std:Join takes strings, numbers and booleans; found null at $.Arguments['Std:Join'].Values[0].",
        ),
        (
            {"Std:JsonGet": {**REPORT, "Path": "m.rmse"}},
            "Property file 'R' of step 'Eval' has no value at 'm.rmse'. It has: m.mse. It is read at $.Arguments.",
        ),
        (
            {"Std:JsonGet": {"PropertyFile": get("Steps.Eval.PropertyFiles.None"), "Path": "a"}},
            "Property file 'None' of step 'Eval' does not exist, so 'a' has no value. It is read at $.Arguments.",
        ),
        (
            {"Std:JsonGet": {"S3Uri": "s3://b/gone.json", "Path": "a"}},
            "s3://b/gone.json does not exist, so 'a' has no value. It is read at $.Arguments.",
        ),
    ],
)
def test_reference_without_a_value_is_named(value: JSON, message: str) -> None:
    assert error_of(value) == message


def test_documents_needed_are_the_s3_objects_that_json_get_reads() -> None:
    value = [
        {"Std:JsonGet": {"S3Uri": join("/", "s3://b", get("Parameters.S")), "Path": "a"}},
        {"x": {"Std:JsonGet": {"S3Uri": "s3://b/r.json", "Path": "b"}}},
        {"Std:JsonGet": REPORT},
    ]
    assert documents_needed(value, CONTEXT) == {S3Uri("b", "text"), S3Uri("b", "r.json")}
    assert documents_needed({"S3Uri": "s3://b/x"}, CONTEXT) == frozenset()
    assert documents_needed({"Std:JsonGet": {**REPORT, "S3Uri": None}}, CONTEXT) == frozenset()


def test_json_get_of_what_is_no_s3_uri_names_it() -> None:
    with pytest.raises(ExpressionError) as error:
        documents_needed({"a": {"Std:JsonGet": {"S3Uri": get("Parameters.S"), "Path": "a"}}}, CONTEXT)
    assert str(error.value) == '"text" is not an S3 URI (s3://bucket/key). It is the S3Uri at $.a.'


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (
            get("Paramters.X"),
            (
                '$: Unable to parse pipeline definition. "Paramters.X" is not something that Get can refer to. '
                "Write Parameters.NAME, Execution.VARIABLE, Steps.STEP.PROPERTY or Steps.STEP.PropertyFiles.NAME."
            ),
        ),
        (
            join(3, "a"),  # type: ignore[arg-type]
            "$['Std:Join'].On: Unable to parse pipeline definition. Std:Join takes a string to join with, not a number.",
        ),
        (
            {"Std:Join": {"On": "", "Values": [None]}},
            (
                "$['Std:Join'].Values[0]: Unable to parse pipeline definition. Expecting a string, number, boolean or "
                "expression; found null. An expression has exactly one member: Get, Std:Join or Std:JsonGet."
            ),
        ),
        (
            {"Std:Join": {"Values": get("Parameters.S")}},
            (
                "$['Std:Join'].Values: Unable to parse pipeline definition. Expecting start of Json Array. "
                "Std:Join takes a list of values; found an object."
            ),
        ),
        (
            {"Std:JsonGet": {"Path": "a"}},
            "$['Std:JsonGet']: Std:JsonGet takes one of PropertyFile and S3Uri. Found neither.",
        ),
        (
            {"Std:JsonGet": {**REPORT, "Path": get("Parameters.S")}},
            (
                "$['Std:JsonGet'].Path: Unable to parse pipeline definition. "
                "Std:JsonGet takes a literal string as Path; found an object."
            ),
        ),
        (
            {"Std:JsonGet": {**REPORT, "Path": "a[*]"}},
            (
                "$['Std:JsonGet'].Path: JSON path 'a[*]' could give several values; Std:JsonGet takes one scalar. "
                "Write names joined by dots, ['name'] and [n], for example `metrics.mse[0].value`."
            ),
        ),
        (
            {"Std:JsonGet": {"S3Uri": "b/r.json", "Path": "a"}},
            "$['Std:JsonGet'].S3Uri: 'b/r.json' is not an S3 URI (s3://bucket/key).",
        ),
        (
            {"Std:JsonGet": {"S3Uri": 3, "Path": "a"}},
            "$['Std:JsonGet'].S3Uri: '3' is not an S3 URI (s3://bucket/key).",
        ),
        (
            get("Steps.Eval.PropertyFiles.R"),
            (
                "$: property file 'R' cannot be used as a value. "
                'Read from it: {"Std:JsonGet": {"PropertyFile": {"Get": ...}, "Path": ...}}.'
            ),
        ),
    ],
)
def test_malformed_expressions_are_located(value: JSON, problem: str) -> None:
    assert [str(found) for found in check_expressions(value, "$")] == [problem]


def test_well_formed_expressions_have_no_problem() -> None:
    value = {"a": [join("/", get("Parameters.S"), 1, True), {"Std:JsonGet": REPORT}], "b": get("Steps.A.B")}
    assert list(check_expressions(value, "$")) == []

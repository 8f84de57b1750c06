"""Local paths where an S3 URI may stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import pipeline, processing

from localpipe.definition.local_uris import WithLocalUris, absolute, is_local, with_local_uris
from localpipe.steps import step_types

if TYPE_CHECKING:
    from localpipe.core import JSON

SHOWN = "s3://localpipe-files"
INPUT = "$.Steps[0].Arguments.ProcessingInputs[0].S3Input.S3Uri"
OUTPUT = "$.Steps[0].Arguments.ProcessingOutputConfig.Outputs[0].S3Output.S3Uri"


def found(definition: JSON, model: JSON, parameters: dict[str, JSON] | None = None) -> WithLocalUris:
    shapes = {name: kind.request_shape for name, kind in step_types().items() if kind.request_shape}
    return with_local_uris(
        definition,
        parameters or {},
        shapes,
        model,
        directory="/home/me/project",
        working_directory="/home/me",
        user_home="/home/me",
    )


def reading(uri: JSON) -> JSON:
    return pipeline(processing("Read", inputs={"in": uri}))


def uri_of(definition: JSON) -> JSON:
    return definition["Steps"][0]["Arguments"]["ProcessingInputs"][0]["S3Input"]["S3Uri"]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("data", "home/me/project/data"),
        ("./data/", "home/me/project/data/"),
        ("../x.csv", "home/me/x.csv"),
        ("/data", "data"),
        ("file:///data/", "data/"),
        ("file://data", "home/me/project/data"),
        ("file://localhost/data", "data"),
        ("file:/data", "data"),
        ("file:///my%20data", "my data"),
        ("FILE:///data", "data"),
        ("/my%20data", "my%20data"),
        ("~/data", "home/me/data"),
        ("file://~/data/", "home/me/data/"),
        ("s3://localpipe-files/data/", "data/"),
    ],
)
def test_a_path_becomes_a_uri_that_shows_it(model: JSON, text: str, path: str) -> None:
    changed = found(reading(text), model)
    assert uri_of(changed.definition) == f"{SHOWN}/{path}"
    (use,) = changed.uses
    assert (use.text, use.path, use.written, use.whole, use.at) == (text, f"/{path}", False, True, INPUT)


@pytest.mark.parametrize("text", ["s3://bucket/data", "https://s3.amazonaws.com/b", "", {"Get": "Steps.Other.X"}, 3, None])
def test_any_other_uri_is_left_alone(model: JSON, text: JSON) -> None:
    assert found(reading(text), model) == WithLocalUris(definition=reading(text), parameters={}, uses=())


def test_what_is_no_place_for_a_uri_is_left_alone(model: JSON) -> None:
    step = processing("Read", inputs={"in": "s3://b/x"})
    step["Arguments"]["AppSpecification"]["ContainerArguments"] = ["file:///opt/ml/x", "./data"]
    step["Arguments"]["Environment"] = {"DATA": "file:///data"}
    parameters = [{"Name": "Where", "Type": "String", "DefaultValue": "file:///data"}]
    definition = pipeline(step, parameters=tuple(parameters))
    assert found(definition, model, {"Where": "./x"}).uses == ()


@pytest.mark.parametrize("value", ["./x", "/x", "file:/x", "~/x"])
def test_a_path_given_for_a_parameter_that_tells_a_job_of_a_uri_is_shown(model: JSON, value: str) -> None:
    step = processing("Read", inputs={"in": "s3://b/x"})
    step["Arguments"]["AppSpecification"]["ContainerArguments"] = [{"Get": "Parameters.Where"}]
    parameter = {"Name": "Where", "Type": "String", "DefaultValue": "s3://b/data"}
    changed = found(pipeline(step, parameters=(parameter,)), model, {"Where": value})
    assert changed.parameters["Where"] in {f"{SHOWN}/x", f"{SHOWN}/home/me/x"}
    assert [(use.at, use.written) for use in changed.uses] == [("$.Parameters[0]", False)]
    assert found(pipeline(step, parameters=(parameter,)), model, {"Where": "word"}).parameters == {"Where": "word"}


def test_outputs_are_written(model: JSON) -> None:
    step = processing("Write", outputs=("out",))
    step["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = "out"
    train = {"Name": "Train", "Type": "Training", "Arguments": {}}
    train["Arguments"] = {"OutputDataConfig": {"S3OutputPath": "models"}, "CheckpointConfig": {"S3Uri": "kept"}}
    uses = found(pipeline(step, train), model).uses
    assert [(use.path, use.written, use.step) for use in uses] == [
        ("/home/me/project/out", True, "$.Steps[0]"),
        ("/home/me/project/models", True, "$.Steps[1]"),
        ("/home/me/project/kept", True, "$.Steps[1]"),
    ]
    assert uses[0].at == OUTPUT


def test_a_parameter_that_stands_for_a_uri_may_be_a_path(model: JSON) -> None:
    definition = reading({"Get": "Parameters.In"})
    definition["Parameters"] = [{"Name": "In", "Type": "String", "DefaultValue": "data"}]
    by_default = found(definition, model)
    assert by_default.definition["Parameters"][0]["DefaultValue"] == f"{SHOWN}/home/me/project/data"
    assert [use.at for use in by_default.uses] == [INPUT]
    given = found(definition, model, {"In": "other"})
    assert given.parameters == {"In": f"{SHOWN}/home/me/other"}
    assert given.definition["Parameters"][0]["DefaultValue"] == "data"
    assert [use.path for use in given.uses] == ["/home/me/other"]
    assert found(definition, model, {"In": "s3://b/x"}).uses == ()


def test_the_beginning_of_a_join_says_what_it_is(model: JSON) -> None:
    join = {"Std:Join": {"On": "/", "Values": ["file:///data", {"Get": "Execution.PipelineExecutionId"}, "file:///x"]}}
    changed = found(reading(join), model)
    assert uri_of(changed.definition)["Std:Join"]["Values"] == [f"{SHOWN}/data", join["Std:Join"]["Values"][1], "file:///x"]
    assert [(use.path, use.whole) for use in changed.uses] == [("/data", False)]


@pytest.mark.parametrize("first", ["s3:/", "s3:", "s3", "bucket"])
def test_less_than_a_scheme_is_no_path(model: JSON, first: str) -> None:
    assert found(reading({"Std:Join": {"On": "/", "Values": [first, "x"]}}), model).uses == ()


def test_a_document_of_a_condition_may_be_a_file(model: JSON) -> None:
    left = {"Std:JsonGet": {"S3Uri": "report.json", "Path": "mse"}}
    inner = processing("In", inputs={"in": "data"})
    condition = {"Type": "LessThan", "LeftValue": left, "RightValue": 1}
    check = {"Name": "C", "Type": "Condition", "Arguments": {"Conditions": [condition], "IfSteps": [inner], "ElseSteps": []}}
    uses = found(pipeline(check), model).uses
    assert [(use.path, use.at) for use in uses] == [
        (
            "/home/me/project/report.json",
            "$.Steps[0].Arguments.Conditions[0].LeftValue['Std:JsonGet'].S3Uri",
        ),
        (
            "/home/me/project/data",
            "$.Steps[0].Arguments.IfSteps[0].Arguments.ProcessingInputs[0].S3Input.S3Uri",
        ),
    ]


@pytest.mark.parametrize("definition", [None, 3, [], {}, {"Steps": 3}, {"Steps": [{"Type": "Training", "Arguments": 3}]}])
def test_what_is_no_definition_is_left_to_others(model: JSON, definition: JSON) -> None:
    assert found(definition, model).definition == definition


def test_paths_are_normalised() -> None:
    assert absolute("a/../b//c/", "/d", "/h") == "/d/b/c/"
    assert absolute("file://", "/d", "/h") == "/d/"
    assert is_local("a:b")
    assert not any(map(is_local, ("S3://b", "s3:/b/k", "arn:aws:s3:::b/k")))

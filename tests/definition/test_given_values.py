"""Values that a user gives for properties of steps that do not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import pipeline, processing

from localpipe.definition.check import all_steps, load_definition
from localpipe.definition.expressions import StepValues
from localpipe.definition.given_values import read_given, split_given, told, with_given
from localpipe.definition.scope import Scope
from localpipe.errors import UsageError
from localpipe.steps import step_types

if TYPE_CHECKING:
    from localpipe.core import JSON

SHAPE = "DescribeProcessingJobResponse"
OUTPUTS = "Steps.Prep.ProcessingOutputConfig.Outputs"
FUNCTION = "arn:aws:lambda:us-east-1:111122223333:function:tell"
FILES = [{"PropertyFileName": "Report", "OutputName": "train", "FilePath": "report.json"}]


@pytest.fixture(scope="module")
def scope(model: JSON) -> Scope:
    decide = {"Name": "Check", "Type": "Condition", "Arguments": {"Conditions": [], "IfSteps": [], "ElseSteps": []}}
    kinds = step_types()
    prep = processing("Prep", outputs=("train", "test"), PropertyFiles=FILES)
    outputs = [{"OutputName": "count", "OutputType": "Integer"}, {"OutputName": "word", "OutputType": "String"}]
    outputs.append({"OutputName": "ok", "OutputType": "Boolean"})
    tell = {"Name": "Tell", "Type": "Lambda", "FunctionArn": FUNCTION, "Arguments": {}, "OutputParameters": outputs}
    definition = load_definition(pipeline(prep, decide, tell), kinds, model)
    return Scope.of(definition, all_steps(definition, kinds), kinds, model)


def gave(values: dict[str, JSON], scope: Scope, before: JSON = None) -> StepValues:
    return with_given(StepValues(properties=before or {}), read_given(values, scope), SHAPE, scope.model)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("Steps.A.B=c", "Steps.A.B", "c"),
        ("Steps.A.B['k=v'].C=d=e", "Steps.A.B['k=v'].C", "d=e"),
        ("Steps.A.B=", "Steps.A.B", ""),
    ],
)
def test_the_value_begins_at_the_first_equals_sign_outside_of_brackets(text: str, name: str, value: str) -> None:
    assert split_given(text) == (name, value)


def test_text_without_a_value_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'Steps.A.B' is not of the form Steps.STEP.PROPERTY=VALUE\."):
        split_given("Steps.A.B")


@pytest.mark.parametrize("index", ["[train]", "['train']", '["train"]'])
def test_an_element_of_a_list_is_made_by_its_name(scope: Scope, index: str) -> None:
    values = gave({f"{OUTPUTS}{index}.S3Output.S3Uri": "s3://b/train"}, scope)
    element = {"OutputName": "train", "S3Output": {"S3Uri": "s3://b/train"}}
    assert values.properties == {"ProcessingOutputConfig": {"Outputs": [element]}}


def test_a_value_takes_the_place_of_the_one_before_and_of_nothing_else(scope: Scope) -> None:
    before = {
        "ProcessingJobName": "job",
        "ProcessingOutputConfig": {
            "Outputs": [
                {"OutputName": "train", "S3Output": {"S3Uri": "s3://old/train", "LocalPath": "/opt/x"}},
                {"OutputName": "test", "S3Output": {"S3Uri": "s3://old/test"}},
            ]
        },
    }
    values = gave({f"{OUTPUTS}[1].S3Output.S3Uri": "s3://new", f"{OUTPUTS}[train].S3Output.S3Uri": "s3://n"}, scope, before)
    assert values.properties == {
        "ProcessingJobName": "job",
        "ProcessingOutputConfig": {
            "Outputs": [
                {"OutputName": "train", "S3Output": {"S3Uri": "s3://n", "LocalPath": "/opt/x"}},
                {"OutputName": "test", "S3Output": {"S3Uri": "s3://new"}},
            ]
        },
    }
    assert before["ProcessingOutputConfig"]["Outputs"][1]["S3Output"] == {"S3Uri": "s3://old/test"}


def test_values_have_the_type_of_their_property(scope: Scope) -> None:
    values = gave(
        {
            "Steps.Prep.ProcessingResources.ClusterConfig.InstanceCount": "2",
            "Steps.Prep.NetworkConfig.EnableNetworkIsolation": "true",
            "Steps.Prep.ExitMessage": "3",
        },
        scope,
    )
    assert values.properties == {
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 2}},
        "NetworkConfig": {"EnableNetworkIsolation": True},
        "ExitMessage": "3",
    }


def test_a_value_whose_type_nothing_tells_is_what_it_looks_like(scope: Scope) -> None:
    (given,) = read_given({"Steps.Check.Outcome": "true"}, scope)
    assert given.value is True


def test_outputs_have_the_type_that_their_step_declares(scope: Scope) -> None:
    count, word = "Steps.Tell.OutputParameters[count]", "Steps.Tell.OutputParameters[word]"
    given = read_given({count: "3", word: "3"}, scope)
    assert with_given(StepValues(properties={}), given, None, scope.model).properties == {
        "OutputParameters": {"count": 3, "word": "3"}
    }
    with pytest.raises(UsageError, match=r'^Steps.Tell.OutputParameters\[count\]: it is of type Integer; found "many"\.$'):
        read_given({count: "many"}, scope)
    for value in ("3.5", "true", "x"):
        with pytest.raises(UsageError, match=r"it is of type Integer"):
            read_given({count: value}, scope)
    for value in ("3", "yes"):
        with pytest.raises(UsageError, match=r"it is of type Boolean"):
            read_given({"Steps.Tell.OutputParameters[ok]": value}, scope)
    assert [each.value for each in read_given({"Steps.Tell.OutputParameters[ok]": "True"}, scope)] == [True]
    with pytest.raises(UsageError, match="Did you mean 'count'"):
        read_given({"Steps.Tell.OutputParameters[cuont]": "3"}, scope)


@pytest.mark.parametrize("value", ['{"mse": 3}', {"mse": 3}])
def test_a_property_file_is_given_as_its_text(scope: Scope, value: JSON) -> None:
    assert gave({"Steps.Prep.PropertyFiles.Report": value}, scope).property_files == {"Report": '{"mse": 3}'}


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("Steps.Perp.A", "1", "Steps.Perp.A: there is no step 'Perp'. Did you mean 'Prep'?"),
        ("Prep.A", "1", "'Prep.A' names no property of a step: write Steps.STEP.PROPERTY."),
        ("Parameters.A", "1", "'Parameters.A' names no property of a step: write Steps.STEP.PROPERTY."),
        (
            "Steps.Prep.ProcessingOutputConfg.Outputs",
            "1",
            (
                "Steps.Prep.ProcessingOutputConfg.Outputs: step 'Prep' (Processing): there is no property "
                "'ProcessingOutputConfg'. Did you mean 'ProcessingOutputConfig'?"
            ),
        ),
        (
            f"{OUTPUTS}[trian].S3Output.S3Uri",
            "s3://b",
            (
                f"{OUTPUTS}[trian].S3Output.S3Uri: step 'Prep' (Processing): 'ProcessingOutputConfig.Outputs' has no "
                "element 'trian'. Did you mean 'train'?"
            ),
        ),
        (
            "Steps.Prep.ProcessingOutputConfig",
            "s3://b",
            (
                "Steps.Prep.ProcessingOutputConfig: step 'Prep' (Processing): 'ProcessingOutputConfig' is no single value. "
                "Choose one of 'Outputs', 'KmsKeyId'."
            ),
        ),
        (
            "Steps.Prep.ProcessingResources.ClusterConfig.InstanceCount",
            "two",
            'Steps.Prep.ProcessingResources.ClusterConfig.InstanceCount: Expecting Integer; found a string: "two".',
        ),
        (
            f"{OUTPUTS}[train].S3Output.S3Uri",
            "b/train",
            (
                f"{OUTPUTS}[train].S3Output.S3Uri: Model Validation failed: Value 'b/train' for 'S3Uri' failed to satisfy "
                "regular expression pattern: (https|s3)://([^/]+)/?(.*)"
            ),
        ),
        (
            "Steps.Prep.PropertyFiles.Reprot",
            "{}",
            "Steps.Prep.PropertyFiles.Reprot: step 'Prep' has no property file 'Reprot'. Did you mean 'Report'?",
        ),
    ],
)
def test_what_cannot_be_given_is_refused_naming_the_nearest(scope: Scope, name: str, value: str, problem: str) -> None:
    with pytest.raises(UsageError) as error:
        read_given({name: value}, scope)
    assert str(error.value) == problem


def test_elements_are_given_from_the_first_on(scope: Scope) -> None:
    with pytest.raises(UsageError, match=r"Outputs\[1\].S3Output.S3Uri: there are only 0 elements before \[1\]\."):
        gave({f"{OUTPUTS}[1].S3Output.S3Uri": "s3://b"}, scope)


def test_a_note_says_what_is_given(scope: Scope) -> None:
    given = read_given({f"{OUTPUTS}[train].S3Output.S3Uri": "s3://b/t", "Steps.Prep.PropertyFiles.Report": "{}"}, scope)
    assert [told(each) for each in given] == [
        "Step 'Prep': ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri is given, as \"s3://b/t\".",
        "Step 'Prep': property file Report is given, as \"{}\".",
    ]

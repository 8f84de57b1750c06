from __future__ import annotations

import pytest

from localpipe.core import JSON
from localpipe.definition.property_paths import check_property_path, follow, missing_element, parse_property_path

PROCESSING = "DescribeProcessingJobResponse"
TRAINING = "DescribeTrainingJobResponse"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (".A.B[0]['k']", ("A", "B", 0, "k")),
        ("['A'].B", ("A", "B")),
        ('["a.b"][10]', ("a.b", 10)),
        (".Outputs['it's'].x", ("Outputs", "it's", "x")),
    ],
)
def test_paths_are_read(text: str, path: tuple[str | int, ...]) -> None:
    assert parse_property_path(text) == path


@pytest.mark.parametrize("text", ["A.B", ".A.", ".A[", ".A[-1]", ".A[x]", ".A]", "..A"])
def test_what_is_no_path_is_none(text: str) -> None:
    assert parse_property_path(text) is None


@pytest.mark.parametrize(
    ("document", "path", "expected"),
    [
        ({"Inputs": [{"InputName": "a"}, {"InputName": "b", "x": 1}]}, ("Inputs", "b", "x"), 1),
        ({"C": [{"ChannelName": "train", "x": 1}]}, ("C", "train", "x"), 1),
        ({"M": [{"MetricName": "mse", "Value": 0.5}]}, ("M", "mse", "Value"), 0.5),
        ({"C": [{"ContainerHostname": "h", "Image": "i"}]}, ("C", "h", "Image"), "i"),
        ({"L": [5, 6]}, ("L", 1), 6),
        ({"E": {"0": None}}, ("E", "0"), None),
    ],
)
def test_lists_are_indexed_by_place_or_by_name(document: JSON, path: tuple[str | int, ...], expected: JSON) -> None:
    assert follow(document, path) == expected


@pytest.mark.parametrize(
    ("document", "path", "message"),
    [
        ({"Abc": 1}, ("Abd",), "the step has no member 'Abd'. Did you mean 'Abc'?"),
        ({"A": {"B": 1}}, ("A", "B", "C"), "'A.B' has no member 'C'. It is a single value."),
        ({"A": [1]}, ("A", 1), "'A' has no index [1]. It has 1 elements."),
        ({"A": [{"B": 1}]}, ("A", "x"), "'A' has no member 'x'. It has 1 elements."),
    ],
)
def test_missing_value_says_what_is_there(document: JSON, path: tuple[str | int, ...], message: str) -> None:
    with pytest.raises(LookupError) as error:
        follow(document, path)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (PROCESSING, ".ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"),
        (PROCESSING, ".ProcessingOutputConfig.Outputs[0].S3Output.S3Uri"),
        (PROCESSING, ".Environment['anything']"),
        (PROCESSING, ".ProcessingInputs['x'].S3Input['S3Uri']"),
        (TRAINING, ".ModelArtifacts.S3ModelArtifacts"),
        (TRAINING, ".FinalMetricDataList['mse'].Value"),
        (TRAINING, ".HyperParameters['lr']"),
        (TRAINING, ".InputDataConfig['train'].DataSource.S3DataSource.S3Uri"),
        ("DescribeModelOutput", ".ModelName"),
        ("DescribeModelPackageOutput", ".InferenceSpecification.Containers[0].Image"),
    ],
)
def test_properties_of_the_describe_shapes_exist(model: JSON, shape: str, text: str) -> None:
    path = parse_property_path(text)
    assert path is not None
    assert check_property_path(shape, path, model) is None


@pytest.mark.parametrize(
    ("shape", "text", "message"),
    [
        (
            TRAINING,
            ".ModelArtifact.S3ModelArtifacts",
            "there is no property 'ModelArtifact'. Did you mean 'ModelArtifacts'?",
        ),
        (TRAINING, ".ModelArtifacts.S3Model", "'ModelArtifacts' has no member 'S3Model'. Did you mean 'S3ModelArtifacts'?"),
        (
            PROCESSING,
            ".ProcessingOutputConfig.Outputs.S3Output",
            None,
        ),
        (
            PROCESSING,
            ".AppSpecification.ContainerArguments['x']",
            "'AppSpecification.ContainerArguments' has no member 'x'. It is a list: write [0], for example.",
        ),
        (PROCESSING, ".Environment[0]", "'Environment' has no index [0]. It is a map: name a key."),
        (TRAINING, ".TrainingJobName.x", "'TrainingJobName' has no member 'x'. It is a single value."),
        (None, ".Outcom", "there is no property 'Outcom'. Did you mean 'Outcome'?"),
    ],
)
def test_wrong_member_is_named_with_the_nearest(model: JSON, shape: str | None, text: str, message: str | None) -> None:
    path = parse_property_path(text)
    assert path is not None
    assert check_property_path(shape, path, model, ("Outcome",)) == message


def test_extra_properties_exist(model: JSON) -> None:
    assert check_property_path(None, ("Outcome",), model, ("Outcome",)) is None


OUTPUTS = {"ProcessingOutputConfig": {"Outputs": [{"OutputName": "train"}, {"OutputName": "test"}]}}


@pytest.mark.parametrize(
    ("request_", "text", "message"),
    [
        (OUTPUTS, ".ProcessingOutputConfig.Outputs['train'].S3Output", None),
        (OUTPUTS, ".ProcessingOutputConfig.Outputs[1].S3Output", None),
        (OUTPUTS, ".ProcessingOutputConfig.Outputs['tain']", "no element 'tain'. Did you mean 'train'?"),
        (OUTPUTS, ".ProcessingOutputConfig.Outputs[2].S3Output", "no element [2]. It has 2."),
        ({"ProcessingOutputConfig": {"Outputs": []}}, ".ProcessingOutputConfig.Outputs[0]", "no element [0]. It has 0."),
        ({}, ".ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri", "no element 'train'. It has none."),
        ({}, ".ProcessingInputs['x'].S3Input", "no element 'x'. It has none."),
        ({}, ".Environment['NOPE']", "no element 'NOPE'. It has none."),
        ({"Environment": {"HOPE": "1"}}, ".Environment['NOPE']", "no element 'NOPE'. Did you mean 'HOPE'?"),
        ({"Environment": {"HOPE": {"Get": "Parameters.N"}}}, ".Environment['HOPE']", None),
        ({"ProcessingInputs": [{"InputName": {"Get": "Parameters.N"}}]}, ".ProcessingInputs['x']", None),
        ({}, ".StoppingCondition.MaxRuntimeInSeconds", None),
        ({"ProcessingOutputConfig": {"Outputs": 3}}, ".ProcessingOutputConfig.Outputs['train']", None),
    ],
)
def test_an_element_that_the_request_does_not_have_is_missing(
    model: JSON, request_: JSON, text: str, message: str | None
) -> None:
    path = parse_property_path(text)
    assert path is not None
    found = missing_element(PROCESSING, path, request_, model)
    assert (found and found.partition(" has ")[2]) == message


def test_what_the_service_may_add_is_not_missing(model: JSON) -> None:
    path = parse_property_path(".AlgorithmSpecification.MetricDefinitions[0].Name")
    assert path is not None
    assert missing_element(TRAINING, path, {"AlgorithmSpecification": {"TrainingImage": "image"}}, model) is None


def test_a_problem_shows_the_path_as_it_was_written(model: JSON) -> None:
    path = parse_property_path(".ProcessingOutputConfig.Outputs['train'].S3Output.S3Urii")
    assert path is not None
    assert check_property_path(PROCESSING, path, model) == (
        "\"ProcessingOutputConfig.Outputs['train'].S3Output\" has no member 'S3Urii'. Did you mean 'S3Uri'?"
    )

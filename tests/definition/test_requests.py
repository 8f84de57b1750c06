from __future__ import annotations

import pytest

from localpipe.core import JSON
from localpipe.definition.requests import check_request, fit_to_request, require_valid
from localpipe.errors import ExpressionError, JobFailed

ROLE = "arn:aws:iam::123456789012:role/Role"
PROCESSING, TRAINING = "CreateProcessingJobRequest", "CreateTrainingJobRequest"
TYPES = {"S": "String", "I": "Integer", "F": "Float", "B": "Boolean"}
BAD = "Unable to parse pipeline definition. "
ONE_MEMBER = "An expression has exactly one member: Get, Std:Join or Std:JsonGet."
CAST = 'Cast it: {"Std:Join": {"On": "", "Values": [...]}}, in the SDK `.to_string()`.'


def parameter(name: str) -> JSON:
    return {"Get": f"Parameters.{name}"}


def type_of(expression: JSON) -> str | None:
    return "String" if "Std:Join" in expression else TYPES.get(str(expression.get("Get")).removeprefix("Parameters."))


def processing(*, cluster: JSON = None, app: JSON = None, **members: JSON) -> JSON:
    size = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
    return {
        "ProcessingResources": {"ClusterConfig": {**size, **(cluster or {})}},
        "AppSpecification": {"ImageUri": "image", **(app or {})},
        "RoleArn": ROLE,
        **members,
    }


def training(**members: JSON) -> JSON:
    return {"RoleArn": ROLE, "OutputDataConfig": {"S3OutputPath": "s3://b/o"}, **members}


JOB_NAMES = frozenset({"ProcessingJobName", "TrainingJobName", "ModelName"})


def problems_of(shape: str, arguments: JSON, model: JSON) -> list[str]:
    return [str(problem) for problem in check_request(shape, arguments, model, "$", type_of, may_lack=JOB_NAMES)]


@pytest.mark.parametrize(
    ("shape", "arguments"),
    [
        (PROCESSING, processing()),
        (TRAINING, training()),
        ("CreateModelInput", {"ExecutionRoleArn": ROLE}),
        ("CreateModelPackageInput", {}),
        (PROCESSING, processing(Environment=None, NetworkConfig=None, NotKnown=None)),
        (PROCESSING, processing(Environment={"A": parameter("S"), "B": None, "C": 3, "D": True, "E": ""})),
        (PROCESSING, processing(cluster={"InstanceCount": parameter("I"), "VolumeSizeInGB": "30"})),
        (PROCESSING, processing(cluster={"InstanceCount": {"Std:JsonGet": {}}, "InstanceType": parameter("S")})),
        (PROCESSING, processing(app={"ContainerArguments": ["--n", 3, parameter("S"), {"Std:Join": {}}]})),
        (TRAINING, training(HyperParameters={"i": parameter("I"), "f": parameter("F"), "b": parameter("B"), "n": 1})),
        (TRAINING, training(EnableNetworkIsolation=parameter("B"))),
    ],
)
def test_what_the_service_takes_has_no_problem(shape: str, arguments: JSON, model: JSON) -> None:
    assert problems_of(shape, arguments, model) == []


@pytest.mark.parametrize(
    ("arguments", "problems"),
    [
        (
            processing(ProcessingInput=[]),
            [f"$.ProcessingInput: {BAD}Unknown Argument member 'ProcessingInput'. Did you mean 'ProcessingInputs'?"],
        ),
        (
            processing(ProcessingInputs=parameter("S")),
            [
                (
                    f"$.ProcessingInputs: {BAD}Expecting start of Json Array. "
                    "An expression cannot stand for a list as a whole, only for the scalars in it."
                )
            ],
        ),
        (
            processing(ProcessingInputs="s3://b/x"),
            [(f'$.ProcessingInputs: {BAD}Expecting start of Json Array. Write a list here; found a string: "s3://b/x".')],
        ),
        (
            processing(Environment=parameter("S")),
            [
                (
                    f"$.Environment: {BAD}Expecting start of Json Object. "
                    "An expression cannot stand for an object as a whole, only for the scalars in it."
                )
            ],
        ),
        (
            processing(NetworkConfig=[1]),
            [f"$.NetworkConfig: {BAD}Expecting start of Json Object. Write an object here; found a list: [1]."],
        ),
        (
            {"RoleArn": ROLE, "ProcessingResources": {}, "AppSpecification": {}},
            [
                "$.ProcessingResources: the required member 'ClusterConfig' is missing. Add ClusterConfig.",
                "$.AppSpecification: the required member 'ImageUri' is missing. Add ImageUri.",
            ],
        ),
        (
            processing(app={"ContainerArguments": ["x" * 257]}),
            [
                (
                    f"$.AppSpecification.ContainerArguments[0]: {BAD}Model Validation failed: Value '{'x' * 60}...' for "
                    "'ContainerArgument' failed to satisfy constraint: length at most 256. It has 257 characters."
                )
            ],
        ),
        (
            processing(app={"ContainerArguments": []}),
            [f"$.AppSpecification.ContainerArguments: {BAD}It has 0 elements; at least 1 are needed."],
        ),
        (
            processing(ProcessingInputs=[{"InputName": f"i{n}"} for n in range(11)]),
            [f"$.ProcessingInputs: {BAD}It has 11 elements; at most 10 are allowed."],
        ),
        (
            processing(cluster={"InstanceCount": 0, "VolumeSizeInGB": 1.5}),
            [
                (
                    f"$.ProcessingResources.ClusterConfig.InstanceCount: {BAD}Model Validation failed: Value '0' for "
                    "'ProcessingInstanceCount' failed to satisfy constraint: at least 1."
                ),
                f"$.ProcessingResources.ClusterConfig.VolumeSizeInGB: {BAD}Expecting Integer; found a number: 1.5.",
            ],
        ),
        (
            processing(RoleArn="Role"),
            [
                (
                    f"$.RoleArn: {BAD}Model Validation failed: Value 'Role' for 'RoleArn' failed to satisfy "
                    "constraint: length at least 20."
                )
            ],
        ),
        (
            processing(Environment={"A-B": "x", "C": {"d": 1}, "D": {"get": "Parameters.S"}}),
            [
                (
                    f"$.Environment.A-B: {BAD}Model Validation failed: Value 'A-B' for 'ProcessingEnvironmentKey' failed to "
                    "satisfy regular expression pattern: [a-zA-Z_][a-zA-Z0-9_]*"
                ),
                f'$.Environment.C: {BAD}Expecting String; found an object: {{"d": 1}}. {ONE_MEMBER}',
                (
                    f'$.Environment.D: {BAD}Expecting String; found an object: {{"get": "Parameters.S"}}. '
                    f"Did you mean 'Get'? {ONE_MEMBER}"
                ),
            ],
        ),
    ],
)
def test_problems_are_located_and_in_the_services_words(arguments: JSON, problems: list[str], model: JSON) -> None:
    assert problems_of(PROCESSING, arguments, model) == problems


def test_wrong_enum_value_names_the_allowed_ones(model: JSON) -> None:
    s3_input = {"S3Uri": "s3://b/x", "S3DataType": "S3Prefix", "S3InputMode": "FastFile"}
    assert problems_of(PROCESSING, processing(ProcessingInputs=[{"InputName": "a", "S3Input": s3_input}]), model) == [
        (
            f"$.ProcessingInputs[0].S3Input.S3InputMode: {BAD}Model Validation failed: Value 'FastFile' for "
            "'ProcessingS3InputMode' failed to satisfy enum value set: [Pipe, File] Did you mean 'File'?"
        )
    ]


def test_long_enums_are_cut_and_the_nearest_value_is_named(model: JSON) -> None:
    (problem,) = problems_of(PROCESSING, processing(cluster={"InstanceType": "ml.m5.larg"}), model)
    assert "Value 'ml.m5.larg' for 'ProcessingInstanceType' failed to satisfy enum value set: [ml.t3.medium, " in problem
    assert problem.endswith("in all)] Did you mean 'ml.m5.large'?")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("I", "Integer"), ("F", "Float"), ("B", "Boolean")],
)
def test_parameter_that_is_no_text_is_refused_where_text_is_wanted(name: str, kind: str, model: JSON) -> None:
    arguments = processing(Environment={"A": parameter(name)}, app={"ContainerEntrypoint": [parameter(name)]})
    refusal = (
        f"Cannot assign property reference [Parameters.{name}] to argument of type [String]. It is of type {kind}. {CAST}"
    )
    assert problems_of(PROCESSING, arguments, model) == [
        f"$.AppSpecification.ContainerEntrypoint[0]: {refusal}",
        f"$.Environment.A: {refusal}",
    ]


@pytest.mark.parametrize("name", ["S", "F", "B"])
def test_parameter_that_is_no_integer_is_refused_where_one_is_wanted(name: str, model: JSON) -> None:
    assert problems_of(PROCESSING, processing(cluster={"InstanceCount": parameter(name)}), model) == [
        (
            "$.ProcessingResources.ClusterConfig.InstanceCount: "
            f"Cannot assign property reference [Parameters.{name}] to argument of type [Integer]. "
            f"It is of type {TYPES[name]}."
        )
    ]


def test_pattern_that_only_java_knows_is_not_checked(model: JSON) -> None:
    assert problems_of(PROCESSING, processing(Tags=[{"Key": "k", "Value": "ä %"}]), model) == []


def test_fitting_converts_scalars_and_drops_nulls(model: JSON) -> None:
    resolved = processing(
        cluster={"InstanceCount": "2", "VolumeSizeInGB": 30.0},
        app={"ContainerArguments": [3, 0.5, True, 1e-05, "x"], "ContainerEntrypoint": None},
        Environment={"A": 1, "B": None, "C": False},
        NetworkConfig={"EnableNetworkIsolation": True},
    )
    fitted = fit_to_request(PROCESSING, resolved, model)
    assert fitted == processing(
        cluster={"InstanceCount": 2, "VolumeSizeInGB": 30},
        app={"ContainerArguments": ["3", "0.5", "true", "0.00001", "x"]},
        Environment={"A": "1", "C": "false"},
        NetworkConfig={"EnableNetworkIsolation": True},
    )
    assert type(fitted["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"]) is int


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            processing(cluster={"InstanceCount": "two"}),
            'Expecting Integer at $.ProcessingResources.ClusterConfig.InstanceCount; found a string: "two".',
        ),
        (processing(Environment={"A": [1]}), "Expecting String at $.Environment.A; found a list: [1]."),
        (processing(ProcessingInputs={"a": 1}), 'Expecting List at $.ProcessingInputs; found an object: {"a": 1}.'),
        (
            processing(NetworkConfig={"EnableNetworkIsolation": "true"}),
            'Expecting Boolean at $.NetworkConfig.EnableNetworkIsolation; found a string: "true".',
        ),
    ],
)
def test_resolved_value_of_a_wrong_kind_is_named(arguments: JSON, message: str, model: JSON) -> None:
    with pytest.raises(ExpressionError) as error:
        fit_to_request(PROCESSING, arguments, model)
    assert str(error.value) == message


def test_the_prefix_of_a_job_name_may_end_in_a_hyphen(model: JSON) -> None:
    assert problems_of(PROCESSING, processing(ProcessingJobName="my-prefix-"), model) == []
    (problem,) = problems_of(PROCESSING, processing(ProcessingJobName="my_prefix"), model)
    assert problem.startswith(
        f"$.ProcessingJobName: {BAD}Model Validation failed: Value 'my_prefix' for 'ProcessingJobName'"
    )


def test_resolved_values_beyond_the_model_are_refused_as_the_create_call_does(model: JSON) -> None:
    require_valid(PROCESSING, processing(), model, "$.Arguments", JOB_NAMES)
    with pytest.raises(JobFailed) as error:
        require_valid(PROCESSING, processing(Environment={"A": "x" * 257}), model, "$.Arguments", JOB_NAMES)
    assert str(error.value) == (
        "Failed to invoke sagemaker:CreateProcessingJob. Error Details: $.Arguments.Environment.A: Model Validation failed: "
        f"Value '{'x' * 60}...' for 'ProcessingEnvironmentValue' failed to satisfy constraint: length at most 256. "
        "It has 257 characters."
    )

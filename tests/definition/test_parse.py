from __future__ import annotations

import json

import pytest

from localpipe.core import JSON
from localpipe.core.jobspec import PropertyFileSpec
from localpipe.definition.model import CacheConfig, Dependency, Parameter, PipelineDefinition, RetryPolicy
from localpipe.definition.parse import parse_step_list, read_definition
from localpipe.errors import Problem


def a_definition(**members: JSON) -> JSON:
    return {"Version": "2020-12-01", "Steps": [{"Name": "A", "Type": "Fail", "Arguments": {}}], **members}


def a_step(**members: JSON) -> JSON:
    return {"Name": "A", "Type": "Processing", "Arguments": {}, **members}


def problems_of(source: JSON) -> list[str]:
    _, problems = read_definition(source)
    assert problems
    return [str(problem) for problem in problems]


def read(source: JSON) -> PipelineDefinition:
    definition, problems = read_definition(source)
    assert problems == []
    return definition


def step_problems(**members: JSON) -> list[str]:
    return problems_of({"Steps": [a_step(**members)]})


def test_text_bytes_and_mapping_give_the_same_definition() -> None:
    definition = a_definition()
    text = json.dumps(definition)
    assert read(text) == read(text.encode()) == read(definition)
    assert read(text).source == definition


def test_byte_order_mark_is_no_problem() -> None:
    assert read(b"\xef\xbb\xbf" + json.dumps(a_definition()).encode()).steps[0].name == "A"


def test_members_of_a_step_are_read() -> None:
    step = a_step(
        DisplayName="Ä step",
        Description="does it",
        DependsOn=["B", {"Step": "C", "Trigger": "Failed"}, {"Step": "D"}],
        CacheConfig={"Enabled": True, "ExpireAfter": "P30D"},
        PropertyFiles=[{"PropertyFileName": "R", "OutputName": "o", "FilePath": "e.json"}],
        RetryPolicies=[{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 3}],
        FunctionArn="arn",
    )
    (found,) = read({"Steps": [step]}).steps
    assert found.path == "$.Steps[0]"
    assert found.display_name == "Ä step"
    assert found.depends_on == (
        Dependency(step="B"),
        Dependency(step="C", trigger="Failed"),
        Dependency(step="D"),
    )
    assert found.cache == CacheConfig(enabled=True, expire_after="P30D")
    assert found.property_files == (PropertyFileSpec(name="R", output_name="o", file_path="e.json"),)
    assert found.retry_policies == (RetryPolicy(exception_types=("Step.THROTTLING",), max_attempts=3),)
    assert found.fields == {"FunctionArn": "arn"}


def test_null_members_count_as_absent() -> None:
    step = a_step(DependsOn=None, CacheConfig=None, RetryPolicies=None, DisplayName=None, PropertyFiles=None, Unknown=None)
    definition = read(
        {"Steps": [step], "Parameters": None, "PipelineExperimentConfig": None, "MlflowConfig": None, "Metadata": None}
    )
    assert definition.experiment is None
    assert definition.steps[0].cache is None


def test_malformed_json_is_one_problem_with_line_and_column() -> None:
    assert problems_of('{"Steps": [\n  {]\n}') == [
        (
            "$: Unable to parse pipeline definition. It is not valid JSON: "
            "Expecting property name enclosed in double quotes at line 2, column 4 (character 15)."
        )
    ]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"\xff", "It is not valid JSON"),
        ("[" * 100_000, "nested more than 100 levels deep"),
        ("[" * 150 + "]" * 150, "nested more than 100 levels deep"),
        ('{"Steps": NaN}', "NaN is no JSON number"),
        ('{"Steps": 1e999}', "too large for a double"),
        ('{"Steps": "\\ud800"}', "surrogate"),
        ('{"Steps": ' + "9" * 5000 + "}", "It is not valid JSON: it has a number of 5000 digits."),
        (" " * 1_048_577, "at most 1048576 are allowed"),
        ({"Steps": {1, 2}}, "It is not valid JSON"),
        ("3", "Expecting start of Json Object."),
    ],
)
def test_what_is_no_document_is_one_located_problem(source: JSON, message: str) -> None:
    (problem,) = problems_of(source)
    assert problem.startswith("$: ")
    assert message in problem


def test_every_problem_is_reported_at_once() -> None:
    assert problems_of(
        {
            "Version": "2019",
            "Paramters": [],
            "Parameters": [{"Name": "P", "Type": "Int"}],
            "Steps": [{"Name": "a b", "Type": "Fail", "Argument": {}}, {"Type": "Fail"}],
        }
    ) == [
        (
            "$.Paramters: Unable to parse pipeline definition. Cannot parse object, unknown property 'Paramters'. "
            "Did you mean 'Parameters'?"
        ),
        "$.Version: version \"2019\" is not known. Write '2020-12-01'.",
        "$.Parameters[0].Type: \"Int\" is no parameter type. Did you mean 'Integer'?",
        (
            "$.Steps[0].Argument: Unable to parse pipeline definition. Cannot parse object, unknown property 'Argument'. "
            "Did you mean 'Arguments'?"
        ),
        '$.Steps[0].Name: "a b" is not allowed as a name. Use 1 to 64 letters, digits, hyphens and underscores.',
        "$.Steps[1]: Unable to parse pipeline definition. 'Name' is missing. Add Name, a string.",
    ]


@pytest.mark.parametrize("steps", [None, []])
def test_definition_without_steps_is_refused(steps: JSON) -> None:
    assert problems_of({"Steps": steps}) == [
        "$: Unable to parse pipeline definition. The definition has no steps. Add Steps, a list of at least one."
    ]


@pytest.mark.parametrize("steps", [{"Get": "Parameters.S"}, "A", 3])
def test_steps_that_are_no_list_are_refused_in_the_services_words(steps: JSON) -> None:
    (problem,) = problems_of({"Steps": steps})
    assert problem.startswith("$.Steps: Unable to parse pipeline definition. Expecting start of Json Array.")


def test_names_and_texts_may_be_as_long_as_the_service_takes_and_no_longer() -> None:
    read({"Steps": [a_step(Name="x" * 64, DisplayName="x" * 256, Description="x" * 3072)]})
    found = step_problems(Name="x" * 65, DisplayName="x" * 257, Description="x" * 3073)
    assert [problem.split(":")[0] for problem in found] == [
        "$.Steps[0].Name",
        "$.Steps[0].DisplayName",
        "$.Steps[0].Description",
    ]


@pytest.mark.parametrize(
    "duration", ["P30D", "PT1H", "P4DT12H", "p30d", "T12H", "30d", "5y", "T16m", "30dT5h", "P1Y2M3W4DT5H6M7S"]
)
def test_every_spelling_of_a_duration_is_taken(duration: str) -> None:
    (step,) = read({"Steps": [a_step(CacheConfig={"Enabled": True, "ExpireAfter": duration})]}).steps
    assert step.cache == CacheConfig(enabled=True, expire_after=duration)


@pytest.mark.parametrize("duration", ["", "P", "PT", "T", "30", "P1H", "1 day", "P-1D"])
def test_what_is_no_duration_is_refused_where_the_cache_is_on(duration: str) -> None:
    assert step_problems(CacheConfig={"Enabled": True, "ExpireAfter": duration}) == [
        f'$.Steps[0].CacheConfig.ExpireAfter: "{duration}" is no duration. Write an ISO 8601 duration such as P30D or PT1H.'
    ]
    read({"Steps": [a_step(CacheConfig={"Enabled": False, "ExpireAfter": duration})]})


def test_retry_policy_defaults() -> None:
    policies = [
        {"ExceptionType": "Step.SERVICE_FAULT"},
        {"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "ExpireAfterMin": 10, "IntervalSeconds": 2, "BackoffRate": 1.5},
    ]
    (step,) = read({"Steps": [a_step(RetryPolicies=policies)]}).steps
    assert step.retry_policies == (
        RetryPolicy(exception_types=("Step.SERVICE_FAULT",), interval_seconds=1, backoff_rate=2.0, max_attempts=5),
        RetryPolicy(
            exception_types=("SageMaker.CAPACITY_ERROR",),
            interval_seconds=2,
            backoff_rate=1.5,
            max_attempts=None,
            expire_after_minutes=10,
        ),
    )


def test_retry_policy_limits() -> None:
    policy = {"ExceptionType": ["Step.THROTLING"], "IntervalSeconds": 43201, "BackoffRate": -1, "MaxAttempts": 21}
    assert step_problems(RetryPolicies=[policy, {"MaxAttempts": 1.5, "ExpireAfterMin": 14401}]) == [
        "$.Steps[0].RetryPolicies[0].IntervalSeconds: 'IntervalSeconds' is a number from 0 to 43200; found 43201.",
        "$.Steps[0].RetryPolicies[0].BackoffRate: 'BackoffRate' is a number of at least 0; found -1.",
        "$.Steps[0].RetryPolicies[0].MaxAttempts: 'MaxAttempts' is an integer from 0 to 20; found 21.",
        (
            '$.Steps[0].RetryPolicies[0].ExceptionType[0]: "Step.THROTLING" is no exception type. '
            "Did you mean 'Step.THROTTLING'?"
        ),
        "$.Steps[0].RetryPolicies[1].MaxAttempts: 'MaxAttempts' is an integer from 0 to 20; found 1.5.",
        "$.Steps[0].RetryPolicies[1].ExpireAfterMin: 'ExpireAfterMin' is a number from 0 to 14400; found 14401.",
        (
            "$.Steps[0].RetryPolicies[1]: a retry policy takes one of MaxAttempts and ExpireAfterMin, not both. "
            "Remove one of them."
        ),
        (
            "$.Steps[0].RetryPolicies[1]: a retry policy names at least one exception type. Name one of Step.SERVICE_FAULT, "
            "Step.THROTTLING, SageMaker.JOB_INTERNAL_ERROR, SageMaker.CAPACITY_ERROR, SageMaker.JOB_CAPACITY_ERROR, "
            "SageMaker.RESOURCE_LIMIT, Emr.RESOURCE_LIMIT."
        ),
    ]


def test_parameters_are_read() -> None:
    parameters = [
        {"Name": "S", "DefaultValue": "a", "EnumValues": ["a", "b"], "Description": "which"},
        {"Name": "F", "Type": "Float", "DefaultValue": 2},
        {"Name": "B", "Type": "Boolean", "DefaultValue": False},
        {"Name": "I", "Type": "Integer"},
    ]
    assert read(a_definition(Parameters=parameters)).parameters == (
        Parameter(name="S", type="String", default="a", enum=("a", "b"), path="$.Parameters[0]"),
        Parameter(name="F", type="Float", default=2, enum=None, path="$.Parameters[1]"),
        Parameter(name="B", type="Boolean", default=False, enum=None, path="$.Parameters[2]"),
        Parameter(name="I", type="Integer", default=None, enum=None, path="$.Parameters[3]"),
    )


def test_parameter_with_an_empty_list_of_values_takes_any() -> None:
    definition = read({"Steps": [a_step()], "Parameters": [{"Name": "P", "DefaultValue": "a", "EnumValues": []}]})
    assert definition.parameters[0].enum is None


def test_parameters_that_contradict_themselves_are_refused() -> None:
    parameters = [
        {"Name": "S", "DefaultValue": "c", "EnumValues": ["a", "b"]},
        {"Name": "S"},
        {"Name": "I", "Type": "Integer", "DefaultValue": "3"},
        {"Name": "B", "Type": "Integer", "DefaultValue": True},
    ]
    assert problems_of(a_definition(Parameters=parameters)) == [
        "$.Parameters[0].DefaultValue: the default \"c\" is not among the EnumValues. Allowed are 'a', 'b'.",
        '$.Parameters[2].DefaultValue: the default of a parameter of type Integer cannot be a string: "3".',
        "$.Parameters[3].DefaultValue: the default of a parameter of type Integer cannot be a boolean: true.",
        "$.Parameters: there is more than one parameter 'S'. Rename or remove all but one.",
    ]


def test_wrong_kinds_are_refused_where_they_stand() -> None:
    found = step_problems(Arguments=[], DependsOn="B", CacheConfig=True, RetryPolicies={}, PropertyFiles=[3], DisplayName=3)
    assert found == [
        (
            "$.Steps[0].Arguments: Unable to parse pipeline definition. Expecting start of Json Object. "
            "Arguments is an object; found a list: []."
        ),
        "$.Steps[0].DisplayName: Unable to parse pipeline definition. 'DisplayName' is a literal string; found a number: 3.",
        (
            "$.Steps[0].DependsOn: Unable to parse pipeline definition. Expecting start of Json Array. "
            'DependsOn is a list; found a string: "B".'
        ),
        (
            "$.Steps[0].RetryPolicies: Unable to parse pipeline definition. Expecting start of Json Array. "
            "RetryPolicies is a list; found an object: {}."
        ),
        (
            "$.Steps[0].CacheConfig: Unable to parse pipeline definition. Expecting start of Json Object. "
            "CacheConfig is an object; found a boolean: true."
        ),
        (
            "$.Steps[0].PropertyFiles[0]: Unable to parse pipeline definition. Expecting start of Json Object. "
            "A property file is an object; found a number: 3."
        ),
    ]


def test_config_of_the_execution_has_known_members_that_are_scalars() -> None:
    configs = {
        "PipelineExperimentConfig": {"ExperimentNam": "e", "TrialName": ["t"]},
        "MlflowConfig": {"Get": "Parameters.P"},
    }
    unknown = "Unable to parse pipeline definition. Cannot parse object, unknown property"
    assert problems_of({"Steps": [a_step()], **configs}) == [
        f"$.PipelineExperimentConfig.ExperimentNam: {unknown} 'ExperimentNam'. Did you mean 'ExperimentName'?",
        (
            "$.PipelineExperimentConfig.TrialName: Unable to parse pipeline definition. Expecting a string, number, boolean "
            "or expression; found a list. An expression has exactly one member: Get, Std:Join or Std:JsonGet."
        ),
        f"$.MlflowConfig.Get: {unknown} 'Get'. Choose one of 'MlflowResourceArn', 'MlflowExperimentName'.",
    ]


def test_trigger_that_is_none_is_refused() -> None:
    assert step_problems(DependsOn=[{"Step": "B", "Trigger": "Complete"}, {"Trigger": "Any"}]) == [
        "$.Steps[0].DependsOn[0].Trigger: \"Complete\" is no trigger. Did you mean 'Completed'?",
        "$.Steps[0].DependsOn[1]: Unable to parse pipeline definition. 'Step' is missing. Add Step, a string.",
    ]


def test_steps_of_a_branch_carry_their_paths_and_problems() -> None:
    problems: list[Problem] = []
    path = "$.Steps[2].Arguments.IfSteps"
    steps = parse_step_list([a_step(), {"Name": "B"}], path, problems)
    assert [step.path for step in steps] == [f"{path}[0]"]
    assert [problem.path for problem in problems] == [f"{path}[1]"]
    assert parse_step_list(None, path, []) == parse_step_list(3, path, []) == ()

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localpipe.core import JSON
from localpipe.definition.check import all_steps, check_definition, load_definition
from localpipe.definition.parse import read_definition
from localpipe.errors import DefinitionError
from localpipe.steps import step_types

DEFINITIONS = sorted((Path(__file__).parents[1] / "golden" / "definitions").glob("*.json"))
ROLE = "arn:aws:iam::123456789012:role/Role"


def get(text: str) -> JSON:
    return {"Get": text}


def processing(name: str = "Prep", *, environment: JSON = None, **members: JSON) -> JSON:
    arguments = {
        "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}},
        "AppSpecification": {"ImageUri": "image"},
        "RoleArn": ROLE,
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "train",
                    "S3Output": {"S3Uri": "s3://b/t", "LocalPath": "/opt/ml/processing/t", "S3UploadMode": "EndOfJob"},
                }
            ]
        },
        "Environment": environment,
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **members}


def user(text: str, name: str = "Use", **members: JSON) -> JSON:
    return processing(name, environment={"A": get(text)}, **members)


def fail(name: str = "Stop") -> JSON:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}


def condition(*, conditions: JSON = (), if_steps: JSON = (), else_steps: JSON = (), **members: JSON) -> JSON:
    arguments = {"Conditions": list(conditions), "IfSteps": list(if_steps), "ElseSteps": list(else_steps)}
    return {"Name": "Check", "Type": "Condition", "Arguments": arguments, **members}


def problems_of(model: JSON, *steps: JSON, **members: JSON) -> list[str]:
    definition, _ = read_definition({"Steps": list(steps), **members})
    return [str(problem) for problem in check_definition(definition, step_types(), model)]


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.stem)
def test_definitions_of_the_sdks_have_no_problem(path: Path, model: JSON) -> None:
    definition = load_definition(path.read_bytes(), step_types(), model)
    assert definition.source == json.loads(path.read_text())


def test_all_steps_come_in_document_order_with_their_paths() -> None:
    inner = {**condition(if_steps=[processing("C")]), "Name": "Inner"}
    outer = condition(if_steps=[processing("A"), inner], else_steps=[fail()])
    definition, _ = read_definition({"Steps": [outer, user("B")]})
    assert [(step.name, step.path) for step in all_steps(definition, step_types())] == [
        ("Check", "$.Steps[0]"),
        ("A", "$.Steps[0].Arguments.IfSteps[0]"),
        ("Inner", "$.Steps[0].Arguments.IfSteps[1]"),
        ("C", "$.Steps[0].Arguments.IfSteps[1].Arguments.IfSteps[0]"),
        ("Stop", "$.Steps[0].Arguments.ElseSteps[0]"),
        ("Use", "$.Steps[1]"),
    ]


def test_problems_of_grammar_and_meaning_come_together(model: JSON) -> None:
    source = {"Steps": [{**user("Parameters.X"), "Retries": 3}], "Version": "1"}
    with pytest.raises(DefinitionError) as refusal:
        load_definition(source, step_types(), model)
    assert [problem.path for problem in refusal.value.problems] == [
        "$.Version",
        "$.Steps[0].Retries",
        "$.Steps[0].Arguments.Environment.A",
    ]


def test_step_type_that_localpipe_does_not_run_is_refused_by_name(model: JSON) -> None:
    definition, _ = read_definition({"Steps": [{"Name": "E", "Type": "EMR", "Arguments": {}}]})
    (problem,) = check_definition(definition, step_types(), model)
    assert problem.unsupported
    assert problem.path == "$.Steps[0].Type"
    assert problem.message == "step 'E': step type 'EMR' is not supported."
    assert problem.remedy.startswith("Supported are Processing, Training, Tuning, Transform, Condition, Fail, Model,")


def test_step_type_that_there_is_not(model: JSON) -> None:
    assert problems_of(model, {"Name": "E", "Type": "Procesing"}) == [
        "$.Steps[0].Type: step 'E': there is no step type 'Procesing'. Did you mean 'Processing'?"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Parameters.InptData", "there is no parameter 'InptData'. Did you mean 'InputData'?"),
        (
            "Execution.PipelineExecutionID",
            "there is no execution variable 'PipelineExecutionID'. Did you mean 'PipelineExecutionId'?",
        ),
        ("Execution.TrainingJobName", "Execution.TrainingJobName has a value only in steps of type 'Training'."),
        ("Steps.Perp.ExitMessage", "there is no step 'Perp'. Did you mean 'Prep'?"),
        ("Steps.Use.ExitMessage", "step 'Use' waits for itself. Refer to another step."),
        (
            "Steps.Prep.ExitMesage",
            "step 'Prep' (Processing): there is no property 'ExitMesage'. Did you mean 'ExitMessage'?",
        ),
        (
            "Steps.Prep.ProcessingOutputConfig.Outputs['tran'].S3Output.S3Uri",
            "step 'Prep' (Processing): 'ProcessingOutputConfig.Outputs' has no element 'tran'. Did you mean 'train'?",
        ),
        (
            "Steps.Prep.ProcessingOutputConfig.Outputs",
            (
                "step 'Prep' (Processing): 'ProcessingOutputConfig.Outputs' is no single value. "
                "It is a list: write [0].OutputName, for example."
            ),
        ),
        (
            "Steps.Stop.ErrorMessage",
            "Use can not depends on Stop. No step can depend on a step of type 'Fail' or refer to it.",
        ),
    ],
)
def test_reference_to_what_is_not_there_is_located(text: str, problem: str, model: JSON) -> None:
    parameters = [{"Name": "InputData", "DefaultValue": "x"}]
    assert problems_of(model, processing(), fail(), user(text), Parameters=parameters) == [
        f"$.Steps[2].Arguments.Environment.A: {problem}"
    ]


@pytest.mark.parametrize(
    "text", ["Execution.ProcessingJobName", "Execution.StartDateTime", "Steps.Prep.ProcessingJobArn", "Parameters.InputData"]
)
def test_reference_to_what_is_there_has_no_problem(text: str, model: JSON) -> None:
    assert problems_of(model, processing(), user(text), Parameters=[{"Name": "InputData", "DefaultValue": "x"}]) == []


def test_integer_property_needs_a_cast_where_text_is_wanted(model: JSON) -> None:
    (problem,) = problems_of(model, processing(), user("Steps.Prep.ProcessingResources.ClusterConfig.InstanceCount"))
    assert "to argument of type [String]. It is of type Integer. Cast it: " in problem


def test_outcome_of_a_condition_can_be_referred_to(model: JSON) -> None:
    message = {"Std:Join": {"On": " ", "Values": ["took", get("Steps.Check.Outcome")]}}
    assert problems_of(model, condition(), {"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": message}}) == []


def test_branches_are_checked_and_may_refer_across(model: JSON) -> None:
    steps = condition(
        if_steps=[processing("A"), user("Steps.B.ExitMesage", "U")], else_steps=[user("Steps.A.ExitMessage", "B")]
    )
    assert problems_of(model, steps) == [
        (
            "$.Steps[0].Arguments.IfSteps[1].Arguments.Environment.A: "
            "step 'B' (Processing): there is no property 'ExitMesage'. Did you mean 'ExitMessage'?"
        )
    ]


def test_depends_on_is_checked_like_a_reference(model: JSON) -> None:
    assert problems_of(model, fail(), processing(DependsOn=["Pre", "Prep", "Stop"])) == [
        "$.Steps[1].DependsOn[0]: there is no step 'Pre'. Did you mean 'Prep'?",
        "$.Steps[1].DependsOn[1]: step 'Prep' waits for itself. Refer to another step.",
        "$.Steps[1].DependsOn[2]: Prep can not depends on Stop. No step can depend on a step of type 'Fail' or refer to it.",
    ]


def test_run_conditions_are_refused_by_name(model: JSON) -> None:
    step = user("Execution.PipelineName", DependsOn=[{"Step": "Prep", "Trigger": "Failed"}])
    definition, _ = read_definition({"Steps": [processing(), step]})
    (problem,) = check_definition(definition, step_types(), model)
    assert problem.unsupported
    assert str(problem) == (
        "$.Steps[1].DependsOn[0]: step 'Use': running it when 'Prep' ends as 'Failed' is not supported. "
        "Only the trigger 'Completed' is."
    )


def test_retry_policies_are_refused_on_types_that_take_none(model: JSON) -> None:
    policies = [{"ExceptionType": ["Step.THROTTLING"]}]
    assert problems_of(model, condition(RetryPolicies=policies), processing(RetryPolicies=policies)) == [
        "$.Steps[0].RetryPolicies: step 'Check': a step of type 'Condition' takes no RetryPolicies. Remove them."
    ]


def test_property_file_names_an_output_and_is_named_by_references(model: JSON) -> None:
    files = [{"PropertyFileName": "Report", "OutputName": "trein", "FilePath": "e.json"}]
    left = {"Std:JsonGet": {"PropertyFile": get("Steps.Prep.PropertyFiles.Reprt"), "Path": "a"}}
    compare = {"Type": "Equals", "LeftValue": left, "RightValue": 1}
    assert problems_of(model, processing(PropertyFiles=files), condition(conditions=[compare])) == [
        "$.Steps[0].PropertyFiles[0].OutputName: step 'Prep' has no output 'trein'. Did you mean 'train'?",
        (
            "$.Steps[1].Arguments.Conditions[0].LeftValue['Std:JsonGet'].PropertyFile: "
            "step 'Prep' has no property file 'Reprt'. Did you mean 'Report'?"
        ),
    ]


def test_duplicate_names_are_found_over_all_branches(model: JSON) -> None:
    assert problems_of(
        model, processing("A"), condition(if_steps=[processing("B")], else_steps=[processing("B"), fail("A")])
    ) == [
        (
            "$.Steps[1].Arguments.ElseSteps[0]: there is already a step 'B' at $.Steps[1].Arguments.IfSteps[0]. "
            "Step names are unique over the whole definition, branches included."
        ),
        (
            "$.Steps[1].Arguments.ElseSteps[1]: there is already a step 'A' at $.Steps[0]. "
            "Step names are unique over the whole definition, branches included."
        ),
    ]


def test_experiment_config_may_name_parameters_but_no_step(model: JSON) -> None:
    experiment = {"ExperimentName": get("Parameters.E"), "TrialName": get("Steps.Prep.ProcessingJobName")}
    assert problems_of(model, processing(), PipelineExperimentConfig=experiment) == [
        "$.PipelineExperimentConfig.ExperimentName: there is no parameter 'E'. The definition declares no parameters.",
        "$.PipelineExperimentConfig.TrialName: step 'Prep' has no values yet when the execution starts.",
    ]


def test_mlflow_config_may_name_parameters(model: JSON) -> None:
    mlflow = {"MlflowResourceArn": get("Parameters.M"), "MlflowExperimentName": get("Execution.PipelineName")}
    assert problems_of(model, processing(), MlflowConfig=mlflow) == [
        "$.MlflowConfig.MlflowResourceArn: there is no parameter 'M'. The definition declares no parameters."
    ]


def test_member_of_another_step_type_is_unknown(model: JSON) -> None:
    assert problems_of(model, {**fail(), "FunctionArn": "arn"}) == [
        "$.Steps[0].FunctionArn: Unable to parse pipeline definition. Cannot parse object, unknown property 'FunctionArn'."
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("ProcessingOutputConfig", "Choose one of 'Outputs', 'KmsKeyId'."),
        (
            "ProcessingOutputConfig.Outputs['train']",
            "Choose one of 'OutputName', 'S3Output', 'FeatureStoreOutput', 'AppManaged'.",
        ),
        ("Environment", "It is a map: name a key."),
    ],
)
def test_expression_stands_for_a_scalar_wherever_it_is(text: str, hint: str, model: JSON) -> None:
    whole = get(f"Steps.Prep.{text}")
    operand = {"Type": "Equals", "LeftValue": whole, "RightValue": 1}
    message = {"Std:Join": {"On": "", "Values": [whole]}}
    stop = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": message}}
    wrong = f"step 'Prep' (Processing): {text!r} is no single value. {hint}"
    assert problems_of(model, processing(environment={}), condition(conditions=[operand]), stop) == [
        f"$.Steps[1].Arguments.Conditions[0].LeftValue: {wrong}",
        f"$.Steps[2].Arguments.ErrorMessage['Std:Join'].Values[0]: {wrong}",
    ]


def test_problem_of_a_branch_is_reported_once(model: JSON) -> None:
    assert problems_of(model, condition(if_steps=[{"Name": "A"}])) == [
        "$.Steps[0].Arguments.IfSteps[0]: Unable to parse pipeline definition. 'Type' is missing. Add Type, a string."
    ]

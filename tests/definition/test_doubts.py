from __future__ import annotations

from localpipe.core import JSON
from localpipe.definition.check import load_definition
from localpipe.definition.doubts import doubts
from localpipe.steps import step_types


def condition(name: str, *if_steps: JSON, operand: JSON = 1, **members: JSON) -> JSON:
    operands = {"Type": "Equals", "LeftValue": operand, "RightValue": 1}
    return {
        "Name": name,
        "Type": "Condition",
        "Arguments": {"Conditions": [operands], "IfSteps": list(if_steps), "ElseSteps": []},
        **members,
    }


def training(hyper_parameters: JSON) -> JSON:
    arguments = {
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "RoleArn": "arn:aws:iam::123456789012:role/Role",
        "HyperParameters": hyper_parameters,
    }
    return {"Name": "Train", "Type": "Training", "Arguments": arguments}


def doubts_of(model: JSON, *steps: JSON) -> list[str]:
    parameters = [{"Name": "N", "Type": "Integer", "DefaultValue": 1}, {"Name": "S", "DefaultValue": "a"}]
    definition = load_definition({"Parameters": parameters, "Steps": list(steps)}, step_types(), model)
    return list(doubts(definition, step_types(), model))


def test_condition_in_a_branch_is_doubtful(model: JSON) -> None:
    assert doubts_of(model, condition("Outer", condition("Inner"), condition("Other"))) == [
        (
            "Step 'Outer' (Condition) has steps with branches in its own: 'Inner', 'Other'. "
            "SageMaker's guide calls that unsupported, though its SDK writes it."
        )
    ]


def test_depending_on_a_condition_is_doubtful_but_referring_to_it_is_not(model: JSON) -> None:
    referring = condition("Refers", operand={"Get": "Steps.First.Outcome"})
    assert doubts_of(model, condition("First"), referring, condition("Waits", DependsOn=["First"])) == [
        (
            "Step 'Waits' depends on 'First' (Condition) by DependsOn: SageMaker has been seen to refuse that. "
            "A reference to one of its properties makes it wait as well."
        )
    ]


def test_hyperparameter_that_is_no_text_is_doubtful(model: JSON) -> None:
    number, text = {"Get": "Parameters.N"}, {"Get": "Parameters.S"}
    cast = {"Std:Join": {"On": "", "Values": [number]}}
    assert doubts_of(model, training({"trees": number, "kind": text, "depth": cast, "rate": 0.1})) == [
        (
            "Step 'Train': HyperParameters takes text, but 'trees' refers to a number or boolean, "
            "which SageMaker may refuse. In the SDK, `.to_string()` casts it."
        )
    ]
    assert doubts_of(model, training(None)) == []

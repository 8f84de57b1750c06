from __future__ import annotations

import json

import pytest
from botocore.loaders import Loader

from localpipe.core import JSON
from localpipe.core.functions import FunctionEnd, FunctionExit
from localpipe.core.names import ExecutionName, Identity
from localpipe.core.work import (
    CallbackAnswer,
    CallFunction,
    Failure,
    FunctionResult,
    Outcome,
    ResolvedStep,
    SendMessage,
    Stopped,
    Success,
)
from localpipe.definition.check import check_definition
from localpipe.definition.parse import read_definition
from localpipe.definition.wording import PARSE_PREFIX
from localpipe.steps import step_types
from localpipe.steps.outputs import converted

ARN = "arn:aws:lambda:us-east-1:123456789012:function:notify"
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/approvals"
IDENTITY = Identity(account="123456789012", region="us-east-1", role_arn="arn:aws:iam::123456789012:role/SageMaker")
EXECUTION = ExecutionName(pipeline_name="Pipe", execution_id="abcdefghij12", identity=IDENTITY)


@pytest.fixture(scope="session")
def model() -> JSON:
    return Loader().load_service_model("sagemaker", "service-2")


def declared(**types: str) -> JSON:
    return [{"OutputName": name, "OutputType": type_} for name, type_ in types.items()]


def resolved(type_: str, fields: JSON, arguments: JSON = None) -> ResolvedStep:
    return ResolvedStep(
        name="Step",
        type=type_,
        path="$.Steps[0]",
        arguments=arguments or {},
        fields=fields,
        property_files=(),
        execution=EXECUTION,
        job_name="pipelines-abcdefghij12-Step-0123456789",
        attempt=1,
        at=100.0,
    )


def returned(answer: JSON, **types: str) -> Outcome:
    step = resolved("Lambda", {"FunctionArn": ARN, "OutputParameters": declared(**types)})
    exit_ = FunctionExit(end=FunctionEnd.RETURNED, text=json.dumps(answer))
    return step_types()["Lambda"].outcome(step, FunctionResult(exit=exit_))


def outputs_of(outcome: Outcome) -> JSON:
    assert isinstance(outcome, Success)
    return outcome.properties["OutputParameters"]


def reason_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Failure)
    return outcome.reason


@pytest.mark.documented
def test_the_event_of_a_function_is_its_arguments_as_they_are() -> None:
    step = resolved("Lambda", {"FunctionArn": ARN}, {"model": "m-1", "n": 5, "deep": {"x": [1.5, True]}})
    assert step_types()["Lambda"].work(step) == CallFunction(arn=ARN, event=step.arguments)
    assert step_types()["Lambda"].work(resolved("Lambda", {"FunctionArn": ARN})) == CallFunction(arn=ARN, event={})


@pytest.mark.documented
def test_declared_outputs_have_their_types_and_others_are_ignored() -> None:
    outcome = returned({"s": "x", "i": 7, "b": False, "f": 2, "more": 1}, s="String", i="Integer", b="Boolean", f="Float")
    outputs = outputs_of(outcome)
    assert outputs == {"s": "x", "i": 7, "b": False, "f": 2.0}
    assert [type(value) for value in outputs.values()] == [str, int, bool, float]


@pytest.mark.documented
def test_a_nested_value_becomes_one_text() -> None:
    assert outputs_of(returned({"body": {"a": [1, "x"]}}, body="String")) == {"body": '{"a": [1, "x"]}'}


@pytest.mark.observed
def test_a_number_fits_a_text_as_in_the_example_of_aws() -> None:
    assert outputs_of(returned({"statusCode": 200}, statusCode="String")) == {"statusCode": "200"}


def test_a_function_without_declared_outputs_may_return_anything() -> None:
    assert outputs_of(returned([1, 2])) == {}
    assert outputs_of(returned(None)) == {}


@pytest.mark.assumed
@pytest.mark.parametrize(
    ("answer", "type_", "reason"),
    [
        (["x"], "String", 'it must return an object, and returned ["x"].'),
        (None, "String", "it must return an object, and returned null."),
        ({}, "String", "there is no 'o' in what it returned."),
        ({"o": None}, "String", "there is no 'o' in what it returned."),
        ({"o": "seven"}, "Integer", "output 'o' is of type Integer; found \"seven\"."),
        ({"o": 1.5}, "Integer", "output 'o' is of type Integer; found \"1.5\"."),
        ({"o": 1}, "Boolean", "output 'o' is of type Boolean; found \"1\"."),
        ({"o": [1]}, "Float", "output 'o' is of type Float; found \"[1]\"."),
        ({"o": "x" * 1025}, "String", "output 'o' has 1025 characters; at most 1024 are allowed."),
    ],
)
def test_what_does_not_fit_the_declaration_fails_the_step(answer: JSON, type_: str, reason: str) -> None:
    outcome = returned(answer, o=type_)
    assert reason_of(outcome) == f"ClientError: Lambda function {ARN} did not return what the step declares: {reason}"


@pytest.mark.assumed
@pytest.mark.parametrize(
    ("end", "text", "said"),
    [
        (FunctionEnd.RAISED, "KeyError: 'x'", "failed: KeyError: 'x'"),
        (
            FunctionEnd.EXITED,
            "its process ended with signal 9.",
            "ended without an answer: its process ended with signal 9.",
        ),
        (FunctionEnd.TIMED_OUT, "its limit is 3 s.", "timed out: its limit is 3 s."),
        (FunctionEnd.REFUSED, "no such Python", "could not be called: no such Python"),
    ],
)
def test_a_call_that_went_wrong_fails_the_step(end: FunctionEnd, text: str, said: str) -> None:
    result = FunctionResult(exit=FunctionExit(end=end, text=text))
    outcome = step_types()["Lambda"].outcome(resolved("Lambda", {"FunctionArn": ARN}), result)
    assert reason_of(outcome) == f"ClientError: Lambda function {ARN} {said}"


def test_a_reason_is_cut_at_the_services_limit() -> None:
    step = resolved("Lambda", {"FunctionArn": ARN})
    result = FunctionResult(exit=FunctionExit(end=FunctionEnd.RAISED, text="x" * 5000))
    assert len(reason_of(step_types()["Lambda"].outcome(step, result))) == 1024


@pytest.mark.documented
@pytest.mark.parametrize("end", FunctionEnd)
def test_a_function_that_ends_while_the_step_is_to_stop_leaves_it_stopped_but_at_its_limit(end: FunctionEnd) -> None:
    step = resolved("Lambda", {"FunctionArn": ARN, "OutputParameters": declared(o="String")})
    outcome = step_types()["Lambda"].outcome(step, FunctionResult(exit=FunctionExit(end=end, text="{}"), stopped=True))
    failed = end is FunctionEnd.TIMED_OUT
    assert isinstance(outcome, Failure if failed else Stopped)
    assert (isinstance(outcome, Failure) and outcome.ends_execution) is failed


def test_metadata_has_outputs_as_text() -> None:
    outcome = returned({"i": 7, "b": True}, i="Integer", b="Boolean")
    assert isinstance(outcome, Success)
    assert step_types()["Lambda"].metadata(outcome.properties) == {
        "Lambda": {"Arn": ARN, "OutputParameters": [{"Name": "i", "Value": "7"}, {"Name": "b", "Value": "true"}]}
    }


def test_a_callback_sends_its_arguments_and_is_what_its_answer_says() -> None:
    kind, step = step_types()["Callback"], resolved("Callback", {"SqsQueueUrl": QUEUE}, {"number": 5})
    assert kind.work(step) == SendMessage(queue_url=QUEUE, arguments={"number": 5})
    succeeded = kind.outcome(step, CallbackAnswer(token="26vcYbeWsZ", outputs={"ok": True}))
    assert isinstance(succeeded, Success)
    assert kind.metadata(succeeded.properties) == {
        "Callback": {
            "CallbackToken": "26vcYbeWsZ",
            "SqsQueueUrl": QUEUE,
            "OutputParameters": [{"Name": "ok", "Value": "true"}],
        }
    }
    assert reason_of(kind.outcome(step, CallbackAnswer(token="26vcYbeWsZ", failure="not today"))) == "not today"


@pytest.mark.parametrize("type_", ["Lambda", "Callback"])
def test_metadata_fits_the_service_model(model: JSON, type_: str) -> None:
    shape = {"Lambda": "LambdaStepMetadata", "Callback": "CallbackStepMetadata"}[type_]
    fields = {"Lambda": {"FunctionArn": ARN}, "Callback": {"SqsQueueUrl": QUEUE}}[type_]
    result = {
        "Lambda": FunctionResult(exit=FunctionExit(end=FunctionEnd.RETURNED, text="{}")),
        "Callback": CallbackAnswer(token="26vcYbeWsZ"),
    }[type_]
    outcome = step_types()[type_].outcome(resolved(type_, fields), result)
    assert isinstance(outcome, Success)
    metadata = step_types()[type_].metadata(outcome.properties)[type_]
    assert set(metadata) == set(model["shapes"][shape]["members"])


def test_texts_are_converted_to_the_declared_types() -> None:
    types = {"s": "String", "i": "Integer", "b": "Boolean", "f": "Float"}
    given = {"s": "", "i": "-3", "b": "True", "f": "1e3"}
    assert converted(given, types) == {"s": "", "i": -3, "b": True, "f": 1000.0}
    assert converted({}, types) == {}
    with pytest.raises(ValueError, match=r"there is no output 'S'\. Did you mean 's'\?"):
        converted({"S": "x"}, types)
    with pytest.raises(ValueError, match="output 'f' is of type Float; found \"inf\""):
        converted({"f": "inf"}, types)


def problems_of(model: JSON, *steps: JSON) -> list[str]:
    definition, problems = read_definition({"Steps": list(steps)})
    return [str(problem) for problem in [*problems, *check_definition(definition, step_types(), model)]]


def lambda_step(name: str = "L", **more: JSON) -> JSON:
    return {"Name": name, "Type": "Lambda", "FunctionArn": ARN, **more}


def told(reference: str) -> JSON:
    return {"Name": "T", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": reference}}}


def test_steps_of_the_two_types_need_their_fields_and_no_arguments(model: JSON) -> None:
    callback = {"Name": "C", "Type": "Callback", "SqsQueueUrl": QUEUE}
    assert problems_of(model, lambda_step(), callback) == []
    assert problems_of(model, {"Name": "L", "Type": "Lambda"}, {"Name": "C", "Type": "Callback"}) == [
        "$.Steps[0]: Unable to parse pipeline definition. 'FunctionArn' is missing. Add FunctionArn, a string.",
        "$.Steps[1]: Unable to parse pipeline definition. 'SqsQueueUrl' is missing. Add SqsQueueUrl, a string.",
    ]


def test_a_function_is_named_by_a_literal(model: JSON) -> None:
    (problem,) = problems_of(model, {"Name": "L", "Type": "Lambda", "FunctionArn": {"Get": "Execution.PipelineArn"}})
    assert problem.startswith(
        "$.Steps[0].FunctionArn: Unable to parse pipeline definition. 'FunctionArn' is a literal string"
    )


@pytest.mark.parametrize("text", ["", "arn:x", "arn:aws:lambda:us-east-1:1:function:f", "a b"])
def test_what_is_no_arn_of_a_function_is_refused(model: JSON, text: str) -> None:
    assert problems_of(model, {"Name": "L", "Type": "Lambda", "FunctionArn": text}) == [
        f"$.Steps[0].FunctionArn: '{text}' is no ARN of a Lambda function (arn:aws:lambda:REGION:ACCOUNT:function:NAME)."
    ]


def test_outputs_are_checked_before_anything_runs(model: JSON) -> None:
    at = "$.Steps[0].OutputParameters"
    outputs = [{"OutputName": "a", "OutputType": "Text"}, {"OutputName": "a"}, {"OutputNme": "b"}]
    assert problems_of(model, lambda_step(OutputParameters=outputs)) == [
        f"{at}[0].OutputType: \"Text\" is no output type. Choose one of 'String', 'Integer', 'Boolean', 'Float'.",
        f"{at}[1].OutputName: there is more than one output 'a'. Rename or remove all but one.",
        f"{at}[2].OutputNme: {PARSE_PREFIX}Cannot parse object, unknown property 'OutputNme'. Did you mean 'OutputName'?",
        f"{at}[2]: {PARSE_PREFIX}'OutputName' is missing. Add OutputName, a string.",
    ]


def test_there_are_at_most_fifty_outputs(model: JSON) -> None:
    outputs = declared(**{f"o{number}": "String" for number in range(51)})
    assert problems_of(model, lambda_step(OutputParameters=outputs)) == [
        "$.Steps[0].OutputParameters: there are 51 outputs; at most 50 are allowed."
    ]


def test_a_reference_names_a_declared_output(model: JSON) -> None:
    step = lambda_step(OutputParameters=declared(said="String"))
    assert problems_of(model, step, told("Steps.L.OutputParameters['said']")) == []
    at = "$.Steps[1].Arguments.ErrorMessage: step 'L' (Lambda): "
    assert problems_of(model, step, told("Steps.L.OutputParameters['sadi']")) == [
        f"{at}it declares no output 'sadi'. Did you mean 'said'?"
    ]
    assert problems_of(model, step, told("Steps.L.OutputParameters['said'].x")) == [
        f"{at}output 'said' is a single value: nothing of it can be named."
    ]
    assert problems_of(model, step, told("Steps.L.OutputParameters[0]")) == [
        f"{at}OutputParameters needs the name of an output: OutputParameters['NAME']."
    ]


def test_outputs_have_their_type_where_they_are_used(model: JSON) -> None:
    step = lambda_step(OutputParameters=declared(many="Integer", said="String"))
    count = {"Get": "Steps.L.OutputParameters['said']"}
    cluster = {"InstanceCount": count, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
    job = {
        "Name": "P",
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {"ImageUri": "image"},
            "ProcessingResources": {"ClusterConfig": cluster},
            "RoleArn": "arn:aws:iam::111122223333:role/test",
        },
    }
    (problem,) = problems_of(model, step, job)
    assert problem.startswith("$.Steps[1].Arguments.ProcessingResources.ClusterConfig.InstanceCount:")
    cluster["InstanceCount"] = {"Get": "Steps.L.OutputParameters['many']"}
    assert problems_of(model, step, job) == []

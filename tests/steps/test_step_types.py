from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from botocore.loaders import Loader

from localpipe.core import JSON
from localpipe.core.jobspec import JobEnd, JobResult, MetricDatum, PropertyFileSpec
from localpipe.core.names import ExecutionName, Identity
from localpipe.core.work import (
    CreatedResource,
    CreateResource,
    Failure,
    Immediate,
    Outcome,
    ResolvedStep,
    RunJob,
    Stopped,
    Success,
)
from localpipe.definition.check import load_definition
from localpipe.definition.expressions import EvaluationContext, StepValues, evaluate
from localpipe.definition.model import StepDefinition
from localpipe.errors import DefinitionError, ExpressionError, JobFailed
from localpipe.registry import SqliteRegistry
from localpipe.steps import step_types

IDENTITY = Identity(account="123456789012", region="us-east-1", role_arn="arn:aws:iam::123456789012:role/SageMaker")
EXECUTION = ExecutionName(pipeline_name="Abalone", execution_id="abcdefghij12", identity=IDENTITY)
ARN = "arn:aws:sagemaker:us-east-1:123456789012"
SdkRequest = Callable[[str], JSON]
Misfits = Callable[[str, JSON], list[str]]


@pytest.fixture(scope="session")
def model() -> JSON:
    return Loader().load_service_model("sagemaker", "service-2")


def resolved(type_: str, arguments: JSON, **changes: JSON) -> ResolvedStep:
    values = {
        "name": "Step",
        "type": type_,
        "path": "$.Steps[3]",
        "arguments": arguments,
        "fields": {},
        "property_files": (),
        "execution": EXECUTION,
        "job_name": "pipelines-abcdefghij12-Step-0123456789",
        "attempt": 1,
        "at": 100.0,
    }
    return ResolvedStep(**{**values, **changes})


def written(type_: str, arguments: JSON) -> StepDefinition:
    return StepDefinition(name="Step", type=type_, path="$.Steps[3]", arguments=arguments)


def a_result(end: JobEnd = JobEnd.COMPLETED, **changes: JSON) -> JobResult:
    return JobResult(**{"end": end, "created_at": 100.0, "started_at": 101.5, "ended_at": 110.0, "exit_code": 0, **changes})


def outcome(type_: str, arguments: JSON, result: JobResult | CreatedResource) -> Outcome:
    return step_types()[type_].outcome(resolved(type_, arguments), result)


def test_every_type_is_known_by_its_name() -> None:
    types = step_types()
    assert list(types) == [
        *("Processing", "Training", "Tuning", "Transform", "Condition", "Fail", "Model", "RegisterModel"),
        *("Lambda", "Callback"),
    ]
    assert all(name == step_type.type for name, step_type in types.items())


@pytest.mark.documented
def test_which_types_are_retried_depended_on_and_capped() -> None:
    types = step_types().values()
    assert [t.type for t in types if t.retryable] == [
        *("Processing", "Training", "Tuning", "Transform", "Model", "RegisterModel"),
    ]
    assert [t.type for t in types if not t.can_be_depended_on] == ["Fail"]
    assert [t.type for t in types if not t.capped] == ["Condition", "Fail"]


def test_shapes_are_those_of_the_service_model(model: JSON) -> None:
    names = [name for t in step_types().values() for name in (t.request_shape, t.properties_shape) if name]
    assert len(names) == 12
    assert set(names) <= set(model["shapes"])


@pytest.mark.parametrize("name", ["sdk_v2", "sdk_v3"])
def test_definitions_of_the_sdks_have_no_problems(model: JSON, name: str) -> None:
    source = (Path(__file__).parent / "definitions" / f"{name}.json").read_bytes()
    assert load_definition(source, step_types(), model).steps


def test_what_is_not_supported_is_told_with_its_path_in_the_definition(model: JSON) -> None:
    source = json.loads((Path(__file__).parent / "definitions" / "sdk_v3.json").read_text())
    file_system = {
        "FileSystemId": "fs-12345678",
        "FileSystemAccessMode": "ro",
        "FileSystemType": "EFS",
        "DirectoryPath": "/data",
    }
    channel = {"ChannelName": "train", "DataSource": {"FileSystemDataSource": file_system}}
    source["Steps"][0]["Arguments"]["InputDataConfig"] = [channel]
    with pytest.raises(DefinitionError) as refused:
        load_definition(source, step_types(), model)
    (problem,) = refused.value.problems
    assert str(problem) == (
        "$.Steps[0].Arguments.InputDataConfig[0].DataSource.FileSystemDataSource: A channel from EFS or FSx "
        "(FileSystemDataSource) is not supported. Put the data into the local S3 and use an S3 input."
    )


# Processing and Training


def test_a_processing_step_runs_its_job_with_its_property_files(sdk_request: SdkRequest) -> None:
    files = (PropertyFileSpec(name="Rep", output_name="evaluation", file_path="evaluation.json"),)
    step = resolved("Processing", sdk_request("v2_script_processor"), property_files=files)
    work = step_types()["Processing"].work(step)
    assert isinstance(work, RunJob)
    assert (work.spec.job_name, work.spec.property_files) == (step.job_name, files)
    assert work.spec.channels[0].path == "$.Steps[3].Arguments.ProcessingInputs[0].S3Input.S3Uri"


@pytest.mark.parametrize(
    ("type_", "request_name"),
    [
        ("Processing", "v2_sklearn_processor"),
        ("Training", "v2_xgboost_estimator"),
        ("Training", "v2_repack"),
        ("Training", "v3_model_trainer"),
    ],
)
def test_a_job_that_completed_gives_its_description(
    sdk_request: SdkRequest, misfits: Misfits, type_: str, request_name: str
) -> None:
    done = outcome(type_, sdk_request(request_name), a_result(property_files={"Rep": "{}"}))
    assert isinstance(done, Success)
    assert misfits(f"Describe{type_}JobResponse", done.properties) == []
    assert done.property_files == {"Rep": "{}"}
    arn = f"{ARN}:{type_.lower()}-job/pipelines-abcdefghij12-Step-0123456789"
    assert step_types()[type_].metadata(done.properties) == {f"{type_}Job": {"Arn": arn}}
    assert step_types()[type_].metadata(None) == {}


@pytest.mark.documented
@pytest.mark.parametrize(
    ("type_", "request_name", "result", "reason"),
    [
        (
            "Processing",
            "v2_sklearn_processor",
            a_result(JobEnd.FAILED, exit_code=1),
            "ClientError: AlgorithmError: See job logs for more information",
        ),
        (
            "Training",
            "v2_sklearn_estimator",
            a_result(JobEnd.FAILED, exit_code=1, failure="RuntimeError('x')"),
            "ClientError: AlgorithmError: RuntimeError('x'), exit code: 1",
        ),
        (
            "Processing",
            "v2_sklearn_processor",
            a_result(JobEnd.TIMED_OUT),
            "ClientError: The processing job was stopped because it ran longer than MaxRuntimeInSeconds (86400)",
        ),
        (
            "Training",
            "v3_model_trainer",
            a_result(JobEnd.TIMED_OUT),
            "ClientError: The training job was stopped because it ran longer than MaxRuntimeInSeconds (3600)",
        ),
    ],
)
def test_a_job_that_failed_fails_the_step_in_the_service_s_words(
    sdk_request: SdkRequest, type_: str, request_name: str, result: JobResult, reason: str
) -> None:
    failed = outcome(type_, sdk_request(request_name), result)
    assert isinstance(failed, Failure)
    assert (failed.reason, failed.exception_type, failed.ends_execution) == (reason, None, False)
    assert step_types()[type_].metadata(failed.properties) != {}


def test_a_long_reason_is_cut_and_the_exit_code_kept(sdk_request: SdkRequest) -> None:
    failed = outcome(
        "Training", sdk_request("v2_sklearn_estimator"), a_result(JobEnd.FAILED, exit_code=4, failure="x" * 2000)
    )
    assert isinstance(failed, Failure)
    assert failed.reason.startswith("ClientError: AlgorithmError: xxx")
    assert failed.reason.endswith("xxx, exit code: 4")
    assert (len(failed.reason), len(failed.properties["FailureReason"])) == (1024, 1024)


def test_a_failed_step_tells_which_host_failed_first(sdk_request: SdkRequest) -> None:
    result = a_result(JobEnd.FAILED, exit_code=4, failed_host="algo-2")
    failed = outcome("Training", sdk_request("v2_sklearn_estimator"), result)
    assert isinstance(failed, Failure)
    assert failed.failed_host == "algo-2"


@pytest.mark.parametrize(
    ("type_", "request_name", "reason"),
    [
        (
            "Processing",
            "v2_sklearn_processor",
            "ClientError: Failed to invoke sagemaker:CreateProcessingJob. Error Details: No S3 objects found",
        ),
        ("Training", "v2_sklearn_estimator", "ClientError: No S3 objects found"),
    ],
)
def test_a_job_that_was_refused_has_no_properties_and_keeps_its_exception_type(
    sdk_request: SdkRequest, type_: str, request_name: str, reason: str
) -> None:
    result = a_result(
        JobEnd.REFUSED, started_at=None, detail="No S3 objects found", exception_type="SageMaker.RESOURCE_LIMIT"
    )
    failed = outcome(type_, sdk_request(request_name), result)
    assert failed == Failure(reason=reason, exception_type="SageMaker.RESOURCE_LIMIT")


@pytest.mark.parametrize(("type_", "name"), [("Processing", "v2_sklearn_processor"), ("Training", "v2_repack")])
def test_a_job_that_was_stopped_stops_the_step(sdk_request: SdkRequest, type_: str, name: str) -> None:
    stopped = outcome(type_, sdk_request(name), a_result(JobEnd.STOPPED, exit_code=143))
    assert isinstance(stopped, Stopped)
    assert stopped.properties[f"{type_}JobStatus"] == "Stopped"


def test_a_long_reason_is_cut_to_what_the_service_shows(sdk_request: SdkRequest) -> None:
    failed = outcome("Training", sdk_request("v2_repack"), a_result(JobEnd.FAILED, exit_code=1, failure="x" * 2000))
    assert isinstance(failed, Failure)
    assert len(failed.reason) == 1024


def test_values_that_resolve_to_what_is_not_built_are_refused_when_the_step_runs(sdk_request: SdkRequest) -> None:
    request = sdk_request("v3_model_trainer")
    request["ServerlessJobConfig"] = {"JobType": "FineTuning"}
    with pytest.raises(JobFailed) as refused:
        step_types()["Training"].work(resolved("Training", request))
    assert str(refused.value) == (
        "Failed to invoke sagemaker:CreateTrainingJob. Error Details: $.Steps[3].Arguments.ServerlessJobConfig: "
        "A serverless training job (ServerlessJobConfig) is not supported. Use TrainingImage and ResourceConfig."
    )


# Condition

LESS = {"Type": "LessThan", "LeftValue": 1, "RightValue": 2}
BRANCHES = {
    "IfSteps": [{"Name": "Then", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}],
    "ElseSteps": [{"Name": "Else", "Type": "Fail"}],
}


@pytest.mark.documented
@pytest.mark.parametrize(
    ("conditions", "holds", "branch"),
    [([LESS], True, "IfSteps"), ([LESS, {"Type": "Not", "Condition": LESS}], False, "ElseSteps"), ([], True, "IfSteps")],
)
def test_a_condition_takes_the_branch_that_its_conditions_decide(conditions: JSON, holds: bool, branch: str) -> None:  # noqa: FBT001
    work = step_types()["Condition"].work(resolved("Condition", {"Conditions": conditions}))
    assert work == Immediate(outcome=Success(properties={"Outcome": holds}, branches_taken=frozenset({branch})))
    assert step_types()["Condition"].metadata({"Outcome": holds}) == {"Condition": {"Outcome": str(holds)}}


def test_operands_that_cannot_be_compared_fail_the_condition() -> None:
    conditions = [{"Type": "LessThan", "LeftValue": "1", "RightValue": 2}]
    with pytest.raises(ExpressionError, match=r"\$.Steps\[3\].Arguments.Conditions\[0\]"):
        step_types()["Condition"].work(resolved("Condition", {"Conditions": conditions}))


def test_the_branches_are_no_part_of_a_condition_s_own_arguments() -> None:
    step = written("Condition", {"Conditions": [LESS], **BRANCHES})
    condition = step_types()["Condition"]
    assert condition.own_arguments(step) == {"Conditions": [LESS]}
    found = {branch: [(inner.name, inner.path) for inner in steps] for branch, steps in condition.branches(step).items()}
    assert found == {
        "IfSteps": [("Then", "$.Steps[3].Arguments.IfSteps[0]")],
        "ElseSteps": [("Else", "$.Steps[3].Arguments.ElseSteps[0]")],
    }
    assert list(condition.check(step)) == []


def test_a_condition_may_lack_a_branch_and_conditions() -> None:
    step = written("Condition", {"IfSteps": None})
    condition = step_types()["Condition"]
    assert condition.branches(step) == {"IfSteps": (), "ElseSteps": ()}
    assert list(condition.check(step)) == []


def test_problems_in_conditions_and_branches_are_told() -> None:
    step = written("Condition", {"Conditions": [{"Type": "Lesser"}], "IfSteps": [{"Type": "Fail"}], "Otherwise": []})
    paths = [problem.path for problem in step_types()["Condition"].check(step)]
    assert paths[:2] == ["$.Steps[3].Arguments.Otherwise", "$.Steps[3].Arguments.Conditions[0].Type"]
    assert paths[2].startswith("$.Steps[3].Arguments.IfSteps[0]")


# Fail


@pytest.mark.observed
@pytest.mark.parametrize(
    ("arguments", "message"), [({"ErrorMessage": "mse: 9"}, "mse: 9"), ({}, ""), ({"ErrorMessage": 3}, "3")]
)
def test_a_fail_step_ends_the_execution_with_its_message(arguments: JSON, message: str) -> None:
    work = step_types()["Fail"].work(resolved("Fail", arguments))
    failure = Failure(reason=message, properties={"ErrorMessage": message}, ends_execution=True)
    assert work == Immediate(outcome=failure)
    assert step_types()["Fail"].metadata(failure.properties) == {"Fail": {"ErrorMessage": message}}


def test_a_fail_message_has_at_most_3072_characters() -> None:
    fail = step_types()["Fail"]
    assert list(fail.check(written("Fail", {"ErrorMessage": "x" * 3072}))) == []
    (problem,) = fail.check(written("Fail", {"ErrorMessage": "x" * 3073}))
    assert str(problem) == ("$.Steps[3].Arguments.ErrorMessage: the message has 3073 characters; at most 3072 are allowed.")
    failure = Failure(reason="x" * 1024, properties={"ErrorMessage": "x" * 3072}, ends_execution=True)
    assert fail.work(resolved("Fail", {"ErrorMessage": "x" * 4000})) == Immediate(outcome=failure)


def test_a_fail_message_is_a_text_or_an_expression() -> None:
    fail = step_types()["Fail"]
    assert list(fail.check(written("Fail", {"ErrorMessage": {"Get": "Parameters.X"}}))) == []
    assert [p.path for p in fail.check(written("Fail", {"ErrorMessage": ["x"]}))] == ["$.Steps[3].Arguments.ErrorMessage"]
    assert [p.path for p in fail.check(written("Fail", {"Message": "x"}))] == ["$.Steps[3].Arguments.Message"]


# Model and RegisterModel


@pytest.mark.parametrize(
    ("type_", "request_name", "kind", "key"),
    [
        ("Model", "v2_create_model", "Model", "ModelArn"),
        ("RegisterModel", "v2_register_model", "ModelPackage", "ModelPackageArn"),
    ],
)
def test_model_steps_create_a_resource_once_an_attempt(
    sdk_request: SdkRequest, type_: str, request_name: str, kind: str, key: str
) -> None:
    request = sdk_request(request_name)
    step_type = step_types()[type_]
    first, again, other = (step_type.work(resolved(type_, request, attempt=attempt)) for attempt in (1, 1, 2))
    assert isinstance(first, CreateResource)
    assert isinstance(other, CreateResource)
    assert first == again
    assert first.token != other.token
    assert (first.kind, first.name, first.request) == (kind, "pipelines-abcdefghij12-Step-0123456789", request)
    description = {key: "arn:x"}
    assert outcome(type_, request, CreatedResource(description=description)) == Success(properties=description)
    assert step_type.metadata(description) == {type_: {"Arn": "arn:x"}}


@pytest.mark.parametrize("containers", [{}, {"PrimaryContainer": {"Image": "a"}, "Containers": [{"Image": "b"}]}])
def test_a_model_has_one_container_or_a_list(containers: JSON) -> None:
    (problem,) = step_types()["Model"].check(written("Model", containers))
    assert str(problem) == "$.Steps[3].Arguments: A model needs either PrimaryContainer or Containers."


@pytest.mark.documented
def test_certification_is_refused_as_on_the_service() -> None:
    (problem,) = step_types()["RegisterModel"].check(written("RegisterModel", {"CertifyForMarketplace": False}))
    assert problem.path == "$.Steps[3].Arguments.CertifyForMarketplace"


def test_a_result_of_other_work_is_a_bug_not_an_outcome(sdk_request: SdkRequest) -> None:
    with pytest.raises(TypeError):
        outcome("Processing", sdk_request("v2_sklearn_processor"), CreatedResource(description={}))
    with pytest.raises(TypeError):
        outcome("Model", {}, a_result())
    with pytest.raises(TypeError):
        outcome("Fail", {}, a_result())
    with pytest.raises(TypeError):
        outcome("Condition", {}, a_result())


# Properties that pipelines refer to: practice.md, service.md section 2.4


@pytest.fixture
def properties(sdk_request: SdkRequest, tmp_path: Path) -> Mapping[str, StepValues]:
    registry = SqliteRegistry(tmp_path)
    types = step_types()

    def values(type_: str, request_name: str, result: JobResult | None = None) -> StepValues:
        step = resolved(type_, sdk_request(request_name))
        work = types[type_].work(step)
        done = types[type_].outcome(step, registry.create(work, 100.0) if isinstance(work, CreateResource) else result)  # type: ignore[arg-type]
        assert isinstance(done, Success)
        return StepValues(properties=done.properties)

    rmse = MetricDatum(name="validation:rmse", value=2.5, at=105.0)
    return {
        "Prep": values("Processing", "v2_sklearn_processor", a_result(exit_message="ok")),
        "Train": values("Training", "v2_xgboost_estimator", a_result(metrics=(rmse,))),
        "Mod": values("Model", "v2_create_model"),
        "Reg": values("RegisterModel", "v2_register_model"),
        "Cond": StepValues(properties={"Outcome": False}),
    }


JOB = "pipelines-abcdefghij12-Step-0123456789"


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("Prep.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri", "s3://bkt/p/abcdefghij12/Prep/output/train"),
        ("Prep.ProcessingOutputConfig.Outputs[1].S3Output.S3Uri", "s3://bkt/p/abcdefghij12/Prep/output/validation"),
        ("Prep.ProcessingInputs['code'].S3Input.LocalPath", "/opt/ml/processing/input/code"),
        ("Prep.ProcessingInputs[0].S3Input.S3DataDistributionType", "FullyReplicated"),
        ("Prep.ProcessingJobName", JOB),
        ("Prep.ProcessingJobArn", f"{ARN}:processing-job/{JOB}"),
        ("Prep.ProcessingJobStatus", "Completed"),
        ("Prep.AppSpecification.ContainerArguments[0]", "--input"),
        ("Prep.Environment['A']", "b"),
        ("Prep.ExitMessage", "ok"),
        ("Prep.ProcessingEndTime", 110.0),
        ("Prep.StoppingCondition.MaxRuntimeInSeconds", 86400),
        ("Prep.ProcessingResources.ClusterConfig.InstanceCount", 1),
        ("Train.ModelArtifacts.S3ModelArtifacts", f"s3://bkt/models/{JOB}/output/model.tar.gz"),
        ("Train.OutputDataConfig.S3OutputPath", "s3://bkt/models/"),
        ("Train.TrainingJobName", JOB),
        ("Train.TrainingJobArn", f"{ARN}:training-job/{JOB}"),
        ("Train.TrainingEndTime", 110.0),
        ("Train.HyperParameters['num_round']", "50"),
        (
            "Train.AlgorithmSpecification.TrainingImage",
            "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.0-1-cpu-py3",
        ),
        ("Train.InputDataConfig['train'].ContentType", "text/csv"),
        ("Train.FinalMetricDataList['validation:rmse'].Value", 2.5),
        ("Train.FinalMetricDataList[0].MetricName", "validation:rmse"),
        ("Train.ResourceConfig.InstanceType", "ml.m5.xlarge"),
        ("Train.SecondaryStatus", "Completed"),
        ("Train.BillableTimeInSeconds", 9),
        ("Mod.ModelName", JOB),
        ("Mod.ModelArn", f"{ARN}:model/{JOB.lower()}"),
        ("Mod.PrimaryContainer.Environment['SAGEMAKER_PROGRAM']", "train.py"),
        ("Mod.EnableNetworkIsolation", False),
        ("Reg.ModelPackageArn", f"{ARN}:model-package/Abalone/1"),
        ("Reg.ModelPackageGroupName", "Abalone"),
        ("Reg.ModelPackageVersion", 1),
        ("Reg.ModelApprovalStatus", "PendingManualApproval"),
        ("Reg.InferenceSpecification.SupportedContentTypes[0]", "text/csv"),
        ("Reg.ModelMetrics.ModelQuality.Statistics.ContentType", "application/json"),
        ("Cond.Outcome", False),
    ],
)
def test_properties_that_pipelines_use_resolve(properties: Mapping[str, StepValues], reference: str, value: JSON) -> None:
    context = EvaluationContext(parameters={}, execution={}, steps=properties)
    assert evaluate({"Get": f"Steps.{reference}"}, context) == value


def test_a_condition_s_outcome_joins_as_text(properties: Mapping[str, StepValues]) -> None:
    context = EvaluationContext(parameters={}, execution={}, steps=properties)
    joined = {"Std:Join": {"On": " ", "Values": ["taken:", {"Get": "Steps.Cond.Outcome"}]}}
    assert evaluate(joined, context) == "taken: false"

from __future__ import annotations

import io
import json

import pytest

from localpipe.core.names import ExecutionName, Identity, S3Uri
from localpipe.core.past import PastExecution
from localpipe.server.capture import CallRefused, CapturedPipeline, CapturedStart, PipelineCapture
from localpipe.store import LocalStore

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/P"
CREATE = {"PipelineName": "P", "PipelineDefinition": "{}", "RoleArn": "role"}


@pytest.fixture
def capture(store: LocalStore, identity: Identity) -> PipelineCapture:
    return PipelineCapture(store, identity, now=1000.0)


def test_a_created_pipeline_is_captured(capture: PipelineCapture) -> None:
    assert capture.operations["CreatePipeline"](CREATE) == {"PipelineArn": ARN}
    assert capture.pipelines == {"P": CapturedPipeline(name="P", definition="{}", role_arn="role")}


def test_creating_it_twice_is_refused_in_words_that_upsert_understands(capture: PipelineCapture) -> None:
    capture.operations["CreatePipeline"](CREATE)
    with pytest.raises(CallRefused) as refused:
        capture.operations["CreatePipeline"](CREATE)
    assert refused.value.code == "ValidationException"
    assert str(refused.value) == (
        "Pipeline names must be unique within an AWS account and region. Pipeline with name (P) already exists."
    )


def test_an_update_replaces_the_definition_and_keeps_the_rest(capture: PipelineCapture) -> None:
    capture.operations["CreatePipeline"](CREATE)
    capture.operations["UpdatePipeline"]({"PipelineName": ARN, "PipelineDefinition": '{"Steps": []}'})
    assert capture.pipelines["P"] == CapturedPipeline(name="P", definition='{"Steps": []}', role_arn="role")


def test_a_large_definition_is_read_from_where_the_sdk_put_it(capture: PipelineCapture, store: LocalStore) -> None:
    store.put(S3Uri("b", "defs/P"), io.BytesIO(b'{"Large": 1}'))
    location = {"Bucket": "b", "ObjectKey": "defs/P"}
    capture.operations["CreatePipeline"]({"PipelineName": "P", "PipelineDefinitionS3Location": location, "RoleArn": "role"})
    assert capture.pipelines["P"].definition == '{"Large": 1}'


def test_a_start_is_captured_with_its_parameters_and_stays_executing(capture: PipelineCapture) -> None:
    capture.operations["CreatePipeline"](CREATE)
    started = capture.operations["StartPipelineExecution"](
        {"PipelineName": "P", "PipelineParameters": [{"Name": "Alpha", "Value": "3"}]}
    )
    assert started == {"PipelineExecutionArn": f"{ARN}/execution/authored0000"}
    assert capture.pipelines["P"].start == CapturedStart(parameters={"Alpha": "3"})
    assert capture.operations["DescribePipelineExecution"](started)["PipelineExecutionStatus"] == "Executing"
    assert capture.operations["ListPipelineExecutions"]({"PipelineName": "P"}) == {
        "PipelineExecutionSummaries": [{**started, "PipelineExecutionStatus": "Executing", "StartTime": 1000.0}]
    }


def test_a_script_that_deletes_its_pipeline_in_the_end_has_still_made_it(capture: PipelineCapture) -> None:
    capture.operations["CreatePipeline"](CREATE)
    assert capture.operations["DeletePipeline"]({"PipelineName": "P"}) == {"PipelineArn": ARN}
    assert list(capture.pipelines) == ["P"]


def test_what_is_not_there_is_refused(capture: PipelineCapture) -> None:
    with pytest.raises(CallRefused, match=f"Pipeline '{ARN}' does not exist.") as refused:
        capture.operations["DescribePipeline"]({"PipelineName": "P"})
    assert refused.value.code == "ResourceNotFound"


def test_a_model_package_group_is_made_once_and_listed(capture: PipelineCapture) -> None:
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package-group/G"
    assert capture.operations["ListModelPackageGroups"]({"NameContains": "G"}) == {"ModelPackageGroupSummaryList": []}
    assert capture.operations["CreateModelPackageGroup"]({"ModelPackageGroupName": "G"}) == {"ModelPackageGroupArn": arn}
    described = capture.operations["DescribeModelPackageGroup"]({"ModelPackageGroupName": arn})
    assert described["ModelPackageGroupName"] == "G"
    assert capture.operations["ListModelPackageGroups"]({})["ModelPackageGroupSummaryList"] == [described]
    with pytest.raises(CallRefused, match="already exists"):
        capture.operations["CreateModelPackageGroup"]({"ModelPackageGroupName": "G"})


def test_parallelism_and_selection_of_a_start_are_captured(capture: PipelineCapture) -> None:
    capture.operations["CreatePipeline"]({**CREATE, "ParallelismConfiguration": {"MaxParallelExecutionSteps": 4}})
    capture.operations["UpdatePipeline"]({"PipelineName": "P", "PipelineDefinition": "{}"})
    capture.operations["StartPipelineExecution"](
        {
            "PipelineName": "P",
            "ParallelismConfiguration": {"MaxParallelExecutionSteps": 2},
            "SelectiveExecutionConfig": {"SelectedSteps": [{"StepName": "A"}]},
        }
    )
    assert capture.pipelines["P"].max_parallel == 4
    assert capture.pipelines["P"].start == CapturedStart(
        parameters={}, max_parallel=2, selective={"SelectedSteps": [{"StepName": "A"}]}
    )


def test_executions_before_the_script_are_listed_behind_its_own_and_have_their_parameters(
    store: LocalStore, identity: Identity
) -> None:
    name = ExecutionName(pipeline_name="P", execution_id="abcdefghij12", identity=identity)
    before = PastExecution(name=name, status="Failed", started_at=500.0, parameters={"A": 1, "B": "b"})
    capture = PipelineCapture(store, identity, now=1000.0, history=lambda pipeline: [before] if pipeline == "P" else [])
    capture.operations["CreatePipeline"](CREATE)
    started = capture.operations["StartPipelineExecution"]({"PipelineName": "P"})
    earlier = {"PipelineExecutionArn": f"{ARN}/execution/abcdefghij12"}
    listed = capture.operations["ListPipelineExecutions"]({"PipelineName": "P"})["PipelineExecutionSummaries"]
    assert listed == [
        {**started, "PipelineExecutionStatus": "Executing", "StartTime": 1000.0},
        {**earlier, "PipelineExecutionStatus": "Failed", "StartTime": 500.0},
    ]
    assert capture.operations["DescribePipelineExecution"](earlier)["PipelineArn"] == ARN
    assert capture.operations["ListPipelineParametersForExecution"](earlier) == {
        "PipelineParameters": [{"Name": "A", "Value": "1"}, {"Name": "B", "Value": "b"}]
    }


def test_an_execution_has_parameters_and_can_be_stopped(capture: PipelineCapture) -> None:
    declared = [{"Name": "A", "Type": "Integer", "DefaultValue": 1}, {"Name": "B"}, {"Name": "C", "DefaultValue": True}]
    capture.operations["CreatePipeline"]({**CREATE, "PipelineDefinition": json.dumps({"Parameters": declared})})
    started = capture.operations["StartPipelineExecution"](
        {"PipelineName": "P", "PipelineParameters": [{"Name": "B", "Value": "b"}]}
    )
    listed = [("A", "1"), ("B", "b"), ("C", "true")]
    assert capture.operations["ListPipelineParametersForExecution"](started) == {
        "PipelineParameters": [{"Name": name, "Value": value} for name, value in listed]
    }
    assert capture.operations["StopPipelineExecution"](started) == started


def test_executions_of_other_pipelines_than_the_wanted_one_have_succeeded(store: LocalStore, identity: Identity) -> None:
    capture = PipelineCapture(store, identity, now=1000.0, wanted="Q")
    capture.operations["CreatePipeline"](CREATE)
    started = capture.operations["StartPipelineExecution"]({"PipelineName": "P"})
    assert capture.operations["DescribePipelineExecution"](started)["PipelineExecutionStatus"] == "Succeeded"

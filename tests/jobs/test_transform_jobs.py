"""CreateTransformJob → spec and containers; what is refused; DescribeTransformJob. Follows: containers.md section 3."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from localpipe.core.jobspec import InputMode, JobEnd, JobResult
from localpipe.core.names import Identity, S3Uri
from localpipe.core.transform import BatchStrategy, DataProcessing, SplitType
from localpipe.errors import JobFailed
from localpipe.jobs.serving import model_named, serving_specs
from localpipe.jobs.transform import transform_problems, transform_spec
from localpipe.jobs.transform_description import describe_transform_job, failure_reason
from localpipe.transform.forms import FORM_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from conftest import Misfits

    from localpipe.core import JSON
    from localpipe.core.transform import TransformSpec

    SdkRequest: TypeAlias = Callable[[str], JSON]

IDENTITY = Identity(account="111122223333", region="eu-west-1", role_arn="arn:aws:iam::111122223333:role/r")
ARN = "arn:aws:sagemaker:eu-west-1:111122223333:transform-job/job"
CONTAINER = {"Image": "image:1", "ModelDataUrl": "s3://bucket/model.tar.gz", "Environment": {"A": "model", "B": "model"}}


def a_request(**members: JSON) -> JSON:
    return {
        "ModelName": "model",
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in"}}},
        "TransformOutput": {"S3OutputPath": "s3://bucket/out"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **members,
    }


def an_input(uri: str = "s3://bucket/in", data_type: str = "S3Prefix", **members: JSON) -> JSON:
    return {"DataSource": {"S3DataSource": {"S3DataType": data_type, "S3Uri": uri}}, **members}


def a_spec(request: JSON | None = None) -> TransformSpec:
    return transform_spec(request or a_request(), job_name="job", identity=IDENTITY)


def a_model(**members: JSON) -> JSON:
    return {"ModelName": "model", "PrimaryContainer": CONTAINER, **members}


def ended(end: JobEnd, detail: str = "") -> JobResult:
    return JobResult(end=end, created_at=1.0, started_at=2.0, ended_at=4.0, detail=detail)


def test_a_request_without_more_leaves_the_rest_to_the_container_and_the_defaults() -> None:
    spec = a_spec()
    assert (spec.split, spec.content_type, spec.accept, spec.assembles_lines) == (SplitType.NONE, "", "", False)
    assert (spec.strategy, spec.max_concurrent, spec.max_payload_mb) == (None, None, None)
    assert (spec.timeout_seconds, spec.max_retries) == (600, 3)
    assert spec.processing == DataProcessing()
    assert spec.environment == {"SAGEMAKER_BATCH": "true", "TRANSFORM_JOB_ARN": ARN}


@pytest.mark.parametrize("name", ["v2_transformer", "v3_transformer"])
def test_requests_of_the_sdks_have_no_problems(sdk_request: SdkRequest, misfits: Misfits, name: str) -> None:
    request = sdk_request(name)
    assert transform_problems(request, "$") == []
    described = describe_transform_job(request, a_spec(request), ended(JobEnd.COMPLETED))
    assert misfits("DescribeTransformJobResponse", described) == []


def test_what_is_asked_for_is_taken_over() -> None:
    spec = a_spec(
        a_request(
            MaxConcurrentTransforms=2,
            MaxPayloadInMB=0,
            BatchStrategy="SingleRecord",
            ModelClientConfig={"InvocationsMaxRetries": 0},
            Environment={"SAGEMAKER_BATCH": "no", "MINE": "1"},
            TransformInput=an_input(ContentType="text/csv", CompressionType="Gzip", SplitType="Line"),
            TransformOutput={"S3OutputPath": "s3://bucket/out", "Accept": "text/csv", "AssembleWith": "Line"},
            DataProcessing={"InputFilter": "$[1:]", "OutputFilter": "$[0]", "JoinSource": "Input"},
        )
    )
    assert (spec.split, spec.source.gunzip, spec.assembles_lines) == (SplitType.LINE, True, True)
    assert (spec.strategy, spec.max_concurrent, spec.max_payload_mb) == (BatchStrategy.SINGLE_RECORD, 2, 0)
    assert (spec.timeout_seconds, spec.max_retries) == (600, 0)
    assert spec.processing == DataProcessing(input_filter="$[1:]", output_filter="$[0]", joins_input=True)
    assert spec.environment == {
        "MINE": "1",
        "SAGEMAKER_BATCH": "true",
        "TRANSFORM_JOB_ARN": ARN,
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "0",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "2",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
    }


CSV = {"ContentType": "text/csv", "SplitType": "Line"}
LINES_OUT = {"S3OutputPath": "s3://bucket/out", "Accept": "text/csv", "AssembleWith": "Line"}


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (
            {"TransformInput": an_input(uri="bucket/in")},
            "$.TransformInput.DataSource.S3DataSource.S3Uri: 'bucket/in' is not an",
        ),
        ({"MaxPayloadInMB": 101}, "$.MaxPayloadInMB: 101 is more than 100."),
        (
            {"MaxPayloadInMB": 26, "MaxConcurrentTransforms": 4},
            "$.MaxPayloadInMB: MaxConcurrentTransforms (4) times MaxPayloadInMB (26) is more than 100. Lower one of them.",
        ),
        (
            {"DataProcessing": {"InputFilter": "$..a"}, "TransformInput": an_input(**CSV)},
            "$.DataProcessing.InputFilter: It is no JSONPath that a filter may have: '..a' in '$..a' is not understood.",
        ),
        (
            {"DataProcessing": {"InputFilter": "$[1:]"}},
            f"$.DataProcessing.InputFilter: InputFilter needs a ContentType of {FORM_NAMES}; there is none.",
        ),
        (
            {
                "DataProcessing": {"OutputFilter": "$[1:]"},
                "TransformOutput": {"S3OutputPath": "s3://b/o", "Accept": "image/png"},
            },
            f"$.DataProcessing.OutputFilter: OutputFilter needs an Accept of {FORM_NAMES}; it is 'image/png'.",
        ),
        (
            {"DataProcessing": {"JoinSource": "Input"}, "TransformInput": an_input(**CSV)},
            "$.DataProcessing.JoinSource: SplitType (Line) and AssembleWith (None) must both be Line or both be None.",
        ),
        (
            {"TransformInput": an_input(data_type="AugmentedManifestFile")},
            "$.TransformInput.DataSource.S3DataSource.S3DataType: An input by an augmented manifest",
        ),
    ],
)
def test_what_cannot_run_is_refused_with_its_place(members: JSON, said: str) -> None:
    problems = transform_problems(a_request(**members), "$")
    assert [str(problem)[: len(said)] for problem in problems] == [said]
    with pytest.raises(JobFailed, match=r"Failed to invoke sagemaker:CreateTransformJob\. Error Details: "):
        a_spec(a_request(**members))


def test_expressions_are_passed_over() -> None:
    get = {"Get": "Parameters.X"}
    request = a_request(
        MaxPayloadInMB=get,
        MaxConcurrentTransforms=get,
        TransformInput=an_input(uri=get, data_type=get, ContentType=get, SplitType=get),  # type: ignore[arg-type]
        DataProcessing={"InputFilter": get, "JoinSource": "Input", "OutputFilter": "$[0]"},
    )
    assert transform_problems(request, "$") == []
    assert (
        transform_problems(
            a_request(DataProcessing={"JoinSource": "Input"}, TransformInput=an_input(**CSV), TransformOutput=LINES_OUT), "$"
        )
        == []
    )


def test_a_container_serves_the_unpacked_model_read_only() -> None:
    (container,) = serving_specs(a_model(), a_spec(a_request(Environment={"B": "job"})), IDENTITY)
    assert (container.image_uri, container.entrypoint, container.arguments) == ("image:1", None, ("serve",))
    assert (container.port, container.network_isolated) == (8080, False)
    (model,) = container.channels
    assert (model.uri, model.unpacks, model.mode) == (S3Uri("bucket", "model.tar.gz"), True, InputMode.FAST_FILE)
    assert model.container_dir == PurePosixPath("/opt/ml/model")
    assert (container.environment["A"], container.environment["B"]) == ("model", "job")
    assert container.environment["SAGEMAKER_BATCH"] == "true"
    assert "SAGEMAKER_BIND_TO_PORT" not in container.environment
    assert [host.name for host in container.hosts] == ["container-1"]


def test_a_model_of_several_containers_has_them_in_order() -> None:
    without_data = {"Image": "image:2", "ContainerHostname": "second"}
    specs = serving_specs({"ModelName": "m", "Containers": [CONTAINER, without_data]}, a_spec(), IDENTITY)
    assert [spec.hosts[0].name for spec in specs] == ["container-1", "second"]
    assert [spec.environment["SAGEMAKER_BIND_TO_PORT"] for spec in specs] == ["8080", "8080"]
    assert (specs[1].channels, specs[1].directories) == ((), (PurePosixPath("/opt/ml/model"),))


def test_an_uncompressed_model_is_shown_as_it_is() -> None:
    source = {"S3DataSource": {"S3Uri": "s3://bucket/model/", "S3DataType": "S3Prefix", "CompressionType": "None"}}
    model = a_model(PrimaryContainer={"Image": "image:1", "ModelDataSource": source}, EnableNetworkIsolation=True)
    (container,) = serving_specs(model, a_spec(), IDENTITY)
    assert (container.channels[0].uri, container.channels[0].unpacks) == (S3Uri("bucket", "model/"), False)
    assert container.network_isolated


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (a_model(PrimaryContainer={**CONTAINER, "Mode": "MultiModel"}), "does not run multi-model containers"),
        (a_model(PrimaryContainer={"ModelDataUrl": "s3://b/m"}), "A container of the model names no image"),
        (a_model(InferenceExecutionConfig={"Mode": "Direct"}), "one after the other; the model says Direct"),
        (a_model(PrimaryContainer={**CONTAINER, "ModelDataUrl": "https://b/m"}), "'https://b/m' is not an S3 URI"),
        (a_model(PrimaryContainer={**CONTAINER, "AdditionalModelDataSources": [{}]}), "AdditionalModelDataSources is not"),
    ],
)
def test_a_model_that_no_transform_runs_is_refused(model: JSON, said: str) -> None:
    with pytest.raises(JobFailed, match=said):
        serving_specs(model, a_spec(), IDENTITY)


def test_a_model_that_is_not_there_is_refused_in_the_services_words() -> None:
    assert model_named("model", [a_model()]) == a_model()
    with pytest.raises(JobFailed, match=r'CreateTransformJob\. Error Details: Could not find model "other".$'):
        model_named("other", [a_model()])


@pytest.mark.parametrize(
    ("result", "status", "reason"),
    [
        (ended(JobEnd.COMPLETED), "Completed", None),
        (ended(JobEnd.STOPPED), "Stopped", None),
        (ended(JobEnd.FAILED, "AlgorithmError: no"), "Failed", "AlgorithmError: no"),
        (ended(JobEnd.REFUSED, "no image"), "Failed", "ClientError: no image"),
        (ended(JobEnd.UNPUBLISHED, "full"), "Failed", "ClientError: Artifact upload failed: full"),
    ],
)
def test_how_a_job_ended_is_told_in_describe_shape(
    result: JobResult, status: str, reason: str | None, misfits: Misfits
) -> None:
    request = a_request(MaxPayloadInMB=1, ExperimentConfig={"TrialName": "t"})
    described = describe_transform_job(request, a_spec(request), result)
    assert misfits("DescribeTransformJobResponse", described) == []
    assert described["TransformJobStatus"] == status
    assert described.get("FailureReason") == reason
    assert described["TransformJobArn"] == ARN
    assert described["TransformInput"]["SplitType"] == "None"
    assert described["DataProcessing"] == {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}


def test_a_reason_has_room_for_what_comes_before_it() -> None:
    assert failure_reason(ended(JobEnd.FAILED, "x" * 2000), 10) == "x" * 10

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

import pytest

from localpipe.core import JSON
from localpipe.core.jobspec import Channel, JobEnd, JobResult, JobSpec, OutputForm, OutputSpec
from localpipe.core.names import Identity, S3Uri
from localpipe.errors import JobFailed
from localpipe.jobs.processing import describe_processing_job, failure_reason, processing_problems, processing_spec

IDENTITY = Identity(account="123456789012", region="eu-west-1", role_arn="arn:aws:iam::123456789012:role/SageMaker")
SdkRequest = Callable[[str], JSON]
Misfits = Callable[[str, JSON], list[str]]


def a_request(**changes: JSON) -> JSON:
    return {
        "AppSpecification": {"ImageUri": "my-image:1"},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
        "RoleArn": IDENTITY.role_arn,
        **changes,
    }


def an_input(name: str = "in", **changes: JSON) -> JSON:
    s3_input = {"S3Uri": "s3://b/data", "LocalPath": f"/opt/ml/processing/{name}", "S3DataType": "S3Prefix", **changes}
    return {"InputName": name, "S3Input": s3_input}


def an_output(name: str = "out", **changes: JSON) -> JSON:
    s3_output = {"S3Uri": "s3://b/out", "LocalPath": f"/opt/ml/processing/{name}", "S3UploadMode": "EndOfJob", **changes}
    return {"OutputName": name, "S3Output": s3_output}


def spec_of(request: JSON) -> JobSpec:
    return processing_spec(request, job_name="job-1", identity=IDENTITY, path="$.Steps[2].Arguments")


def a_result(end: JobEnd = JobEnd.COMPLETED, **changes: JSON) -> JobResult:
    return JobResult(**{"end": end, "created_at": 100.0, "started_at": 101.5, "ended_at": 110.0, "exit_code": 0, **changes})


@pytest.mark.documented
@pytest.mark.parametrize(
    ("entrypoint", "arguments", "wanted"),
    [
        (None, None, (None, None)),
        (None, ["--a", "1"], (None, ("--a", "1"))),
        (["python3", "x.py"], None, (("python3", "x.py"), None)),
        (["python3", "x.py"], ["--a"], (("python3", "x.py"), ("--a",))),
    ],
)
def test_entrypoint_and_arguments_are_taken_as_given(entrypoint: JSON, arguments: JSON, wanted: tuple[JSON, JSON]) -> None:
    given = {"ContainerEntrypoint": entrypoint, "ContainerArguments": arguments}
    application = {"ImageUri": "i", **{name: value for name, value in given.items() if value}}
    spec = spec_of(a_request(AppSpecification=application))
    assert (spec.entrypoint, spec.arguments) == wanted


@pytest.mark.documented
def test_inputs_and_outputs_become_channels_and_trees() -> None:
    spec = spec_of(a_request(ProcessingInputs=[an_input()], ProcessingOutputConfig={"Outputs": [an_output()]}))
    assert spec.channels == (
        Channel(name="in", uri=S3Uri("b", "data"), container_dir=PurePosixPath("/opt/ml/processing/in")),
    )
    assert spec.channels[0].path == "$.Steps[2].Arguments.ProcessingInputs[0].S3Input.S3Uri"
    assert spec.outputs == (
        OutputSpec(
            name="out",
            container_dir=PurePosixPath("/opt/ml/processing/out"),
            uri=S3Uri("b", "out"),
            form=OutputForm.TREE,
            published_on=frozenset({JobEnd.COMPLETED}),
        ),
    )
    assert spec.directories == (PurePosixPath("/opt/ml/output"),)
    assert spec.mount_roots == (PurePosixPath("/opt/ml/config"), PurePosixPath("/opt/ml/output"))
    assert spec.message_file == PurePosixPath("/opt/ml/output/message")
    assert spec.failure_file is None


@pytest.mark.assumed
def test_the_environment_holds_the_service_s_variables_and_the_request_s_win() -> None:
    spec = spec_of(a_request(Environment={"A": "1", "AWS_REGION": "mine"}))
    assert spec.environment == {
        "AWS_REGION": "mine",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EXECUTION_ENV": "AWS_ECS_EC2",
        "DMLC_INTERFACE": "eth0",
        "PROCESSING_JOB_NAME": "job-1",
        "PROCESSING_JOB_ARN": "arn:aws:sagemaker:eu-west-1:123456789012:processing-job/job-1",
        "A": "1",
    }
    assert spec.hosts[0].environment == {"NVIDIA_VISIBLE_DEVICES": "void"}


@pytest.mark.documented
def test_limits_and_isolation_default_to_a_day_and_an_open_network() -> None:
    assert (spec_of(a_request()).max_runtime_seconds, spec_of(a_request()).network_isolated) == (86400, False)
    strict = spec_of(
        a_request(StoppingCondition={"MaxRuntimeInSeconds": 60}, NetworkConfig={"EnableNetworkIsolation": True})
    )
    assert (strict.max_runtime_seconds, strict.network_isolated) == (60, True)


@pytest.mark.parametrize("name", ["v2_sklearn_processor", "v2_script_processor"])
@pytest.mark.parametrize("end", list(JobEnd))
def test_describe_of_sdk_requests_fits_the_service_model(
    sdk_request: SdkRequest, misfits: Misfits, name: str, end: JobEnd
) -> None:
    request = sdk_request(name)
    result = a_result(end, detail="x" * 2000, exit_message="m")
    document = describe_processing_job(request, spec_of(request), result, IDENTITY)
    assert misfits("DescribeProcessingJobResponse", document) == []


def test_describe_echoes_everything_with_the_service_s_defaults(misfits: Misfits) -> None:
    network = {"EnableNetworkIsolation": True, "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}}
    request = a_request(
        ProcessingInputs=[an_input()],
        ProcessingOutputConfig={"Outputs": [an_output()], "KmsKeyId": "key"},
        Environment={"A": "1"},
        NetworkConfig=network,
        ExperimentConfig={"ExperimentName": "e"},
        Tags=[{"Key": "k", "Value": "v"}],
    )
    document = describe_processing_job(request, spec_of(request), a_result(exit_message="done"), IDENTITY)
    assert misfits("DescribeProcessingJobResponse", document) == []
    assert document == {
        "ProcessingJobName": "job-1",
        "ProcessingJobArn": "arn:aws:sagemaker:eu-west-1:123456789012:processing-job/job-1",
        "ProcessingJobStatus": "Completed",
        "ExitMessage": "done",
        "CreationTime": 100.0,
        "ProcessingStartTime": 101.5,
        "ProcessingEndTime": 110.0,
        "LastModifiedTime": 110.0,
        "ProcessingInputs": [
            {
                "InputName": "in",
                "AppManaged": False,
                "S3Input": {
                    "S3Uri": "s3://b/data",
                    "LocalPath": "/opt/ml/processing/in",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                    "S3DataDistributionType": "FullyReplicated",
                    "S3CompressionType": "None",
                },
            },
        ],
        "ProcessingOutputConfig": {"Outputs": [{"AppManaged": False, **an_output()}], "KmsKeyId": "key"},
        "ProcessingResources": request["ProcessingResources"],
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
        "AppSpecification": {"ImageUri": "my-image:1"},
        "Environment": {"A": "1"},
        "NetworkConfig": network,
        "RoleArn": IDENTITY.role_arn,
        "ExperimentConfig": {"ExperimentName": "e"},
    }


@pytest.mark.parametrize(
    ("result", "status", "reason"),
    [
        (a_result(), "Completed", None),
        (a_result(JobEnd.STOPPED, exit_code=143), "Stopped", None),
        (a_result(JobEnd.TIMED_OUT, exit_code=137), "Stopped", None),
        (a_result(JobEnd.FAILED, exit_code=1), "Failed", "AlgorithmError: See job logs for more information"),
        (
            a_result(JobEnd.FAILED, exit_code=137, out_of_memory=True),
            "Failed",
            "AlgorithmError: The container ran out of memory and was killed, exit code: 137",
        ),
        (
            a_result(JobEnd.FAILED, exit_code=127, detail="no such file: pyton3"),
            "Failed",
            "AlgorithmError: no such file: pyton3",
        ),
        (
            a_result(message_undecodable=True),
            "Failed",
            "ClientError: The file /opt/ml/output/message is not UTF-8.",
        ),
        (
            a_result(JobEnd.REFUSED, started_at=None, detail="No S3 objects found"),
            "Failed",
            "ClientError: Failed to invoke sagemaker:CreateProcessingJob. Error Details: No S3 objects found",
        ),
    ],
)
def test_how_a_job_ended_is_told_in_the_service_s_words(result: JobResult, status: str, reason: str | None) -> None:
    request = a_request()
    document = describe_processing_job(request, spec_of(request), result, IDENTITY)
    assert (document["ProcessingJobStatus"], document.get("FailureReason")) == (status, reason)
    assert failure_reason(result) == reason
    assert ("ProcessingStartTime" in document) is (result.started_at is not None)


@pytest.mark.parametrize(
    ("change", "path", "feature"),
    [
        (
            {"ProcessingInputs": [{"InputName": "q", "DatasetDefinition": {"LocalPath": "/opt/ml/processing/q"}}]},
            "ProcessingInputs[0].DatasetDefinition",
            "An input from Athena or Redshift (DatasetDefinition)",
        ),
        (
            {"ProcessingOutputConfig": {"Outputs": [{"OutputName": "f", "FeatureStoreOutput": {"FeatureGroupName": "g"}}]}},
            "ProcessingOutputConfig.Outputs[0].FeatureStoreOutput",
            "An output to the feature store (FeatureStoreOutput)",
        ),
    ],
)
def test_what_is_not_built_is_refused_by_name_and_place(change: JSON, path: str, feature: str) -> None:
    (problem,) = processing_problems(a_request(**change), "$")
    assert (problem.path, problem.message, problem.unsupported) == (f"$.{path}", f"{feature} is not supported.", True)
    assert problem.remedy
    with pytest.raises(JobFailed, match=r"Failed to invoke sagemaker:CreateProcessingJob\. Error Details: "):
        spec_of(a_request(**change))


def test_sharding_over_one_host_is_full_replication() -> None:
    assert processing_problems(a_request(ProcessingInputs=[an_input(S3DataDistributionType="ShardedByS3Key")]), "$") == []


def test_members_that_change_nothing_here_are_accepted() -> None:
    cluster = {"InstanceCount": 1, "InstanceType": "ml.p3.2xlarge", "VolumeSizeInGB": 1, "VolumeKmsKeyId": "k"}
    request = a_request(
        ProcessingResources={"ClusterConfig": cluster},
        NetworkConfig={"EnableInterContainerTrafficEncryption": True, "VpcConfig": {"Subnets": [], "SecurityGroupIds": []}},
    )
    assert processing_problems(request, "$") == []
    assert spec_of(request).hosts[0].environment == {}


@pytest.mark.documented
def test_a_continuous_output_is_published_whatever_the_end() -> None:
    spec = spec_of(a_request(ProcessingOutputConfig={"Outputs": [an_output(S3UploadMode="Continuous"), an_output("end")]}))
    assert [(output.continuous, output.mirrored) for output in spec.outputs] == [(True, False), (False, False)]
    assert [output.published_on for output in spec.outputs] == [frozenset(JobEnd), {JobEnd.COMPLETED}]


def test_a_job_of_several_hosts_has_a_host_for_each_instance() -> None:
    cluster = {"InstanceCount": 3, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    spec = spec_of(a_request(ProcessingResources={"ClusterConfig": cluster}))
    assert [host.name for host in spec.hosts] == ["algo-1", "algo-2", "algo-3"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"ProcessingInputs": [an_input(LocalPath="/data")]},
            "$.ProcessingInputs[0].S3Input.LocalPath: '/data' is not below /opt/ml/processing. Choose a directory there.",
        ),
        (
            {"ProcessingOutputConfig": {"Outputs": [an_output(LocalPath="/opt/ml/processing/..")]}},
            (
                "$.ProcessingOutputConfig.Outputs[0].S3Output.LocalPath: '/opt/ml/processing/..' is not below "
                "/opt/ml/processing. Choose a directory there."
            ),
        ),
        (
            {"ProcessingInputs": [an_input(), an_input("b", LocalPath="/opt/ml/processing/in")]},
            "$.ProcessingInputs[1].S3Input.LocalPath: '/opt/ml/processing/in' is used 2 times. Give each its own.",
        ),
        (
            {"ProcessingInputs": [an_input(), an_input("b", LocalPath="/opt/ml//processing/in/")]},
            "$.ProcessingInputs[1].S3Input.LocalPath: '/opt/ml/processing/in' is used 2 times. Give each its own.",
        ),
        (
            {"ProcessingOutputConfig": {"Outputs": [an_output(), an_output(LocalPath="/opt/ml/processing/other")]}},
            "$.ProcessingOutputConfig.Outputs[1].OutputName: 'out' is used 2 times. Give each its own.",
        ),
        (
            {"ProcessingInputs": [an_input(S3Uri="https://b/data")]},
            "$.ProcessingInputs[0].S3Input.S3Uri: 'https://b/data' is not an S3 URI (s3://bucket/key).",
        ),
        (
            {"ProcessingInputs": [{"InputName": "in"}]},
            "$.ProcessingInputs[0]: S3Input or DatasetDefinition is missing.",
        ),
    ],
)
def test_what_the_service_refuses_is_told_with_its_place(change: JSON, text: str) -> None:
    assert [str(problem) for problem in processing_problems(a_request(**change), "$")] == [text]


def test_expressions_are_judged_once_they_are_resolved() -> None:
    get = {"Get": "Parameters.X"}
    cluster = {"InstanceCount": get, "InstanceType": get, "VolumeSizeInGB": get}
    request = a_request(
        ProcessingResources={"ClusterConfig": cluster},
        ProcessingInputs=[an_input(get["Get"], S3Uri=get, LocalPath=get, S3InputMode=get)],
        ProcessingOutputConfig={
            "Outputs": [an_output(S3Uri={"Std:Join": {"On": "/", "Values": ["a"]}}, S3UploadMode=get), get]
        },
    )
    assert processing_problems(request, "$") == []


@pytest.mark.parametrize(
    "request_", [{}, {"ProcessingInputs": {"Get": "Parameters.X"}}, {"ProcessingInputs": ["x", 3, None]}, []]
)
def test_requests_of_any_shape_are_looked_at_without_an_error(request_: JSON) -> None:
    assert processing_problems(request_, "$") == []

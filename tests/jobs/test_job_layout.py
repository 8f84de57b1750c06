from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import PurePosixPath

import pytest

from localpipe.core import JSON
from localpipe.core.jobspec import HostSpec
from localpipe.core.names import Identity
from localpipe.jobs import layout
from localpipe.jobs.cluster import instance_groups
from localpipe.jobs.processing import processing_spec
from localpipe.jobs.training import training_spec

IDENTITY = Identity(account="123456789012", region="us-east-1", role_arn="arn:aws:iam::123456789012:role/SageMaker")
SdkRequest = Callable[[str], JSON]


def config(host: HostSpec, path: str) -> JSON:
    (text,) = (file.text for file in host.files if file.container_path == PurePosixPath(path))
    return json.loads(text)


@pytest.mark.documented
def test_processing_config_echoes_the_request_with_arn_numbers_and_nulls(sdk_request: SdkRequest) -> None:
    spec = processing_spec(sdk_request("v2_script_processor"), job_name="job-1", identity=IDENTITY)
    assert config(spec.hosts[0], "/opt/ml/config/processingjobconfig.json") == {
        "ProcessingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:processing-job/job-1",
        "ProcessingJobName": "job-1",
        "Environment": None,
        "AppSpecification": {
            "ImageUri": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.0-1-cpu-py3",
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/script.py"],
            "ContainerArguments": None,
        },
        "ProcessingInputs": [
            {
                "InputName": "input-1",
                "AppManaged": False,
                "S3Input": {
                    "LocalPath": "/opt/ml/processing/model",
                    "S3Uri": "s3://bkt/models/pipelines-abcdefghij12-Train-0123456789/output/model.tar.gz",
                    "S3DataDistributionType": "FullyReplicated",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                    "S3CompressionType": "None",
                    "S3DownloadMode": "StartOfJob",
                },
                "DatasetDefinition": None,
            },
            {
                "InputName": "code",
                "AppManaged": False,
                "S3Input": {
                    "LocalPath": "/opt/ml/processing/input/code",
                    "S3Uri": "s3://bkt/x",
                    "S3DataDistributionType": "FullyReplicated",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                    "S3CompressionType": "None",
                    "S3DownloadMode": "StartOfJob",
                },
                "DatasetDefinition": None,
            },
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "evaluation",
                    "AppManaged": False,
                    "S3Output": {
                        "LocalPath": "/opt/ml/processing/evaluation",
                        "S3Uri": spec.outputs[0].uri.__str__(),
                        "S3UploadMode": "EndOfJob",
                    },
                    "FeatureStoreOutput": None,
                },
            ],
            "KmsKeyId": None,
        },
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": "ml.m5.xlarge",
                "VolumeSizeInGB": 30,
                "VolumeKmsKeyId": None,
            },
        },
        "RoleArn": "arn:aws:iam::123456789012:role/SageMaker",
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
    }


@pytest.mark.documented
def test_processing_config_shows_network_only_when_given(sdk_request: SdkRequest) -> None:
    request = {**sdk_request("v2_script_processor"), "NetworkConfig": {"EnableNetworkIsolation": True}}
    spec = processing_spec(request, job_name="job-1", identity=IDENTITY)
    written = config(spec.hosts[0], "/opt/ml/config/processingjobconfig.json")
    assert written["NetworkConfig"] == {"EnableNetworkIsolation": True}


@pytest.mark.documented
def test_resource_config_of_one_host() -> None:
    groups = instance_groups({"InstanceType": "ml.m5.xlarge", "InstanceCount": 1})
    assert layout.resource_config("algo-1", groups) == {
        "current_host": "algo-1",
        "current_instance_type": "ml.m5.xlarge",
        "current_group_name": "homogeneousCluster",
        "hosts": ["algo-1"],
        "instance_groups": [
            {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.xlarge", "hosts": ["algo-1"]},
        ],
        "network_interface_name": "eth0",
        "topology": None,
    }


@pytest.mark.documented
def test_each_host_has_its_own_resource_config_and_hosts_are_sorted() -> None:
    groups = instance_groups({"InstanceType": "ml.m5.xlarge", "InstanceCount": 11})
    hosts = layout.hosts(groups, layout.TRAINING_CONFIG_DIR, [])
    names = [host.name for host in hosts]
    assert names[:3] == ["algo-1", "algo-10", "algo-11"]
    assert len(names) == 11
    written = [config(host, "/opt/ml/input/config/resourceconfig.json") for host in hosts]
    assert [document["current_host"] for document in written] == names
    assert all(document["hosts"] == names for document in written)


@pytest.mark.documented
def test_hosts_of_groups_are_numbered_through_and_know_their_group() -> None:
    cluster = {
        "InstanceGroups": [
            {"InstanceGroupName": "gpu", "InstanceType": "ml.p3.2xlarge", "InstanceCount": 1},
            {"InstanceGroupName": "cpu", "InstanceType": "ml.c5.xlarge", "InstanceCount": 2},
        ],
    }
    document = layout.resource_config("algo-3", instance_groups(cluster))
    assert (document["current_group_name"], document["current_instance_type"]) == ("cpu", "ml.c5.xlarge")
    assert document["hosts"] == ["algo-1", "algo-2", "algo-3"]
    assert document["instance_groups"] == [
        {"instance_group_name": "gpu", "instance_type": "ml.p3.2xlarge", "hosts": ["algo-1"]},
        {"instance_group_name": "cpu", "instance_type": "ml.c5.xlarge", "hosts": ["algo-2", "algo-3"]},
    ]


@pytest.mark.documented
def test_training_files_hold_text_hyperparameters_and_channels(sdk_request: SdkRequest) -> None:
    (host,) = training_spec(sdk_request("v2_xgboost_estimator"), job_name="job-1", identity=IDENTITY).hosts
    assert host.name == "algo-1"
    assert config(host, "/opt/ml/input/config/hyperparameters.json") == {
        "objective": "reg:linear",
        "num_round": "50",
        "max_depth": "5",
    }
    channel = {
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
        "ContentType": "text/csv",
    }
    written = config(host, "/opt/ml/input/config/inputdataconfig.json")
    assert written == {"train": channel, "validation": channel}


@pytest.mark.observed
def test_fast_file_channels_show_as_file_and_no_content_type_stays_absent(sdk_request: SdkRequest) -> None:
    request = sdk_request("v2_sklearn_estimator")
    request["AlgorithmSpecification"]["TrainingInputMode"] = "FastFile"
    (host,) = training_spec(request, job_name="job-1", identity=IDENTITY).hosts
    assert config(host, "/opt/ml/input/config/inputdataconfig.json") == {
        "train": {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"},
    }


@pytest.mark.documented
def test_a_job_without_channels_or_hyperparameters_still_has_the_files(sdk_request: SdkRequest) -> None:
    request = sdk_request("v2_xgboost_estimator")
    del request["InputDataConfig"], request["HyperParameters"]
    (host,) = training_spec(request, job_name="job-1", identity=IDENTITY).hosts
    assert config(host, "/opt/ml/input/config/inputdataconfig.json") == {}
    assert config(host, "/opt/ml/input/config/hyperparameters.json") == {}

"""The configuration files that the service writes under /opt/ml, as values. Made for any number of hosts."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from localpipe.core.jobspec import HostSpec, TextFile
from localpipe.jobs.cluster import host_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.jobs.cluster import InstanceGroup

PROCESSING_CONFIG_DIR = PurePosixPath("/opt/ml/config")
TRAINING_CONFIG_DIR = PurePosixPath("/opt/ml/input/config")
TRAINING_DATA_DIR = PurePosixPath("/opt/ml/input/data")
NETWORK_INTERFACE = "eth0"
_GPU_INSTANCE = re.compile(r"ml\.[gp]\d")


def hosts(groups: Sequence[InstanceGroup], config_dir: PurePosixPath, common: Sequence[TextFile]) -> tuple[HostSpec, ...]:
    """Every host with the files that all share, its own resourceconfig.json and what goes with its instance type."""
    types = {name: group.instance_type for group in groups for name in group.hosts}
    return tuple(
        HostSpec(
            name=name,
            files=(*common, json_file(config_dir / "resourceconfig.json", resource_config(name, groups))),
            instance_type=types[name],
            environment=instance_environment(types[name]),
        )
        for name in host_names(groups)
    )


def instance_environment(instance_type: str) -> Mapping[str, str]:
    """What a container has for its instance type. UNVERIFIED for processing. Follows: containers.md 1.3, 2.7."""
    return {} if _GPU_INSTANCE.match(instance_type) else {"NVIDIA_VISIBLE_DEVICES": "void"}


def resource_config(current: str, groups: Sequence[InstanceGroup]) -> JSON:
    """resourceconfig.json of one host.

    Processing is given the members of training too. UNVERIFIED there, and harmless. Follows: containers.md 1.5, 2.6.
    """
    own = next(group for group in groups if current in group.hosts)
    return {
        "current_host": current,
        "current_instance_type": own.instance_type,
        "current_group_name": own.name,
        "hosts": list(host_names(groups)),
        "instance_groups": [
            {"instance_group_name": group.name, "instance_type": group.instance_type, "hosts": list(group.hosts)}
            for group in groups
        ],
        "network_interface_name": NETWORK_INTERFACE,
        "topology": None,
    }


def processing_job_config(request: JSON, *, job_name: str, job_arn: str) -> JSON:
    """processingjobconfig.json: the request (defaults filled in) with the ARN; an absent optional value is null.

    NetworkConfig and ExperimentConfig are there only when given. Follows: containers.md 1.4.
    """
    given = {member: request[member] for member in ("NetworkConfig", "ExperimentConfig") if member in request}
    return {
        "ProcessingJobArn": job_arn,
        "ProcessingJobName": job_name,
        "Environment": request.get("Environment"),
        "AppSpecification": _members(request["AppSpecification"], "ImageUri", "ContainerEntrypoint", "ContainerArguments"),
        "ProcessingInputs": [_processing_input(entry) for entry in request.get("ProcessingInputs", [])],
        "ProcessingOutputConfig": _processing_outputs(request.get("ProcessingOutputConfig", {})),
        "ProcessingResources": {
            "ClusterConfig": _members(
                request["ProcessingResources"]["ClusterConfig"],
                *("InstanceCount", "InstanceType", "VolumeSizeInGB", "VolumeKmsKeyId"),
            ),
        },
        "RoleArn": request["RoleArn"],
        "StoppingCondition": request["StoppingCondition"],
        **given,
    }


def input_data_config(request: JSON) -> JSON:
    """inputdataconfig.json of a training request with its defaults: channel name → how it came; FastFile shows as File.

    Follows: containers.md 2.5, 2.6.
    """
    job_mode = request["AlgorithmSpecification"]["TrainingInputMode"]
    return {
        channel["ChannelName"]: _channel_config(channel, channel.get("InputMode", job_mode))
        for channel in request["InputDataConfig"]
    }


def json_file(container_path: PurePosixPath, document: JSON) -> TextFile:
    """A configuration file with this document."""
    return TextFile(container_path=container_path, text=json.dumps(document))


def _channel_config(channel: JSON, mode: str) -> JSON:
    """UNVERIFIED: that CompressionType is there, and only where it is not None."""
    compressed = channel["CompressionType"] != "None"
    return {
        "TrainingInputMode": "Pipe" if mode == "Pipe" else "File",
        "S3DistributionType": channel["DataSource"]["S3DataSource"]["S3DataDistributionType"],
        "RecordWrapperType": channel["RecordWrapperType"],
        **({"CompressionType": channel["CompressionType"]} if compressed else {}),
        **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
    }


def _processing_input(entry: JSON) -> JSON:
    s3_input = _members(
        entry["S3Input"],
        *("LocalPath", "S3Uri", "S3DataDistributionType", "S3DataType", "S3InputMode", "S3CompressionType"),
    )
    return {
        **_members(entry, "InputName", "AppManaged"),
        "S3Input": {**s3_input, "S3DownloadMode": "StartOfJob"},
        "DatasetDefinition": None,
    }


def _processing_outputs(config: JSON) -> JSON:
    outputs = [
        {
            **_members(entry, "OutputName", "AppManaged"),
            "S3Output": _members(entry["S3Output"], "LocalPath", "S3Uri", "S3UploadMode"),
            "FeatureStoreOutput": None,
        }
        for entry in config.get("Outputs", [])
    ]
    return {"Outputs": outputs, "KmsKeyId": config.get("KmsKeyId")}


def _members(structure: JSON, *names: str) -> dict[str, JSON]:
    return {name: structure.get(name) for name in names}

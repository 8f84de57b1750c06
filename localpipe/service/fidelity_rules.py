"""What becomes of each member of a Create request, one table per request shape. Pure.

Every member that the service model knows is in a table, alone or with all below it, or is refused outright
(`jobs/unsupported.py`), so that none is ignored in silence. A member that is not there is not judged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from localpipe.core import JSON
    from localpipe.core.names import S3Uri


class Verdict(str, Enum):
    """How near a run came to what a member asks of the service."""

    EXACT = "Exact"
    APPROXIMATED = "Approximated"
    IGNORED = "Ignored"


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What the verdicts on a run depend on beside its requests.

    `images`: image URI → what stood for it, in a sentence; empty for the very image. `mounts`: local directories shown as
    S3 prefixes. `limits_kept`: whether jobs on an instance type were held to its processors and memory.
    """

    images: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[S3Uri, Path] = field(default_factory=dict)
    limits_kept: Callable[[str], bool] = lambda _instance_type: False


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What becomes of the values at `member`, a path as of `jobs.members`, and of all below them.

    `note` says it of one value, in a sentence; an empty one: this value is as on the service, whatever the verdict. `told`
    says it in general, for the reference; empty for `Exact`.
    """

    member: str
    verdict: Verdict
    told: str
    note: Callable[[JSON, Circumstances], str]


def _exact(*members: str) -> tuple[Rule, ...]:
    return tuple(Rule(member=member, verdict=Verdict.EXACT, told="", note=lambda _value, _run: "") for member in members)


def _approximated(member: str, told: str) -> Rule:
    return Rule(member=member, verdict=Verdict.APPROXIMATED, told=told, note=lambda value, _: told if value else "")


def _ignored(member: str, told: str, when: Callable[[JSON], bool] = bool) -> Rule:
    return Rule(member=member, verdict=Verdict.IGNORED, told=told, note=lambda value, _: told if when(value) else "")


def _image(member: str) -> Rule:
    def note(value: JSON, run: Circumstances) -> str:
        return run.images.get(str(value), f"What served {value} was not known before the run and is not on record.")

    told = "What stood for the image, with its versions; the very image is exact."
    return Rule(member=member, verdict=Verdict.APPROXIMATED, told=told, note=note)


def _source(member: str) -> Rule:
    def note(value: JSON, run: Circumstances) -> str:
        mounted = (directory for mount, directory in run.mounts.items() if f"{value}/".startswith(f"{mount}/"))
        return next((f"Read from {directory} by [s3.mounts], as it was at that moment." for directory in mounted), "")

    told = "Below a prefix of `[s3.mounts]`: read from that directory, as it was at that moment. Else exact."
    return Rule(member=member, verdict=Verdict.APPROXIMATED, told=told, note=note)


def _instance(member: str) -> Rule:
    def note(value: JSON, run: Circumstances) -> str:
        if run.limits_kept(str(value)):
            return f"The job had no more processors and memory than {value}; the rest was this machine's."
        return f"The job had the processors and memory of this machine, not those of {value}."

    told = "The job had what this machine has; no more processors and memory than the type only by `[instances] enforce`."
    return Rule(member=member, verdict=Verdict.APPROXIMATED, told=told, note=note)


def _below(parent: str, *members: str) -> tuple[str, ...]:
    return tuple(f"{parent}.{member}" for member in members)


_NOT_ENFORCED = "Not enforced: the job ran without AWS credentials, and nothing was forbidden it."
_KEPT_ROLE = "Kept as data; nothing is allowed or forbidden by it."
_NO_VPC = "The job was in no VPC: it had the network of this machine's containers or of the machine."
_KEPT_VPC = "Kept as data; nothing is connected to it."
_PLAIN_TRAFFIC = "Traffic between the hosts of the job was not encrypted."
_NOT_ENCRYPTED = "Nothing was encrypted: objects and disks are ordinary files of this machine."
_NO_VOLUME = "The job had the free space of this machine's disk, however much that was."
_NO_TAGS = "Tags are not kept."
_NO_TRIAL = "No trial component was made; Describe shows the member."
_NO_DEBUGGER = "No debugger, profiler or rule ran, and nothing was saved for one; Describe shows the member."
_NO_ACCESS_CHECK = "The data came from the local S3, where no agreement or hub is asked."

_PROCESSING = (
    *_exact(
        "ProcessingJobName",
        *_below("ProcessingInputs[*]", "InputName", "AppManaged"),
        *_below(
            "ProcessingInputs[*].S3Input",
            *("LocalPath", "S3DataType", "S3InputMode", "S3DataDistributionType", "S3CompressionType"),
        ),
        *_below("ProcessingOutputConfig.Outputs[*]", "OutputName", "AppManaged"),
        *_below("ProcessingOutputConfig.Outputs[*].S3Output", "S3Uri", "LocalPath", "S3UploadMode"),
        "ProcessingResources.ClusterConfig.InstanceCount",
        "StoppingCondition.MaxRuntimeInSeconds",
        *_below("AppSpecification", "ContainerEntrypoint", "ContainerArguments"),
        "Environment",
        "NetworkConfig.EnableNetworkIsolation",
    ),
    _image("AppSpecification.ImageUri"),
    _source("ProcessingInputs[*].S3Input.S3Uri"),
    _instance("ProcessingResources.ClusterConfig.InstanceType"),
    _approximated("ProcessingResources.ClusterConfig.VolumeSizeInGB", _NO_VOLUME),
    _approximated("ProcessingResources.ClusterConfig.VolumeKmsKeyId", _NOT_ENCRYPTED),
    _approximated("ProcessingOutputConfig.KmsKeyId", _NOT_ENCRYPTED),
    _approximated("NetworkConfig.EnableInterContainerTrafficEncryption", _PLAIN_TRAFFIC),
    _approximated("NetworkConfig.VpcConfig", _NO_VPC),
    _approximated("RoleArn", _NOT_ENFORCED),
    _ignored("ProcessingResources.ClusterConfig.SelectedInstanceType", "The service selects it; nothing is selected here."),
    _ignored("ProcessingResources.ClusterConfig.SelectedInstanceCount", "The service selects it; nothing is selected here."),
    _ignored("Tags", _NO_TAGS),
    _ignored("ExperimentConfig", _NO_TRIAL),
)

_CHANNEL = "InputDataConfig[*]"
_S3_SOURCE = f"{_CHANNEL}.DataSource.S3DataSource"

_TRAINING = (
    *_exact(
        *("TrainingJobName", "HyperParameters", "Environment", "EnableNetworkIsolation"),
        *_below(
            "AlgorithmSpecification",
            *("TrainingInputMode", "MetricDefinitions", "ContainerEntrypoint", "ContainerArguments"),
        ),
        *_below(_CHANNEL, "ChannelName", "ContentType", "CompressionType", "RecordWrapperType", "InputMode"),
        f"{_CHANNEL}.ShuffleConfig.Seed",
        *_below(_S3_SOURCE, "S3DataType", "S3DataDistributionType", "AttributeNames", "InstanceGroupNames"),
        *_below("OutputDataConfig", "S3OutputPath", "CompressionType"),
        "ResourceConfig.InstanceCount",
        *_below("ResourceConfig.InstanceGroups[*]", "InstanceCount", "InstanceGroupName"),
        "StoppingCondition.MaxRuntimeInSeconds",
        *_below("CheckpointConfig", "S3Uri", "LocalPath"),
        "RetryStrategy.MaximumRetryAttempts",
    ),
    _image("AlgorithmSpecification.TrainingImage"),
    _source(f"{_S3_SOURCE}.S3Uri"),
    _instance("ResourceConfig.InstanceType"),
    _instance("ResourceConfig.InstanceGroups[*].InstanceType"),
    _approximated("ResourceConfig.VolumeSizeInGB", _NO_VOLUME),
    _approximated("ResourceConfig.VolumeKmsKeyId", _NOT_ENCRYPTED),
    _approximated("OutputDataConfig.KmsKeyId", _NOT_ENCRYPTED),
    _approximated("ResourceConfig.KeepAlivePeriodInSeconds", "No instance was kept warm: there is none to wait for."),
    _approximated("StoppingCondition.MaxWaitTimeInSeconds", "No capacity was waited for: the job ran on this machine."),
    _approximated("StoppingCondition.MaxPendingTimeInSeconds", "No capacity was waited for: the job ran on this machine."),
    _approximated("EnableManagedSpotTraining", "The job was no spot instance: it was never interrupted."),
    _approximated("EnableInterContainerTrafficEncryption", _PLAIN_TRAFFIC),
    _approximated("VpcConfig", _NO_VPC),
    _approximated("RoleArn", _NOT_ENFORCED),
    _ignored("AlgorithmSpecification.EnableSageMakerMetricsTimeSeries", "The last value of each metric is kept, no series."),
    _ignored("AlgorithmSpecification.TrainingImageConfig", "No registry was asked: the image was on this machine."),
    _ignored(f"{_S3_SOURCE}.ModelAccessConfig", _NO_ACCESS_CHECK),
    _ignored(f"{_S3_SOURCE}.HubAccessConfig", _NO_ACCESS_CHECK),
    _ignored("ResourceConfig.TrainingPlanArn", "No capacity is reserved on this machine."),
    _ignored("ResourceConfig.InstancePlacementConfig", "There is one machine to place hosts on."),
    _ignored("ResourceConfig.SelectedInstanceType", "The service selects it; nothing is selected here."),
    _ignored("ResourceConfig.SelectedInstanceCount", "The service selects it; nothing is selected here."),
    _ignored("DebugHookConfig", _NO_DEBUGGER),
    _ignored("DebugRuleConfigurations", _NO_DEBUGGER),
    _ignored("ProfilerConfig", _NO_DEBUGGER, when=lambda config: config.get("DisableProfiler") is not True),
    _ignored("ProfilerRuleConfigurations", _NO_DEBUGGER),
    _ignored("TensorBoardOutputConfig", "Nothing was uploaded for TensorBoard; Describe shows the member."),
    _ignored("RemoteDebugConfig.EnableRemoteDebug", "No session of Systems Manager: `localpipe shell` opens one here."),
    _ignored("InfraCheckConfig.EnableInfraCheck", "The health of this machine was not checked."),
    _ignored("SessionChainingConfig.EnableSessionTagChaining", "No session of a role has tags here to be chained."),
    _ignored("Tags", _NO_TAGS),
    _ignored("ExperimentConfig", _NO_TRIAL),
    _ignored("MlflowConfig", "Nothing was written to an MLflow server; Describe shows the member."),
    _ignored("ModelPackageConfig", "No model package was made of the model; Describe shows the member."),
)

_MODEL = (
    *_exact("ModelName", "PrimaryContainer", "Containers", "InferenceExecutionConfig", "EnableNetworkIsolation"),
    _approximated("ExecutionRoleArn", _KEPT_ROLE),
    _approximated("VpcConfig", _KEPT_VPC),
    _ignored("Tags", _NO_TAGS),
)

_MODEL_PACKAGE = (
    *_exact(
        *("ModelPackageName", "ModelPackageGroupName", "ModelPackageDescription", "ModelPackageRegistrationType"),
        *("InferenceSpecification", "SourceAlgorithmSpecification", "ModelApprovalStatus", "MetadataProperties"),
        *("ModelMetrics", "ClientToken", "Domain", "Task", "SamplePayloadUrl", "CustomerMetadataProperties"),
        *("DriftCheckBaselines", "AdditionalInferenceSpecifications", "SkipModelValidation", "SourceUri", "ModelCard"),
        *("ModelLifeCycle", "ManagedStorageType", "CertifyForMarketplace"),
    ),
    _approximated("SecurityConfig", _NOT_ENCRYPTED),
    _ignored("ValidationSpecification", "The package was not validated: no validation job ran."),
    _ignored("Tags", _NO_TAGS),
)

RULES: Mapping[str, tuple[Rule, ...]] = {
    "CreateProcessingJobRequest": _PROCESSING,
    "CreateTrainingJobRequest": _TRAINING,
    "CreateModelInput": _MODEL,
    "CreateModelPackageInput": _MODEL_PACKAGE,
}
"""By the request shape of a step type. Of two rules of a table, none covers the other's member."""

"""What becomes of each member of a CreateTrainingJob request."""

from __future__ import annotations

from localpipe.jobs.fidelity import (
    NO_ACCESS_CHECK,
    NO_DEBUGGER,
    NO_TAGS,
    NO_TRIAL,
    NO_VOLUME,
    NO_VPC,
    NOT_ENCRYPTED,
    NOT_ENFORCED,
    PLAIN_TRAFFIC,
    approximated,
    below,
    exact,
    ignored,
    image,
    instance,
    source,
    target,
)
from localpipe.jobs.metrics import gives_values

_CHANNEL = "InputDataConfig[*]"
_S3_SOURCE = f"{_CHANNEL}.DataSource.S3DataSource"

TRAINING_FIDELITY = (
    *exact(
        *("TrainingJobName", "HyperParameters", "Environment", "EnableNetworkIsolation"),
        *below(
            "AlgorithmSpecification",
            *("TrainingInputMode", "MetricDefinitions[*].Name", "ContainerEntrypoint", "ContainerArguments"),
        ),
        *below(_CHANNEL, "ChannelName", "ContentType", "CompressionType", "RecordWrapperType", "InputMode"),
        f"{_CHANNEL}.ShuffleConfig.Seed",
        *below(_S3_SOURCE, "S3DataType", "S3DataDistributionType", "AttributeNames", "InstanceGroupNames"),
        "OutputDataConfig.CompressionType",
        "ResourceConfig.InstanceCount",
        *below("ResourceConfig.InstanceGroups[*]", "InstanceCount", "InstanceGroupName"),
        "StoppingCondition.MaxRuntimeInSeconds",
        "CheckpointConfig.LocalPath",
        "RetryStrategy.MaximumRetryAttempts",
    ),
    image("AlgorithmSpecification.TrainingImage"),
    source(f"{_S3_SOURCE}.S3Uri"),
    target("OutputDataConfig.S3OutputPath"),
    target("CheckpointConfig.S3Uri"),
    instance("ResourceConfig.InstanceType"),
    instance("ResourceConfig.InstanceGroups[*].InstanceType"),
    approximated("ResourceConfig.VolumeSizeInGB", NO_VOLUME),
    approximated("ResourceConfig.VolumeKmsKeyId", NOT_ENCRYPTED),
    approximated("OutputDataConfig.KmsKeyId", NOT_ENCRYPTED),
    approximated("ResourceConfig.KeepAlivePeriodInSeconds", "No instance was kept warm: there is none to wait for."),
    approximated(
        "StoppingCondition.MaxWaitTimeInSeconds", "The job waited for room on this machine, not for spot capacity."
    ),
    approximated("StoppingCondition.MaxPendingTimeInSeconds", "No capacity was waited for: the job ran on this machine."),
    approximated(
        "EnableManagedSpotTraining", "The job had no spot instance: nothing but a fault that was asked for interrupted it."
    ),
    approximated("EnableInterContainerTrafficEncryption", PLAIN_TRAFFIC),
    approximated("VpcConfig", NO_VPC),
    approximated("RoleArn", NOT_ENFORCED),
    ignored(
        "AlgorithmSpecification.MetricDefinitions[*].Regex",
        "It has no group in parentheses: no line gives a value, and Describe shows none.",
        when=lambda regex: not gives_values(regex),
    ),
    ignored("AlgorithmSpecification.EnableSageMakerMetricsTimeSeries", "The last value of each metric is kept, no series."),
    ignored("AlgorithmSpecification.TrainingImageConfig", "No registry was asked: the image was on this machine."),
    ignored(f"{_S3_SOURCE}.ModelAccessConfig", NO_ACCESS_CHECK),
    ignored(f"{_S3_SOURCE}.HubAccessConfig", NO_ACCESS_CHECK),
    ignored("ResourceConfig.TrainingPlanArn", "No capacity is reserved on this machine."),
    ignored("ResourceConfig.InstancePlacementConfig", "There is one machine to place hosts on."),
    ignored("ResourceConfig.SelectedInstanceType", "The service selects it; nothing is selected here."),
    ignored("ResourceConfig.SelectedInstanceCount", "The service selects it; nothing is selected here."),
    ignored("DebugHookConfig", NO_DEBUGGER),
    ignored("DebugRuleConfigurations", NO_DEBUGGER),
    ignored("ProfilerConfig", NO_DEBUGGER, when=lambda config: config.get("DisableProfiler") is not True),
    ignored("ProfilerRuleConfigurations", NO_DEBUGGER),
    ignored("TensorBoardOutputConfig", "Nothing was uploaded for TensorBoard; Describe shows the member."),
    ignored("RemoteDebugConfig.EnableRemoteDebug", "No session of Systems Manager: `localpipe shell` opens one here."),
    ignored("InfraCheckConfig.EnableInfraCheck", "The health of this machine was not checked."),
    ignored("SessionChainingConfig.EnableSessionTagChaining", "No session of a role has tags here to be chained."),
    ignored("Tags", NO_TAGS),
    ignored("ExperimentConfig", NO_TRIAL),
    ignored("MlflowConfig", "Nothing was written to an MLflow server; Describe shows the member."),
    ignored("ModelPackageConfig", "No model package was made of the model; Describe shows the member."),
)

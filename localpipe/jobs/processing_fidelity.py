"""What becomes of each member of a CreateProcessingJob request."""

from __future__ import annotations

from localpipe.jobs.fidelity import (
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

PROCESSING_FIDELITY = (
    *exact(
        "ProcessingJobName",
        *below("ProcessingInputs[*]", "InputName", "AppManaged"),
        *below(
            "ProcessingInputs[*].S3Input",
            *("LocalPath", "S3DataType", "S3InputMode", "S3DataDistributionType", "S3CompressionType"),
        ),
        *below("ProcessingOutputConfig.Outputs[*]", "OutputName", "AppManaged"),
        *below("ProcessingOutputConfig.Outputs[*].S3Output", "LocalPath", "S3UploadMode"),
        "ProcessingResources.ClusterConfig.InstanceCount",
        "StoppingCondition.MaxRuntimeInSeconds",
        *below("AppSpecification", "ContainerEntrypoint", "ContainerArguments"),
        "Environment",
        "NetworkConfig.EnableNetworkIsolation",
    ),
    image("AppSpecification.ImageUri"),
    source("ProcessingInputs[*].S3Input.S3Uri"),
    target("ProcessingOutputConfig.Outputs[*].S3Output.S3Uri"),
    instance("ProcessingResources.ClusterConfig.InstanceType"),
    approximated("ProcessingResources.ClusterConfig.VolumeSizeInGB", NO_VOLUME),
    approximated("ProcessingResources.ClusterConfig.VolumeKmsKeyId", NOT_ENCRYPTED),
    approximated("ProcessingOutputConfig.KmsKeyId", NOT_ENCRYPTED),
    approximated("NetworkConfig.EnableInterContainerTrafficEncryption", PLAIN_TRAFFIC),
    approximated("NetworkConfig.VpcConfig", NO_VPC),
    approximated("RoleArn", NOT_ENFORCED),
    ignored("ProcessingResources.ClusterConfig.SelectedInstanceType", "The service selects it; nothing is selected here."),
    ignored("ProcessingResources.ClusterConfig.SelectedInstanceCount", "The service selects it; nothing is selected here."),
    ignored("Tags", NO_TAGS),
    ignored("ExperimentConfig", NO_TRIAL),
)

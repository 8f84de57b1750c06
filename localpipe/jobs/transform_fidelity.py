"""What becomes of each member of a CreateTransformJob request."""

from __future__ import annotations

from localpipe.core.fidelity import Rule, Verdict
from localpipe.jobs.fidelity import (
    NO_TAGS,
    NO_TRIAL,
    NOT_ENCRYPTED,
    approximated,
    below,
    exact,
    ignored,
    instance,
    model,
    source,
    target,
)

_SOURCE = "TransformInput.DataSource.S3DataSource"
_ONE_COPY = "One copy of the model transformed all objects, however many instances were asked for."

TRANSFORM_FIDELITY = (
    *exact(
        *("TransformJobName", "MaxConcurrentTransforms", "MaxPayloadInMB", "BatchStrategy", "Environment"),
        *below("ModelClientConfig", "InvocationsTimeoutInSeconds", "InvocationsMaxRetries"),
        *below("TransformInput", "ContentType", "CompressionType", "SplitType"),
        f"{_SOURCE}.S3DataType",
        *below("TransformOutput", "Accept", "AssembleWith"),
        *below("DataProcessing", "InputFilter", "OutputFilter", "JoinSource"),
    ),
    model("ModelName"),
    source(f"{_SOURCE}.S3Uri"),
    target("TransformOutput.S3OutputPath"),
    instance("TransformResources.InstanceType"),
    Rule(
        member="TransformResources.InstanceCount",
        verdict=Verdict.APPROXIMATED,
        told=_ONE_COPY,
        note=lambda count, _: _ONE_COPY if count != 1 else "",
    ),
    approximated("TransformResources.VolumeKmsKeyId", NOT_ENCRYPTED),
    approximated("TransformOutput.KmsKeyId", NOT_ENCRYPTED),
    ignored("TransformResources.TransformAmiVersion", "There is no machine image: the job ran on this machine."),
    ignored("DataCaptureConfig", "Nothing was captured; Describe shows the member."),
    ignored("Tags", NO_TAGS),
    ignored("ExperimentConfig", NO_TRIAL),
)

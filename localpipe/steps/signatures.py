"""What decides, by step type, whether an earlier result stands for a step.

`members` are the service's (service.md section 6); those of Lambda and Callback are assumed (section 13, no. 14). What
`--cache content` counts besides is ours.
"""

from __future__ import annotations

from localpipe.core.signature import Signature

_ONE = "Arguments.TrainingJobDefinition"
_EACH = "Arguments.TrainingJobDefinitions[*]"

PROCESSING_SIGNATURE = Signature(
    members=("Arguments.AppSpecification", "Arguments.Environment", "Arguments.ProcessingInputs"),
    also=("Arguments.ProcessingOutputConfig", "Arguments.ProcessingResources.ClusterConfig.InstanceCount"),
    places=("Arguments.ProcessingOutputConfig.Outputs[*].S3Output.S3Uri",),
)

TRAINING_SIGNATURE = Signature(
    members=(
        "Arguments.AlgorithmSpecification",
        "Arguments.CheckpointConfig",
        "Arguments.DebugHookConfig",
        "Arguments.DebugRuleConfigurations",
        "Arguments.Environment",
        "Arguments.HyperParameters",
        "Arguments.InputDataConfig",
    ),
    also=(
        "Arguments.OutputDataConfig.S3OutputPath",
        "Arguments.ResourceConfig.InstanceCount",
        "Arguments.ResourceConfig.InstanceGroups",
    ),
    places=(
        "Arguments.DebugHookConfig.S3OutputPath",
        "Arguments.DebugRuleConfigurations[*].S3OutputPath",
        "Arguments.OutputDataConfig.S3OutputPath",
    ),
    kept=("Arguments.CheckpointConfig.S3Uri",),
)

TUNING_SIGNATURE = Signature(
    members=(
        "Arguments.HyperParameterTuningJobConfig",
        "Arguments.TrainingJobDefinitions",
        f"{_ONE}.AlgorithmSpecification",
        f"{_ONE}.HyperParameterRanges",
        f"{_ONE}.InputDataConfig",
        f"{_ONE}.StaticHyperParameters",
        f"{_ONE}.TuningObjective",
    ),
    also=(
        f"{_ONE}.CheckpointConfig",
        f"{_ONE}.Environment",
        f"{_ONE}.HyperParameterTuningResourceConfig.InstanceCount",
        f"{_ONE}.OutputDataConfig.S3OutputPath",
        f"{_ONE}.ResourceConfig.InstanceCount",
        "Arguments.WarmStartConfig",
        "Arguments.Autotune",
    ),
    places=(f"{_ONE}.OutputDataConfig.S3OutputPath", f"{_EACH}.OutputDataConfig.S3OutputPath"),
    kept=(f"{_ONE}.CheckpointConfig.S3Uri", f"{_EACH}.CheckpointConfig.S3Uri"),
    settings=("max_trials",),
)

LAMBDA_SIGNATURE = Signature(members=("FunctionArn", "Arguments"), has_contents=False, function="FunctionArn")

CALLBACK_SIGNATURE = Signature(members=("SqsQueueUrl", "Arguments"), has_contents=False)

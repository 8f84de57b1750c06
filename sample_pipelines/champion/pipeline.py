"""Trains three scikit-learn models side by side, compares them, and registers the best: the champion.

prepare ─┬─ train ridge ────┐
         ├─ train forest ───┼─ compare ─ is it ridge? forest? else boosting ─ register
         └─ train boosting ─┘
"""

import os

import boto3
from sagemaker import get_execution_role
from sagemaker.inputs import TrainingInput
from sagemaker.model import Model
from sagemaker.processing import ProcessingInput, ProcessingOutput
from sagemaker.sklearn.estimator import SKLearn
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionEquals
from sagemaker.workflow.functions import JsonGet
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import ProcessingStep, TrainingStep

HERE = os.path.dirname(os.path.realpath(__file__))
MODELS = {
    "Ridge": {"model": "ridge", "alpha": 1.0},
    "Forest": {"model": "forest", "trees": 60},
    "Boosting": {"model": "boosting", "trees": 120, "learning-rate": 0.1},
}

session = PipelineSession(boto_session=boto3.Session(region_name="us-east-1"))
role = get_execution_role(session)

test_percent = ParameterInteger(name="TestPercent", default_value=25)
approval = ParameterString(
    name="ModelApprovalStatus",
    default_value="Approved",
    enum_values=["Approved", "PendingManualApproval"],
)

processor = SKLearnProcessor(
    framework_version="1.2-1",
    role=role,
    instance_type="ml.m5.large",
    instance_count=1,
    sagemaker_session=session,
)

prepare = ProcessingStep(
    name="Prepare",
    step_args=processor.run(
        code=os.path.join(HERE, "prepare.py"),
        inputs=[
            ProcessingInput(
                source=os.path.join(HERE, "data", "demand.csv"),
                destination="/opt/ml/processing/input/data",
                input_name="data",
            )
        ],
        outputs=[
            ProcessingOutput(output_name="train", source="/opt/ml/processing/train"),
            ProcessingOutput(output_name="test", source="/opt/ml/processing/test"),
        ],
        arguments=["--test-percent", test_percent.to_string()],
    ),
)
prepared = prepare.properties.ProcessingOutputConfig.Outputs


def train(name, hyperparameters):
    estimator = SKLearn(
        entry_point="train.py",
        source_dir=os.path.join(HERE, "code"),
        framework_version="1.2-1",
        py_version="py3",
        role=role,
        instance_type="ml.m5.large",
        instance_count=1,
        hyperparameters=hyperparameters,
        metric_definitions=[{"Name": "train:rmse", "Regex": "train-rmse=([0-9.]+)"}],
        sagemaker_session=session,
    )
    inputs = {"train": TrainingInput(s3_data=prepared["train"].S3Output.S3Uri, content_type="text/csv")}
    return TrainingStep(name=f"Train{name}", step_args=estimator.fit(inputs)), estimator


trained = {name: train(name, hyperparameters) for name, hyperparameters in MODELS.items()}

comparison = PropertyFile(name="Comparison", output_name="comparison", path="comparison.json")
compare = ProcessingStep(
    name="Compare",
    step_args=processor.run(
        code=os.path.join(HERE, "compare.py"),
        inputs=[
            ProcessingInput(
                source=step.properties.ModelArtifacts.S3ModelArtifacts,
                destination=f"/opt/ml/processing/models/{name}",
                input_name=name.lower(),
            )
            for name, (step, _) in trained.items()
        ]
        + [
            ProcessingInput(
                source=prepared["test"].S3Output.S3Uri,
                destination="/opt/ml/processing/test",
                input_name="test",
            )
        ],
        outputs=[ProcessingOutput(output_name="comparison", source="/opt/ml/processing/comparison")],
    ),
    property_files=[comparison],
)


def register(name):
    step, estimator = trained[name]
    model = Model(
        image_uri=estimator.training_image_uri(),
        model_data=step.properties.ModelArtifacts.S3ModelArtifacts,
        role=role,
        sagemaker_session=session,
    )
    return ModelStep(
        name=f"Champion{name}",
        step_args=model.register(
            content_types=["text/csv"],
            response_types=["text/csv"],
            inference_instances=["ml.m5.large"],
            transform_instances=["ml.m5.large"],
            model_package_group_name="DemandModels",
            approval_status=approval,
        ),
    )


def is_champion(name):
    return ConditionEquals(
        left=JsonGet(step_name=compare.name, property_file=comparison, json_path="champion"),
        right=name,
    )


choose = ConditionStep(
    name="IsRidgeChampion",
    conditions=[is_champion("Ridge")],
    if_steps=[register("Ridge")],
    else_steps=[
        ConditionStep(
            name="IsForestChampion",
            conditions=[is_champion("Forest")],
            if_steps=[register("Forest")],
            else_steps=[register("Boosting")],
        )
    ],
)

pipeline = Pipeline(
    name="ChampionPipeline",
    parameters=[test_percent, approval],
    steps=[prepare, *(step for step, _ in trained.values()), compare, choose],
    sagemaker_session=session,
)

if __name__ == "__main__":
    pipeline.upsert(role_arn=role)
    execution = pipeline.start()
    execution.wait()

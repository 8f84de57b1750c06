"""Tunes a model, measures the best one that was found, and registers it if it is good enough.

split ── tune ── evaluate ── good enough? ── register
"""

import os

import boto3
from sagemaker import get_execution_role
from sagemaker.inputs import TrainingInput
from sagemaker.model import Model
from sagemaker.processing import ProcessingInput, ProcessingOutput
from sagemaker.sklearn.estimator import SKLearn
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.tuner import CategoricalParameter, ContinuousParameter, HyperparameterTuner, IntegerParameter
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionLessThanOrEqualTo
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import ParameterFloat
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import ProcessingStep, TuningStep

HERE = os.path.dirname(os.path.realpath(__file__))

session = PipelineSession(boto_session=boto3.Session(region_name="us-east-1"))
role = get_execution_role(session)
bucket, prefix = session.default_bucket(), "rents/models"

max_rmse = ParameterFloat(name="MaxRmse", default_value=120.0)

processor = SKLearnProcessor(
    framework_version="1.2-1",
    role=role,
    instance_type="ml.m5.large",
    instance_count=1,
    sagemaker_session=session,
)

split = ProcessingStep(
    name="Split",
    step_args=processor.run(
        code=os.path.join(HERE, "split.py"),
        inputs=[
            ProcessingInput(
                source=os.path.join(HERE, "data", "rents.csv"),
                destination="/opt/ml/processing/input/data",
                input_name="data",
            )
        ],
        outputs=[
            ProcessingOutput(output_name=name, source=f"/opt/ml/processing/{name}")
            for name in ("train", "validation", "test")
        ],
    ),
)
parts = split.properties.ProcessingOutputConfig.Outputs

estimator = SKLearn(
    entry_point="train.py",
    source_dir=os.path.join(HERE, "code"),
    framework_version="1.2-1",
    py_version="py3",
    role=role,
    instance_type="ml.m5.large",
    instance_count=1,
    output_path=f"s3://{bucket}/{prefix}",
    sagemaker_session=session,
)
tuner = HyperparameterTuner(
    estimator=estimator,
    objective_metric_name="validation:rmse",
    objective_type="Minimize",
    metric_definitions=[{"Name": "validation:rmse", "Regex": "validation-rmse=([0-9.]+)"}],
    hyperparameter_ranges={
        "learning-rate": ContinuousParameter(0.005, 0.5, scaling_type="Logarithmic"),
        "trees": IntegerParameter(10, 150),
        "loss": CategoricalParameter(["squared_error", "absolute_error"]),
    },
    strategy="Bayesian",
    max_jobs=6,
    max_parallel_jobs=2,
    random_seed=1,
)
tune = TuningStep(
    name="TuneRents",
    step_args=tuner.fit(
        {
            name: TrainingInput(s3_data=parts[name].S3Output.S3Uri, content_type="text/csv")
            for name in ("train", "validation")
        }
    ),
)


def model_of(rank):
    return tune.get_top_model_s3_uri(top_k=rank, s3_bucket=bucket, prefix=prefix)


evaluation = PropertyFile(name="Evaluation", output_name="evaluation", path="evaluation.json")
evaluate = ProcessingStep(
    name="Evaluate",
    step_args=processor.run(
        code=os.path.join(HERE, "evaluate.py"),
        inputs=[
            ProcessingInput(
                source=model_of(rank),
                destination=f"/opt/ml/processing/models/{name}",
                input_name=name,
            )
            for name, rank in (("best", 0), ("second", 1))
        ]
        + [
            ProcessingInput(
                source=parts["test"].S3Output.S3Uri,
                destination="/opt/ml/processing/test",
                input_name="test",
            )
        ],
        outputs=[ProcessingOutput(output_name="evaluation", source="/opt/ml/processing/evaluation")],
    ),
    property_files=[evaluation],
)

model = Model(
    image_uri=estimator.training_image_uri(),
    model_data=model_of(0),
    role=role,
    sagemaker_session=session,
)
register = ModelStep(
    name="Rents",
    step_args=model.register(
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=["ml.m5.large"],
        transform_instances=["ml.m5.large"],
        model_package_group_name="RentModels",
        approval_status="PendingManualApproval",
    ),
)

good_enough = ConditionStep(
    name="IsGoodEnough",
    conditions=[
        ConditionLessThanOrEqualTo(
            left=JsonGet(step_name=evaluate.name, property_file=evaluation, json_path="best"),
            right=max_rmse,
        )
    ],
    if_steps=[register],
    else_steps=[
        FailStep(
            name="NotGoodEnough",
            error_message=Join(on=" ", values=["The best model's RMSE is above", max_rmse]),
        )
    ],
)

pipeline = Pipeline(
    name="TuningPipeline",
    parameters=[max_rmse],
    steps=[split, tune, evaluate, good_enough],
    sagemaker_session=session,
)

if __name__ == "__main__":
    pipeline.upsert(role_arn=role)
    execution = pipeline.start()
    execution.wait()

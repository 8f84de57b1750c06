"""Trains a classifier of wines, creates a model and classifies two files with it.

Prepare ── Train ── Wines-CreateModel ── Classify ── Verify
"""

import os

import boto3
from sagemaker import get_execution_role
from sagemaker.inputs import TrainingInput, TransformInput
from sagemaker.processing import ProcessingInput, ProcessingOutput
from sagemaker.sklearn.estimator import SKLearn
from sagemaker.sklearn.model import SKLearnModel
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.transformer import Transformer
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import ProcessingStep, TrainingStep, TransformStep

HERE = os.path.dirname(os.path.realpath(__file__))

session = PipelineSession(boto_session=boto3.Session(region_name="us-east-1"))
role = get_execution_role(session)

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
        outputs=[
            ProcessingOutput(output_name="train", source="/opt/ml/processing/train"),
            ProcessingOutput(output_name="batch", source="/opt/ml/processing/batch"),
        ],
    ),
)
train_csv = prepare.properties.ProcessingOutputConfig.Outputs["train"].S3Output.S3Uri
batch = prepare.properties.ProcessingOutputConfig.Outputs["batch"].S3Output.S3Uri

estimator = SKLearn(
    entry_point="train.py",
    source_dir=os.path.join(HERE, "code"),
    framework_version="1.2-1",
    role=role,
    instance_type="ml.m5.large",
    instance_count=1,
    sagemaker_session=session,
)
train = TrainingStep(name="Train", step_args=estimator.fit({"train": TrainingInput(train_csv)}))

model = SKLearnModel(
    model_data=train.properties.ModelArtifacts.S3ModelArtifacts,
    entry_point="inference.py",
    source_dir=os.path.join(HERE, "code"),
    framework_version="1.2-1",
    role=role,
    sagemaker_session=session,
)
create = ModelStep(name="Wines", step_args=model.create(instance_type="ml.m5.large"))

transformer = Transformer(
    model_name=create.properties.ModelName,
    instance_type="ml.m5.large",
    instance_count=1,
    strategy="MultiRecord",
    assemble_with="Line",
    accept="text/csv",
    output_path=f"s3://{session.default_bucket()}/wines/classified",
    sagemaker_session=session,
)
classify = TransformStep(
    name="Classify",
    step_args=transformer.transform(
        data=batch,
        content_type="text/csv",
        split_type="Line",
        input_filter="$[1:]",  # the model gets no number of a wine
        join_source="Input",
        output_filter="$[0,-1]",  # the number, and what the model says
    ),
)


def verified(**inputs):
    """A step that compares what came out with what the models say."""
    return ProcessingStep(
        name="Verify",
        step_args=processor.run(
            code=os.path.join(HERE, "verify.py"),
            inputs=[
                ProcessingInput(source=uri, destination=f"/opt/ml/processing/input/{name}", input_name=name)
                for name, uri in inputs.items()
            ],
        ),
    )


verify = verified(
    model=train.properties.ModelArtifacts.S3ModelArtifacts,
    batch=batch,
    classified=classify.properties.TransformOutput.S3OutputPath,
)

pipeline = Pipeline(name="Wines", steps=[prepare, train, create, classify, verify], sagemaker_session=session)

if __name__ == "__main__":
    pipeline.upsert(role_arn=role)
    pipeline.start()

"""The same wines through an inference pipeline of two containers: one scales, the next classifies.

Prepare ─┬─ Scaler ─┬─ Classifier ─┬─ Wines-CreateModel ── Classify ── Verify
         └──────────┴──────────────┘
"""

import os

from pipeline import HERE, batch, prepare, role, session, train_csv, verified
from sagemaker.inputs import TrainingInput
from sagemaker.pipeline import PipelineModel
from sagemaker.sklearn.estimator import SKLearn
from sagemaker.sklearn.model import SKLearnModel
from sagemaker.transformer import Transformer
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.steps import TrainingStep, TransformStep


def trained(name, part, **channels):
    """A step that trains a part, and the model of what comes of it."""
    estimator = SKLearn(
        entry_point="train.py",
        source_dir=os.path.join(HERE, "code"),
        hyperparameters={"part": part},
        framework_version="1.2-1",
        role=role,
        instance_type="ml.m5.large",
        instance_count=1,
        sagemaker_session=session,
    )
    inputs = {channel: TrainingInput(uri) for channel, uri in channels.items()}
    step = TrainingStep(name=name, step_args=estimator.fit(inputs))
    model = SKLearnModel(
        model_data=step.properties.ModelArtifacts.S3ModelArtifacts,
        entry_point="inference.py",
        source_dir=os.path.join(HERE, "code"),
        framework_version="1.2-1",
        role=role,
        sagemaker_session=session,
    )
    return step, model


scaler_step, scaler = trained("Scaler", "scaler", train=train_csv)
classifier_step, classifier = trained(
    "Classifier", "classifier", train=train_csv, scaler=scaler_step.properties.ModelArtifacts.S3ModelArtifacts
)

both = PipelineModel(models=[scaler, classifier], role=role, sagemaker_session=session)
create = ModelStep(name="Wines", step_args=both.create(instance_type="ml.m5.large"))

transformer = Transformer(
    model_name=create.properties.ModelName,
    instance_type="ml.m5.large",
    instance_count=1,
    strategy="SingleRecord",
    max_concurrent_transforms=4,
    max_payload=1,
    assemble_with="Line",
    accept="text/csv",
    output_path=f"s3://{session.default_bucket()}/wines/serial",
    sagemaker_session=session,
)
classify = TransformStep(
    name="Classify",
    step_args=transformer.transform(
        data=batch,
        content_type="text/csv",
        split_type="Line",
        input_filter="$[1:]",
        join_source="Input",
        output_filter="$[0,-1]",
    ),
)

verify = verified(
    scaler=scaler_step.properties.ModelArtifacts.S3ModelArtifacts,
    model=classifier_step.properties.ModelArtifacts.S3ModelArtifacts,
    batch=batch,
    classified=classify.properties.TransformOutput.S3OutputPath,
)

pipeline = Pipeline(
    name="SerialWines",
    steps=[prepare, scaler_step, classifier_step, create, classify, verify],
    sagemaker_session=session,
)

if __name__ == "__main__":
    pipeline.upsert(role_arn=role)
    pipeline.start()

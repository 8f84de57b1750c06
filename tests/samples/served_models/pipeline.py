"""One model of XGBoost's algorithm, served by the algorithm and by a script, and asked for the same rows.

Train ─┬─ Built-CreateModel ──── AskAlgorithm
       └─ Scripted-CreateModel ─ AskScript
"""

import boto3
from sagemaker import get_execution_role, image_uris
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.model import Model
from sagemaker.transformer import Transformer
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import TrainingStep, TransformStep
from sagemaker.xgboost import XGBoostModel

session = PipelineSession(boto_session=boto3.Session(region_name="us-east-1"))
role = get_execution_role(session)
bucket = session.default_bucket()
rows = [(first + 0.5, second + 0.5) for first in range(6) for second in range(6)]
s3 = boto3.client("s3", region_name="us-east-1")
labelled = "".join(f"{first + 2 * second},{first},{second}\n" for first, second in rows)
s3.put_object(Bucket=bucket, Key="served/train/train.csv", Body=labelled)
s3.put_object(Bucket=bucket, Key="served/ask/rows.csv", Body="".join(f"{first},{second}\n" for first, second in rows))

image = image_uris.retrieve("xgboost", "us-east-1", version="1.5-1")
estimator = Estimator(
    image, role, 1, "ml.m5.large", hyperparameters={"num_round": "10", "eta": "0.8"}, sagemaker_session=session
)
train = TrainingStep(
    "Train", estimator.fit({"train": TrainingInput(f"s3://{bucket}/served/train/", content_type="text/csv")})
)
data = train.properties.ModelArtifacts.S3ModelArtifacts


def asked(name: str, model: Model, ask: str) -> list[ModelStep | TransformStep]:
    step = ModelStep(name, step_args=model.create(instance_type="ml.m5.large"))
    transformer = Transformer(
        step.properties.ModelName,
        1,
        "ml.m5.large",
        strategy="MultiRecord",
        assemble_with="Line",
        accept="text/csv",
        output_path=f"s3://{bucket}/served/{ask}",
        sagemaker_session=session,
    )
    request = transformer.transform(f"s3://{bucket}/served/ask/", content_type="text/csv", split_type="Line")
    return [step, TransformStep(ask, step_args=request)]


built = Model(image, model_data=data, role=role, sagemaker_session=session)
scripted = XGBoostModel(data, role, entry_point="inference.py", framework_version="1.5-1", sagemaker_session=session)
steps = [train, *asked("Built", built, "AskAlgorithm"), *asked("Scripted", scripted, "AskScript")]
Pipeline("Served", steps=steps, sagemaker_session=session).upsert(role)

"""Recognises handwritten digits, written with version 3 of the SageMaker SDK: prepare -> train -> evaluate -> register.

Where the accuracy on the test data is below `AccuracyThreshold`, the execution fails with a message instead.
"""

import os

import boto3
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import get_execution_role
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.training.configs import Compute, InputData, SourceCode
from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterInteger
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train import ModelTrainer

HERE = os.path.dirname(os.path.realpath(__file__))
REGION = "us-east-1"
INSTANCE_TYPE = "ml.m5.large"


def s3_input(name, s3_uri, local_path):
    return ProcessingInput(
        input_name=name,
        s3_input=ProcessingS3Input(
            s3_uri=s3_uri,
            local_path=local_path,
            s3_data_type="S3Prefix",
            s3_input_mode="File",
        ),
    )


def s3_output(name, s3_uri):
    return ProcessingOutput(
        output_name=name,
        s3_output=ProcessingS3Output(
            s3_uri=s3_uri,
            local_path=f"/opt/ml/processing/{name}",
            s3_upload_mode="EndOfJob",
        ),
    )


def get_pipeline(region=REGION, role=None, pipeline_name="DigitsPipeline"):
    session = PipelineSession(boto_session=boto3.Session(region_name=region))
    role = role or get_execution_role(session)
    prefix = f"s3://{session.default_bucket()}/{pipeline_name}"
    image_uri = image_uris.retrieve("sklearn", region, version="1.2-1", instance_type=INSTANCE_TYPE)

    accuracy_threshold = ParameterFloat(name="AccuracyThreshold", default_value=0.9)
    neighbors = ParameterInteger(name="Neighbors", default_value=3)

    def processor():
        return ScriptProcessor(
            image_uri=image_uri,
            command=["python3"],
            instance_type=INSTANCE_TYPE,
            instance_count=1,
            role=role,
            sagemaker_session=session,
        )

    prepare = ProcessingStep(
        name="PrepareDigits",
        step_args=processor().run(
            code=os.path.join(HERE, "processing", "prepare.py"),
            outputs=[s3_output("train", f"{prefix}/prepared/train"), s3_output("test", f"{prefix}/prepared/test")],
        ),
    )
    prepared = prepare.properties.ProcessingOutputConfig.Outputs

    trainer = ModelTrainer(
        training_image=image_uri,
        source_code=SourceCode(source_dir=os.path.join(HERE, "training"), entry_script="train.py"),
        compute=Compute(instance_type=INSTANCE_TYPE, instance_count=1),
        hyperparameters={"neighbors": neighbors.to_string()},
        base_job_name="digits",
        role=role,
        sagemaker_session=session,
    )
    train = TrainingStep(
        name="TrainDigits",
        step_args=trainer.train(
            input_data_config=[InputData(channel_name="train", data_source=prepared["train"].S3Output.S3Uri)],
        ),
    )
    model_archive = train.properties.ModelArtifacts.S3ModelArtifacts

    report = PropertyFile(name="EvaluationReport", output_name="evaluation", path="evaluation.json")
    evaluate = ProcessingStep(
        name="EvaluateDigits",
        step_args=processor().run(
            code=os.path.join(HERE, "processing", "evaluate.py"),
            inputs=[
                s3_input("model", model_archive, "/opt/ml/processing/model"),
                s3_input("test", prepared["test"].S3Output.S3Uri, "/opt/ml/processing/test"),
            ],
            outputs=[s3_output("evaluation", f"{prefix}/evaluation")],
        ),
        property_files=[report],
    )

    builder = ModelBuilder(
        s3_model_data_url=model_archive,
        image_uri=image_uri,
        role_arn=role,
        sagemaker_session=session,
    )
    register = ModelStep(
        name="RegisterDigits",
        step_args=builder.register(
            model_package_group_name="DigitsModels",
            content_types=["text/csv"],
            response_types=["text/csv"],
            inference_instances=[INSTANCE_TYPE],
            transform_instances=[INSTANCE_TYPE],
            approval_status="PendingManualApproval",
        ),
    )
    fail = FailStep(
        name="FailDigits",
        error_message=Join(on=" ", values=["The accuracy is below", accuracy_threshold]),
    )
    accurate = ConditionStep(
        name="AreDigitsRecognised",
        conditions=[
            ConditionGreaterThanOrEqualTo(
                left=JsonGet(step_name=evaluate.name, property_file=report, json_path="accuracy"),
                right=accuracy_threshold,
            )
        ],
        if_steps=[register],
        else_steps=[fail],
    )

    return Pipeline(
        name=pipeline_name,
        parameters=[accuracy_threshold, neighbors],
        steps=[prepare, train, evaluate, accurate],
        sagemaker_session=session,
    )


if __name__ == "__main__":
    pipeline = get_pipeline()
    pipeline.upsert(role_arn=get_execution_role())
    pipeline.start()

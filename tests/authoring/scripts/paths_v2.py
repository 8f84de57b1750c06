"""SDK v2: an input and an output whose places are parameters, for which the tests give paths.

A path as destination itself would not do: the SDK writes its default bucket instead.
"""

import os

from job_v2 import HERE, processor, session
from sagemaker.processing import ProcessingInput, ProcessingOutput
from sagemaker.workflow.parameters import ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.steps import ProcessingStep

data = ParameterString("Data", default_value="s3://scripts-bucket/data")
out = ParameterString("Out", default_value="s3://scripts-bucket/out")
arguments = processor.run(
    code=os.path.join(HERE, "copy_text.py"),  # noqa: PTH118
    inputs=[ProcessingInput(source=data, destination="/opt/ml/processing/in")],
    outputs=[ProcessingOutput(output_name="out", source="/opt/ml/processing/out", destination=out)],
)
step = ProcessingStep("Copy", step_args=arguments)
pipeline = Pipeline(name="Paths", parameters=[data, out], steps=[step], sagemaker_session=session)

"""A pipeline of SDK v3 whose session is SESSION (a class of `pipeline_context`) and whose jobs are on INSTANCE."""

import os

import job_v3
from sagemaker.core.workflow import pipeline_context
from sagemaker.train.model_trainer import Compute

job_v3.Compute = lambda **_: Compute(instance_type=os.environ["INSTANCE"], instance_count=1)
pipeline = job_v3.make_pipeline("Local", getattr(pipeline_context, os.environ["SESSION"])(), job_v3.ROLE)
pipeline.upsert(job_v3.ROLE)
pipeline.start().wait()

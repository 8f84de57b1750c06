import job_v3
from module_v3 import pipeline

pipeline.upsert(role_arn=job_v3.ROLE)

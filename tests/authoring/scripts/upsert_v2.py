import job_v2

job_v2.pipeline.upsert(role_arn=job_v2.ROLE)

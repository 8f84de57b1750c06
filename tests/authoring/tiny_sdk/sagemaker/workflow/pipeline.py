# ruff: noqa: ANN001, ANN003, ANN201, ANN204
"""As much of the SDK's `Pipeline` as scripts without jobs need: real calls through boto3, no model of the service."""

import json

import boto3


class Pipeline:
    def __init__(self, name, parameters=(), steps=()):
        self.name, self.parameters, self.steps = name, list(parameters), list(steps)

    def definition(self):
        parameters = [{"Name": name, "Type": "String"} for name in self.parameters]
        return json.dumps({"Version": "2020-12-01", "Parameters": parameters, "Steps": self.steps})

    def upsert(self, role_arn):
        client = boto3.client("sagemaker")
        request = {"PipelineName": self.name, "PipelineDefinition": self.definition(), "RoleArn": role_arn}
        try:
            return client.create_pipeline(**request)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "ValidationException":
                raise
            return client.update_pipeline(**request)

    def start(self, parameters=(), **more):
        given = [{"Name": name, "Value": value} for name, value in dict(parameters).items()]
        client = boto3.client("sagemaker")
        request = {"PipelineName": self.name, "PipelineParameters": given, **more}
        return client.start_pipeline_execution(**request)["PipelineExecutionArn"]

"""Writes a piece of news about a model to S3."""

import json
import os

import boto3


def handler(event, context):
    key = f"{event['execution']}/{event['model']}.json"
    percent = round(100 * event["accuracy"])
    text = f"{event['model']} is right about {percent} of 100 leaves"
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=key, Body=json.dumps({"text": text}).encode())
    print(text)
    return {"news": f"s3://{os.environ['BUCKET']}/{key}", "percent": percent}

"""Adds to a piece of news who approved it."""

import json

import boto3


def handler(event, context):
    bucket, _, key = event["news"].removeprefix("s3://").partition("/")
    s3 = boto3.client("s3")
    news = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    news.update(approved=event["approved"], by=event["by"])
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(news).encode())
    return {"written": json.dumps(news)}

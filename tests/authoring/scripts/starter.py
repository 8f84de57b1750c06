"""Makes its pipeline in a Python that it starts, and uploads from a pool of processes."""

import multiprocessing
import subprocess
import sys
from pathlib import Path

import boto3


def put(key):  # noqa: ANN001, ANN201
    keys = {"aws_access_key_id": "AKIAREAL", "aws_secret_access_key": "real"}
    s3 = boto3.client("s3", endpoint_url="https://s3.us-east-1.amazonaws.com", region_name="us-east-1", **keys)
    s3.put_object(Bucket="hard-coded", Key=key, Body=b"x")


if __name__ == "__main__":
    (child,) = Path(__file__).parent.glob("upsert_*.py")
    subprocess.run([sys.executable, str(child)], check=True)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.map(put, ["from-a-pool"])

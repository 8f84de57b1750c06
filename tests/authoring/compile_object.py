"""Run in an SDK's Python: makes a `Pipeline` under real-looking credentials, then compiles the object as localpipe does.

Arguments: the checkout, the site-packages with localpipe's dependencies, the home. Prints the definition.
"""

import importlib
import os
import sys
import threading
from pathlib import Path

checkout, dependencies, home = sys.argv[1:]
version, script = os.environ["SDK"], os.environ["SCRIPT"]

import boto3  # noqa: E402 - as users do: clients first

before = boto3.Session(region_name="us-east-1").client("sts")
sys.path.insert(0, str(Path(script).parent))
module = importlib.import_module(Path(script).stem)
pipeline = module.pipeline

sys.path += [checkout, dependencies]
from localpipe.authoring.target import compile_pipeline  # noqa: E402
from localpipe.core.names import Identity  # noqa: E402
from localpipe.store import LocalStore  # noqa: E402

identity = Identity(account="123456789012", region="us-east-1", role_arn="arn:aws:iam::123456789012:role/LocalpipeRole")
for thread in threading.enumerate():
    if thread.name == "sagemaker-telemetry":  # SDK v3 told of the construction, which was not under localpipe
        thread.join()
environment = dict(os.environ)
Path(os.environ["RECORDED_CONNECTIONS"]).write_text("")
authored = compile_pipeline(pipeline, store=LocalStore(Path(home), {}), identity=identity)
assert dict(os.environ) == environment
assert boto3.Session().get_credentials().access_key == "AKIAIOSFODNN7EXAMPLE"
assert before.meta.endpoint_url == "https://sts.us-east-1.amazonaws.com"
print(authored.definition)

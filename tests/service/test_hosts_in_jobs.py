"""Jobs of several hosts and results that leave while a job runs, on real runners."""

from __future__ import annotations

import json
import os
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from localpipe.core.names import S3Uri
from localpipe.errors import NotSupported
from localpipe.runners.scripted import ScriptedRunner
from localpipe.service.artifacts import host_files
from localpipe.service.executions import describe_pipeline_execution, drive, start_pipeline_execution
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localpipe.core import JSON
    from localpipe.service.executions import PipelineExecution

BASE_IMAGE = os.environ.get("LOCALPIPE_TEST_BASE_IMAGE", "localpipe-base:bookworm")
IMAGE = "111122223333.dkr.ecr.us-east-1.amazonaws.com/hosts:1"
ROLE = "arn:aws:iam::111122223333:role/test"
SETTINGS = f"""
unknown_image_python = "{sys.executable}"

[images]
"*/hosts:1" = "{BASE_IMAGE}"
"""
PATIENCE_SECONDS = 20.0

TOGETHER = """
import json, os, socket
config = json.load(open("/opt/ml/input/config/resourceconfig.json"))
me, hosts = config["current_host"], config["hosts"]
if me == hosts[0]:
    server = socket.create_server(("", 7777))
    peers = [server.accept()[0] for _ in hosts[1:]]
    total = sum(int(peer.recv(100)) for peer in peers)
else:
    while True:
        try:
            socket.create_connection((hosts[0], 7777)).send(str(len(os.listdir("/opt/ml/input/data/train"))).encode())
            break
        except OSError:
            pass
seen = {name: sorted(os.listdir(f"/opt/ml/input/data/{name}")) for name in sorted(os.listdir("/opt/ml/input/data"))}
seen["group"] = config["current_group_name"]
for place in ("model", "output/data", "checkpoints"):
    open(f"/opt/ml/{place}/{me}", "w").write(json.dumps(seen))
open("/opt/ml/model/same", "w").write(me)
print(f"{me} is done", flush=True)
"""
FAILS = """
import json, signal, socket
me = json.load(open("/opt/ml/config/resourceconfig.json"))["current_host"]
open(f"/opt/ml/processing/live/{me}", "w").write(me)
open(f"/opt/ml/processing/end/{me}", "w").write(me)
open("/opt/ml/output/message", "w").write(f"[{me}]")
if me == "algo-1":
    socket.create_server(("", 7777)).accept()
    signal.pause()
while True:
    try:
        socket.create_connection(("algo-1", 7777))
        raise SystemExit(3)
    except OSError:
        pass
"""
CHECKPOINTS = """
import os, time
place = "/opt/ml/checkpoints/"
print("BEGAN " + " ".join(sorted(os.listdir(place))), flush=True)
os.makedirs(place + "epoch-1", exist_ok=True)
open(place + "epoch-1/weights", "w").write("W1")
while not os.path.exists(place + "go"):
    time.sleep(0.01)
if os.path.exists(place + "old"):
    os.remove(place + "old")
raise SystemExit(3)
"""


@pytest.fixture(
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("process", marks=pytest.mark.sandbox),
        pytest.param("sandbox", marks=[pytest.mark.docker, pytest.mark.sandbox]),
    ]
)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    (tmp_path / "localpipe.toml").write_text(f'runner = "{request.param}"\n{SETTINGS}')
    opened = Home(load_settings({"home": tmp_path / "home"}, os.environ, tmp_path))
    availability = opened.runner(request.param).check()
    if not availability.usable:
        pytest.skip(f"{availability.reason} {availability.remedy}")
    yield opened
    opened.close()


def training(cluster: JSON, **changes: JSON) -> JSON:
    arguments = {
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["/bin/sh", "-c", "exec python3 -u /opt/ml/input/data/code/train.py"],
        },
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "VolumeSizeInGB": 1, **cluster},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "RoleArn": ROLE,
        **changes,
    }
    return {"Name": "Train", "Type": "Training", "Arguments": arguments}


def a_channel(name: str, **source: JSON) -> JSON:
    s3_source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://bucket/{name}/", **source}
    return {"ChannelName": name, "DataSource": {"S3DataSource": s3_source}}


def run(home: Home, step: JSON) -> PipelineExecution:
    definition = {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": [step]}
    ready = preflight(home, definition, "hosts", {})
    return drive(describe_pipeline_execution(home, start_pipeline_execution(home, ready)), lambda _: None)


def put(home: Home, **objects: str) -> None:
    for key, text in objects.items():
        home.store.put(S3Uri("bucket", key.replace("__", "/")), text.encode())


def texts(home: Home, prefix: str) -> dict[str, str]:
    found = home.store.list(S3Uri("bucket", prefix))
    return {info.uri.key.removeprefix(prefix): info.path.read_text() for info in found}


def test_two_groups_of_hosts_train_together(home: Home) -> None:
    if not home.runner(home.settings.runner).several_hosts:
        pytest.skip("one host at a time")
    home.store.put(S3Uri("bucket", "code/train.py"), TOGETHER.encode())
    put(home, train__a="A", train__b="B", train__c="C", extra__x="X")
    groups = [{"InstanceGroupName": name, "InstanceType": "ml.m5.large", "InstanceCount": 1} for name in ("one", "two")]
    arguments = {
        "InputDataConfig": [
            a_channel("code"),
            a_channel("train", S3DataDistributionType="ShardedByS3Key"),
            a_channel("extra", InstanceGroupNames=["two"]),
        ],
        "CheckpointConfig": {"S3Uri": "s3://bucket/ckpt"},
    }
    step = training({"InstanceGroups": groups}, **arguments)
    del step["Arguments"]["ResourceConfig"]["InstanceType"]
    ended = run(home, step)
    train = ended.step("Train")
    hosts = host_files(train)
    assert train.status.value == "Succeeded", [host.log_file.read_text() for host in hosts] + [train.reason]
    assert [(host.name, host.log_file.read_text()) for host in hosts] == [
        ("algo-1", "algo-1 is done\n"),
        ("algo-2", "algo-2 is done\n"),
    ]
    first = {"code": ["train.py"], "group": "one", "train": ["a", "c"]}
    second = {"code": ["train.py"], "extra": ["x"], "group": "two", "train": ["b"]}
    assert {name: json.loads(text) for name, text in texts(home, "ckpt/").items()} == {"algo-1": first, "algo-2": second}
    for name in ("model", "output"):
        info = home.store.head(S3Uri("bucket", f"out/{train.job_name}/output/{name}.tar.gz"))
        assert info
        with tarfile.open(info.path) as archive:
            members = {member.name: archive.extractfile(member).read().decode() for member in archive}  # type: ignore[union-attr]  # files
        assert members.pop("same", "algo-2") == "algo-2"
        assert {name: json.loads(text) for name, text in members.items()} == {"algo-1": first, "algo-2": second}


def test_a_failing_host_ends_the_others_and_what_was_uploaded_stays(home: Home) -> None:
    if not home.runner(home.settings.runner).several_hosts:
        pytest.skip("one host at a time")
    outputs = [
        {
            "OutputName": name,
            "S3Output": {"S3Uri": f"s3://bucket/{name}", "LocalPath": f"/opt/ml/processing/{name}", "S3UploadMode": mode},
        }
        for name, mode in (("live", "Continuous"), ("end", "EndOfJob"))
    ]
    code = {
        "S3Uri": "s3://bucket/code",
        "LocalPath": "/opt/ml/processing/code",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    arguments = {
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["python3", "/opt/ml/processing/code/fails.py"]},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 2, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
        "ProcessingInputs": [{"InputName": "code", "S3Input": code}],
        "ProcessingOutputConfig": {"Outputs": outputs},
        "RoleArn": ROLE,
    }
    home.store.put(S3Uri("bucket", "code/fails.py"), FAILS.encode())
    use = run(home, {"Name": "Use", "Type": "Processing", "Arguments": arguments}).step("Use")
    assert (use.status.value, use.reason) == (
        "Failed",
        "ClientError: AlgorithmError: See job logs for more information",
    )
    assert texts(home, "live/") == {"algo-1": "algo-1", "algo-2": "algo-2"}
    assert texts(home, "end/") == {}
    assert use.last
    assert use.last.properties["ExitMessage"] == "[algo-1][algo-2]"


def test_checkpoints_go_up_while_the_job_runs_and_the_next_one_goes_on_from_them(home: Home) -> None:
    home.store.put(S3Uri("bucket", "code/train.py"), CHECKPOINTS.encode())
    put(home, ckpt__old="O")
    step = training(
        {"InstanceCount": 1},
        InputDataConfig=[a_channel("code")],
        CheckpointConfig={"S3Uri": "s3://bucket/ckpt"},
    )
    with ThreadPoolExecutor(1) as driver:
        driving = driver.submit(run, home, step)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while texts(home, "ckpt/").get("epoch-1/weights") != "W1" and time.monotonic() < deadline:
            time.sleep(0.01)
        during = texts(home, "ckpt/")
        (directory,) = home.settings.home.glob("runs/*/Train/1/algo-1/root/opt/ml/checkpoints")
        (directory / "go").write_text("!")
        ended = driving.result()
    train = ended.step("Train")
    assert during == {"old": "O", "epoch-1/weights": "W1"}
    assert (train.status.value, train.reason) == ("Failed", "ClientError: AlgorithmError: , exit code: 3")
    assert texts(home, "ckpt/") == {"epoch-1/weights": "W1", "go": "!"}
    again = host_files(run(home, step).step("Train"))
    assert again[0].log_file.read_text() == "BEGAN epoch-1 go\n"


class OneHost(ScriptedRunner):
    """A runner that cannot join hosts."""

    name = "lonely"
    several_hosts = False


def test_a_job_of_more_hosts_than_the_runner_has_is_refused_before_the_run(tmp_path: Path) -> None:
    definition = {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": [training({"InstanceCount": 2})]}
    with (
        closing(Home(load_settings({"home": tmp_path / "home"}, {}, tmp_path))) as opened,
        pytest.raises(NotSupported) as refused,
    ):
        preflight(opened, definition, "hosts", {}, runner=OneHost())
    assert str(refused.value) == (
        "Step 'Train': a job of 2 hosts on the lonely runner is not supported. "
        "Use --runner docker, or set InstanceCount to 1."
    )

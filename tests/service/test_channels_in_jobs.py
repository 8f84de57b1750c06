"""How data comes to real jobs, on real runners: Pipe mode, RecordIO, manifests, shards."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from localpipe.core import JSON
from localpipe.core.names import S3Uri
from localpipe.service.executions import PipelineExecution, describe_pipeline_execution, drive, start_pipeline_execution
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

BASE_IMAGE = os.environ.get("LOCALPIPE_TEST_BASE_IMAGE", "localpipe-base:bookworm")
IMAGE = "111122223333.dkr.ecr.us-east-1.amazonaws.com/channels:1"
ROLE = "arn:aws:iam::111122223333:role/test"
SETTINGS = f"""
unknown_image_python = "{sys.executable}"

[images]
"*/channels:1" = "{BASE_IMAGE}"
"""
AUGMENTED = {"S3DataType": "AugmentedManifestFile", "AttributeNames": ["text-ref", "label"]}

# Read as a user of the container whom nobody knows; two epochs of one channel, of the other only the start.
TRAIN = """
import json, os, struct
if os.getuid() == 0 and os.environ["DROPS_ROOT"] == "1":
    os.setgid(4321)
    os.setuid(4321)

def records(stream):
    while stream:
        magic, length = struct.unpack_from("<II", stream)
        assert magic == 0xced7230a, hex(magic)
        yield stream[8:8 + length].decode()
        stream = stream[8 + (length + 3) // 4 * 4:]

data = "/opt/ml/input/data/"
seen = {"plain": [open(f"{data}plain_{epoch}", "rb").read().decode() for epoch in range(2)]}
seen["records"] = [list(records(open(f"{data}wrapped_{epoch}", "rb").read())) for epoch in range(2)]
seen["shuffled"] = [open(f"{data}shuffled_{epoch}", "rb").read().decode() for epoch in range(8)]
with open(f"{data}big_0", "rb") as stream:
    seen["start"] = stream.read(3).decode()
seen["again"] = len(open(f"{data}big_1", "rb").read())
channels = json.load(open("/opt/ml/input/config/inputdataconfig.json"))
seen["modes"] = {name: channel["TrainingInputMode"] for name, channel in channels.items()}
print("SEEN " + json.dumps(seen))
"""
PROCESS = """
import json, pathlib
place = pathlib.Path("/opt/ml/processing/in")
seen = {str(p.relative_to(place)): p.read_text() for p in sorted(place.rglob("*")) if p.is_file()}
seen["piped"] = pathlib.Path("/opt/ml/processing/piped_0").read_text()
seen["managed"] = pathlib.Path("/opt/ml/processing/own").exists()
print("SEEN " + json.dumps(seen))
"""


@pytest.fixture(
    params=[pytest.param("docker", marks=pytest.mark.docker), pytest.param("process", marks=pytest.mark.sandbox)]
)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    (tmp_path / "localpipe.toml").write_text(f'runner = "{request.param}"\n{SETTINGS}')
    opened = Home(load_settings({"home": tmp_path / "home"}, os.environ, tmp_path))
    availability = opened.runner(request.param).check()
    if not availability.usable:
        pytest.skip(f"{availability.reason} {availability.remedy}")
    yield opened
    opened.close()


Run = Callable[[JSON], PipelineExecution]


@pytest.fixture
def run(home: Home) -> Run:
    def run_it(step: JSON) -> PipelineExecution:
        definition = {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": [step]}
        ready = preflight(home, definition, "channels", {})
        started = describe_pipeline_execution(home, start_pipeline_execution(home, ready))
        return drive(started, lambda _: None)

    return run_it


def put(home: Home, objects: Mapping[str, bytes | str]) -> None:
    for key, content in objects.items():
        home.store.put(S3Uri("b", key), content.encode() if isinstance(content, str) else content)


def seen(execution: PipelineExecution) -> list[JSON]:
    """What each host of the only step has seen."""
    (step,) = execution.state.steps.values()
    logs = [Path(file).read_text() for file in step.log_files]
    assert execution.status == "Succeeded", f"{step.reason}\n{logs}"
    return [json.loads(log.partition("SEEN ")[2]) for log in logs]


def a_channel(name: str, uri: str, source: Mapping[str, JSON] | None = None, **changes: JSON) -> JSON:
    s3_source = {"S3DataType": "S3Prefix", "S3Uri": uri, **(source or {})}
    return {"ChannelName": name, "DataSource": {"S3DataSource": s3_source}, **changes}


def training(*channels: JSON, environment: Mapping[str, str] | None = None, hosts: int = 1) -> JSON:
    """A job in Pipe mode whose program is `s3://b/code.py`."""
    program = ["python3", "/opt/ml/input/data/code/code.py"]
    algorithm = {"TrainingImage": IMAGE, "TrainingInputMode": "Pipe", "ContainerEntrypoint": program}
    arguments = {
        "AlgorithmSpecification": algorithm,
        "InputDataConfig": [a_channel("code", "s3://b/code.py", InputMode="File"), *channels],
        "OutputDataConfig": {"S3OutputPath": "s3://b/models"},
        "ResourceConfig": {"InstanceCount": hosts, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "RoleArn": ROLE,
        **({"Environment": dict(environment)} if environment else {}),
    }
    return {"Name": "Train", "Type": "Training", "Arguments": arguments}


def processing(*inputs: JSON, outputs: tuple[JSON, ...] = ()) -> JSON:
    """A job whose program is `s3://b/code.py`."""
    program = ["python3", "/opt/ml/processing/code/code.py"]
    arguments = {
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": program},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}},
        "ProcessingInputs": [an_input("code", "s3://b/code.py"), *inputs],
        "ProcessingOutputConfig": {"Outputs": list(outputs)},
        "RoleArn": ROLE,
    }
    return {"Name": "Process", "Type": "Processing", "Arguments": arguments}


def an_input(name: str, uri: str, **changes: JSON) -> JSON:
    place = f"/opt/ml/processing/{name}"
    return {"InputName": name, "S3Input": {"S3Uri": uri, "LocalPath": place, "S3DataType": "S3Prefix", **changes}}


def test_a_training_reads_its_epochs_from_pipes(home: Home, run: Run) -> None:
    put(
        home,
        {
            "code.py": TRAIN,
            "text/a": "one\n",
            "text/b": "two\n",
            "big/a": b"abc" * 1_000_000,
            "x/1": "first",
            "x/2": "second",
        },
    )
    put(home, {"m": '{"text-ref": "s3://b/x/1", "label": 1}\n{"label": 0, "text-ref": "s3://b/x/2"}\n'})
    put(home, {f"digits/{digit}": gzip.compress(str(digit).encode()) for digit in range(5)})
    ended = run(
        training(
            a_channel("plain", "s3://b/text", {"S3DataDistributionType": "ShardedByS3Key"}),
            a_channel("wrapped", "s3://b/m", AUGMENTED, RecordWrapperType="RecordIO"),
            a_channel("shuffled", "s3://b/digits/", CompressionType="Gzip", ShuffleConfig={"Seed": 3}),
            a_channel("big", "s3://b/big"),
            a_channel("unread", "s3://b/big"),
            a_channel("file", "s3://b/text", InputMode="File"),
            environment={"DROPS_ROOT": "1" if home.settings.runner == "docker" else "0"},
        )
    )
    (found,) = seen(ended)
    assert found["plain"] == ["one\ntwo\n"] * 2
    assert found["records"] == [["first", "1", "second", "0"]] * 2
    assert {"".join(sorted(order)) for order in found["shuffled"]} == {"01234"}
    assert len(set(found["shuffled"])) > 2
    assert (found["start"], found["again"]) == ("abc", 3_000_000)
    assert [name for name, mode in found["modes"].items() if mode == "File"] == ["code", "file"]


def test_hosts_share_each_epoch_of_a_sharded_channel_anew(home: Home, run: Run) -> None:
    if not home.runner(home.settings.runner).several_hosts:
        pytest.skip("this runner has one host for a job")
    program = "import json; print('SEEN', json.dumps([open(f'/opt/ml/input/data/d_{epoch}').read() for epoch in range(4)]))"
    put(home, {"code.py": program, **{f"d/{digit}": str(digit) for digit in range(5)}})
    source = {"S3DataDistributionType": "ShardedByS3Key"}
    one, two = seen(run(training(a_channel("d", "s3://b/d/", source, ShuffleConfig={"Seed": 1}), hosts=2)))
    assert {"".join(sorted(both)) for both in map("".join, zip(one, two, strict=True))} == {"01234"}
    assert len({"".join(sorted(share)) for share in one}) > 1


def test_a_processing_reads_a_manifest_a_pipe_and_nothing_that_it_manages_itself(home: Home, run: Run) -> None:
    put(home, {"code.py": PROCESS, "x/a": "A", "x/y/b": "B", "x/c": "C", "m": '[{"prefix": "s3://b/x/"}, "y/b", "a"]'})
    put(home, {"packed/1.gz": gzip.compress(b"un"), "packed/2.gz": gzip.compress(b"packed")})
    own = {"OutputName": "own", "AppManaged": True, "S3Output": {"S3Uri": "s3://b/own", "S3UploadMode": "EndOfJob"}}
    ended = run(
        processing(
            an_input("in", "s3://b/m", S3DataType="ManifestFile", S3DataDistributionType="ShardedByS3Key"),
            an_input("piped", "s3://b/packed", S3InputMode="Pipe", S3CompressionType="Gzip"),
            {**an_input("own", "s3://b/x"), "AppManaged": True},
            outputs=(own,),
        )
    )
    assert seen(ended) == [{"a": "A", "y/b": "B", "piped": "unpacked", "managed": False}]


def test_a_stream_that_breaks_ends_the_job_at_once_with_its_reason(home: Home, run: Run) -> None:
    program = "import time; open('/opt/ml/input/data/train_0').read(); time.sleep(50)"
    put(home, {"code.py": program, "data/a": "not gzip"})
    ended = run(training(a_channel("train", "s3://b/data", CompressionType="Gzip")))
    assert ended.state.steps["Train"].reason == (
        "ClientError: ClientError: Input 'train': object s3://b/data/a cannot be unpacked as gzip: "
        "Not a gzipped file (b'no')."
    )

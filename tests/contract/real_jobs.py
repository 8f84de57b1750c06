"""Jobs of the contract suite as users run them: a definition through preflight, engine, staging and a real runner."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import sys
import tarfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from localpipe.core.names import S3Uri
from localpipe.service.executions import (
    describe_pipeline_execution,
    drive,
    start_pipeline_execution,
    stop_pipeline_execution,
)
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.service.executions import PipelineExecution

BASE_IMAGE = os.environ.get("LOCALPIPE_TEST_BASE_IMAGE", "localpipe-base:bookworm")
IMAGE = "111122223333.dkr.ecr.us-east-1.amazonaws.com/contract:1"
_SEEN, _READ = "SEEN ", "READ "
ROLE = "arn:aws:iam::111122223333:role/contract"
LOOK = Path(__file__).with_name("look.py")
CODE = "s3://bucket/code/look.py"
PROCESSING_LOOK = ("python3", "/opt/ml/processing/input/code/look.py")
TRAINING_LOOK = ("python3", "/opt/ml/input/data/code/look.py")
OWN_IMAGE = f"""
unknown_image_python = "{sys.executable}"

[images]
"*/contract:1" = "{BASE_IMAGE}"
"""


def an_input(name: str, uri: str, local_path: str = "", **s3_input: JSON) -> JSON:
    place = local_path or f"/opt/ml/processing/input/{name}"
    return {
        "InputName": name,
        "S3Input": {"S3Uri": uri, "LocalPath": place, "S3DataType": "S3Prefix", "S3InputMode": "File", **s3_input},
    }


def an_output(name: str, uri: str, local_path: str = "", mode: str = "EndOfJob") -> JSON:
    place = local_path or f"/opt/ml/processing/output/{name}"
    return {"OutputName": name, "S3Output": {"S3Uri": uri, "LocalPath": place, "S3UploadMode": mode}}


def processing(
    name: str,
    *does: str,
    inputs: Sequence[JSON] = (),
    outputs: Sequence[JSON] = (),
    cluster: Mapping[str, JSON] | None = None,
    fields: Mapping[str, JSON] | None = None,
    **request: JSON,
) -> JSON:
    """A step whose job looks around and `does` things; see `look.py`."""
    arguments = {
        "AppSpecification": {
            "ImageUri": IMAGE,
            "ContainerEntrypoint": list(PROCESSING_LOOK),
            **({"ContainerArguments": list(does)} if does else {}),
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30, **(cluster or {})}
        },
        "RoleArn": ROLE,
        "ProcessingInputs": [an_input("code", CODE), *inputs],
        "ProcessingOutputConfig": {"Outputs": list(outputs)},
        **request,
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **(fields or {})}


def a_channel(name: str, uri: str, source: Mapping[str, JSON] | None = None, **channel: JSON) -> JSON:
    s3_source = {"S3DataType": "S3Prefix", "S3Uri": uri, **(source or {})}
    return {"ChannelName": name, "DataSource": {"S3DataSource": s3_source}, **channel}


def training(
    name: str,
    *does: str,
    channels: Sequence[JSON] = (),
    algorithm: Mapping[str, JSON] | None = None,
    cluster: Mapping[str, JSON] | None = None,
    fields: Mapping[str, JSON] | None = None,
    **request: JSON,
) -> JSON:
    """A step whose job looks around and `does` things; see `look.py`."""
    arguments = {
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": list(TRAINING_LOOK),
            **({"ContainerArguments": list(does)} if does else {}),
            **(algorithm or {}),
        },
        "ResourceConfig": cluster or {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30},
        "OutputDataConfig": {"S3OutputPath": f"s3://bucket/models/{name}/"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "RoleArn": ROLE,
        "InputDataConfig": [a_channel("code", CODE), *channels],
        **request,
    }
    return {"Name": name, "Type": "Training", "Arguments": arguments, **(fields or {})}


def a_pipeline(steps: Sequence[JSON]) -> JSON:
    return {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": list(steps)}


@dataclass(frozen=True)
class Ran:
    """An execution that has ended: what its jobs saw, printed, wrote and were told."""

    execution: PipelineExecution

    def status(self, step: str) -> str:
        return self.execution.step(step).status.value

    def reason(self, step: str) -> str:
        return self.execution.step(step).reason

    def properties(self, step: str) -> JSON:
        return self.execution.step(step).properties

    def said(self, step: str) -> list[str]:
        """What each host printed, without the line of what it saw."""
        return ["".join(line for line in lines if not line.startswith(_SEEN)) for lines in self._lines(step)]

    def seen(self, step: str, host: int = 0) -> JSON:
        """What a host saw."""
        return json.loads(next(line for line in self._lines(step)[host] if line.startswith(_SEEN)).removeprefix(_SEEN))

    def read(self, step: str) -> list[bytes]:
        """What the job read, one for each `read`."""
        lines = [line for said in self.said(step) for line in said.splitlines()]
        return [base64.b64decode(line.removeprefix(_READ)) for line in lines if line.startswith(_READ)]

    def _lines(self, step: str) -> list[list[str]]:
        return [Path(file).read_text().splitlines(keepends=True) for file in self.execution.step(step).log_files]

    def config(self, step: str, file: str) -> JSON:
        """A configuration file as the job found it."""
        return json.loads(self.seen(step)["files"][file])

    def objects(self, prefix: str) -> dict[str, bytes]:
        """What lies under an S3 prefix now: rest of the key → content."""
        uri = S3Uri.parse(prefix)
        found = self.execution.home.store.list(uri) if uri.bucket in self.execution.home.store.buckets() else ()
        return {info.uri.key[len(uri.key) :]: info.path.read_bytes() for info in found}

    def archive(self, uri: str) -> dict[str, bytes]:
        """The files of a tar.gz."""
        where = S3Uri.parse(uri)
        with self.execution.home.store.open(where) as stream, tarfile.open(fileobj=io.BytesIO(stream.read())) as archive:
            members = [member for member in archive.getmembers() if member.isfile()]
            return {member.name.removeprefix("./"): archive.extractfile(member).read() for member in members}  # type: ignore[union-attr]  # it is a file


class Bench:
    """A home whose runner is the one under contract, with a few objects in its S3."""

    def __init__(self, runner: str, directory: Path, settings: str = OWN_IMAGE) -> None:
        self.runner = runner
        (directory / "localpipe.toml").write_text(settings)
        self.home = Home(load_settings({"home": directory / "home", "runner": runner}, os.environ, directory))
        availability = self.home.runner(runner).check()
        if not availability.usable:
            pytest.skip(f"{availability.reason} {availability.remedy}")
        status = self.home.runner(runner).image(IMAGE)
        if settings == OWN_IMAGE and status.local is None:
            pytest.skip(status.reason)
        self.put(CODE, LOOK.read_bytes())

    def put(self, uri: str, content: bytes | str) -> None:
        self.home.store.put(S3Uri.parse(uri), content.encode() if isinstance(content, str) else content)

    def start(self, *steps: JSON) -> PipelineExecution:
        """Raises what a run is refused with."""
        ready = preflight(self.home, a_pipeline(steps), "contract", {})
        return describe_pipeline_execution(self.home, start_pipeline_execution(self.home, ready))

    def run(self, *steps: JSON) -> Ran:
        return Ran(drive(self.start(*steps), lambda _: None))

    @contextmanager
    def answering(self, answer: Callable[[], object]) -> Iterator[tuple[str, ...]]:
        """Yield what makes a job call; `answer` is done when it has, and then is hung up."""
        runner = self.home.runner(self.runner)
        with socket.create_server((runner.endpoint_host(), 0)) as server:

            def serve() -> None:
                with suppress(OSError):  # nobody called
                    connection, _ = server.accept()
                    with connection:
                        answer()

            thread = threading.Thread(target=serve)
            thread.start()
            try:
                yield "call", runner.endpoint_url_host(), str(server.getsockname()[1])
            finally:
                server.shutdown(socket.SHUT_RDWR)
                thread.join()

    def stop_the_last(self) -> None:
        """Ask for the newest execution to stop."""
        started = self.home.journal.last()
        assert started
        stop_pipeline_execution(self.home, started.execution_id)

    def has(self, uri: str) -> bool:
        """Whether an object comes to be there within ten seconds."""
        deadline = time.monotonic() + 10
        while self.home.store.head(S3Uri.parse(uri)) is None and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        return self.home.store.head(S3Uri.parse(uri)) is not None

"""kill -9 in the midst of a transform job; then resume: every output is there once, whole, and no container is left."""

from __future__ import annotations

import io
import json
import tarfile
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_crash import KILLED, drive, execution_id

from localpipe.core.names import S3Uri
from localpipe.service.executions import describe_pipeline_execution
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from localpipe.core import JSON

SERVE = """\
import os, pathlib, signal
from http.server import BaseHTTPRequestHandler, HTTPServer

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
factor = int(pathlib.Path("/opt/ml/model/factor").read_text())


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200 if self.path == "/ping" else 404, b"")

    def do_POST(self):
        rows = self.rfile.read(int(self.headers["Content-Length"])).split()
        self.answer(200, b"".join(b"%d\\n" % (factor * int(row)) for row in rows))

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


HTTPServer(("", 8080), Handler).serve_forever()
"""


def definition() -> JSON:
    container = {"Image": "111122223333.dkr.ecr.us-east-1.amazonaws.com/own:1", "ModelDataUrl": "s3://models/m.tar.gz"}
    model = {"ExecutionRoleArn": "arn:aws:iam::111122223333:role/test", "PrimaryContainer": container}
    request = {
        "ModelName": {"Get": "Steps.Model.ModelName"},
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/in/"}},
            "SplitType": "Line",
        },
        "TransformOutput": {"S3OutputPath": "s3://bucket/out", "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    steps = [
        {"Name": "Model", "Type": "Model", "Arguments": model},
        {"Name": "Transform", "Type": "Transform", "Arguments": request},
    ]
    return {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": steps}


@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_transform_job_killed_at_any_moment_ends_as_the_uninterrupted_one(tmp_path: Path) -> None:
    file = tmp_path / "definition.json"
    file.write_text(json.dumps(definition()))
    serving_python(tmp_path)
    whole = opened(tmp_path / "whole")
    assert drive("start", whole.directory, "process", file, "never") == 0
    expected = end_state(whole)
    assert expected["written"] == {"out/a.out": b"2\n4\n", "out/b.out": b"6\n"}
    events = len(whole.journal.read(execution_id(whole)))
    whole.close()
    between = ("started:1", "stored:1", "stored:2", "ended:1")
    for point in [*(f"event:{number}" for number in range(1, events)), *between]:
        home = opened(tmp_path / point.replace(":", "-"))
        assert drive("start", home.directory, "process", file, point) == KILLED, point
        assert drive("resume", home.directory, "process", file, "never") == 0, point
        assert end_state(home) == expected, point
        assert home.runner("process").sweep(lambda key: False) == 0, point
        home.close()


def serving_python(directory: Path) -> None:
    """A Python that jobs of any image have, with a `serve`; the homes below the directory know it."""
    place = directory / "python"
    venv.create(place, symlinks=True)
    program = place / "bin" / "serve"
    program.write_text(f"#!/usr/bin/env python3\n{SERVE}")
    program.chmod(0o755)
    (directory / "localpipe.toml").write_text(f'unknown_image_python = "{place}/bin/python"\n')


def opened(directory: Path) -> Home:
    home = Home(load_settings({"home": str(directory), "runner": "process"}, {}, directory.parent))
    home.store.put(S3Uri("models", "m.tar.gz"), archive({"factor": b"2"}))
    home.store.put(S3Uri("data", "in/a"), b"1\n2\n")
    home.store.put(S3Uri("data", "in/b"), b"3\n")
    return home


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def end_state(home: Home) -> JSON:
    execution = describe_pipeline_execution(home, "last")
    rows = {row["StepName"]: (row["StepStatus"], row["AttemptCount"]) for row in execution.document()["Steps"]}
    written = {info.uri.key: info.path.read_bytes() for info in home.store.list(S3Uri("bucket"))}
    return {"status": execution.status, "steps": rows, "written": written, "models": len(home.registry.models())}

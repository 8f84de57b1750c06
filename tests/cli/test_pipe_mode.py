"""A run that is killed while a job reads from a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from commands import Cli, Spawn, Write
from support import pipeline, processing

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

BYTES = 1_000_000
READS = (
    "import os, time; f = open('/opt/ml/processing/in_0', 'rb'); a = f.read(3); print('begun', flush=True); "
    "'go' in os.listdir('/opt/ml/processing/told') or time.sleep(60); "
    "open('/opt/ml/processing/out/n', 'w').write(str(len(a + f.read())))"
)


def test_what_a_job_made_of_half_of_its_pipe_is_never_its_output(spawn: Spawn, cli: Cli, write: Write, place: Path) -> None:
    (place / "data").write_bytes(b"x" * BYTES)
    for key in ("data", "told/wait"):
        assert cli("s3", "cp", "data", f"s3://bucket/{key}").status == 0
    step = processing("Read", inputs={"in": "s3://bucket/data", "told": "s3://bucket/told/"}, outputs=("out",))
    step["Arguments"]["ProcessingInputs"][0]["S3Input"]["S3InputMode"] = "Pipe"
    step["Arguments"]["AppSpecification"]["ContainerEntrypoint"] = ["python3", "-c", READS]
    process = spawn("run", write(pipeline(step)), "--runner", "process")
    assert process.stderr is not None
    assert any("Read: Executing" in line for line in process.stderr)
    following = spawn("logs", "last", "Read", "-f").stdout
    assert following is not None
    assert "begun\n" in following
    process.kill()
    process.wait()
    assert cli("s3", "cp", "data", "s3://bucket/told/go").status == 0
    resumed = cli("resume", "last")
    assert resumed.status == 0, resumed.err
    assert cli("s3", "cat", "s3://bucket/Read/out/n").out == str(BYTES)

"""One run of a scenario by localpipe, in a process that does nothing else: time, memory and writing are localpipe's own."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from definitions import BUCKET, definition
from scenarios import DATA, SCENARIOS, Processing, Scenario

from localpipe.core.names import S3Uri
from localpipe.service.executions import describe_pipeline_execution, drive, start_pipeline_execution
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings


@dataclass(frozen=True, kw_only=True)
class Sample:
    """`peak_bytes`: the most memory that the process ever held. `written_bytes`: what it wrote to disk in this run.

    Both None where nobody can tell.
    """

    seconds: float
    peak_bytes: int | None = None
    written_bytes: int | None = None


def run(runner: str, key: str, directory: Path) -> Sample:
    """Run a scenario in a home of its own below a directory, which is empty again afterwards.

    Seconds are from the definition's text to the end of the execution.
    """
    scenario = SCENARIOS[key]
    home = Home(load_settings({"home": str(directory / "home"), "runner": runner}, {}, directory))
    try:
        _fill(home, scenario, directory)
        os.sync()
        written, started = _written_bytes(), time.perf_counter()
        _execute(home, scenario)
        seconds = time.perf_counter() - started
        return Sample(seconds=seconds, peak_bytes=_peak_bytes(), written_bytes=_written_bytes() - written)
    finally:
        home.close()
        shutil.rmtree(directory / "home")


def _execute(home: Home, scenario: Scenario) -> None:
    ready = preflight(home, definition(scenario), "bench", {})
    execution = describe_pipeline_execution(home, start_pipeline_execution(home, ready))
    ended = drive(execution, lambda fact: None)
    assert ended.status == "Succeeded", ended.document()


def _fill(home: Home, scenario: Scenario, directory: Path) -> None:
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        scenario.fill(Path(scratch))
        for path in sorted(Path(scratch).rglob("*")):
            if path.is_file():
                key = f"{DATA}/{path.relative_to(scratch)}"
                home.store.put(S3Uri(BUCKET, key), path, move=True)
    for script in {step.script for step in scenario.steps if isinstance(step, Processing)}:
        home.store.put(S3Uri(BUCKET, f"code/{script.name}"), script.read_bytes())


def _peak_bytes() -> int:
    """Of this process alone: what `getrusage` tells begins with the parent's."""
    return int(_number("/proc/self/status", "VmHWM")) * 1024


def _written_bytes() -> int:
    """With those of children that have ended and been waited for."""
    return _number("/proc/self/io", "write_bytes")


def _number(file: str, name: str) -> int:
    found = re.search(rf"^{name}:\s*(\d+)", Path(file).read_text(), re.MULTILINE)
    assert found, f"{file} has no {name}"
    return int(found[1])

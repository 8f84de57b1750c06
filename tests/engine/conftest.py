"""A home in a temporary directory, small definitions, and running them on the scripted runner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from localpipe.core.names import S3Uri
from localpipe.runners.scripted import ScriptedRunner
from localpipe.service.executions import PipelineExecution, describe_pipeline_execution, drive, start_pipeline_execution
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from localpipe.core import JSON


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = Home(load_settings({"home": str(tmp_path / "home")}, {}, tmp_path))
    opened.store.put(S3Uri("bucket", "raw/data.csv"), b"1,2\n3,4\n")
    yield opened
    opened.close()


Start = Callable[..., PipelineExecution]


@pytest.fixture
def start(home: Home) -> Start:
    """Start a definition on a scripted runner without driving it."""

    def start_it(definition: JSON, runner: ScriptedRunner, **parameters: str) -> PipelineExecution:
        ready = preflight(home, definition, "test", parameters, runner=runner)
        return describe_pipeline_execution(home, start_pipeline_execution(home, ready))

    return start_it


@pytest.fixture
def run(start: Start) -> Start:
    """Run a definition on a scripted runner to its end."""

    def run_it(definition: JSON, runner: ScriptedRunner | None = None, **parameters: str) -> PipelineExecution:
        used = runner or ScriptedRunner()
        return drive(start(definition, used, **parameters), lambda fact: None, used)

    return run_it

"""Removing an execution against those who want to go on with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import pipeline

from localpipe.errors import NotFound
from localpipe.journal.lease import driving
from localpipe.runners.scripted import ScriptedRunner
from localpipe.scheduling.events import RetryRequested
from localpipe.service.cleaning import remove_execution
from localpipe.service.executions import (
    PipelineExecution,
    describe_pipeline_execution,
    drive,
    start_pipeline_execution,
)
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = Home(load_settings({"home": str(tmp_path / "home")}, {}, tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def failed(home: Home) -> PipelineExecution:
    """An execution that has failed."""
    definition = pipeline({"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}})
    ready = preflight(home, definition, "test", {}, runner=ScriptedRunner())
    execution = describe_pipeline_execution(home, start_pipeline_execution(home, ready))
    return drive(execution, lambda _: None, ScriptedRunner())


def test_it_is_forgotten_and_its_directory_put_aside(home: Home, failed: PipelineExecution) -> None:
    execution_id = failed.name.execution_id
    assert remove_execution(home, execution_id)
    assert home.journal.started(execution_id) is None
    (aside,) = home.runs.iterdir()
    assert aside.name.startswith(f".trash-{execution_id}-")


def test_one_that_goes_on_again_is_left_whole(home: Home, failed: PipelineExecution) -> None:
    execution_id = failed.name.execution_id
    home.journal.append(execution_id, [RetryRequested()])
    assert not remove_execution(home, execution_id)
    assert home.journal.started(execution_id)
    assert home.execution_dir(execution_id).is_dir()


def test_one_that_is_driven_is_left_whole(home: Home, failed: PipelineExecution) -> None:
    with driving(home.execution_dir(failed.name.execution_id)):
        assert not remove_execution(home, failed.name.execution_id)
    assert home.journal.started(failed.name.execution_id)


def test_who_comes_too_late_to_drive_it_finds_it_gone(home: Home, failed: PipelineExecution) -> None:
    remove_execution(home, failed.name.execution_id)
    with pytest.raises(NotFound, match=f"There is no execution '{failed.name.execution_id}'"):
        drive(failed, lambda _: None, ScriptedRunner())

"""Executions found again: history needs no service model, and a retry is asked for by who can do it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import pipeline

from localpipe.errors import ExecutionBusy, NotFound, NotSupported, UsageError
from localpipe.journal.lease import driving
from localpipe.runners.scripted import ScriptedRunner
from localpipe.scheduling.events import ExecutionStarted, RetryRequested
from localpipe.service.executions import (
    PipelineExecution,
    describe_pipeline_execution,
    drive,
    retry_pipeline_execution,
    start_pipeline_execution,
)
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from localpipe.core import JSON

FAIL = {"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = Home(load_settings({"home": str(tmp_path / "home")}, {}, tmp_path))
    yield opened
    opened.close()


def ended(home: Home) -> PipelineExecution:
    ready = preflight(home, pipeline(FAIL), "test", {}, runner=ScriptedRunner())
    execution = describe_pipeline_execution(home, start_pipeline_execution(home, ready))
    return drive(execution, lambda _: None, ScriptedRunner())


def write_down(home: Home, execution_id: str, definition: JSON) -> None:
    """The first fact of an execution, as another version of localpipe wrote it."""
    settings = home.settings.kept()
    home.journal.append(execution_id, [ExecutionStarted("old", execution_id, definition, {}, None, settings)])


def facts(home: Home, execution_id: str) -> list[str]:
    return [type(fact.event).__name__ for fact in home.journal.read(execution_id)]


def test_a_definition_that_would_be_refused_today_can_be_looked_at(home: Home) -> None:
    step = {"Name": "Make", "Type": "Processing", "Arguments": {"Once": "known"}, "Unknown": 1}
    write_down(home, "abcdefghij12", pipeline(step))
    found = describe_pipeline_execution(home, "abcdefghij12")
    assert list(found.pipeline.steps) == ["Make"]
    assert found.status == "Executing"


def test_a_step_type_of_a_newer_localpipe_is_named(home: Home) -> None:
    write_down(home, "abcdefghij12", pipeline({"Name": "New", "Type": "Brew", "Arguments": {}}))
    with pytest.raises(NotSupported, match=r"A step of type Brew is not supported\. A newer localpipe ran it"):
        describe_pipeline_execution(home, "abcdefghij12")


def test_an_execution_is_found_by_its_id_its_arn_and_as_the_last(home: Home) -> None:
    first, second = ended(home), ended(home)
    found = [describe_pipeline_execution(home, name).name for name in (first.name.arn, first.name.execution_id, "last")]
    assert found == [first.name, first.name, second.name]
    near = first.name.execution_id[:-1] + "-"
    with pytest.raises(NotFound, match=f"Did you mean '{first.name.execution_id}'"):
        describe_pipeline_execution(home, near)


def test_a_retry_that_cannot_drive_writes_nothing_down(home: Home) -> None:
    execution = ended(home)
    execution_id = execution.name.execution_id
    before = facts(home, execution_id)
    ask = partial(retry_pipeline_execution, home, execution_id)
    with driving(home.execution_dir(execution_id)), pytest.raises(ExecutionBusy):
        drive(execution, lambda _: None, ScriptedRunner(), first=ask)
    assert facts(home, execution_id) == before


def test_a_retry_is_written_down_by_who_drives_it(home: Home) -> None:
    execution = ended(home)
    execution_id = execution.name.execution_id
    again = drive(execution, lambda _: None, ScriptedRunner(), first=partial(retry_pipeline_execution, home, execution_id))
    assert (again.status, again.step("No").attempt) == ("Failed", 2)
    assert facts(home, execution_id).count("RetryRequested") == 1


def test_an_execution_that_goes_on_is_not_retried(home: Home) -> None:
    execution_id = ended(home).name.execution_id
    home.journal.append(execution_id, [RetryRequested()])
    with pytest.raises(UsageError, match=r"is Executing\. Only executions with 'Failed' or 'Stopped' status can be retried"):
        retry_pipeline_execution(home, execution_id)

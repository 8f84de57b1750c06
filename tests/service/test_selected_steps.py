"""Selected steps: how many there may be, and that an earlier result stands for one that is cached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
from support import PROCESSING, output_of, pipeline, processing

from localpipe.errors import UsageError
from localpipe.runners.scripted import ScriptedContainer, ScriptedRunner
from localpipe.service.executions import describe_pipeline_execution, drive, start_pipeline_execution
from localpipe.service.parts import Part
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from localpipe.core import JSON


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = Home(load_settings({"home": str(tmp_path / "home")}, {}, tmp_path))
    yield opened
    opened.close()


def prepare(container: ScriptedContainer) -> int:
    container.write(PurePosixPath(PROCESSING) / "clean/x.txt", "clean")
    return 0


def rows(home: Home, definition: JSON, part: Part) -> dict[str, JSON]:
    runner = ScriptedRunner({"Prep": prepare})
    ready = preflight(home, definition, "p", {}, runner=runner, part=part)
    execution = describe_pipeline_execution(home, start_pipeline_execution(home, ready))
    return {row["StepName"]: row for row in drive(execution, lambda _: None, runner).document()["Steps"]}


@pytest.mark.assumed
def test_caching_applies_to_selected_steps(home: Home) -> None:
    cached = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}}
    definition = pipeline(
        processing("Prep", outputs=("clean",), **cached),
        processing("Use", inputs={"in": output_of("Prep", "clean")}, **cached),
    )
    rows(home, definition, Part())
    found = rows(home, definition, Part(only="Use"))
    assert set(found["Prep"]) & {"SelectiveExecutionResult", "CacheHitResult"} == {"SelectiveExecutionResult"}
    assert set(found["Use"]) & {"SelectiveExecutionResult", "CacheHitResult"} == {"CacheHitResult"}


def test_at_most_fifty_steps_are_selected(home: Home) -> None:
    names = tuple(f"S{number}" for number in range(51))
    definition = pipeline(*(processing(name) for name in names))
    assert set(rows(home, definition, Part(select=names[:50]))) == set(names[:50])
    with pytest.raises(UsageError, match=r"^51 steps are selected; at most 50 may be\.$"):
        preflight(home, definition, "p", {}, runner=ScriptedRunner(), part=Part(select=names))

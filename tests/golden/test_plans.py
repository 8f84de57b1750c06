"""Definitions as the SDKs compile them, and what localpipe reads in them; `make golden` writes the plans anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from localpipe.service.pipelines import load_pipeline
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from localpipe.definition.model import Parameter
    from localpipe.scheduling.graph import Node
    from localpipe.service.pipelines import Pipeline

HERE = Path(__file__).parent
DEFINITIONS = sorted((HERE / "definitions").glob("*.json"))
WRITES = os.environ.get("LOCALPIPE_TEST_GOLDEN") == "write"


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda path: path.stem)
def test_a_definition_is_read_as_ever(definition: Path, tmp_path: Path) -> None:
    home = Home(load_settings({"home": tmp_path}, {}, tmp_path))
    text = plan_text(load_pipeline(home, definition.read_text(encoding="utf-8"), definition.stem))
    golden = HERE / "plans" / f"{definition.stem}.txt"
    if WRITES:
        golden.write_text(text, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == text


def test_every_plan_has_its_definition() -> None:
    assert [path.stem for path in sorted((HERE / "plans").iterdir())] == [path.stem for path in DEFINITIONS]


def plan_text(pipeline: Pipeline) -> str:
    parameters = [f"parameter {parameter_text(parameter)}" for parameter in pipeline.definition.parameters]
    steps = [line for node in pipeline.graph.nodes.values() for line in step_lines(node)]
    return "".join(f"{line}\n" for line in (*parameters, *steps))


def parameter_text(parameter: Parameter) -> str:
    default = "" if parameter.default is None else f" = {parameter.default!r}"
    choices = "" if parameter.enum is None else f" of {', '.join(parameter.enum)}"
    return f"{parameter.name}: {parameter.type}{default}{choices}"


def step_lines(node: Node) -> Iterator[str]:
    yield f"step {node.name}: {node.step.type} at {node.step.path}"
    for need in sorted(node.needs):
        yield f"  needs {need}"
    for guard in node.guards:
        yield f"  only if {guard.step} takes {guard.branch}"
    for policy in node.step.retry_policies:
        limits = {"times": policy.max_attempts, "min": policy.expire_after_minutes}
        limit = ", ".join(f"{value} {unit}" for unit, value in limits.items() if value is not None)
        yield f"  retried on {', '.join(policy.exception_types)}, {limit}"
    for file in node.step.property_files:
        yield f"  property file {file.name}: {file.file_path} in {file.output_name}"
    if node.step.cache:
        yield f"  cache {'on' if node.step.cache.enabled else 'off'}, expires after {node.step.cache.expire_after}"
    if not node.capped:
        yield "  waits for no slot"

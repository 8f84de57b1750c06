"""A pipeline as the operations know it: a definition that has been checked, with its name and its graph."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.core.names import ExecutionName
from localpipe.definition.check import all_steps, load_definition
from localpipe.definition.expressions import referenced_steps
from localpipe.definition.parse import read_definition
from localpipe.errors import NotSupported, UsageError
from localpipe.scheduling.graph import build_graph
from localpipe.scheduling.plan import ExecutionPlan
from localpipe.service.foresight import NOT_STARTED_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core import JSON
    from localpipe.core.names import Identity
    from localpipe.definition.model import PipelineDefinition, StepDefinition
    from localpipe.scheduling.graph import PipelineGraph
    from localpipe.service.wiring import Home

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}")


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A definition that has been checked, now or when its execution was started, with its graph."""

    name: str
    definition: PipelineDefinition
    graph: PipelineGraph

    @property
    def steps(self) -> Mapping[str, StepDefinition]:
        """Every step by name, those in branches included."""
        return {name: node.step for name, node in self.graph.nodes.items()}

    def plan(self) -> ExecutionPlan:
        """What an execution of it is to do."""
        return ExecutionPlan(graph=self.graph)

    def not_started(self, identity: Identity) -> ExecutionName:
        """The name of an execution of it that is only foreseen."""
        return ExecutionName(pipeline_name=self.name, execution_id=NOT_STARTED_ID, identity=identity)


def check_name(name: str) -> None:
    """Refuse a pipeline name outside the service's pattern. Follows: service.md section 1.2."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a pipeline: letters and digits, hyphens between, at most 256. Use --name.")


def load_pipeline(home: Home, source: str | Mapping[str, JSON], name: str) -> Pipeline:
    """Parse and check a definition. Raises DefinitionError with every problem."""
    definition = load_definition(source, home.step_types, home.model)
    return Pipeline(name=name, definition=definition, graph=_graph(home, definition))


def read_pipeline(home: Home, source: JSON, name: str) -> Pipeline:
    """The definition that an execution keeps. It was checked at the start: today's service model has no say in it.

    Raises NotSupported for a step type that a newer localpipe ran.
    """
    definition, _ = read_definition(source)
    newer = {step.type for step in all_steps(definition, home.step_types)} - set(home.step_types)
    if newer:
        raise NotSupported(f"A step of type {', '.join(sorted(newer))}", "A newer localpipe ran it: update localpipe.")
    return Pipeline(name=name, definition=definition, graph=_graph(home, definition))


def _graph(home: Home, definition: PipelineDefinition) -> PipelineGraph:
    """The graph of a definition. Raises DefinitionError for cycles."""
    types = home.step_types

    def references(step: StepDefinition) -> frozenset[str]:
        return referenced_steps([types[step.type].own_arguments(step), dict(step.fields)])

    return build_graph(
        definition.steps,
        branches=lambda step: types[step.type].branches(step),
        references=references,
        capped=lambda step: types[step.type].capped,
    )

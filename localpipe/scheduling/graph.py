"""Who needs whom, and which branch opens a step: the steps of a definition as a graph in document order."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from localpipe.errors import DefinitionError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import networkx as nx

    from localpipe.definition.model import StepDefinition

    Branches: TypeAlias = Callable[[StepDefinition], Mapping[str, tuple[StepDefinition, ...]]]


@dataclass(frozen=True)
class Guard:
    """A step behind this guard runs only if `step` succeeded and took `branch`."""

    step: str
    branch: str


@dataclass(frozen=True, kw_only=True)
class Node:
    """One step and what it waits for.

    `needs`: every step of DependsOn and of the step's own references. `guards`: the branches around it, outermost first;
    empty at top level. `index`: place in document order, from 0. `capped`: whether it counts against
    MaxParallelExecutionSteps. Follows: service.md section 5.1.
    """

    name: str
    needs: frozenset[str]
    guards: tuple[Guard, ...]
    index: int
    capped: bool
    step: StepDefinition

    @property
    def guard(self) -> Guard | None:
        """The branch it stands in directly; it is only opened where the outer ones are. None at top level."""
        return self.guards[-1] if self.guards else None

    @property
    def waits_for(self) -> frozenset[str]:
        """Every step that must have ended before this one: what it needs, and who opens its branch."""
        return self.needs | {self.guard.step} if self.guard else self.needs


@dataclass(frozen=True, kw_only=True)
class PipelineGraph:
    """`nodes` by name, in document order: a branch stands right behind the step that opens it. There are no cycles."""

    nodes: Mapping[str, Node]


def build_graph(
    steps: Sequence[StepDefinition],
    branches: Branches,
    references: Callable[[StepDefinition], frozenset[str]],
    capped: Callable[[StepDefinition], bool],
) -> PipelineGraph:
    """Return the graph of all steps, those in branches included.

    `branches` gives the steps that a step opens, by branch. `references` gives the steps named in a step's own arguments
    and step-level fields, its branches left out: otherwise a condition would wait for its own branch.

    Raises DefinitionError with every cycle, at its JSON path; ValueError for a name that two steps have or none has, which
    `check_definition` reports. Follows: service.md sections 5.1, 3 (Branch rules) and 2.4.
    """
    placed = list(_placed(steps, branches))
    nodes = {
        step.name: Node(
            name=step.name,
            needs=references(step) | {dependency.step for dependency in step.depends_on},
            guards=guards,
            index=index,
            capped=capped(step),
            step=step,
        )
        for index, (step, guards) in enumerate(placed)
    }
    if len(nodes) < len(placed) or not all(node.needs <= nodes.keys() for node in nodes.values()):
        raise ValueError("a graph is built of a definition that has been checked: two steps share a name, or one is unknown")
    try:
        TopologicalSorter({name: node.waits_for for name, node in nodes.items()}).prepare()
    except CycleError:
        raise DefinitionError(list(_cycles(nodes))) from None
    return PipelineGraph(nodes=nodes)


def _placed(
    steps: Iterable[StepDefinition], branches: Branches, guards: tuple[Guard, ...] = ()
) -> Iterator[tuple[StepDefinition, tuple[Guard, ...]]]:
    for step in steps:
        yield step, guards
        for branch, inner in branches(step).items():
            yield from _placed(inner, branches, (*guards, Guard(step.name, branch)))


def _cycles(nodes: Mapping[str, Node]) -> Iterator[Problem]:
    """One problem for each knot of steps that wait for each other: the shortest cycle through its first step."""
    import networkx as nx  # it takes longer to import than a definition to check, and only a faulty one needs it

    waits_for: nx.DiGraph[str] = nx.DiGraph([(name, other) for name, node in nodes.items() for other in node.waits_for])
    knots = [sorted((nodes[name] for name in knot), key=_index) for knot in nx.strongly_connected_components(waits_for)]
    for first, *rest in sorted(knots, key=lambda knot: knot[0].index):
        if rest or first.name in first.needs:
            yield _cycle_problem([nodes[name] for name in _shortest_cycle(waits_for, first.name)])


def _index(node: Node) -> int:
    return node.index


def _shortest_cycle(waits_for: nx.DiGraph[str], first: str) -> list[str]:
    import networkx as nx

    paths: Mapping[str, list[str]] = nx.single_source_shortest_path(waits_for, first)
    return min((path for last, path in paths.items() if waits_for.has_edge(last, first)), key=len)


def _cycle_problem(cycle: Sequence[Node]) -> Problem:
    """`cycle`: each waits for the next, the last for the first."""
    closed = [*cycle, cycle[0]]
    message = f"steps wait for each other in a cycle: {' → '.join(node.name for node in closed)} (each waits for the next)."
    for waiting, awaited in pairwise(closed):
        if waiting.guard and waiting.guard.step == awaited.name:
            remedy = (
                f"{waiting.name!r} is in a branch of {awaited.name!r} and has to wait for it: remove another dependency."
            )
            return Problem(cycle[0].step.path, message, remedy)
    return Problem(cycle[0].step.path, message, "Remove one of these dependencies.")

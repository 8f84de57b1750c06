"""Parts of a pipeline: which steps run, which earlier ones stand for themselves, and what is wrong with a choice.

A step is before another if it has to end first: by a dependency, a reference, or the branch that it opens. Pure.
Follows: service.md section 8.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localpipe.scheduling.graph import PipelineGraph

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from localpipe.scheduling.graph import Guard, Node


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What becomes of the steps of a pipeline; whatever is in neither set does not run.

    `needed`: what selected steps wait for, and is not selected: it must have an outcome already. `upstream`: all that comes
    before selected steps and is not selected, the needed ones included.
    """

    selected: frozenset[str]
    needed: frozenset[str]
    upstream: frozenset[str]


def between(graph: PipelineGraph, first: str | None, last: str | None) -> frozenset[str]:
    """The steps from `first` to `last`, both included: all that wait for the one and that the other waits for.

    None: no bound. Empty if no way leads from one to the other.
    """
    steps = frozenset(graph.nodes)
    if first is not None:
        steps &= _closure([first], _followers(graph).__getitem__)
    if last is not None:
        steps &= _closure([last], lambda name: waits_for(graph.nodes[name]))
    return steps if first in steps or first is None else frozenset()


def select(graph: PipelineGraph, selected: Collection[str], given: Collection[str] = ()) -> Selection:
    """What it takes to run these steps. Of a step whose values are `given` it does not matter what comes before it."""
    chosen = frozenset(selected)
    needed = frozenset[str]().union(*(waits_for(graph.nodes[name]) for name in chosen)) - chosen

    def before(name: str) -> Iterable[str]:
        return () if name in given else waits_for(graph.nodes[name])

    return Selection(selected=chosen, needed=needed, upstream=_closure(needed, before) - chosen)


def waits_for(node: Node) -> frozenset[str]:
    """The steps whose outcome a step cannot do without: its needs, and those that open the branches around it."""
    return node.needs | {guard.step for guard in node.guards}


def gaps(graph: PipelineGraph, selected: Collection[str]) -> Sequence[str]:
    """The steps that lie on a way between two selected ones and are not selected, in document order."""
    after = _closure(selected, _followers(graph).__getitem__)
    before = _closure(selected, lambda name: waits_for(graph.nodes[name]))
    return [name for name in graph.nodes if name in after & before and name not in selected]


def outside_of_branches(graph: PipelineGraph, selected: Collection[str]) -> Sequence[tuple[str, str]]:
    """Each selected step with a step that opens a branch around it and is not selected, in document order."""
    return [
        (node.name, guard.step)
        for node in graph.nodes.values()
        if node.name in selected
        for guard in node.guards
        if guard.step not in selected
    ]


def closed_guard(node: Node, taken: Mapping[str, Collection[str]]) -> Guard | None:
    """The outermost branch around a step that has not been taken. `taken`: of steps that are not done, their branches."""
    return next((guard for guard in node.guards if guard.branch not in taken.get(guard.step, (guard.branch,))), None)


def restricted(graph: PipelineGraph, selected: Collection[str], taken: Mapping[str, Collection[str]]) -> PipelineGraph:
    """The graph of a part: the selected steps, and the keys of `taken`, reused ones with the branches they have taken.

    A reused step is behind nothing and came after reused ones alone; a selected one is no longer behind a branch that a
    reused step has taken.
    """
    nodes = graph.nodes.items()
    return PipelineGraph(nodes={name: _in_part(node, taken) for name, node in nodes if name in selected or name in taken})


def _in_part(node: Node, taken: Mapping[str, Collection[str]]) -> Node:
    if node.name in taken:
        return replace(node, needs=node.needs.intersection(taken), guards=())
    shut = tuple(guard for guard in node.guards if guard.branch not in taken.get(guard.step, ()))
    return replace(node, guards=shut)


def _followers(graph: PipelineGraph) -> Mapping[str, Collection[str]]:
    """The steps that wait for each step."""
    followers: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for node in graph.nodes.values():
        for name in waits_for(node):
            followers[name].append(node.name)
    return followers


def _closure(start: Iterable[str], step: Callable[[str], Iterable[str]]) -> frozenset[str]:
    """The names themselves and all that can be reached from them."""
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += step(name)
    return frozenset(found)

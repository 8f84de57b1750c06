"""A pipeline's graph as text, Mermaid, Graphviz or JSON. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from localpipe.core import JSON
    from localpipe.scheduling.graph import Node, PipelineGraph


def render_graph(graph: PipelineGraph, output: str) -> str:
    """The graph in one of `GRAPH_FORMATS`."""
    return _FORMATS[output](list(graph.nodes.values()))


def _text(nodes: Iterable[Node]) -> str:
    """One line a step, in document order, indented by its branches."""
    lines = []
    shown: tuple[str, ...] = ()
    for node in nodes:
        branches = tuple(f"{guard.step} → {guard.branch}" for guard in node.guards)
        for depth, branch in enumerate(branches):
            if shown[: depth + 1] != branches[: depth + 1]:
                lines.append(f"{'    ' * depth}  [{branch}]")
        shown = branches
        after = f"  after {', '.join(sorted(node.needs))}" if node.needs else ""
        lines.append(f"{'    ' * len(branches)}{node.name} ({node.step.type}){after}")
    return "\n".join(lines)


def _mermaid(nodes: Iterable[Node]) -> str:
    nodes = list(nodes)
    ids = {node.name: f"s{node.index}" for node in nodes}
    lines = ["flowchart TD"]
    lines += [f'    {ids[node.name]}["{node.name}<br/>{node.step.type}"]' for node in nodes]
    for node in nodes:
        lines += [f"    {ids[need]} --> {ids[node.name]}" for need in sorted(node.needs)]
        if node.guard:
            lines.append(f"    {ids[node.guard.step]} -. {node.guard.branch} .-> {ids[node.name]}")
    return "\n".join(lines)


def _dot(nodes: Iterable[Node]) -> str:
    lines = ["digraph pipeline {", "  node [shape=box];"]
    for node in nodes:
        lines.append(f'  "{node.name}" [label="{node.name}\\n{node.step.type}"];')
        lines += [f'  "{need}" -> "{node.name}";' for need in sorted(node.needs)]
        if node.guard:
            lines.append(f'  "{node.guard.step}" -> "{node.name}" [style=dashed, label="{node.guard.branch}"];')
    return "\n".join([*lines, "}"])


def _json(nodes: Iterable[Node]) -> str:
    rows: list[JSON] = [
        {
            "StepName": node.name,
            "StepType": node.step.type,
            "Needs": sorted(node.needs),
            "Guards": [{"StepName": guard.step, "Branch": guard.branch} for guard in node.guards],
        }
        for node in nodes
    ]
    return json.dumps({"Steps": rows}, indent=2)


_FORMATS: Mapping[str, Callable[[Iterable[Node]], str]] = {"text": _text, "mermaid": _mermaid, "dot": _dot, "json": _json}
GRAPH_FORMATS = tuple(_FORMATS)

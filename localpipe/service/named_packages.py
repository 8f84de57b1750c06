"""Model packages that a pipeline names and that are not there. Reads the registry.

Follows: containers.md 3.8; CreateModel's `ContainerDefinition.ModelPackageName`.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from localpipe.errors import Problem
from localpipe.jobs.members import texts
from localpipe.registry.resources import PACKAGE
from localpipe.service.foresight import known_arguments, steps_before

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from localpipe.core import JSON
    from localpipe.core.names import ExecutionName
    from localpipe.scheduling.graph import Node, PipelineGraph
    from localpipe.service.wiring import Home

_MODEL_SHAPE, _PACKAGE_SHAPE = "CreateModelInput", "CreateModelPackageInput"
_MEMBERS = ("PrimaryContainer.ModelPackageName", "Containers[*].ModelPackageName")
_MOST_NAMES = 5


def missing_packages(
    home: Home, graph: PipelineGraph, parameters: Mapping[str, JSON], execution: ExecutionName, known: Collection[str]
) -> Iterator[tuple[Node, Problem]]:
    """Yield a problem for each package that a model is to be made of and that nobody has registered, or could until then.

    `known`: those steps of the graph that will not be done.
    """
    for node, arguments in known_arguments(graph, parameters, home.step_types, execution, known=known):
        if home.step_types[node.step.type].request_shape != _MODEL_SHAPE or _may_be_registered(home, node, graph):
            continue
        for member in _MEMBERS:
            for place, name in texts(arguments, member, f"{node.step.path}.Arguments"):
                if home.registry.model_package(name) is None:
                    message = f"step {node.name!r}: there is no model package {name!r} in this home."
                    yield node, Problem(place, message, _remedy(home, name))


def _may_be_registered(home: Home, node: Node, graph: PipelineGraph) -> bool:
    """Whether a step before registers packages, or runs what may."""
    types = [home.step_types[each.step.type] for each in steps_before(node, graph)]
    return any(each.request_shape == _PACKAGE_SHAPE or each.writes_unseen for each in types)


def _remedy(home: Home, wanted: str) -> str:
    """The names that there are, those most alike first and then the newest."""
    names = [each.name for each in home.registry.resources() if each.kind == PACKAGE][::-1]
    if not names:
        return "It has none yet: a RegisterModel step makes one."
    like = get_close_matches(wanted.rpartition(":model-package/")[2], names)
    found = list(dict.fromkeys([*like, *names]))
    more = ", ..." if len(found) > _MOST_NAMES else ""
    return f"Those that there are: {', '.join(found[:_MOST_NAMES])}{more}. A RegisterModel step makes others."

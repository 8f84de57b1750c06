"""References to the best training jobs of a tuning job, beyond those that there can be. Pure.

Follows: containers.md 4.5, `TrainingJobSummaries[k]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.definition.expressions import PropertyReference, references
from localpipe.errors import Problem
from localpipe.jobs.tuning_description import MOST_SUMMARIES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from localpipe.scheduling.graph import Node, PipelineGraph
    from localpipe.service.foresight import ForeseenJob
    from localpipe.steps.base import StepType

_SUMMARIES = "TrainingJobSummaries"
_REMEDY = "Refer to one of those, or let the tuning job have more."


def missing_trials(
    graph: PipelineGraph,
    jobs: Iterable[ForeseenJob],
    step_types: Mapping[str, StepType],
    max_trials: int | None,
    known: Collection[str],
) -> Iterator[tuple[Node, Problem]]:
    """Yield a problem for each reference to a summary beyond the number of training jobs that its tuning job can have.

    `max_trials`: the setting, None without one. `known`: those steps of the graph that will not be done.
    """
    limits = {job.node.name: job.most_trials for job in jobs if job.most_trials is not None}
    for node in graph.nodes.values():
        if node.name in known:
            continue
        arguments = step_types[node.step.type].own_arguments(node.step)
        for reference in references(arguments, f"{node.step.path}.Arguments"):
            match reference:
                case PropertyReference(step=step, properties=(str(member), int(index), *_)) if member == _SUMMARIES:
                    if step in limits and (problem := _problem(reference, node, index, limits[step], max_trials)):
                        yield node, problem


def _problem(reference: PropertyReference, node: Node, index: int, asked: int, max_trials: int | None) -> Problem | None:
    """`asked`: how many training jobs the request allows."""
    trials = asked if max_trials is None else min(asked, max_trials)
    if index < min(trials, MOST_SUMMARIES):
        return None
    if trials > MOST_SUMMARIES:
        reason, remedy = f"there are at most {MOST_SUMMARIES} summaries", "Refer to one of those."
    else:
        jobs = "1 training job" if trials == 1 else f"{trials} training jobs"
        cut = trials < asked
        reason = f"step {reference.step!r} has at most {jobs}{' by max_trials' if cut else ''}"
        remedy = f"Leave max_trials out, or let it be {index + 1} or more." if cut and index < asked else _REMEDY
    message = f"step {node.name!r}: {_SUMMARIES}[{index}] is never there: {reason}, and they count from 0."
    return Problem(reference.path, message, remedy)

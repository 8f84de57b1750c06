"""What a model came from: the steps of its execution that it needed, and where they have been kept since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.errors import LocalpipeError, NotFound
from localpipe.service.executions import describe_pipeline_execution
from localpipe.service.views import metadata_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.registry.resources import Resource
    from localpipe.scheduling.history import StepExecution
    from localpipe.service.executions import PipelineExecution
    from localpipe.service.wiring import Home


def lineage(home: Home, resource: Resource) -> Sequence[JSON] | None:
    """The steps that a resource came from, in document order: those that the step that made it needs, near and far.

    Each is `StepName`, `StepType`, `Arn` of its job and, where it has them, `HyperParameters` and `Metrics` (name → last
    value). None where nobody knows: no pipeline made the resource.
    """
    if resource.origin is None:
        return None
    if resource.lineage is not None:
        kept: Sequence[JSON] = resource.lineage
        return kept
    try:
        execution = describe_pipeline_execution(home, resource.origin.execution_arn)
    except NotFound:
        return None
    return steps_before(execution, resource.origin.step)


def keep_lineage(home: Home, execution_id: str) -> None:
    """Have the registry keep what an execution that is about to be removed tells of the resources that it made.

    One whose steps cannot be made sense of here any more tells nothing.
    """
    for resource in made_by_execution(home).get(execution_id, ()):
        try:
            rows = lineage(home, resource)
        except LocalpipeError:  # a newer localpipe ran it
            rows = None
        if rows is not None:
            home.registry.keep_lineage(resource, rows)


def made_by_execution(home: Home) -> Mapping[str, Sequence[Resource]]:
    """The resources that each execution made, by its id."""
    made: dict[str, list[Resource]] = {}
    for each in home.registry.resources():
        if each.origin:
            made.setdefault(each.origin.execution_arn.rpartition("/")[2], []).append(each)
    return made


def steps_before(execution: PipelineExecution, step: str) -> Sequence[JSON]:
    """The rows of `lineage` for a step."""
    nodes, found, waiting = execution.pipeline.graph.nodes, set[str](), [step]
    while waiting:
        new = nodes[waiting.pop()].needs - found
        found |= new
        waiting += new
    rows = (_row(execution, execution.state.steps.get(name)) for name in nodes if name in found)
    return [row for row in rows if row]


def _row(execution: PipelineExecution, step: StepExecution | None) -> JSON:
    """What one step contributes; None of one that made nothing with an ARN."""
    if step is None or not step.properties:
        return None
    kind = execution.pipeline.steps[step.step].type
    metadata = metadata_of(step, execution.home.step_types[kind])
    arn = next((value["Arn"] for value in metadata.values() if "Arn" in value), None)
    if arn is None:
        return None
    return {"StepName": step.step, "StepType": kind, "Arn": arn, **dict(_figures(step.properties))}


def _figures(properties: Mapping[str, JSON]) -> Iterator[tuple[str, JSON]]:
    """Hyperparameters and metrics of a training job, or of the best one of a tuning job."""
    best = properties.get("BestTrainingJob") or {}
    if hyperparameters := properties.get("HyperParameters") or best.get("TunedHyperParameters"):
        yield "HyperParameters", hyperparameters
    metrics = {each["MetricName"]: each["Value"] for each in properties.get("FinalMetricDataList") or ()}
    objective = best.get("FinalHyperParameterTuningJobObjectiveMetric")
    if objective:
        metrics[objective["MetricName"]] = objective["Value"]
    if metrics:
        yield "Metrics", metrics

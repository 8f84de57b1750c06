"""What the jobs of a pipeline would ask for, as far as it can be told before anything runs.

Every property of a step that has not run yet is taken as an S3 URI in a bucket that no store has. Of a job whose arguments
cannot be made sense of that way nothing is known; it is judged when it starts.
Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localpipe.core.names import AttemptKey, S3Uri, job_name
from localpipe.core.times import iso_time
from localpipe.core.work import CreateResource, RunJob, RunTransform, RunTuning
from localpipe.definition.check import with_own_words
from localpipe.definition.expressions import GET, JSON_GET, EvaluationContext, evaluate, is_expression
from localpipe.definition.requests import value_problems
from localpipe.definition.step_kind import named_by_service
from localpipe.definition.unknowns import is_unknown, with_unknowns
from localpipe.definition.wording import element, member
from localpipe.engine.resolve import evaluated, execution_variables
from localpipe.errors import ExpressionError, JobFailed
from localpipe.jobs.serving import unservable
from localpipe.jobs.tuning import foreseen_trials
from localpipe.registry.containers import with_packages
from localpipe.service.foresight_models import creating_step, foreseen_containers, foreseen_model
from localpipe.tuning.moves import most_trials

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.core.jobspec import JobSpec, OutputSpec
    from localpipe.core.names import ExecutionName
    from localpipe.core.transform import TransformSpec
    from localpipe.core.work import Work
    from localpipe.definition.expressions import StepValues
    from localpipe.definition.model import StepDefinition
    from localpipe.definition.property_paths import ServiceModel
    from localpipe.errors import Problem
    from localpipe.scheduling.graph import Node, PipelineGraph
    from localpipe.steps.base import StepType

NOT_STARTED_ID = "notstartedid"
"""Stands for the id of an execution that has not begun."""

_AT = 0.0


@dataclass(frozen=True, kw_only=True)
class ForeseenJob:
    """A job that a step would start, with what is known of it now; `spec` None: nothing.

    `missing_model`: the registered model that it would run, which is not there. `unservable`: why it cannot run its model.
    `parents`: the tuning jobs that its tuning job learns from, "" for one that is not known yet. `most_trials`: how many
    training jobs that has at most, None: no tuning job, or nobody can tell.
    """

    node: Node
    spec: JobSpec | None
    missing_model: str = ""
    unservable: str = ""
    parents: tuple[str, ...] = ()
    most_trials: int | None = None

    @property
    def image_uri(self) -> str | None:
        """The image that it runs in; None where that is only known when it starts."""
        uri = self.spec.image_uri if self.spec else None
        return None if uri is None or is_unknown(uri) else uri


def foresee(
    graph: PipelineGraph,
    parameters: Mapping[str, JSON],
    step_types: Mapping[str, StepType],
    fit: Callable[[str, JSON, str], JSON],
    execution: ExecutionName,
    *,
    known: Mapping[str, StepValues],
    models: Callable[[], Sequence[JSON]],
    package: Callable[[str], JSON | None],
) -> Iterator[ForeseenJob]:
    """Yield the jobs, in document order, with what can be foreseen of them.

    `known`: what those steps of the graph gave that will not be done. `models`: those that are registered. `package`: the
    registered model package of a name.
    """

    def work_of(node: Node) -> Work:
        return _work(node.step, step_types[node.step.type], parameters, fit, execution, known=known)

    def made_by(node: Node) -> JSON | None:
        """The CreateModel request of a step."""
        work = work_of(node)
        return with_packages(work.request, package) if isinstance(work, CreateResource) else None

    for node in graph.nodes.values():
        step_type = step_types[node.step.type]
        if step_type.job_name_argument is None or node.name in known:
            continue
        try:
            work = work_of(node)
            if isinstance(work, RunTransform):
                jobs = _transform_jobs(node, work.spec, graph=graph, made_by=made_by, models=models, execution=execution)
            else:
                jobs = list(_jobs_of(node, work))
        except (ExpressionError, JobFailed):
            jobs = [ForeseenJob(node=node, spec=None)]
        yield from jobs


def _transform_jobs(
    node: Node,
    spec: TransformSpec,
    *,
    graph: PipelineGraph,
    made_by: Callable[[Node], JSON | None],
    models: Callable[[], Sequence[JSON]],
    execution: ExecutionName,
) -> list[ForeseenJob]:
    """A job for each container of the model, which a step of the pipeline may create. Raises ExpressionError, JobFailed."""

    def created() -> JSON | None:
        creator = graph.nodes.get(creating_step(node.step) or "")
        return made_by(creator) if creator else None

    model = foreseen_model(spec, created, models)
    if model is None:
        return [ForeseenJob(node=node, spec=None, missing_model=spec.model_name)]
    if why_not := unservable(model):
        return [ForeseenJob(node=node, spec=None, unservable=why_not)]
    return [ForeseenJob(node=node, spec=each) for each in foreseen_containers(spec, model, execution.identity)]


def _jobs_of(node: Node, work: Work) -> Iterator[ForeseenJob]:
    """The jobs that some work runs; of a tuning job one of each definition."""
    match work:
        case RunJob(spec=spec):
            yield ForeseenJob(node=node, spec=spec)
        case RunTuning(spec=tuning):
            parents = tuple("" if is_unknown(parent) else parent for parent in tuning.parents)
            for spec in foreseen_trials(tuning):
                yield ForeseenJob(node=node, spec=spec, parents=parents, most_trials=most_trials(tuning))


def with_placeholders(uri: S3Uri) -> str:
    """A URI of a job that is foreseen, with placeholders for what no one knows before the execution begins."""
    return str(uri).replace(NOT_STARTED_ID, "<PipelineExecutionId>").replace(iso_time(_AT), "<time>")


def wrong_values(
    graph: PipelineGraph,
    parameters: Mapping[str, JSON],
    step_types: Mapping[str, StepType],
    model: ServiceModel,
    execution: ExecutionName,
    *,
    known: Collection[str],
) -> Iterator[tuple[Node, Problem]]:
    """Yield what the service or localpipe refuses in the requests now that the parameters are known.

    `known`: those steps of the graph that will not be done.
    """
    for node, arguments in known_arguments(graph, parameters, step_types, execution, known=known):
        step, step_type = node.step, step_types[node.step.type]
        if step_type.request_shape is None:
            continue
        path = f"{step.path}.Arguments"
        by_shape = value_problems(step_type.request_shape, arguments, model, path, named_by_service(step_type))
        own = step_type.check(replace(step, arguments=arguments))
        for problem in dict.fromkeys(with_own_words(by_shape, own)):
            yield node, problem


def known_arguments(
    graph: PipelineGraph,
    parameters: Mapping[str, JSON],
    step_types: Mapping[str, StepType],
    execution: ExecutionName,
    *,
    known: Collection[str],
) -> Iterator[tuple[Node, JSON]]:
    """Yield the steps, but for the `known` ones, with their own arguments as far as these are known.

    What waits for the run is left as the expression that it is.
    """
    for node in graph.nodes.values():
        step, step_type = node.step, step_types[node.step.type]
        if node.name not in known:
            context = _context(step, step_type, parameters, execution, {})
            yield node, _known(step_type.own_arguments(step), context, f"{step.path}.Arguments")


def outputs_into_mounts(
    jobs: Iterable[ForeseenJob], mounts: Collection[S3Uri], writable: Collection[S3Uri]
) -> Iterator[tuple[ForeseenJob, OutputSpec, S3Uri]]:
    """Yield each output whose every object would lie below one of the mounts, which are read-only, with that mount.

    `writable`: mounts that are not; of several around an output the innermost counts.
    """
    for job in jobs:
        for output in job.spec.outputs if job.spec else ():
            around = (mount for mount in (*mounts, *writable) if mount.holds(output.uri))
            mount = max(around, key=lambda mount: len(mount.key), default=None)
            if mount is not None and mount in mounts:
                yield job, output, mount


def output_buckets(jobs: Iterable[ForeseenJob]) -> frozenset[str]:
    """The buckets that outputs go to, as far as they are known."""
    outputs = (output.uri for job in jobs for output in (job.spec.outputs if job.spec else ()))
    return frozenset(uri.bucket for uri in outputs if not is_unknown(str(uri)))


def runs_in_any_case(node: Node, graph: PipelineGraph) -> bool:
    """Whether neither the step nor one that it waits for stands behind a condition."""
    return not any(each.guards for each in (node, *steps_before(node, graph)))


def _known(value: JSON, context: EvaluationContext, path: str) -> JSON:
    """The value with every expression replaced by its own, but for those that wait for the run."""
    if is_expression(value):
        return value if _waits(value) else evaluate(value, context, path)
    if isinstance(value, list):
        return [_known(inner, context, element(path, index)) for index, inner in enumerate(value)]
    if isinstance(value, dict):
        return {key: _known(inner, context, member(path, key)) for key, inner in value.items()}
    return value


def _waits(value: JSON) -> bool:
    """Whether an expression, or one inside of it, waits for a step or reads an object."""
    if isinstance(value, list):
        return any(map(_waits, value))
    if not isinstance(value, dict):
        return False
    return JSON_GET in value or str(value.get(GET, "")).startswith("Steps.") or any(map(_waits, value.values()))


def _context(
    step: StepDefinition,
    step_type: StepType,
    parameters: Mapping[str, JSON],
    execution: ExecutionName,
    known: Mapping[str, StepValues],
) -> EvaluationContext:
    """What the step's expressions may refer to before anything has run; ids and times only have the right form."""
    variables = execution_variables(
        execution,
        started=iso_time(_AT),
        current=iso_time(_AT),
        job_name_argument=step_type.job_name_argument,
        job_name=job_name(_first_attempt(step, execution), limit=step_type.job_name_limit),
    )
    return EvaluationContext(parameters=parameters, execution=variables, steps=known, documents={})


def _first_attempt(step: StepDefinition, execution: ExecutionName) -> AttemptKey:
    return AttemptKey(execution_id=execution.execution_id, step=step.name, attempt=1)


def _work(
    step: StepDefinition,
    step_type: StepType,
    parameters: Mapping[str, JSON],
    fit: Callable[[str, JSON, str], JSON],
    execution: ExecutionName,
    *,
    known: Mapping[str, StepValues],
) -> Work:
    """What the first attempt of a step would ask for. Raises ExpressionError, JobFailed."""
    key = _first_attempt(step, execution)
    resolved = evaluated(
        replace(step, arguments=with_unknowns(step.arguments, known), fields={}),
        step_type,
        _context(step, step_type, parameters, execution, known),
        fit,
        key=key,
        execution=execution,
        job_name=job_name(key, limit=step_type.job_name_limit),
        at=_AT,
    )
    return step_type.work(resolved)


def steps_before(node: Node, graph: PipelineGraph) -> Iterator[Node]:
    """Every step that ends before this one can start."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        each = waiting.pop()
        new = (each.needs | {guard.step for guard in each.guards}) - found
        found |= new
        waiting += [graph.nodes[name] for name in new]
    return (graph.nodes[name] for name in found)

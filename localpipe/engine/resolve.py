"""A step about to be done, with every expression replaced by its value; and the world in which it is done."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from localpipe.core.names import S3Uri
from localpipe.core.times import iso_time
from localpipe.core.work import ResolvedStep
from localpipe.definition.expressions import EvaluationContext, StepValues, documents_needed, evaluate, referenced_steps
from localpipe.definition.property_paths import follow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.core.faults import Fault
    from localpipe.core.jobspec import JobSpec, PropertyFileSpec
    from localpipe.core.names import AttemptKey, ExecutionName
    from localpipe.core.ports import Clock, FunctionHost, ObjectStore, QueueHost, Registry, Runner
    from localpipe.core.room import Size
    from localpipe.definition.model import StepDefinition
    from localpipe.engine.reuse import Results
    from localpipe.engine.slots import Slots
    from localpipe.scheduling.children import ChildExecution
    from localpipe.scheduling.events import CacheChecked, MessageSent
    from localpipe.scheduling.history import StepExecution
    from localpipe.staging import Stager
    from localpipe.steps.base import StepType

_OUTPUTS = ("ProcessingOutputConfig", "Outputs")
_LISTED_OBJECTS = 10


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt to be made. `values` are the finished steps that it may refer to.

    `at`: when it started first, epoch seconds. `reattach`: a killed localpipe began it; its job may run already, since
    `launched_at`, and its own jobs may be `children`; `message` is what it has sent. `checks`: how it was
    compared with earlier results.
    """

    key: AttemptKey
    step: StepDefinition
    job_name: str
    at: float
    values: Mapping[str, StepValues]
    reattach: bool = False
    launched_at: float | None = None
    children: Mapping[int, ChildExecution] = field(default_factory=dict)
    message: MessageSent | None = None
    checks: Mapping[str, CacheChecked] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class World:
    """The effects that performing needs, picked by the service's wiring, and what belongs to the whole execution.

    `steps` are all of the pipeline's. `fit` makes resolved arguments, at their JSON path, fit a request shape.
    `job_environment` gives a job of an image URI the variables that lead it to the local S3; it is not asked for an isolated
    job. `slots` limit the jobs that run at once; `size` says how much room one takes. `faults` are those asked for.
    `max_trials`: the most training jobs of a tuning job, None for as many as it asks for. `tuning_jobs` gives the training
    jobs of an earlier tuning job by its name, None where there is none of that name.
    """

    execution: ExecutionName
    started_at: float
    parameters: Mapping[str, JSON]
    steps: Mapping[str, StepDefinition]
    step_types: Mapping[str, StepType]
    fit: Callable[[str, JSON, str], JSON]
    store: ObjectStore
    registry: Registry
    functions: FunctionHost
    queues: QueueHost
    runner: Runner
    slots: Slots
    size: Callable[[JobSpec], Size]
    faults: Sequence[Fault]
    stager: Stager
    clock: Clock
    grace_seconds: float
    job_environment: Callable[[str], Mapping[str, str]]
    max_trials: int | None
    tuning_jobs: Callable[[str], Iterable[ChildExecution] | None]
    results: Results


def step_values(step: StepExecution) -> StepValues:
    """What later steps may refer to."""
    return StepValues(properties=step.properties, property_files=step.property_files)


def whole_environment(spec: JobSpec, world: World) -> Mapping[str, str]:
    """The whole environment of a job's containers; what the request sets wins. Follows: containers.md 1.9."""
    leading = {} if spec.network_isolated else world.job_environment(spec.image_uri)
    return {**leading, **spec.environment}


def resolve(attempt: Attempt, world: World) -> ResolvedStep:
    """The step with its own expressions evaluated and its arguments fitted to the request.

    Raises ExpressionError for a reference without a value, StoreError for a document that cannot be read, JobFailed for
    values that the Create call does not take.
    """
    step_type = world.step_types[attempt.step.type]
    return evaluated(
        attempt.step,
        step_type,
        _context(attempt, world, step_type),
        world.fit,
        key=attempt.key,
        execution=world.execution,
        job_name=attempt.job_name,
        at=attempt.at,
    )


def evaluated(
    step: StepDefinition,
    step_type: StepType,
    context: EvaluationContext,
    fit: Callable[[str, JSON, str], JSON],
    *,
    key: AttemptKey,
    execution: ExecutionName,
    job_name: str,
    at: float,
) -> ResolvedStep:
    """The step with its own expressions evaluated in a context. Raises as `resolve`, but no StoreError. Pure if `fit` is."""
    path = f"{step.path}.Arguments"
    arguments = evaluate(step_type.own_arguments(step), context, path)
    if step_type.request_shape:
        arguments = fit(step_type.request_shape, arguments, path)
    return ResolvedStep(
        name=step.name,
        type=step.type,
        path=step.path,
        arguments=arguments,
        fields=evaluate(dict(step.fields), context, step.path),
        property_files=step.property_files,
        execution=execution,
        job_name=job_name,
        attempt=key.attempt,
        at=at,
    )


def _context(attempt: Attempt, world: World, step_type: StepType) -> EvaluationContext:
    """What the step's expressions may refer to; the documents that Std:JsonGet reads by S3 URI are fetched first."""
    expressions = [step_type.own_arguments(attempt.step), dict(attempt.step.fields)]
    used = referenced_steps(expressions)
    context = EvaluationContext(
        parameters=world.parameters,
        execution=execution_variables(
            world.execution,
            started=iso_time(world.started_at),
            current=iso_time(attempt.at),
            job_name_argument=step_type.job_name_argument,
            job_name=attempt.job_name,
        ),
        steps={name: _with_absent_files(values, world, name) for name, values in attempt.values.items() if name in used},
        documents={},
    )
    needed = documents_needed(expressions, context)
    return replace(context, documents={uri: _document(uri, world.store) for uri in needed}) if needed else context


def _with_absent_files(values: StepValues, world: World, step: str) -> StepValues:
    """The values with words on the property files that the step did not write. Follows: service.md section 13, no. 9."""
    absent = [file for file in world.steps[step].property_files if file.name not in values.property_files]
    return replace(values, absent_files={file.name: _whereabouts(file, values, world.store) for file in absent})


def _whereabouts(file: PropertyFileSpec, values: StepValues, store: ObjectStore) -> str:
    """Where a property file should be, and what is there instead."""
    output = _output_of(file, values.properties)
    if output is None:
        return f"{file.file_path} in output {file.output_name!r}"
    names = [info.uri.key[len(output.key) :].lstrip("/") for info in islice(store.list(output), _LISTED_OBJECTS)]
    return f"{output.child(file.file_path)}; output {file.output_name!r} has {', '.join(names) or 'no files'}"


def property_file_text(file: PropertyFileSpec, properties: JSON, store: ObjectStore) -> str | None:
    """A property file as it lies now in the outputs that a step's properties tell of; None where there is none."""
    output = _output_of(file, properties)
    return _document(output.child(file.file_path), store) if output else None


def _output_of(file: PropertyFileSpec, properties: JSON) -> S3Uri | None:
    try:
        return S3Uri.parse(follow(properties, (*_OUTPUTS, file.output_name, "S3Output", "S3Uri")))
    except LookupError:
        return None


def execution_variables(
    execution: ExecutionName, *, started: str, current: str, job_name_argument: str | None, job_name: str
) -> Mapping[str, str]:
    """`Execution.*`. `job_name_argument`: `TrainingJobName` or the like, inside a step of that type.

    Follows: service.md section 2.2.
    """
    job = {job_name_argument: job_name} if job_name_argument else {}
    return {
        "PipelineName": execution.pipeline_name,
        "PipelineArn": execution.pipeline_arn,
        "PipelineExecutionArn": execution.arn,
        "PipelineExecutionId": execution.execution_id,
        "StartDateTime": started,
        "CurrentDateTime": current,
        **job,
    }


def _document(uri: S3Uri, store: ObjectStore) -> str | None:
    """The object's text, or None where there is none."""
    if store.head(uri) is None:
        return None
    with store.open(uri) as stream:
        return stream.read().decode("utf-8", errors="replace")

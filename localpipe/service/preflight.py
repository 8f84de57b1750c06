"""Everything that is refused before anything runs: definition, parameters, images, inputs."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localpipe.core.names import ExecutionName, S3Uri, new_bucket_note
from localpipe.definition.check import all_steps, load_definition
from localpipe.definition.doubts import doubts
from localpipe.definition.expressions import referenced_steps
from localpipe.definition.parameters import resolve_parameters
from localpipe.definition.parse import read_definition
from localpipe.definition.requests import fit_to_request, require_valid
from localpipe.definition.step_kind import named_by_service
from localpipe.errors import DefinitionError, ImageMissing, ImagesMissing, NotSupported, Problem, UsageError
from localpipe.scheduling.graph import build_graph
from localpipe.scheduling.plan import ExecutionPlan
from localpipe.service.faults import fault_notes
from localpipe.service.foresight import (
    NOT_STARTED_ID,
    foresee,
    missing_inputs,
    output_buckets,
    outputs_into_mounts,
    runs_in_any_case,
    with_placeholders,
    wrong_values,
)
from localpipe.service.functions import find_functions, function_notes
from localpipe.service.own_images import build_own_images, own_image
from localpipe.service.parts import WHOLE, choose_part
from localpipe.service.serving_images import require_server
from localpipe.service.step_functions import require_authors_python
from localpipe.service.tuning_jobs import training_jobs_of
from localpipe.staging.pipes import refuse_pipes_elsewhere
from localpipe.store import nearest_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from localpipe.core import JSON
    from localpipe.core.faults import Fault
    from localpipe.core.functions import CapturedFunction, Function
    from localpipe.core.jobspec import JobSpec
    from localpipe.core.ports import ImageStatus, Runner
    from localpipe.definition.expressions import StepValues
    from localpipe.definition.model import PipelineDefinition, StepDefinition
    from localpipe.scheduling.events import StepReused
    from localpipe.scheduling.graph import Node, PipelineGraph
    from localpipe.service.foresight import ForeseenJob
    from localpipe.service.parts import Part
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


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """A pipeline with all that it takes to run it: nothing in its way is known.

    `runner_name` None: it has no jobs to run. `notes`: what will differ from the service, and what the author should know,
    in sentences. `selection`, `reused`: of the part that is to run, see `ChosenPart`; the pipeline's graph has only that.
    """

    pipeline: Pipeline
    parameters: Mapping[str, JSON]
    max_parallel: int | None
    runner_name: str | None
    images: tuple[ImageStatus, ...]
    notes: tuple[str, ...]
    selection: JSON = None
    reused: tuple[StepReused, ...] = ()
    functions: Mapping[str, Function | CapturedFunction] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    def document(self) -> JSON:
        """What `check --json` prints."""
        return {
            "PipelineName": self.pipeline.name,
            "Runner": self.runner_name,
            "Parameters": dict(self.parameters),
            "Steps": [{"StepName": name, "StepType": step.type} for name, step in self.pipeline.steps.items()],
            "Images": [{"ImageUri": image.image_uri, "LocalImage": image.local} for image in self.images],
            "Notes": list(self.notes),
            **({"SelectiveExecutionConfig": self.selection} if self.selection else {}),
        }


def preflight(
    home: Home,
    source: str | Mapping[str, JSON],
    name: str,
    given: Mapping[str, str | int | float | bool],
    notes: Sequence[str] = (),
    *,
    runner: Runner | None = None,
    max_parallel: int | None = None,
    part: Part = WHOLE,
    faults: Sequence[Fault] = (),
    captured: Mapping[str, CapturedFunction] | None = None,
) -> Preflight:
    """Check everything that can be checked before anything runs.

    `runner`: None for the one of the settings. `max_parallel`: what the script asks for; the settings win. `part`: what is
    to run; of the rest of the pipeline only the definition is checked. `captured`: the Lambda functions of the
    script.
    `faults`: trouble that steps are to meet.
    Raises DefinitionError, ParameterError, NotSupported (exit 2), RunnerUnavailable, ImageMissing, HomeUnusable (exit 3).
    """
    check_name(name)
    whole = load_pipeline(home, source, name)
    parameters = resolve_parameters(whole.definition.parameters, given)
    chosen = choose_part(home, whole, part, parameters)
    pipeline = chosen.pipeline
    jobs = foreseen_jobs(home, pipeline, parameters, chosen.known)
    fails_if_reached = check_values(home, pipeline, parameters, jobs, chosen.known)
    check_inputs(home, pipeline, jobs, chosen.reused)
    check_pipes(jobs)
    done_here = [step for name, step in pipeline.steps.items() if name not in chosen.known]
    functions = find_functions(home, done_here, captured or {})
    runner = (runner or home.choose_runner()) if jobs else None
    if runner:
        check_hosts(runner, jobs)
    images = check_images(home, runner, jobs) if runner else []
    doubtful = doubts(pipeline.definition, home.step_types, home.model)
    image_notes = (f"{image.image_uri}: {note}" for image in images for note in image.notes)
    return Preflight(
        pipeline=pipeline,
        parameters=parameters,
        max_parallel=home.settings.max_parallel or max_parallel,
        runner_name=runner.name if runner else None,
        images=tuple(images),
        notes=(
            *notes,
            *chosen.notes,
            *fault_notes(faults, jobs, pipeline.steps, home.step_types),
            *fails_if_reached,
            *doubtful,
            *new_bucket_notes(home, jobs),
            *image_notes,
            *function_notes(functions),
        ),
        selection=chosen.config,
        reused=chosen.reused,
        functions=functions,
        faults=tuple(faults),
    )


def make_images(home: Home, ready: Preflight) -> None:
    """Make what takes making before the run: environments of the process runner, images of the user's own that are not up to
    date. So no step fails for want of it.

    Raises ImageMissing, RunnerUnavailable.
    """
    if ready.runner_name is None:
        return
    build_own_images((image.image_uri for image in ready.images), home)
    runner = home.runner(ready.runner_name)
    for image in ready.images:
        runner.ensure_image(image.image_uri)


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


def foreseen_jobs(
    home: Home, pipeline: Pipeline, parameters: Mapping[str, JSON], known: Mapping[str, StepValues] | None = None
) -> list[ForeseenJob]:
    """The jobs that there would be with these parameters, with what can be foreseen of them.

    `known`: what those steps of the pipeline gave that will not be done.
    """

    def fit(shape_name: str, arguments: JSON, path: str) -> JSON:
        return fit_to_request(shape_name, arguments, home.model, path)

    execution, models = _not_started(home, pipeline), home.registry.models
    return list(
        foresee(
            pipeline.graph,
            parameters,
            home.step_types,
            fit,
            execution,
            known=known or {},
            models=models,
            package=home.registry.model_package,
        )
    )


def check_values(
    home: Home, pipeline: Pipeline, parameters: Mapping[str, JSON], jobs: Iterable[ForeseenJob], known: Collection[str]
) -> list[str]:
    """Refuse requests that cannot run with these parameters and settings; note those of steps that may not run.

    `known`: the steps that will not be done.
    Raises DefinitionError naming each.
    """
    graph, execution = pipeline.graph, _not_started(home, pipeline)
    wrong = [
        *wrong_values(graph, parameters, home.step_types, home.model, execution, known=known),
        *_read_only_outputs(jobs, home.settings.s3_mounts, home.settings.s3_outputs),
        *_missing_models(jobs),
        *_missing_parents(home, jobs),
    ]
    problems = [problem for node, problem in wrong if runs_in_any_case(node, graph)]
    if problems:
        raise DefinitionError(problems)
    return [f"Step {node.name!r} fails if it is reached: {problem}" for node, problem in wrong]


def _read_only_outputs(
    jobs: Iterable[ForeseenJob], mounts: Mapping[S3Uri, Path], writable: Collection[S3Uri]
) -> Iterator[tuple[Node, Problem]]:
    """A problem for each URI whose outputs could not be written: one, though a training job writes two archives below it."""
    seen: set[str] = set()
    for job, output, mount in outputs_into_mounts(jobs, mounts, writable):
        if output.path not in seen:
            seen.add(output.path)
            yield (
                job.node,
                Problem(
                    output.path,
                    f"step {job.node.name!r}: output {output.name!r} cannot be written: "
                    f'[s3.mounts] shows {mounts[mount]} there, read-only ("{mount}").',
                    "Write to another prefix, or take the mount out of localpipe.toml.",
                ),
            )


def _missing_models(jobs: Iterable[ForeseenJob]) -> Iterator[tuple[Node, Problem]]:
    for job in jobs:
        if job.missing_model:
            message = f"step {job.node.name!r}: there is no model {job.missing_model!r}."
            remedy = "`localpipe models` lists those that there are; a Model step creates one."
            yield job.node, Problem(f"{job.node.step.path}.Arguments.ModelName", message, remedy)


def _missing_parents(home: Home, jobs: Iterable[ForeseenJob]) -> Iterator[tuple[Node, Problem]]:
    """A problem for each tuning job to learn from that never ran here."""
    wanted = {job.node.name: job for job in jobs if job.parents}  # each definition of a tuning job has the same
    for job in wanted.values():
        for index, parent in enumerate(job.parents):
            if parent and training_jobs_of(home, parent) is None:
                members = f"WarmStartConfig.ParentHyperParameterTuningJobs[{index}].HyperParameterTuningJobName"
                message = f"there is no tuning job {parent!r} in this home."
                remedy = (
                    "Name one that was run here: its name is in `localpipe show EXEC --json`, HyperParameterTuningJobName."
                )
                yield job.node, Problem(f"{job.node.step.path}.Arguments.{members}", message, remedy)


def _not_started(home: Home, pipeline: Pipeline) -> ExecutionName:
    return ExecutionName(pipeline_name=pipeline.name, execution_id=NOT_STARTED_ID, identity=home.settings.identity)


def fitter(home: Home) -> Callable[[str, JSON, str], JSON]:
    """`fit_to_request` over the home's service model. Raises JobFailed for what the Create call does not take."""
    names = {kind.request_shape: named_by_service(kind) for kind in home.step_types.values()}

    def fit(shape_name: str, arguments: JSON, path: str) -> JSON:
        fitted = fit_to_request(shape_name, arguments, home.model, path)
        require_valid(shape_name, fitted, home.model, path, names[shape_name])
        return fitted

    return fit


def check_inputs(home: Home, pipeline: Pipeline, jobs: Sequence[ForeseenJob], reused: Sequence[StepReused] = ()) -> None:
    """Refuse a run whose inputs are not there and cannot come to be. Raises DefinitionError naming each.

    `reused`: the steps that will not be done.
    """
    problems = []
    done = {each.step for each in reused}
    unseen = [name for name, step in pipeline.steps.items() if home.step_types[step.type].writes_unseen and name not in done]
    for job, channel in missing_inputs(jobs, pipeline.graph, home.store, unseen):
        uri = with_placeholders(channel.uri)
        message = f"step {job.node.name!r}: input {channel.name!r} has no objects under {uri}, and no step writes there."
        problems.append(Problem(channel.path, message, _input_remedy(home, channel.uri, reused)))
    if problems:
        raise DefinitionError(problems)


def _input_remedy(home: Home, uri: S3Uri, reused: Iterable[StepReused]) -> str:
    if with_placeholders(uri) != str(uri):
        return "Only a step of the same execution can: let one that comes before write there."
    if writer := next((each for each in reused if any(S3Uri.parse(output).holds(uri) for output in each.outputs)), None):
        execution_id = writer.source.rpartition("/")[2]
        return f"Step {writer.step!r} wrote there in execution {execution_id}, and it is gone: let {writer.step!r} run too."
    near = nearest_prefix(home.store, uri)
    return f"Did you mean {near} ?" if near else f"Put it there: localpipe s3 cp FILE {uri}"


def new_bucket_notes(home: Home, jobs: Iterable[ForeseenJob]) -> Iterator[str]:
    """A note for each bucket that the run would make and S3 would not."""
    return filter(None, map(new_bucket_note, sorted(output_buckets(jobs) - set(home.store.buckets()))))


def check_pipes(jobs: Iterable[ForeseenJob]) -> None:
    """Refuse Pipe mode where FIFOs do not reach into containers. Raises NotSupported."""
    for job in jobs:
        if job.spec:
            refuse_pipes_elsewhere(job.spec, sys.platform)


def check_hosts(runner: Runner, jobs: Sequence[ForeseenJob]) -> None:
    """Refuse jobs of more hosts than the runner has for one. Raises NotSupported, naming the step."""
    for job in jobs:
        if job.spec is None or runner.several_hosts:
            continue
        if job.spec.port:
            feature = f"Step {job.node.name!r}: a model's container, which needs a network of its own,"
            raise NotSupported(f"{feature} on the {runner.name} runner", "Use --runner docker.")
        if len(job.spec.hosts) > 1:
            raise NotSupported(
                f"Step {job.node.name!r}: a job of {len(job.spec.hosts)} hosts on the {runner.name} runner",
                "Use --runner docker, or set InstanceCount to 1.",
            )


def check_images(home: Home, runner: Runner, jobs: Sequence[ForeseenJob]) -> list[ImageStatus]:
    """What the runner would use for each image.

    Raises ImageMissing, or ImagesMissing, for those that cannot be had or do not serve a step, naming the first such step.
    """
    statuses: dict[str, ImageStatus] = {}
    missing: dict[str, ImageMissing] = {}
    for job in jobs:
        uri = job.image_uri
        if uri is None or job.spec is None or uri in missing:
            continue
        try:
            status = statuses[uri] = statuses.get(uri) or own_image(home, runner, uri) or runner.image(uri)
            _require_served(job.node.name, job.spec, status)
            if job.spec.port is not None:
                require_server(job.node.name, status, home.settings)
        except ImageMissing as error:
            missing[uri] = error
    match tuple(missing.values()):
        case ():
            return list(statuses.values())
        case (only,):
            raise only
        case several:
            raise ImagesMissing(several)


def _require_served(step: str, spec: JobSpec, status: ImageStatus) -> None:
    """Raise ImageMissing where there is nothing that the step's container could be made of."""
    if status.local is None:
        raise ImageMissing(status.image_uri, f"step {step!r}: {status.reason}", status.remedy)
    require_authors_python(step, spec.arguments or (), status)

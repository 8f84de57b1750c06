"""Everything that is refused before anything runs: definition, parameters, images, inputs."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.core.names import ExecutionName, new_bucket_note
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
from localpipe.service.own_images import build_own_images, own_image
from localpipe.service.step_functions import require_authors_python
from localpipe.staging.pipes import refuse_pipes_elsewhere
from localpipe.store import nearest_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from localpipe.core import JSON
    from localpipe.core.jobspec import JobSpec
    from localpipe.core.names import S3Uri
    from localpipe.core.ports import ImageStatus, Runner
    from localpipe.definition.model import PipelineDefinition, StepDefinition
    from localpipe.scheduling.graph import Node, PipelineGraph
    from localpipe.service.foresight import ForeseenJob
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
    in sentences.
    """

    pipeline: Pipeline
    parameters: Mapping[str, JSON]
    max_parallel: int | None
    runner_name: str | None
    images: tuple[ImageStatus, ...]
    notes: tuple[str, ...]

    def document(self) -> JSON:
        """What `check --json` prints."""
        return {
            "PipelineName": self.pipeline.name,
            "Runner": self.runner_name,
            "Parameters": dict(self.parameters),
            "Steps": [{"StepName": name, "StepType": step.type} for name, step in self.pipeline.steps.items()],
            "Images": [{"ImageUri": image.image_uri, "LocalImage": image.local} for image in self.images],
            "Notes": list(self.notes),
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
) -> Preflight:
    """Check everything that can be checked before anything runs.

    `runner`: None for the one of the settings. `max_parallel`: what the script asks for; the settings win.
    Raises DefinitionError, ParameterError, NotSupported (exit 2), RunnerUnavailable, ImageMissing, HomeUnusable (exit 3).
    """
    check_name(name)
    pipeline = load_pipeline(home, source, name)
    parameters = resolve_parameters(pipeline.definition.parameters, given)
    jobs = foreseen_jobs(home, pipeline, parameters)
    fails_if_reached = check_values(home, pipeline, parameters, jobs)
    check_inputs(home, pipeline, jobs)
    check_pipes(jobs)
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
        notes=(*notes, *fails_if_reached, *doubtful, *new_bucket_notes(home, jobs), *image_notes),
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


def foreseen_jobs(home: Home, pipeline: Pipeline, parameters: Mapping[str, JSON]) -> list[ForeseenJob]:
    """The jobs that there would be with these parameters, with what can be foreseen of them."""

    def fit(shape_name: str, arguments: JSON, path: str) -> JSON:
        return fit_to_request(shape_name, arguments, home.model, path)

    return list(foresee(pipeline.graph, parameters, home.step_types, fit, _not_started(home, pipeline)))


def check_values(home: Home, pipeline: Pipeline, parameters: Mapping[str, JSON], jobs: Iterable[ForeseenJob]) -> list[str]:
    """Refuse requests that cannot run with these parameters and settings; note those of steps that may not run.

    Raises DefinitionError naming each.
    """
    graph, execution = pipeline.graph, _not_started(home, pipeline)
    wrong = [
        *wrong_values(graph, parameters, home.step_types, home.model, execution),
        *_read_only_outputs(jobs, home.settings.s3_mounts),
    ]
    problems = [problem for node, problem in wrong if runs_in_any_case(node, graph)]
    if problems:
        raise DefinitionError(problems)
    return [f"Step {node.name!r} fails if it is reached: {problem}" for node, problem in wrong]


def _read_only_outputs(jobs: Iterable[ForeseenJob], mounts: Mapping[S3Uri, Path]) -> Iterator[tuple[Node, Problem]]:
    """A problem for each URI whose outputs could not be written: one, though a training job writes two archives below it."""
    seen: set[str] = set()
    for job, output, mount in outputs_into_mounts(jobs, mounts):
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


def check_inputs(home: Home, pipeline: Pipeline, jobs: Sequence[ForeseenJob]) -> None:
    """Refuse a run whose inputs are not there and cannot come to be. Raises DefinitionError naming each."""
    problems = []
    for job, channel in missing_inputs(jobs, pipeline.graph, home.store):
        uri = with_placeholders(channel.uri)
        message = f"step {job.node.name!r}: input {channel.name!r} has no objects under {uri}, and no step writes there."
        problems.append(Problem(channel.path, message, _input_remedy(home, channel.uri)))
    if problems:
        raise DefinitionError(problems)


def _input_remedy(home: Home, uri: S3Uri) -> str:
    if with_placeholders(uri) != str(uri):
        return "Only a step of the same execution can: let one that comes before write there."
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
        if job.spec and len(job.spec.hosts) > 1 and not runner.several_hosts:
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

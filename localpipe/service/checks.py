"""What is looked at before a run: values, inputs, pipes, hosts, images. What is refused is named with its step and place."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from localpipe.core.names import S3Uri, new_bucket_note
from localpipe.errors import DefinitionError, ImageMissing, ImagesMissing, NotSupported, Problem
from localpipe.service.foresight import (
    output_buckets,
    outputs_into_mounts,
    runs_in_any_case,
    with_placeholders,
    wrong_values,
)
from localpipe.service.foresight_inputs import missing_inputs
from localpipe.service.named_packages import missing_packages
from localpipe.service.own_images import own_image
from localpipe.service.serving_images import require_server
from localpipe.service.step_functions import require_authors_python
from localpipe.service.top_models import missing_trials
from localpipe.service.tuning_jobs import training_jobs_of
from localpipe.staging.pipes import refuse_pipes_elsewhere
from localpipe.store import nearest_prefix

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from localpipe.core import JSON
    from localpipe.core.jobspec import JobSpec
    from localpipe.core.ports import ImageStatus, Runner
    from localpipe.scheduling.events import StepReused
    from localpipe.scheduling.graph import Node
    from localpipe.service.foresight import ForeseenJob
    from localpipe.service.pipelines import Pipeline
    from localpipe.service.wiring import Home


def check_values(
    home: Home, pipeline: Pipeline, parameters: Mapping[str, JSON], jobs: Sequence[ForeseenJob], known: Collection[str]
) -> list[str]:
    """Refuse requests that cannot run with these parameters and settings; note those of steps that may not run.

    `known`: the steps that will not be done.
    Raises DefinitionError naming each.
    """
    graph, execution = pipeline.graph, pipeline.not_started(home.settings.identity)
    wrong = [
        *wrong_values(graph, parameters, home.step_types, home.model, execution, known=known),
        *_read_only_outputs(jobs, home.settings.s3_mounts, home.settings.s3_outputs),
        *_unusable_models(jobs),
        *missing_packages(home, graph, parameters, execution, known),
        *missing_trials(graph, jobs, home.step_types, home.settings.max_trials, known),
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


def _unusable_models(jobs: Iterable[ForeseenJob]) -> Iterator[tuple[Node, Problem]]:
    for job in jobs:
        if job.unservable:
            yield job.node, Problem(_model_name_of(job), f"step {job.node.name!r}: {job.unservable}")
        if job.missing_model:
            message = f"step {job.node.name!r}: there is no model {job.missing_model!r}."
            remedy = "`localpipe models` lists those that there are; a Model step creates one."
            yield job.node, Problem(_model_name_of(job), message, remedy)


def _model_name_of(job: ForeseenJob) -> str:
    return f"{job.node.step.path}.Arguments.ModelName"


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


def check_inputs(
    home: Home, pipeline: Pipeline, jobs: Sequence[ForeseenJob], reused: Sequence[StepReused] = ()
) -> list[str]:
    """Refuse a run whose inputs are not there and cannot come to be; note those that only a script could still write.

    `reused`: the steps that will not be done.
    Raises DefinitionError naming each.
    """
    problems, notes = [], []
    done = {each.step for each in reused}
    unseen = [name for name, step in pipeline.steps.items() if home.step_types[step.type].writes_unseen and name not in done]
    for missing in missing_inputs(jobs, pipeline.graph, home.store, unseen):
        channel, step, uri = missing.channel, missing.job.node.name, with_placeholders(missing.channel.uri)
        found = f"input {channel.name!r} has no objects under {uri}"
        remedy = _input_remedy(home, channel.uri, reused)
        if missing.may_come:
            unless = "no output goes there: the step fails unless a script of a step before writes there by itself."
            notes.append(f"Step {step!r}: {found}, and {unless} {remedy}")
        else:
            problems.append(Problem(channel.path, f"step {step!r}: {found}, and no step writes there.", remedy))
    if problems:
        raise DefinitionError(problems)
    return notes


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
    """Refuse jobs that need a network of their own where the runner makes none. Raises NotSupported, naming the step."""
    for job in jobs:
        if job.spec is None or not (job.spec.port or len(job.spec.hosts) > 1) or runner.several_hosts:
            continue
        if job.spec.port:
            feature = f"Step {job.node.name!r}: a model's container, which needs a network of its own,"
            raise NotSupported(f"{feature} on the {runner.name} runner", "Use --runner docker.")
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

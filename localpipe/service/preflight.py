"""Everything that is refused before anything runs: definition, parameters, images, inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localpipe.definition.doubts import doubts
from localpipe.definition.parameters import resolve_parameters
from localpipe.definition.requests import fit_to_request
from localpipe.service.checks import (
    check_hosts,
    check_images,
    check_inputs,
    check_pipes,
    check_values,
    new_bucket_notes,
)
from localpipe.service.faults import fault_notes
from localpipe.service.foresight import foresee
from localpipe.service.functions import find_functions, function_notes
from localpipe.service.own_images import build_own_images
from localpipe.service.parts import WHOLE, choose_part
from localpipe.service.pipelines import Pipeline, check_name, load_pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.core.faults import Fault
    from localpipe.core.functions import CapturedFunction, Function
    from localpipe.core.ports import ImageStatus, Runner
    from localpipe.definition.expressions import StepValues
    from localpipe.scheduling.events import StepReused
    from localpipe.service.foresight import ForeseenJob
    from localpipe.service.parts import Part
    from localpipe.service.wiring import Home


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
    script. `faults`: trouble that steps are to meet.

    Raises DefinitionError, ParameterError, NotSupported (exit 2), RunnerUnavailable, ImageMissing, HomeUnusable (exit 3).
    """
    check_name(name)
    whole = load_pipeline(home, source, name)
    parameters = resolve_parameters(whole.definition.parameters, given)
    chosen = choose_part(home, whole, part, parameters)
    pipeline = chosen.pipeline
    jobs = foreseen_jobs(home, pipeline, parameters, chosen.known)
    fails_if_reached = check_values(home, pipeline, parameters, jobs, chosen.known)
    awaited_inputs = check_inputs(home, pipeline, jobs, chosen.reused)
    check_pipes(jobs)
    done_here = {name: step for name, step in pipeline.steps.items() if name not in chosen.known}
    functions = find_functions(home, done_here.values(), captured or {})
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
            *fault_notes(faults, jobs, whole.steps, home.step_types, runs=done_here),
            *fails_if_reached,
            *awaited_inputs,
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


def foreseen_jobs(
    home: Home, pipeline: Pipeline, parameters: Mapping[str, JSON], known: Mapping[str, StepValues] | None = None
) -> list[ForeseenJob]:
    """The jobs that there would be with these parameters, with what can be foreseen of them.

    `known`: what those steps of the pipeline gave that will not be done.
    """

    def fit(shape_name: str, arguments: JSON, path: str) -> JSON:
        return fit_to_request(shape_name, arguments, home.model, path)

    execution, models = pipeline.not_started(home.settings.identity), home.registry.models
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

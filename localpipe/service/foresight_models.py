"""What a transform job would run, as far as it can be told before anything runs. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from localpipe.core.jobspec import OutputSpec
from localpipe.definition.expressions import GET
from localpipe.definition.unknowns import is_unknown
from localpipe.errors import JobFailed
from localpipe.jobs.serving import model_named, serving_specs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localpipe.core import JSON
    from localpipe.core.jobspec import JobSpec
    from localpipe.core.names import Identity
    from localpipe.core.transform import TransformSpec
    from localpipe.definition.model import StepDefinition


def creating_step(step: StepDefinition) -> str | None:
    """The step that creates the model whose name a transform step refers to; None where the name is given in another way."""
    name = step.arguments.get("ModelName")
    reference = str(name.get(GET, "")) if isinstance(name, dict) else ""
    parts = reference.split(".")
    return parts[1] if parts[0] == "Steps" and len(parts) > 1 else None


def foreseen_model(
    spec: TransformSpec, created: Callable[[], JSON | None], models: Callable[[], Sequence[JSON]]
) -> JSON | None:
    """The model that a transform job would run: created by a step of the pipeline (the CreateModel request) or registered.

    Of one that nobody knows yet there is a container of an unknown image. None: no such model is registered.
    """
    if is_unknown(spec.model_name):
        return created() or {"PrimaryContainer": {"Image": spec.model_name}}
    try:
        return model_named(spec.model_name, models())
    except JobFailed:
        return None


def foreseen_containers(spec: TransformSpec, model: JSON, identity: Identity) -> list[JobSpec]:
    """The containers of a model as jobs; the first has the input and the output of the whole. Raises JobFailed."""
    first, *others = serving_specs(model, spec, identity)
    output = OutputSpec(
        name="TransformOutput",
        container_dir=spec.source.container_dir,
        uri=spec.output,
        path=f"{spec.path}.TransformOutput.S3OutputPath",
    )
    return [replace(first, channels=(*first.channels, spec.source), outputs=(output,)), *others]

"""From a target to what can run: the steps that the command line and the Python API share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from localpipe.authoring.names import pipeline_name
from localpipe.authoring.target import load_target
from localpipe.core.faults import parse_fault
from localpipe.service.history import past_executions
from localpipe.service.local_files import with_local_files
from localpipe.service.parts import asked_part
from localpipe.service.preflight import preflight

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from localpipe.authoring.outcome import AuthoredDefinition
    from localpipe.authoring.script import Asked
    from localpipe.authoring.target import SdkPipeline
    from localpipe.core import JSON
    from localpipe.service.parts import Part
    from localpipe.service.preflight import Preflight
    from localpipe.service.wiring import Home


def author(
    home: Home, target: str | Path | Mapping[str, JSON] | SdkPipeline, asked: Asked, environ: Mapping[str, str]
) -> AuthoredDefinition:
    """`load_target` with what the home's settings say. Raises as that does."""
    python = home.settings.python
    return load_target(
        target,
        store=home.store,
        identity=home.settings.identity,
        environ=environ,
        python=str(python) if python else None,
        asked=asked,
        history=partial(past_executions, home),
    )


def prepare(
    home: Home,
    authored: AuthoredDefinition,
    given: Mapping[str, str | int | float | bool],
    *,
    name: str | None,
    part: Part,
    faults: Iterable[str],
) -> tuple[Home, Preflight]:
    """What is to run, and the home to run it in, which has the local directories that the pipeline names.

    `given`: parameters that win over the script's. `name`: see `chosen_name`. `faults`: texts as `--fault` takes them.
    Raises as `preflight` and `with_local_files` do, UsageError for a fault that there is not.
    """
    parameters = {**authored.parameters, **given}
    local = with_local_files(
        home,
        authored.definition,
        parameters,
        asked_part(part, authored.selection),
        directory=authored.directory,
        pipeline_name=chosen_name(authored, name),
    )
    ready = preflight(
        local.home,
        local.definition,
        chosen_name(authored, name),
        local.parameters,
        (*authored.notes, *local.notes),
        max_parallel=authored.max_parallel,
        captured=authored.functions,
        part=local.part,
        faults=tuple(map(parse_fault, faults)),
    )
    return local.home, ready


def chosen_name(authored: AuthoredDefinition, name: str | None) -> str:
    """What the user says, made to fit as a file's stem is, or the script's or definition's own."""
    return pipeline_name(name) if name else authored.pipeline_name

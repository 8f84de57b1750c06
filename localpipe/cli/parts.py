"""The flags of `run` and `check` that say which steps run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from localpipe.errors import UsageError
from localpipe.service.parts import Part, given_by_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def part_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which steps run, and what stands for those before them."""
    for option in (
        click.option("--set", "values", multiple=True, metavar="PATH=VALUE", help="Steps.STEP.PROPERTY of a step not run."),
        click.option("--done", multiple=True, metavar="STEP", help="Take a step not run, which gives nothing, as done."),
        click.option("--source", metavar="EXEC", help="What earlier steps are taken from [the pipeline's last execution]."),
        click.option("--select", multiple=True, metavar="STEP", help="Run this step, as SelectiveExecutionConfig does."),
        click.option("--only", multiple=True, metavar="STEP", help="Run this step alone."),
        click.option("--until", multiple=True, metavar="STEP", help="Run this step and all that it needs."),
        click.option("--from", "first", multiple=True, metavar="STEP", help="Run this step and all that depends on it."),
    ):
        command = option(command)
    return command


def part_from(options: Mapping[str, Any]) -> Part:
    """What the flags ask for. Raises UsageError."""
    return Part(
        select=tuple(dict.fromkeys(options["select"])),
        first=_one("--from", options["first"]),
        until=_one("--until", options["until"]),
        only=_one("--only", options["only"]),
        source=options["source"],
        values=given_by_name(options["values"]),
        done=tuple(dict.fromkeys(options["done"])),
    )


def _one(flag: str, steps: Sequence[str]) -> str | None:
    """The step of a flag that takes a single one: click keeps the last of several in silence. Raises UsageError."""
    if len(set(steps)) > 1:
        several = " ".join(f"--select {step}" for step in steps)
        raise UsageError(f"{flag} is given twice: {' and '.join(map(repr, steps))}. For several steps: {several}")
    return steps[0] if steps else None

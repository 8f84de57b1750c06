"""The flags of `run` and `check` that say which steps run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from localpipe.service.parts import Part, given_by_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def part_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which steps run, and what stands for those before them."""
    for option in (
        click.option("--set", "values", multiple=True, metavar="PATH=VALUE", help="Steps.STEP.PROPERTY of a step not run."),
        click.option("--source", metavar="EXEC", help="What earlier steps are taken from [the pipeline's last execution]."),
        click.option("--select", multiple=True, metavar="STEP", help="Run this step, as SelectiveExecutionConfig does."),
        click.option("--only", metavar="STEP", help="Run this step alone."),
        click.option("--until", metavar="STEP", help="Run this step and all that it needs."),
        click.option("--from", "first", metavar="STEP", help="Run this step and all that depends on it."),
    ):
        command = option(command)
    return command


def part_from(options: Mapping[str, Any]) -> Part:
    """What the flags ask for. Raises UsageError."""
    return Part(
        select=tuple(dict.fromkeys(options["select"])),
        first=options["first"],
        until=options["until"],
        only=options["only"],
        source=options["source"],
        values=given_by_name(options["values"]),
    )

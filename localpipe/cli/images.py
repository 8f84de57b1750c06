"""`images`: which container images stand for AWS's, building them, and where a URI leads."""

from __future__ import annotations

import json

import click

from localpipe.cli.common import home_as_it_is, home_below, home_option, say, table
from localpipe.errors import RunnerUnavailable
from localpipe.service import images as service

_MIB = 1 << 20


@click.group(invoke_without_command=True)
@click.pass_context
@home_option
def images(context: click.Context, home: str | None) -> None:
    """List the stand-ins for AWS's images, build them, and say where an image URI leads."""
    context.obj = home
    if context.invoked_subcommand is None:
        context.invoke(list_images)


@images.command("list")
def list_images() -> None:
    """List the stand-ins and whether they are built."""
    try:
        rows = service.image_rows()
    except RunnerUnavailable as error:
        say(f"Whether they are built cannot be told. {error}\n")
        rows = service.known_rows()
    table(
        [(r.name, r.state, f"{r.size_bytes / _MIB:.0f} MiB" if r.size_bytes else "", "; ".join(r.notes)) for r in rows],
        ("STAND-IN", "STATE", "SIZE", "DIFFERS FROM AWS'S IMAGE"),
    )


@images.command("build")
@click.argument("names", nargs=-1, metavar="[FAMILY[:TAG] ...]")
@click.option(
    "--base", metavar="IMAGE", help="The image to build upon; else python:3.11-slim, or that of the Python it needs."
)
def build_images(names: tuple[str, ...], base: str | None) -> None:
    """Build stand-ins on the Docker engine: those named, or all. One that is up to date is left alone."""
    service.build_images(names, base, say)


@images.command("map")
@click.argument("uri")
@home_below
@click.pass_obj
def map_image(home: str | None, uri: str) -> None:
    """Say which local image or environment serves an image URI, on each runner."""
    place = home_as_it_is({"home": home})
    for name, status in service.image_statuses(place, uri):
        if status.local is None:
            click.echo(f"{name:8} none: {status.reason} {status.remedy}")
        else:
            click.echo(f"{name:8} {status.local}" + "".join(f"\n{'':8} note: {note}" for note in status.notes))
    target = service.mapped_to(place, uri)
    if target is None:
        example = f'[images]\n{json.dumps(uri)} = "my-image:tag"'
        click.echo(f"\nTo map it to an image of your own, in localpipe.toml:\n{example}")
    else:
        click.echo(f"\nlocalpipe.toml maps it to {target}.")

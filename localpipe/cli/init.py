"""`init`: a small pipeline to start from."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from localpipe.authoring.templates import write_template


@click.command()
@click.argument("directory", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--sdk", type=click.Choice(["v2", "v3"]), default="v2", show_default=True, help="The SageMaker SDK it is for.")
def init(directory: Path, sdk: str) -> None:
    """Write a small pipeline into DIRECTORY, ready to run here and on SageMaker. No file is overwritten."""
    for path in write_template(directory, sdk):
        click.echo(f"wrote {path}")
    enter = "" if directory == Path() else f"cd {shlex.quote(str(directory))} && "
    click.echo(f"Next: {enter}localpipe run pipeline.py")

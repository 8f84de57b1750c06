"""`doctor`: what this machine can run, what is missing and what to type; every setting and where it came from."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import click

from localpipe._version import __version__
from localpipe.cli.common import home_as_it_is, home_option, table
from localpipe.errors import HomeUnusable, RunnerUnavailable
from localpipe.service.authors_python import choose_python
from localpipe.service.images import image_rows
from localpipe.service.wiring import DOCKER
from localpipe.settings import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from localpipe.core.names import S3Uri
    from localpipe.core.room import Room
    from localpipe.service.wiring import Home
    from localpipe.settings import Settings

_SDK_VERSION = "import importlib.metadata; print(importlib.metadata.version('sagemaker'))"


@click.command()
@home_option
def doctor(home: str | None) -> int:
    """Say what this machine can run, what is missing and what to type; and every setting with where it came from.

    Exit status 0 if pipelines can run here, else 3.
    """
    found = home_as_it_is({"home": home})
    click.echo(f"localpipe {__version__}, Python {platform.python_version()} ({sys.executable}), {platform.platform()}\n")
    runners, place = _runners(found), _home(found)
    _scripts(found)
    click.echo("\nSettings")
    table(_settings(found.settings), ("SETTING", "VALUE", "FROM"))
    return 0 if runners and place else 3


def _runners(home: Home) -> bool:
    """Say of each runner whether it can be used; whether one can."""
    available = home.availability()
    for name, availability in available.items():
        if availability.usable and name == DOCKER:
            click.echo(f"[ok]       runner {name}: {_images()}")
        elif availability.usable:
            click.echo(f"[ok]       runner {name}" + (f": {availability.reason}" if availability.reason else ""))
        else:
            click.echo(f"[missing]  runner {name}: {availability.reason} {availability.remedy}".rstrip())
    return any(availability.usable for availability in available.values())


def _images() -> str:
    try:
        states = [row.state for row in image_rows()]
    except RunnerUnavailable as error:
        return str(error)
    if "built" not in states:
        return "no stand-in for AWS's images is built. Build those you use: localpipe images build FAMILY:TAG"
    return f"{states.count('built')} of {len(states)} stand-ins for AWS's images are built (localpipe images)"


def _scripts(home: Home) -> None:
    """Say which Python runs an author's script, and whether it has the SageMaker SDK: definitions (.json) need none."""
    named = home.settings.python
    python = choose_python(str(named) if named else None, os.environ)
    asked = subprocess.run([python, "-c", _SDK_VERSION], capture_output=True, text=True, check=False)
    if asked.returncode == 0:
        click.echo(f"[ok]       scripts run with {python}, SageMaker SDK {asked.stdout.strip()}")
    else:
        remedy = f"{shlex.quote(str(python))} -m pip install sagemaker, or name another (setting `python`)"
        click.echo(
            f"[missing]  scripts: {python} has no SageMaker SDK. Install it: {remedy}. Definitions (.json) need none."
        )


def _home(home: Home) -> bool:
    """Say whether the home can be used. It is not made for that."""
    try:
        made = home.exists()
    except HomeUnusable as error:
        click.echo(f"[missing]  {error}")
        return False
    if not made:
        parent = next(parent for parent in home.location.parents if parent.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            click.echo(f"[ok]       home {home.location}: made by the first run")
            return True
        click.echo(f"[missing]  home {home.location}: {parent} cannot be written. Name another by --home or LOCALPIPE_HOME.")
        return False
    try:
        home.check_writable()
    except HomeUnusable as error:
        click.echo(f"[missing]  {error}")
        return False
    click.echo(f"[ok]       home {home.location}")
    return True


def _settings(settings: Settings) -> list[tuple[str, str, str]]:
    shown = {option.name: getattr(settings, option.name) for option in OPTIONS} | {
        "s3.mounts": _pairs(settings.s3_mounts),
        "images": _pairs(settings.images),
        "slots": _slots(settings.room),
        "instances": ", ".join([f"enforce = {str(settings.enforce_instances).lower()}", *settings.instances]),
    }
    return [(name, "-" if value in (None, "") else str(value), settings.origins[name]) for name, value in shown.items()]


def _slots(room: Room) -> str:
    memory_gib = room.memory_bytes / (1 << 30) if room.memory_bytes else None
    shown = {"jobs": room.jobs, "cpus": room.cpus, "memory_gib": memory_gib, "gpus": room.gpus}
    return ", ".join(f"{name} = {value:g}" for name, value in shown.items() if value is not None)


def _pairs(values: Mapping[S3Uri, Path] | Mapping[str, str]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in values.items())

"""Stand-in images as the user sees them: list, build, and where a URI leads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from localpipe.images.build import DEFAULT_BASE, ImageRow, build
from localpipe.images.build import image_rows as rows_of
from localpipe.images.catalogue import all_stand_ins, named
from localpipe.images.resources import containers_dir
from localpipe.runners.engine_address import docker_client, engine_address
from localpipe.service.wiring import cache_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from docker import DockerClient

    from localpipe.core.ports import ImageStatus
    from localpipe.service.wiring import Home

_LIST_SECONDS = 60
_BUILD_SECONDS = 3600

__all__ = ["DEFAULT_BASE", "ImageRow", "build_images", "image_rows", "image_statuses", "known_rows"]


def image_rows() -> Sequence[ImageRow]:
    """Every stand-in and whether it is built. Raises RunnerUnavailable without an engine."""
    return rows_of(_client(_LIST_SECONDS), containers_dir())


def known_rows() -> Sequence[ImageRow]:
    """Every stand-in, where no engine tells whether it is built: `state` and `size_bytes` are empty."""
    return [
        ImageRow(
            name=each.name,
            local_image=each.local_image,
            state="",
            size_bytes=0,
            build_command=each.build_command,
            notes=each.notes,
        )
        for each in all_stand_ins()
    ]


def build_images(names: Iterable[str], base: str, say: Callable[[str], None]) -> None:
    """Build the named stand-ins, or all; one that is up to date is left alone.

    Raises NotFound for a name that is none, RunnerUnavailable, ImageMissing.
    """
    wanted = [named(name) for name in names] or list(all_stand_ins())
    client = _client(_BUILD_SECONDS)
    current = {row.name for row in rows_of(client, containers_dir()) if row.state == "built"}
    cache = cache_dir(os.environ)
    cache.mkdir(parents=True, exist_ok=True)
    for stand_in in wanted:
        if stand_in.name in current:
            say(f"{stand_in.local_image} is up to date")
        else:
            build(client, stand_in, base=base, containers=containers_dir(), cache=cache, say=say)


def image_statuses(home: Home, uri: str) -> Iterator[tuple[str, ImageStatus]]:
    """For each usable runner, what it would use for the URI."""
    for name, availability in home.availability().items():
        if availability.usable:
            yield name, home.runner(name).image(uri)


def _client(answer_seconds: float) -> DockerClient:
    """The engine that the `docker` command would use. Raises RunnerUnavailable."""
    return docker_client(engine_address(os.environ), answer_seconds)

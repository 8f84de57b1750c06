"""Stand-in images as the user sees them: list, build, and where a URI leads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from localpipe.core.ports import ImageStatus
from localpipe.errors import ImageMissing
from localpipe.images.build import ImageRow, base_python, build, default_base, has_base
from localpipe.images.build import image_rows as rows_of
from localpipe.images.catalogue import all_stand_ins, mapped, named
from localpipe.images.families import dotted
from localpipe.images.own_builds import ensure_built
from localpipe.images.resources import containers_dir
from localpipe.runners.engine_address import docker_client, engine_address
from localpipe.service.own_images import own_image
from localpipe.service.wiring import cache_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from docker import DockerClient

    from localpipe.core.image_build import OwnImage
    from localpipe.core.ports import Runner
    from localpipe.images.catalogue import StandIn
    from localpipe.service.wiring import Home

_LIST_SECONDS = 60
_BUILD_SECONDS = 3600

__all__ = ["ImageRow", "build_images", "build_users_images", "image_rows", "image_statuses", "known_rows", "mapped_to"]


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


def build_images(names: Iterable[str], base: str | None, say: Callable[[str], None]) -> None:
    """Build the named stand-ins (a family alone: all of its), or all; one that is up to date is left alone.

    `base`: the image to build upon; None for the one that is usual for each. One that stands on another base is built anew;
    of all, those that need another Python are left out.
    Raises NotFound for a name that is none, RunnerUnavailable, ImageMissing.
    """
    wanted = dict.fromkeys(stand_in for name in names for stand_in in named(name))
    client = _client(_BUILD_SECONDS)
    current = {row.name: row for row in rows_of(client, containers_dir()) if row.state == "built"}
    cache = cache_dir(os.environ)
    cache.mkdir(parents=True, exist_ok=True)
    for stand_in in wanted or _all_upon(client, base, say):
        row = current.get(stand_in.name)
        if row and (base is None or has_base(client, row, base)):
            say(f"{stand_in.local_image} is up to date")
        else:
            chosen = base or default_base(stand_in)
            build(client, stand_in, base=chosen, containers=containers_dir(), cache=cache, say=say)


def build_users_images(images: Iterable[OwnImage], say: Callable[[str], None]) -> None:
    """Build those of the user's own images that are not up to date. Raises ImageMissing, RunnerUnavailable."""
    client = _client(_BUILD_SECONDS)
    for image in images:
        ensure_built(client, image, os.environ, say)


def _all_upon(client: DockerClient, base: str | None, say: Callable[[str], None]) -> Iterator[StandIn]:
    """Every stand-in that can be built upon the base; of the others it is said why not."""
    python = base_python(client, base, say) if base else None
    for stand_in in all_stand_ins():
        if python is None or python in stand_in.pythons:
            yield stand_in
        else:
            say(f"{stand_in.local_image} is left out: it needs Python {' or '.join(map(dotted, stand_in.pythons))}")


def image_statuses(home: Home, uri: str) -> Iterator[tuple[str, ImageStatus]]:
    """For each runner, what it would use for the URI; of one that cannot be used here, why not."""
    for name, availability in home.availability().items():
        if availability.usable:
            yield name, _image_status(home, home.runner(name), uri)
        else:
            yield name, ImageStatus(image_uri=uri, local=None, reason=availability.reason, remedy=availability.remedy)


def _image_status(home: Home, runner: Runner, uri: str) -> ImageStatus:
    try:
        return own_image(home, runner, uri) or runner.image(uri)
    except ImageMissing as error:
        return ImageStatus(image_uri=uri, local=None, reason=error.reason, remedy=error.remedy)


def mapped_to(home: Home, uri: str) -> str | None:
    """The image that `[images]` maps the URI to; None: no pattern fits."""
    return mapped(uri, home.settings.images)


def _client(answer_seconds: float) -> DockerClient:
    """The engine that the `docker` command would use. Raises RunnerUnavailable."""
    return docker_client(engine_address(os.environ), answer_seconds)

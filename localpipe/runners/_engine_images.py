"""What the sandbox runner asks of an engine: its images, and their file systems."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from localpipe.errors import JobFailed
from localpipe.runners._docker_errors import engine_errors, gone_is_fine
from localpipe.runners.root_cache import KnownImage

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from docker import APIClient

_LABEL = "localpipe.export"
_NEVER_RUN = "never-run"  # the engine wants a command of every container
_NO_TAG = "<none>:<none>"
"""What some engines list as the tag of an image that has none."""


def answers(api: APIClient) -> bool:
    """Whether the engine of a connection is there still."""
    with suppress(JobFailed), engine_errors("", "asked"):
        return bool(api.ping())
    return False


def tagged(api: APIClient) -> frozenset[str]:
    """The keys of the engine's images that have a tag."""
    images = ((image["Id"], image.get("RepoTags") or ()) for image in api.images(all=True))
    return frozenset(image_id.rpartition(":")[2] for image_id, tags in images if set(tags) - {_NO_TAG})


def known_to(api: APIClient, image_uri: str, names: Sequence[str]) -> KnownImage | None:
    """The first of these images that an engine has."""
    from docker.errors import APIError

    for name in names:
        with engine_errors(image_uri, "looked up"):
            try:
                found = api.inspect_image(name)
            except APIError as error:
                if not error.is_client_error():  # not there, or no name that an image can have
                    raise
            else:
                return KnownImage(name=name, image_id=found["Id"], config=found["Config"])
    return None


def remove_left(api: APIClient, cache: Path) -> None:
    """Remove the containers that were made for a cache; whoever calls it holds that."""
    for container in api.containers(all=True, filters={"label": f"{_LABEL}={cache}"}):
        with gone_is_fine():
            api.remove_container(container["Id"], v=True, force=True)


def exported(api: APIClient, image_id: str, cache: Path) -> Generator[bytes, None, None]:
    """An archive of the image's file system, in pieces. An engine exports containers alone, so one is made and removed."""
    container = api.create_container(image_id, entrypoint=[_NEVER_RUN], labels={_LABEL: str(cache)})["Id"]
    try:
        yield from api.export(container)
    finally:
        with gone_is_fine():
            api.remove_container(container, v=True, force=True)

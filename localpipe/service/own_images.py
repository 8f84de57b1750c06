"""Images of the user's own that `[images]` has built before a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.image_build import OwnImage
from localpipe.core.ports import ImageStatus
from localpipe.errors import ImageMissing
from localpipe.images.catalogue import fitting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localpipe.core.ports import Runner
    from localpipe.service.wiring import Home
    from localpipe.settings import Settings


def own_image(home: Home, runner: Runner, uri: str) -> ImageStatus | None:
    """What will serve a URI once it is built; None where `[images]` builds nothing for it. Builds nothing.

    Raises ImageMissing for a runner that runs no images, and where there is nothing to build from.
    """
    image = _to_be_built(uri, home.settings)
    if image is None:
        return None
    context = image.build.context
    if not runner.runs_images:
        reason = f"{image.place} builds it from {context}, and the {runner.name} runner runs no images."
        raise ImageMissing(uri, reason, "Use another runner: `--runner docker`.")
    from localpipe.images.own_builds import content_of

    content_of(image)
    return ImageStatus(image_uri=uri, local=image.name, notes=(f"[images] builds it from {context}",))


def build_own_images(uris: Iterable[str], home: Home) -> None:
    """Build those of the images that `[images]` builds and that are not up to date; `home.say` hears of it.

    Raises ImageMissing, RunnerUnavailable.
    """
    found = (_to_be_built(uri, home.settings) for uri in uris)
    images = {image.name: image for image in found if image}
    if images:
        from localpipe.service.images import build_users_images

        build_users_images(images.values(), home.say)


def _to_be_built(uri: str, settings: Settings) -> OwnImage | None:
    pattern = fitting(uri, settings.images)
    if pattern is None or (name := settings.images[pattern]) not in settings.image_builds:
        return None
    return OwnImage(uri=uri, pattern=pattern, name=name, build=settings.image_builds[name])

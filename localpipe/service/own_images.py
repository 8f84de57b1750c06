"""Images of the user's own that `[images]` has built before a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.ports import ImageStatus
from localpipe.errors import ImageMissing
from localpipe.images.catalogue import mapped
from localpipe.service.wiring import PROCESS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localpipe.service.wiring import Home


def own_image(home: Home, runner_name: str, uri: str) -> ImageStatus | None:
    """What will serve a URI once it is built; None where `[images]` builds nothing for it. Builds nothing.

    Raises ImageMissing on the process runner, which has no images, and where there is nothing to build from.
    """
    name = mapped(uri, home.settings.images)
    build = home.settings.image_builds.get(name or "")
    if name is None or build is None:
        return None
    if runner_name == PROCESS:
        reason = f"[images] in localpipe.toml builds it from {build.context}, and the process runner runs no images."
        raise ImageMissing(uri, reason, "Use another runner: `--runner docker`.")
    from localpipe.images.own_builds import content_of

    content_of(name, build)
    return ImageStatus(image_uri=uri, local=name, notes=(f"built from {build.context}",))


def build_own_images(names: Iterable[str | None], home: Home) -> None:
    """Build those of the local images that `[images]` builds and that are not up to date; `home.say` hears of it.

    Raises ImageMissing, RunnerUnavailable.
    """
    known = home.settings.image_builds
    builds = {name: known[name] for name in names if name and name in known}
    if builds:
        from localpipe.service.images import build_users_images

        build_users_images(builds, home.say)

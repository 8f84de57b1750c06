"""What serves an image here, in a sentence that stays true when images have changed, and whether it serves models. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.errors import ImageMissing
from localpipe.images.catalogue import mapped, parse_image_uri, stand_in

if TYPE_CHECKING:
    from localpipe.core.ports import ImageStatus
    from localpipe.images.catalogue import StandIn
    from localpipe.settings import Settings


def what_serves(image: ImageStatus, settings: Settings) -> str:
    """What stands for the image, its versions and what else differs; of the very image only that, or nothing."""
    if image.local == image.image_uri:
        return f"{image.local}: {'; '.join(image.notes)}." if image.notes else ""
    target, found = _target_and_stand_in(image, settings)
    told = " ".join(image.notes)
    versions = [f"{found.framework} {found.version}" if found else "", f"Python {image.python}" if image.python else ""]
    details = [*(each for each in dict.fromkeys(versions) if each and each not in told), *image.notes]
    mapping = f" ([images] maps it to {target})" if target and target not in settings.image_builds else ""
    return f"{image.kind or image.local} stood for {image.image_uri}{mapping}: {'; '.join(details)}".removesuffix(": ") + "."


def require_server(step: str, image: ImageStatus, settings: Settings) -> None:
    """Raise ImageMissing where a stand-in that has no `serve` is to serve the model of a step.

    The image itself, or one that the user mapped, is taken at its word.
    """
    _, found = _target_and_stand_in(image, settings)
    if image.local == image.image_uri or found is None or found.serves:
        return
    reason = f"step {step!r}: its stand-in {found.name} serves no models."
    remedy = f'Map it in localpipe.toml under [images], for example "{image.image_uri}" = "my-serving:latest".'
    raise ImageMissing(image.image_uri, reason, remedy)


def _target_and_stand_in(image: ImageStatus, settings: Settings) -> tuple[str | None, StandIn | None]:
    """What the user maps the image to, and the stand-in that this, or the image, leads to."""
    target = mapped(image.image_uri, settings.images)
    return target, stand_in(parse_image_uri(target or image.image_uri), exact=settings.xgboost_exact)

"""What serves an image here, in a sentence that stays true when images have changed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.images.catalogue import mapped, parse_image_uri, stand_in

if TYPE_CHECKING:
    from localpipe.core.ports import ImageStatus
    from localpipe.settings import Settings


def what_serves(image: ImageStatus, settings: Settings) -> str:
    """What stands for the image, its versions and what else differs; empty for the very image."""
    if image.local == image.image_uri:
        return ""
    target = mapped(image.image_uri, settings.images)
    found = stand_in(parse_image_uri(target or image.image_uri), exact=settings.xgboost_exact)
    told = " ".join(image.notes)
    versions = [f"{found.framework} {found.version}" if found else "", f"Python {image.python}" if image.python else ""]
    details = [*(each for each in dict.fromkeys(versions) if each and each not in told), *image.notes]
    mapping = f" ([images] maps it to {target})" if target and target not in settings.image_builds else ""
    return f"{image.kind or image.local} stood for {image.image_uri}{mapping}: {'; '.join(details)}".removesuffix(": ") + "."

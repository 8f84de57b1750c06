"""What serves an image here, in a sentence that stays true when images have changed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.images.catalogue import mapped, parse_image_uri, stand_in
from localpipe.service.wiring import PROCESS

if TYPE_CHECKING:
    from localpipe.core.ports import ImageStatus
    from localpipe.settings import Settings


def what_serves(image: ImageStatus, settings: Settings, runner: str | None) -> str:
    """What stands for the image, its versions and what else differs; empty for the very image."""
    if image.local == image.image_uri:
        return ""
    target = mapped(image.image_uri, settings.images)
    place = "A Python environment on this machine's own root file system" if runner == PROCESS else image.local
    found = stand_in(parse_image_uri(target or image.image_uri), exact=settings.xgboost_exact)
    told = " ".join(image.notes)
    versions = [f"{found.framework} {found.version}" if found else "", f"Python {image.python}" if image.python else ""]
    details = [*(each for each in dict.fromkeys(versions) if each and each not in told), *image.notes]
    mapping = f" ({_mapping(target, settings)})" if target else ""
    return f"{place} stood for {image.image_uri}{mapping}: {'; '.join(details)}".removesuffix(": ") + "."


def _mapping(target: str, settings: Settings) -> str:
    build = settings.image_builds.get(target)
    return f"[images] builds it from {build.context}" if build else f"[images] maps it to {target}"

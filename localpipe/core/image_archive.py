"""An image in an archive file, as `[images]` names it: `oci:/path/of/image.tar`."""

from __future__ import annotations

from pathlib import Path

ARCHIVE = "oci:"
"""How the name begins; the rest is the path."""


def archive_of(local_image: str) -> Path | None:
    """The archive that a local image's name stands for; None for the name of an engine's image."""
    return Path(local_image.removeprefix(ARCHIVE)) if local_image.startswith(ARCHIVE) else None

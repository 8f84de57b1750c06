"""What is kept for jobs to come, below the user's cache: unpacked images and environments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.images.environments import ENVIRONMENTS
from localpipe.images.kept_environments import kept_environments
from localpipe.runners.root_cache import RootCache, bytes_on_disk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

IMAGES = "images"
"""Where unpacked images are below the cache."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A directory of the cache. `what` is in it, in words. `bytes`: what it takes on disk. `used_at`: epoch seconds."""

    directory: Path
    what: str
    bytes: int
    used_at: float


def kept_for_jobs(cache: Path) -> Sequence[Kept]:
    """What the cache holds, unpacked images first, of them the last used first."""
    return [*_images(cache / IMAGES), *_environments(cache / ENVIRONMENTS)]


def _images(directory: Path) -> Iterator[Kept]:
    for root in RootCache(directory).roots():
        what = f"unpacked image {', '.join(root.names)}" if root.names else "unpacked image, half made"
        size = bytes_on_disk(root.directory) if root.bytes is None else root.bytes
        yield Kept(directory=root.directory, what=what, bytes=size, used_at=root.used_at)


def _environments(directory: Path) -> Iterator[Kept]:
    for each in kept_environments(directory):
        size = bytes_on_disk(each.directory)
        yield Kept(directory=each.directory, what=f"environment {each.stand_in}", bytes=size, used_at=each.used_at)

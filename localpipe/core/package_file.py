"""A file of a package index, as jobs are sent it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class PackageFile:
    """Whole on this machine (`path`), or `blocks` that come as it is kept. `size` in bytes; None: not known."""

    path: Path | None = None
    blocks: Iterator[bytes] | None = None
    size: int | None = None

"""An image of the user's own that is built before a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class ImageBuild:
    """What `docker build` is given. `dockerfile` is relative to the folder `context`; `target` None: the last stage."""

    context: Path
    dockerfile: str
    args: Mapping[str, str]
    target: str | None


@dataclass(frozen=True, kw_only=True)
class OwnImage:
    """The local image `name` that is built to serve `uri`, since `pattern` of `[images]` says so."""

    uri: str
    pattern: str
    name: str
    build: ImageBuild

    @property
    def place(self) -> str:
        """Where the user says so: the entry of `localpipe.toml`."""
        return f'[images] "{self.pattern}" in localpipe.toml'

"""What is known of the virtual environment that serves an image URI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class EnvironmentStatus:
    """What serves an image URI in the process runner.

    `path`: the environment's root, whose `bin` goes first on PATH; None where there can be none, then `reason` and `remedy`
    say why and what helps. `ready`: it exists; otherwise it is made at need. `python`: its Python (`3.11`), empty where that
    is not known. `notes`: what differs from the image that was asked for.
    """

    image_uri: str
    path: Path | None
    ready: bool = False
    reason: str = ""
    remedy: str = ""
    python: str = ""
    notes: tuple[str, ...] = ()

"""The environments of a user's cache that are kept for jobs to come, and which of them no job will want any more."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.images.wheels import MARKER, locked

if TYPE_CHECKING:
    from collections.abc import Sequence

_ASIDE = ".removing-"
_UNUSED_SECONDS = 30 * 86_400.0
"""After which an environment may go. No job runs so long (containers.md 2.1: 28 days)."""


@dataclass(frozen=True)
class KeptEnvironment:
    """An environment that was made: `directory` is named by its stand-in and a digest of what it holds.

    `used_at`: epoch seconds of its last use.
    """

    directory: Path
    used_at: float

    @property
    def stand_in(self) -> str:
        """The stand-in that it was made for, with a dash for the colon: `scikit-learn-1.2-1`."""
        return self.directory.name.rpartition("-")[0]


def kept_environments(environments: Path) -> Sequence[KeptEnvironment]:
    """The environments below a directory, by name."""
    kept = []
    for marker in sorted(environments.glob(f"[!.]*/{MARKER}")):
        with suppress(FileNotFoundError):  # removed meanwhile
            kept.append(KeptEnvironment(marker.parent, marker.stat().st_mtime))
    return kept


def outdated(environments: Sequence[KeptEnvironment], *, now: float) -> Sequence[KeptEnvironment]:
    """Those that nobody used for thirty days while another served the same stand-in. `now`: epoch seconds.

    The one that served last stays: its packages may not be to be had any more.
    """
    last: dict[str, KeptEnvironment] = {}
    for each in sorted(environments, key=lambda each: each.used_at):
        last[each.stand_in] = each
    return [each for each in environments if each is not last[each.stand_in] and now - each.used_at > _UNUSED_SECONDS]


def note_use(environment: Path) -> None:
    """Have an environment count as used now. One that is the user's own, and of no cache, is left as it is."""
    with suppress(FileNotFoundError):
        os.utime(environment / MARKER)


def remove_environment(environment: KeptEnvironment) -> None:
    """Remove an environment unless it was used meanwhile. Raises RunnerUnavailable, OSError.

    It is put aside first: killed midway, `remove_what_was_left` finds what is left.
    """
    with locked(environment.directory):
        marker = environment.directory / MARKER
        if not marker.is_file() or marker.stat().st_mtime > environment.used_at:
            return
        aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=environment.directory.parent))
        environment.directory.rename(aside)
    shutil.rmtree(aside)


def remove_what_was_left(environments: Path) -> None:
    """Remove the environments whose removal was cut off. Raises OSError."""
    for aside in environments.glob(f"{_ASIDE}*"):
        shutil.rmtree(aside)

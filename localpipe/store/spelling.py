"""File systems that take two spellings of a name for one (`A` and `a`, composed and decomposed accents): macOS's, mostly.

The store keeps plain file names there too, and refuses the rare put that would merge two keys.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


def merges_spellings(directory: Path) -> bool:
    """Whether the file system of a directory, which need not exist yet, does so. Writes nothing."""
    for place in (directory, *directory.parents):
        other = place.with_name(place.name.swapcase())
        if place.exists() and other != place:
            return other.exists() and place.samefile(other)
    return False


def other_spelling(directory: str, path: str) -> str | None:
    """The path that is there already in other spelling, so that `path`, below `directory`, would mean the same; or None.

    Only for a file system that merges spellings: it reads every directory on the way.
    """
    place = Path(directory)
    for name in Path(path).relative_to(directory).parts:
        names = _names(place)
        if name not in names:
            return next((str(place / there) for there in names if _folded(there) == _folded(name)), None)
        place /= name
    return None


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names are all that is wanted
    except (FileNotFoundError, NotADirectoryError):
        return []


def _folded(name: str) -> str:
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())

"""`localpipe.toml`: where it is, its tables, and what is said of a name that does not belong in it."""

from __future__ import annotations

import difflib
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localpipe.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

FILE_NAME = "localpipe.toml"


@dataclass(frozen=True)
class SettingsFile:
    """What the file at `path` says; empty where there is none."""

    path: Path = Path(FILE_NAME)
    document: Mapping[str, Any] = field(default_factory=dict)

    def table(self, name: str) -> Mapping[str, Any]:
        """The table `[name]`, with a dot before each level; empty if there is none. Raises UsageError if it is no table."""
        above, _, key = name.rpartition(".")
        table = (self.table(above) if above else self.document).get(key, {})
        if not isinstance(table, dict):
            raise UsageError(f"{name} in {self.path} must be a table: [{name}].")
        return table

    def texts(self, name: str, table: Mapping[str, Any]) -> Mapping[str, str]:
        """`table`, entries of `[name]`, if each is text. Raises UsageError naming the first that is not."""
        for entry, value in table.items():
            if not isinstance(value, str):
                raise UsageError(f'[{name}] "{entry}" in {self.path} must be text in quotes, not {value!r}.')
        return table

    def beside(self, value: str) -> Path:
        """A path written in the file is relative to the file; a `~` is the user's home."""
        return self.path.parent / Path(value).expanduser()


def read_file(directory: Path, target: Path | None) -> SettingsFile:
    """The file in the nearest parent of `directory` with one, else of `target`. Raises UsageError if it cannot be read."""
    path = nearest(directory, FILE_NAME) or (nearest(target, FILE_NAME) if target else None)
    if path is None:
        return SettingsFile()
    try:
        return SettingsFile(path, tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from None


def nearest(start: Path, name: str) -> Path | None:
    """The file or folder of that name in the nearest parent that has one. What cannot be looked at is not there."""
    try:
        resolved = Path(os.path.realpath(start))
    except ValueError:  # a null character: no path at all
        return None
    candidates = (parent / name for parent in (resolved, *resolved.parents))
    return next((path for path in candidates if os.path.exists(path)), None)  # noqa: PTH110 - Path.exists may raise


def refuse_unknown(given: Iterable[str], known: Collection[str], kind: str, show: Callable[[str], str] = str) -> None:
    """Raise UsageError for the first name that is not known, with the nearest that is. `show`: the name as it is written."""
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"Did you mean {show(near[0])}?" if near else f"Known are {', '.join(show(n) for n in sorted(known))}."
            raise UsageError(f"Unknown {kind}: {show(name)}. {hint}")

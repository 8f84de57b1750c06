"""The lines that people see and paste, as all runners write them. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CREDENTIALS = frozenset(
    {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PIP_INDEX_URL", "UV_DEFAULT_INDEX"}
)
"""Variables that no line shows: credentials of one run alone, and package indexes, whose URLs hold some."""


def without_credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that a line may show."""
    return {name: value for name, value in environment.items() if name not in CREDENTIALS}


def on_one_line(words: Iterable[str]) -> str:
    """A command for any POSIX shell. Line breaks are written as escapes; those at the very end of a word are lost."""
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    if "\n" not in word:
        return shlex.quote(word)
    escaped = word.replace("\\", "\\\\").replace("\n", "\\n")
    return f'"$(printf %b {shlex.quote(escaped)})"'

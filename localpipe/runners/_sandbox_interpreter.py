"""Reads from the machine what a Python interpreter needs beside its virtual environment."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from localpipe.runners._sandbox_plan import Bind
from localpipe.runners.machine_root import is_system

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PREFIX_PARTS = ("bin", "lib", "lib64", "include")
_STANDARD_LIBRARY = "lib*/python3*/os.py"
_MAX_LINKS = 40


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """The Python of a job: the virtual environment, and what its interpreter needs outside of it.

    `links` (path → absolute target) are made beside those of the root.
    """

    venv: Path
    binds: tuple[Bind, ...]
    links: Mapping[PurePosixPath, PurePosixPath] = field(default_factory=dict)


def interpreter_of(venv: Path) -> Interpreter:
    """The virtual environment with what its interpreter needs: the base installation, found by following links.

    Where a link on the way lies in nobody's installation (`~/.local/bin`, say), it alone is shown.
    """
    hops = [hop for hop in _hops(venv / "bin" / "python") if _prefix(hop) != venv and not is_system(_prefix(hop))]
    prefixes = dict.fromkeys(_prefix(hop) for hop in hops if _is_installation(_prefix(hop)))
    return Interpreter(
        venv=venv,
        binds=tuple(bind for prefix in prefixes for bind in _installation(prefix, _home())),
        links={
            PurePosixPath(hop): PurePosixPath(_target(hop))
            for hop in hops
            if hop.is_symlink() and _prefix(hop) not in prefixes
        },
    )


def _prefix(python: Path) -> Path:
    return python.parent.parent


def _is_installation(prefix: Path) -> bool:
    return any(prefix.glob(_STANDARD_LIBRARY))


def _installation(prefix: Path, home: Path | None) -> Iterator[Bind]:
    """What is shown of a Python installation: all of it, or its own parts where it shares a prefix with a user's files."""
    shared = home is not None and prefix in (home / ".local", home, *home.parents)
    parts = [prefix / part for part in _PREFIX_PARTS] if shared else [prefix]
    return (Bind(part.resolve(), PurePosixPath(part)) for part in parts if part.is_dir())


def _home() -> Path | None:
    """The home of the user who runs localpipe, by the password database; None for a user without an entry."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None


def _hops(path: Path) -> Iterator[Path]:
    """Every path that the links of `path` lead to, last the file itself with all links of its directories resolved."""
    for _ in range(_MAX_LINKS):
        if not path.is_symlink():
            break
        path = _target(path)
        yield path
    yield path.resolve()


def _target(link: Path) -> Path:
    return Path(os.path.normpath(link.parent / link.readlink()))

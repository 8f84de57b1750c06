"""The Python of the author: runs his script, and the functions that his pipeline calls."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


def choose_python(explicit: str | None, environ: Mapping[str, str]) -> Path:
    """The Python that runs the author's code: the one asked for, else the active environment's, else localpipe's own.

    `explicit` is a path or a command on PATH. An environment is active by VIRTUAL_ENV or CONDA_PREFIX.
    Raises UsageError if there is no such program.
    """
    if explicit is not None:
        found = shutil.which(explicit, path=environ.get("PATH"))
        if found is None:
            raise UsageError(f"There is no Python at {explicit!r}. Give --python the path of an interpreter.")
        return Path(found).absolute()
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        python = Path(environ.get(variable) or "/nonexistent", "bin", "python")
        if python.exists():
            return python
    return Path(sys.executable)

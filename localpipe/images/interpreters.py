"""The Pythons on this machine that an environment can be made with."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uv

from localpipe.images.families import dotted

if TYPE_CHECKING:
    from localpipe.images.families import PythonVersion

_VERSION = "import sys; print(*sys.version_info[:2])"


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A Python on this machine. `path` is resolved, so that two names of one interpreter give the same environment."""

    path: Path
    version: PythonVersion


def running() -> Interpreter:
    """The Python that localpipe runs in."""
    return Interpreter(path=Path(sys.executable).resolve(), version=sys.version_info[:2])


def asked(python: Path) -> tuple[Interpreter, ...]:
    """The interpreter at a path, or nothing if it does not run."""
    try:
        outcome = subprocess.run([str(python), "-c", _VERSION], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ()
    major, minor = outcome.stdout.split()
    return (Interpreter(path=python.resolve(), version=(int(major), int(minor))),)


def installed(version: PythonVersion) -> tuple[Interpreter, ...]:
    """The installed Pythons of this version that uv or pyenv knows of, best first; nothing is downloaded.

    uv sees pyenv's only where pyenv's own choice is on.
    """
    command = [uv.find_uv_bin(), "python", "find", "--system", "--no-project", "--no-python-downloads", dotted(version)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    found = asked(Path(outcome.stdout.strip())) if outcome.returncode == 0 else ()
    kept = sorted(Path.home().glob(f".pyenv/versions/{dotted(version)}.*/bin/python{dotted(version)}"))
    return (*found, *(each for python in kept for each in asked(python)))

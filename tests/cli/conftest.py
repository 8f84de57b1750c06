"""The command line, in this process and in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands import Cli, Ended, Spawn, Write

from localpipe.cli import main

if TYPE_CHECKING:
    from localpipe.core import JSON


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that commands are given in, with nothing of localpipe's or Docker's in the environment."""
    for name in [name for name in os.environ if name.startswith("LOCALPIPE_") and "_TEST_" not in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    directory = tmp_path / "place"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def cli(place: Path, capfd: pytest.CaptureFixture[str]) -> Cli:
    """Give a command in `place`."""

    def run(*arguments: str) -> Ended:
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        captured = capfd.readouterr()
        return Ended(exit_.value.code if isinstance(exit_.value.code, int) else 0, captured.out, captured.err)

    return run


@pytest.fixture
def spawn(place: Path) -> Iterator[Spawn]:
    """Give a command in a process of its own; those that still run at the end are killed."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "localpipe", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=place,
            env={**os.environ, **environment},
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def write(place: Path) -> Write:
    """Write a definition into `place`; returns its name."""

    def write_it(definition: JSON, name: str = "pipe.json") -> str:
        (place / name).write_text(json.dumps(definition))
        return name

    return write_it

"""Prove that `make check` can fail: each check passes a faultless file, and finds the fault of another."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
FAULTLESS = '"""A module."""\n\n\ndef half(number: int) -> float:\n    """Half of it."""\n    return number / 2\n'


@dataclass(frozen=True)
class Check:
    """A command that is given a file. `fault`: a text that it must refuse, `says`: what it then prints."""

    name: str
    command: tuple[str | Path, ...]
    fault: str
    says: str


CHECKS = (
    Check(
        "ruff format",
        (BIN / "ruff", "format", "--check"),
        FAULTLESS.replace("number / 2", "number/2"),
        "would be reformatted",
    ),
    Check(
        "ruff check",
        (BIN / "ruff", "check", "--no-cache", "--config", ROOT / "pyproject.toml", "--ignore", "INP001"),
        FAULTLESS.replace("\n\n\ndef", "\n\nimport os\n\n\ndef"),
        "F401",
    ),
    Check(
        "mypy",
        (BIN / "mypy", "--config-file", ROOT / "pyproject.toml"),
        FAULTLESS.replace("float", "str"),
        "[return-value]",
    ),
)


def main() -> int:
    """Return 0 if every check passes what is faultless and finds the fault it is given."""
    wrong = [*(problem for check in CHECKS for problem in problems(check)), *architecture_problems()]
    for problem in wrong:
        print(problem)
    return 1 if wrong else 0


def problems(check: Check) -> Iterator[str]:
    """What is wrong with a check of single files."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "module.py"
        file.write_text(FAULTLESS)
        yield from expect(check.name, [*check.command, file], Path(directory), None)
        file.write_text(check.fault)
        yield from expect(check.name, [*check.command, file], Path(directory), check.says)


def architecture_problems() -> Iterator[str]:
    """What is wrong with the architecture test, seen on a copy in which a pure package imports a driver."""
    name = "tests/test_architecture.py"
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory)
        shutil.copytree(ROOT / "localpipe", copy / "localpipe", ignore=shutil.ignore_patterns("__pycache__"))
        (copy / "tests").mkdir()
        shutil.copy(ROOT / name, copy / "tests")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", name]
        yield from expect(name, command, copy, None)
        (copy / "localpipe" / "core" / "fault.py").write_text("import socket\n")
        yield from expect(name, command, copy, "localpipe/core/fault.py imports socket; core is pure")


def expect(name: str, command: list[str | Path], directory: Path, says: str | None) -> Iterator[str]:
    """Run a check; say so if it does not end well (`says` None), or does not fail saying this."""
    ended = subprocess.run(
        [str(word) for word in command], cwd=directory, capture_output=True, text=True, encoding="utf-8", check=False
    )
    output = ended.stdout + ended.stderr
    if says is None and ended.returncode:
        yield f"{name} refuses what is faultless:\n{output}"
    if says is not None and (not ended.returncode or says not in output):
        yield f"{name} does not find the fault it is given ({says}):\n{output}"


if __name__ == "__main__":
    sys.exit(main())

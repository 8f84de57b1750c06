"""What the tables of rules share: the statements of a document of rules, and the tests that there are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def statements(text: str) -> Iterator[tuple[str, str]]:
    """Yield section and text of each statement: rows of tables without their heads, items of lists, paragraphs."""
    section, rows, paragraph = "", 0, list[str]()
    for line in [*text.splitlines(), ""]:
        starts = re.match(r"(?:#|\||\* |\d+\. |$)", line) is not None
        if starts and paragraph:
            joined = " ".join(paragraph)
            paragraph = []
            if not joined.endswith(":"):  # it leads to what follows
                yield section, joined
        rows = rows + 1 if line.startswith("|") else 0
        if heading := re.match(r"#+ (\d+(?:\.\d+)?)", line):
            section = heading[1]
        elif rows > 2:
            yield section, line
        elif rows == 0 and line.strip() and not line.startswith("#"):
            paragraph.append(line.strip())


def numbered(text: str, sections: str) -> dict[str, str]:
    """Number → statement, for those of the sections that a pattern matches: the section with its place in it, from 1."""
    found: dict[str, str] = {}
    counts: dict[str, int] = {}
    for section, statement in statements(text):
        if re.match(sections, section):
            counts[section] = counts.get(section, 0) + 1
            found[f"{section}-{counts[section]}"] = statement
    return found


def collected(files: Iterable[str]) -> list[tuple[str, str | None, list[str]]]:
    """What pytest collects from some files: name of each test, value of its `bench` (None without) and its markers."""
    program = [sys.executable, str(Path(__file__).with_name("collected.py")), *files]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    rows = next((line for line in done.stdout.splitlines() if line.startswith("COLLECTED ")), None)
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows, done.stdout + done.stderr
    found: list[tuple[str, str | None, list[str]]] = json.loads(rows.removeprefix("COLLECTED "))
    return found

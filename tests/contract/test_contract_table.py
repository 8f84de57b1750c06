"""The table of rules is whole, and every test that it names is there for each runner."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from rules import FILES, MARKS, RULES, RUNNERS

from localpipe.settings import RUNNER_CHOICES

ROOT = Path(__file__).resolve().parents[2]
CONTAINERS = ROOT / "docs" / "rules" / "containers.md"


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


def test_statements_are_rows_items_and_paragraphs() -> None:
    text = (
        "## 1. A\n\n### 1.1 B\n\nOne,\nlong.\n\nThis leads:\n\n| a |\n|---|\n| two |\n* three\n* four,\n  long\n\n1. five\n"
    )
    assert [found for _, found in statements(text)] == ["One, long.", "| two |", "* three", "* four, long", "1. five"]
    assert {section for section, _ in statements(text)} == {"1.1"}


def test_every_statement_has_its_rule() -> None:
    counts: Counter[str] = Counter()
    numbers = []
    for section, _ in statements(CONTAINERS.read_text(encoding="utf-8")):
        if re.match(r"[12]\.", section):
            counts[section] += 1
            numbers.append(f"{section}-{counts[section]}")
    assert list(RULES) == numbers


def test_every_runner_is_under_contract() -> None:
    assert set(RUNNERS) == set(RUNNER_CHOICES) - {"auto"}


@pytest.fixture(scope="module")
def collected() -> dict[str, set[str]]:
    """Test → the runners that it is for: those of `bench`, else those that have its markers, else all."""
    program = [sys.executable, str(Path(__file__).with_name("collected.py")), *FILES.values()]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    rows = next((line for line in done.stdout.splitlines() if line.startswith("COLLECTED ")), None)
    assert rows, done.stdout + done.stderr
    found: dict[str, set[str]] = {}
    for name, bench, markers in json.loads(rows.removeprefix("COLLECTED ")):
        needs = frozenset().union(*RUNNERS.values()) & set(markers)
        runners = {bench} if bench else {runner for runner, marks in RUNNERS.items() if not needs or marks == needs}
        found.setdefault(name, set()).update(runners)
    return found


@pytest.mark.parametrize("number", RULES)
def test_every_rule_has_its_tests_on_each_runner(collected: dict[str, set[str]], number: str) -> None:
    rule = RULES[number]
    assert set(rule.mark.split()) <= set(MARKS)
    assert set(rule.differs) <= set(RUNNERS)
    names = [f"{FILES[key]}::{test}" for key, _, test in (name.partition("::") for name in rule.tests)]
    assert [name for name in names if name not in collected] == []
    assert set().union(*(collected[name] for name in names)) == set(RUNNERS)


def test_every_test_of_a_rule_is_in_the_table(collected: dict[str, set[str]]) -> None:
    named = {
        f"{FILES[key]}::{test}" for rule in RULES.values() for key, _, test in (name.partition("::") for name in rule.tests)
    }
    ours = {name for name in collected if re.match(r"tests/contract/test_(request|processing|training|toolkit)_rules", name)}
    assert ours - named == set()

"""The table of rules is whole, and every test that it names is there for each runner."""

from __future__ import annotations

import re

import pytest
import rule_tables
from rule_tables import ROOT, numbered, statements
from rules import FILES, MARKS, RULES, RUNNERS

from localpipe.settings import RUNNER_CHOICES

CONTAINERS = ROOT / "docs" / "rules" / "containers.md"


def test_statements_are_rows_items_and_paragraphs() -> None:
    text = (
        "## 1. A\n\n### 1.1 B\n\nOne,\nlong.\n\nThis leads:\n\n| a |\n|---|\n| two |\n* three\n* four,\n  long\n\n1. five\n"
    )
    assert [found for _, found in statements(text)] == ["One, long.", "| two |", "* three", "* four, long", "1. five"]
    assert {section for section, _ in statements(text)} == {"1.1"}


def test_every_statement_has_its_rule() -> None:
    assert list(RULES) == list(numbered(CONTAINERS.read_text(encoding="utf-8"), r"[1-4]\."))


def test_every_runner_is_under_contract() -> None:
    assert set(RUNNERS) == set(RUNNER_CHOICES) - {"auto"}


@pytest.fixture(scope="module")
def collected() -> dict[str, set[str]]:
    """Test → the runners that it is for: those of `bench`, else those that have its markers, else all."""
    found: dict[str, set[str]] = {}
    for name, bench, markers in rule_tables.collected(FILES.values()):
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
    ours = {
        name
        for name in collected
        if re.match(r"tests/contract/test_(request|processing|training|toolkit|serving|tuning)_rules", name)
    }
    assert ours - named == set()

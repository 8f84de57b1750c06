"""The table of service.md is whole, and every test that it names is there."""

from __future__ import annotations

import pytest
from coverage_of_step_types import MADE
from coverage_rows import BESIDE, DIFFERS, FILES, MARKS, REFUSED, known_by, marks_of
from coverage_table import ROWS, STATEMENTS
from rule_tables import collected

from localpipe.steps import step_types


@pytest.fixture(scope="module")
def tests_there_are() -> frozenset[str]:
    return frozenset(name for name, _, _ in collected(FILES.values()))


def test_every_statement_has_its_row() -> None:
    assert sorted(set(STATEMENTS) - set(ROWS)) == []
    assert sorted(set(ROWS) - set(STATEMENTS)) == []


@pytest.mark.parametrize("number", ROWS)
def test_every_row_names_tests_that_there_are(tests_there_are: frozenset[str], number: str) -> None:
    row = ROWS[number]
    names = [f"{FILES[key]}::{test}" for key, _, test in (name.partition("::") for name in row.tests)]
    assert [name for name in names if name not in tests_there_are] == []
    assert bool(row.tests) is (row.state != BESIDE)
    assert bool(row.note) is (row.state in {BESIDE, DIFFERS, REFUSED})


@pytest.mark.parametrize("number", ROWS)
def test_every_row_says_where_it_is_known_from(number: str) -> None:
    marks = marks_of(STATEMENTS[number], ROWS[number])
    assert set(marks) <= set(MARKS)
    assert known_by(marks)


def test_every_step_type_is_run_as_both_sdks_make_it(tests_there_are: frozenset[str]) -> None:
    assert list(MADE) == [*step_types(), "@step"]
    for made in MADE.values():
        for names in (made.described, made.by_v2, made.by_v3):
            paths = [f"{FILES[key]}::{test}" for key, _, test in (name.partition("::") for name in names)]
            assert paths
            assert set(paths) <= tests_there_are


def test_what_is_suggested_is_assumed_in_part() -> None:
    row = ROWS["5.4-5"]
    assert known_by(marks_of("text [G sdk#1, INF]", row)) == "observed"
    assert known_by(marks_of("text [D]. Suggested: so", row)) == "documented, in part assumed"
    assert known_by(marks_of("`[x]` [INF]", row)) == "assumed"
    assert marks_of("no mark", row) == ("?",)

"""The journal of facts: what every reader and writer relies on."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import timeit
from collections.abc import Iterator
from pathlib import Path

import pytest

from localpipe.errors import ConflictingAppend, HomeUnusable, NewerSchema
from localpipe.journal.sqlite import SqliteJournal
from localpipe.scheduling.events import (
    AttemptStarted,
    ExecutionStarted,
    Recorded,
    StepSucceeded,
    StopRequested,
    numbered,
)


class Ticking:
    """A clock that moves on by one second whenever it is read."""

    def __init__(self) -> None:
        self._at = 100.0

    def now(self) -> float:
        self._at += 1
        return self._at


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    opened = SqliteJournal(path, Ticking())
    yield opened
    opened.close()


def started(execution_id: str) -> ExecutionStarted:
    return ExecutionStarted("p", execution_id, {"Steps": []}, {"N": 1}, None, {"runner": "docker"}, ("a note",))


def test_facts_are_read_back_as_they_were_written(journal: SqliteJournal) -> None:
    facts = [
        started("e"),
        AttemptStarted("A", 1, "job"),
        StepSucceeded("A", 1, {"x": [1.5, None]}, {"R": "{}"}, ("IfSteps",)),
    ]
    journal.append("e", facts)
    assert [fact.event for fact in journal.read("e")] == facts
    assert [fact.seq for fact in journal.read("e", after=1)] == [2, 3]


def test_each_execution_has_a_sequence_of_its_own(journal: SqliteJournal) -> None:
    journal.append("one", [started("one")])
    journal.append("two", [started("two")])
    assert [fact.seq for fact in journal.append("one", [StopRequested()])] == [2]
    assert journal.ids() == ("one", "two")
    assert (journal.last(), journal.started("one"), journal.started("three")) == (started("two"), started("one"), None)


def test_a_decision_on_old_facts_is_refused_and_writes_nothing(journal: SqliteJournal) -> None:
    journal.append("e", [started("e")])
    journal.append("e", [StopRequested()])
    with pytest.raises(ConflictingAppend):
        journal.record("e", [Recorded(2, 200.0, AttemptStarted("A", 1, "job")), Recorded(3, 200.0, StopRequested())])
    assert len(journal.read("e")) == 2


def test_facts_with_numbers_are_read_back_with_them_and_their_times(journal: SqliteJournal) -> None:
    journal.append("e", [started("e")])
    facts = numbered([AttemptStarted("A", 1, "job"), StopRequested()], after=1, at=7.5)
    journal.record("e", facts)
    assert journal.read("e", after=1) == facts
    assert [(fact.seq, fact.at) for fact in facts] == [(2, 7.5), (3, 7.5)]


def test_writers_at_once_lose_nothing_and_times_follow_the_sequence(journal: SqliteJournal, path: Path) -> None:
    journal.append("e", [started("e")])

    def write() -> None:
        for _ in range(25):
            journal.append("e", [StopRequested()])

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    facts = journal.read("e")
    assert [fact.seq for fact in facts] == list(range(1, 102))
    assert [fact.at for fact in facts] == sorted(fact.at for fact in facts)


def test_processes_that_open_a_new_journal_at_once_all_get_it(path: Path) -> None:
    program = (
        "import sys, pathlib, time\nfrom localpipe.journal.sqlite import SqliteJournal\n"
        "from localpipe.scheduling.events import StopRequested\nfrom localpipe.service.wiring import WallClock\n"
        "SqliteJournal(pathlib.Path(sys.argv[1]), WallClock()).append('e', [StopRequested()])"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(path)]) for _ in range(6)]
    assert [writer.wait() for writer in writers] == [0] * 6
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (6,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_forgetting_leaves_the_other_executions(journal: SqliteJournal) -> None:
    journal.append("one", [started("one")])
    journal.append("two", [started("two")])
    journal.forget("one")
    assert journal.ids() == ("two",)


def test_a_journal_of_a_newer_localpipe_is_refused(path: Path) -> None:
    SqliteJournal(path, Ticking()).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(NewerSchema, match="newer localpipe"):
        SqliteJournal(path, Ticking())


def test_a_fact_of_a_newer_schema_is_refused_by_name(journal: SqliteJournal, path: Path) -> None:
    journal.append("e", [started("e")])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE events SET schema = 99")
    connection.close()
    with pytest.raises(NewerSchema, match="ExecutionStarted of schema 99"):
        journal.read("e")


def test_a_file_that_is_no_journal_is_named(path: Path) -> None:
    path.write_bytes(b"not a database, and long enough to be taken for one" * 20)
    with pytest.raises(HomeUnusable, match=str(path)):
        SqliteJournal(path, Ticking())


def success(*keys: str) -> StepSucceeded:
    return StepSucceeded("A", 1, {"x": 1}, keys=keys)


def test_the_newest_success_with_a_key_is_found_with_all_facts_of_its_step(journal: SqliteJournal) -> None:
    for execution_id in ("one", "two", "three"):
        keys = ("k", "s") if execution_id != "three" else ("other", "s")
        others = [AttemptStarted("B", 1, "b"), StepSucceeded("B", 1, {}), StopRequested()]
        journal.append(execution_id, [started(execution_id), AttemptStarted("A", 1, "a"), others[0], success(*keys)])
        journal.append(execution_id, others[1:])
    found = journal.newest_result("k")
    assert found is not None
    assert found.execution_id == "two"
    assert [fact.event for fact in found.facts] == [AttemptStarted("A", 1, "a"), success("k", "s")]
    assert [found.execution_id for key in ("s", "other") if (found := journal.newest_result(key))] == ["three", "three"]
    assert journal.newest_result("none") is None


def test_results_go_with_their_execution(journal: SqliteJournal) -> None:
    journal.append("one", [started("one"), AttemptStarted("A", 1, "a"), success("k")])
    journal.forget("one")
    assert journal.newest_result("k") is None


def test_a_journal_of_the_layout_before_is_gone_on_with(path: Path) -> None:
    before = SqliteJournal(path, Ticking())
    before.append("old", [started("old"), AttemptStarted("A", 1, "a"), StepSucceeded("A", 1, {})])
    before.close()
    with sqlite3.connect(path) as connection:  # as the layout before had it
        connection.execute("DROP TABLE results")
        connection.execute("UPDATE events SET schema = 1")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    journal = SqliteJournal(path, Ticking())
    assert [type(fact.event).__name__ for fact in journal.read("old")][1:] == ["AttemptStarted", "StepSucceeded"]
    journal.append("new", [started("new"), AttemptStarted("A", 1, "a"), success("k")])
    assert journal.newest_result("k") is not None
    journal.close()


def test_a_result_is_found_among_thousands_of_executions_as_fast_as_among_a_few(journal: SqliteJournal) -> None:
    def seconds_among(first: int, last: int) -> float:
        for index in range(first, last):
            name = f"e{index:04}"
            journal.append(name, [started(name), AttemptStarted("A", 1, "a"), success(f"k{index % 5}", "s")])
        return min(timeit.repeat(lambda: (journal.newest_result("k3"), journal.newest_result("s")), number=20, repeat=5))

    few = seconds_among(0, 10)
    assert seconds_among(10, 3000) < 5 * few

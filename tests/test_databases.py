"""SQLite files that several processes share: transactions, and the address of one that may only be read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from localpipe.databases import read_only_address, transaction

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with a table of no rows."""
    file = tmp_path / "some.db"
    with closing(opened(file)) as connection:
        connection.execute("CREATE TABLE rows (number INTEGER)")
    return file


def opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=0, isolation_level=None)


def rows(file: Path) -> list[int]:
    with closing(sqlite3.connect(read_only_address(file), uri=True)) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM rows")]


def test_what_a_transaction_wrote_is_kept(file: Path) -> None:
    with closing(opened(file)) as connection, transaction(connection):
        connection.execute("INSERT INTO rows VALUES (1)")
    assert rows(file) == [1]


def test_a_transaction_is_undone_by_whatever_is_raised_in_it(file: Path) -> None:
    def write_and_stop(connection: sqlite3.Connection) -> None:
        with transaction(connection):
            connection.execute("INSERT INTO rows VALUES (1)")
            raise KeyboardInterrupt

    with closing(opened(file)) as connection:
        with pytest.raises(KeyboardInterrupt):
            write_and_stop(connection)
        with transaction(connection):
            connection.execute("INSERT INTO rows VALUES (2)")
    assert rows(file) == [2]


def test_nobody_writes_beside_a_transaction(file: Path) -> None:
    with (
        closing(opened(file)) as one,
        closing(opened(file)) as other,
        transaction(one),
        pytest.raises(sqlite3.OperationalError, match="locked"),
        transaction(other),
    ):
        pytest.fail("both are in a transaction")


def test_only_a_file_without_a_log_beside_it_is_said_to_rest(file: Path) -> None:
    assert read_only_address(file) == f"{file.as_uri()}?mode=ro&immutable=1"
    file.with_name("some.db-wal").touch()
    assert read_only_address(file) == f"{file.as_uri()}?mode=ro"

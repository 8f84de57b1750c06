"""How SQLite files are shared by several processes: waiting for one another, transactions, files that may only be read."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

BUSY_TIMEOUT_SECONDS = 30.0


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that nobody else writes beside; undone if anything is raised. The connection begins none by itself."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:  # Ctrl-C too: nobody is to write on in half a transaction
        connection.rollback()  # no error where SQLite has rolled back by itself (a full disk)
        raise


def read_only_address(file: Path) -> str:
    """The URI of a file that can only be looked at; if no log is beside it, SQLite must be told that it rests."""
    rests = not file.with_name(f"{file.name}-wal").exists()
    return f"{file.absolute().as_uri()}?mode=ro" + ("&immutable=1" if rests else "")

"""The registry's SQLite file, `registry.db`: its tables, and transactions that several processes may begin at once."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from localpipe.databases import BUSY_TIMEOUT_SECONDS, read_only_address, transaction
from localpipe.errors import HomeUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MIGRATIONS = (
    """
    CREATE TABLE models (name TEXT PRIMARY KEY, token TEXT NOT NULL UNIQUE, description TEXT NOT NULL);
    CREATE TABLE groups (name TEXT PRIMARY KEY, last_version INTEGER NOT NULL, description TEXT NOT NULL);
    CREATE TABLE packages (
        arn TEXT PRIMARY KEY, group_name TEXT REFERENCES groups (name), version INTEGER,
        token TEXT NOT NULL UNIQUE, description TEXT NOT NULL, UNIQUE (group_name, version)
    );
    """,
    """
    ALTER TABLE models ADD COLUMN execution_arn TEXT;
    ALTER TABLE models ADD COLUMN step TEXT;
    ALTER TABLE models ADD COLUMN lineage TEXT;
    ALTER TABLE packages ADD COLUMN execution_arn TEXT;
    ALTER TABLE packages ADD COLUMN step TEXT;
    ALTER TABLE packages ADD COLUMN lineage TEXT;
    CREATE TABLE approvals (arn TEXT NOT NULL, at REAL NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL);
    INSERT INTO approvals SELECT
        arn, json_extract(description, '$.LastModifiedTime'), json_extract(description, '$.ModelApprovalStatus'),
        coalesce(json_extract(description, '$.ApprovalDescription'), '')
        FROM packages WHERE group_name IS NOT NULL ORDER BY rowid;
    """,
)
"""From each version of the tables to the next; the first makes them."""


class RegistryFile:
    """Each transaction opens the file for itself. Raises HomeUnusable when it cannot be read or written."""

    def __init__(self, directory: Path) -> None:
        """Use `directory`/registry.db; neither is made before there is something to keep."""
        self._file = directory / "registry.db"

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """The file to look at; None if it has not been made."""
        with self._explained():
            if not self._file.exists():
                yield None
                return
            with self._open_to_read() as database:
                yield database

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else writes beside; undone if anything is raised."""
        with self._explained(), self._open() as database, transaction(database):
            yield database

    @contextmanager
    def _open_to_read(self) -> Iterator[sqlite3.Connection]:
        if os.access(self._file.parent, os.W_OK):
            with self._open() as database:
                yield database
            return
        address = read_only_address(self._file)
        with closing(sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_SECONDS)) as database:
            if _version(database) < len(_MIGRATIONS):
                raise HomeUnusable(
                    f"The model registry {self._file} was written by an older localpipe and cannot be brought up to date: it"
                    " may only be read. Make it writable."
                )
            self._refuse_newer(database)
            yield database

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._file, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
        with closing(connection) as database:
            if _version(database) < len(_MIGRATIONS):
                _bring_up_to_date(database)
            self._refuse_newer(database)
            yield database

    def _refuse_newer(self, database: sqlite3.Connection) -> None:
        if _version(database) > len(_MIGRATIONS):
            raise HomeUnusable(
                f"The model registry {self._file} was written by a newer localpipe. Update localpipe to use it."
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns what the file system and SQLite say of the file into HomeUnusable; our own mistakes stay as they are."""
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise
        except (sqlite3.DatabaseError, OSError) as error:
            remedy = "Make it readable and writable, or choose another home (`--home`)."
            raise HomeUnusable(f"The model registry {self._file} cannot be used: {error}. {remedy}") from error


def _bring_up_to_date(database: sqlite3.Connection) -> None:
    """Make the tables what this version wants, once, whoever else opens the file at this moment."""
    with transaction(database):
        for migration in _MIGRATIONS[_version(database) :]:
            for statement in filter(str.strip, migration.split(";")):
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {max(len(_MIGRATIONS), _version(database))}")


def _version(database: sqlite3.Connection) -> int:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version

"""The journal in one SQLite file: append-only rows, one sequence per execution, any number of readers and writers.

Readers fold. `executions` is read off the first event of each execution. Beside the events there is one table that is made
from them, `results`: successes by the keys that they carry, so that a step finds its earlier results among very many.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.databases import BUSY_TIMEOUT_SECONDS, read_only_address, transaction
from localpipe.errors import ConflictingAppend, HomeUnusable, NewerSchema
from localpipe.scheduling.events import (
    EVENT_TYPES,
    Event,
    ExecutionStarted,
    Recorded,
    StepSucceeded,
    from_json,
    numbered,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from localpipe.core import JSON
    from localpipe.core.ports import Clock

_LAYOUT_VERSION = 2

_TABLES = """
CREATE TABLE IF NOT EXISTS events (
    execution TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    step      TEXT,
    type      TEXT NOT NULL,
    schema    INTEGER NOT NULL,
    at        REAL NOT NULL,
    body      TEXT NOT NULL,
    PRIMARY KEY (execution, seq)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS starts ON events (at) WHERE seq = 1;
CREATE INDEX IF NOT EXISTS messages ON events (at) WHERE type = 'MessageSent';
CREATE TABLE IF NOT EXISTS results (
    key       TEXT NOT NULL,
    at        REAL NOT NULL,
    execution TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    PRIMARY KEY (key, at, execution, seq)
) WITHOUT ROWID;
"""
"""Layout 1 had no `results`: its successes have no keys, so there is nothing to fill it with."""


@dataclass(frozen=True)
class Result:
    """What a step gave in an execution. `ended_at`: epoch seconds. `facts`: all of that step there up to its end."""

    execution_id: str
    success: StepSucceeded
    ended_at: float
    facts: tuple[Recorded, ...]


class SqliteJournal:
    """Facts by execution. Safe to use from several threads and processes at once."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open or make the journal. Raises HomeUnusable if it cannot be read or written, NewerSchema if it is too new."""
        self._path, self._clock = path, clock
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        with self._connection() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 or (version < _LAYOUT_VERSION and self._writable()):  # an old one can be looked at as it is
                self._make(connection)
            elif version > _LAYOUT_VERSION:
                raise NewerSchema(f"{path} was written by a newer localpipe (layout {version}, known {_LAYOUT_VERSION}).")

    def _make(self, connection: sqlite3.Connection) -> None:
        """Make the tables of a new journal, alone: SQLite does not wait for others when it changes to a write-ahead log."""
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_TABLES)
            connection.execute(f"PRAGMA user_version = {_LAYOUT_VERSION}")
        finally:
            os.close(directory)

    def append(self, execution_id: str, events: Sequence[Event]) -> tuple[Recorded, ...]:
        """Write facts in order behind whatever there is, all or none, and return them as recorded."""
        with self._transaction() as connection:
            facts = numbered(events, after=_last_seq(connection, execution_id), at=self._clock.now())
            _insert(connection, execution_id, facts)
        return facts

    def record(self, execution_id: str, facts: Sequence[Recorded]) -> None:
        """Write facts that have their numbers already, all or none.

        Raises ConflictingAppend if they do not follow the last one: a fact has come in since they were decided on.
        """
        with self._transaction() as connection:
            last = _last_seq(connection, execution_id)
            if facts[0].seq != last + 1:
                raise ConflictingAppend(f"execution {execution_id}: fact {facts[0].seq} was to follow, but there is {last}")
            _insert(connection, execution_id, facts)

    def read(self, execution_id: str, *, after: int = 0) -> tuple[Recorded, ...]:
        """The facts of an execution with `seq` above `after`, in order; empty for an unknown execution."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT seq, at, type, schema, body FROM events WHERE execution = ? AND seq > ? ORDER BY seq",
                (execution_id, after),
            ).fetchall()
        return tuple(_fact(*row) for row in rows)

    def newest_result(self, key: str) -> Result | None:
        """The success that was written down last with this key; None if there is none."""
        with self._connection() as connection:
            last = "SELECT execution, seq FROM results WHERE key = ? ORDER BY at DESC, execution, seq DESC LIMIT 1"
            found = connection.execute(last, (key,)).fetchone()
            if found is None:
                return None
            rows = connection.execute(
                "SELECT seq, at, type, schema, body FROM events WHERE execution = ?1 AND seq <= ?2"
                " AND step = (SELECT step FROM events WHERE execution = ?1 AND seq = ?2) ORDER BY seq",
                found,
            ).fetchall()
        facts = tuple(_fact(*row) for row in rows)
        success = facts[-1].event if facts else None
        return Result(found[0], success, facts[-1].at, facts) if isinstance(success, StepSucceeded) else None

    def executions(self) -> tuple[ExecutionStarted, ...]:
        """The first fact of each execution, oldest first."""
        return self._starts("WHERE seq = 1 ORDER BY at, execution")

    def started(self, execution_id: str) -> ExecutionStarted | None:
        """The first fact of an execution; None for an unknown one."""
        return next(iter(self._starts("WHERE seq = 1 AND execution = ?", execution_id)), None)

    def last(self) -> ExecutionStarted | None:
        """The first fact of the execution that was started last; None if there is none."""
        return next(iter(self._starts("WHERE seq = 1 ORDER BY at DESC, execution DESC LIMIT 1")), None)

    def kept_settings(self, pipeline_name: str, text: str) -> tuple[JSON, ...]:
        """The settings that executions of a pipeline keep, oldest first, of those whose first fact holds a text.

        Those of a newer localpipe, too.
        """
        with self._connection() as connection:
            query = "SELECT body FROM events WHERE seq = 1 AND instr(body, ?) ORDER BY at, execution"
            bodies = [json.loads(body) for (body,) in connection.execute(query, (text,))]
        return tuple(body["settings"] for body in bodies if body["pipeline_name"] == pipeline_name)

    def ids(self) -> tuple[str, ...]:
        """The ids of all executions, oldest first."""
        with self._connection() as connection:
            rows = connection.execute("SELECT execution FROM events WHERE seq = 1 ORDER BY at, execution").fetchall()
        return tuple(execution_id for (execution_id,) in rows)

    def tokens(self) -> Mapping[str, str]:
        """The token of each message that a step has sent → its execution, oldest first; those of a newer localpipe, too."""
        with self._connection() as connection:
            rows = connection.execute("SELECT body, execution FROM events WHERE type = 'MessageSent' ORDER BY at, execution")
            return {json.loads(body)["token"]: execution_id for body, execution_id in rows}

    def _starts(self, condition: str, *values: str) -> tuple[ExecutionStarted, ...]:
        with self._connection() as connection:
            query = f"SELECT seq, at, type, schema, body FROM events {condition}"  # noqa: S608 - conditions are ours
            rows = connection.execute(query, values).fetchall()
        events = (_fact(*row).event for row in rows)
        return tuple(event for event in events if isinstance(event, ExecutionStarted))

    def forget(self, execution_id: str) -> None:
        """Remove all facts of an execution (`localpipe gc`)."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM events WHERE execution = ?", (execution_id,))
            connection.execute("DELETE FROM results WHERE execution = ?", (execution_id,))

    def close(self) -> None:
        """Close the connections of all threads."""
        while self._open:
            self._open.pop().close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as connection, transaction(connection):
            yield connection

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection; what the disk refuses becomes a HomeUnusable that names the file."""
        try:
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._connect()
            yield connection
        except sqlite3.ProgrammingError:
            raise  # our bug, not the disk's
        except sqlite3.Error as error:
            raise HomeUnusable(f"The journal {self._path} cannot be used: {error}.") from error

    def _connect(self) -> sqlite3.Connection:
        writable = self._writable()
        connection = sqlite3.connect(
            self._path if writable else read_only_address(self._path),
            uri=not writable,
            timeout=BUSY_TIMEOUT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        if writable:
            # A commit survives the death of localpipe, not of the machine: the page cache keeps it.
            connection.execute("PRAGMA synchronous = NORMAL")
        self._local.connection = connection
        self._open.append(connection)
        return connection

    def _writable(self) -> bool:
        return os.access(self._path.parent, os.W_OK)


def _last_seq(connection: sqlite3.Connection, execution_id: str) -> int:
    last = connection.execute("SELECT max(seq) FROM events WHERE execution = ?", (execution_id,)).fetchone()[0]
    return int(last or 0)


def _insert(connection: sqlite3.Connection, execution_id: str, facts: Sequence[Recorded]) -> None:
    connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", [_row(execution_id, fact) for fact in facts])
    results = [
        (key, fact.at, execution_id, fact.seq)
        for fact in facts
        if isinstance(fact.event, StepSucceeded)
        for key in fact.event.keys
    ]
    if results:
        connection.executemany("INSERT INTO results VALUES (?, ?, ?, ?)", results)


def _row(execution_id: str, fact: Recorded) -> tuple[str, int, str | None, str, int, float, str]:
    event = fact.event
    body = json.dumps(to_json(event), separators=(",", ":"), ensure_ascii=False)
    return execution_id, fact.seq, getattr(event, "step", None), type(event).__name__, event.SCHEMA, fact.at, body


def _fact(seq: int, at: float, type_name: str, schema: int, body: str) -> Recorded:
    known = EVENT_TYPES.get(type_name)
    if known is None or schema > known.SCHEMA:
        raise NewerSchema(f"fact {seq} is a {type_name} of schema {schema}, which this localpipe does not know.")
    return Recorded(seq, at, from_json(type_name, json.loads(body)))

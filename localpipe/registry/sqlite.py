"""The registry in one SQLite file, `registry.db`, that several processes may write at once."""

from __future__ import annotations

import difflib
import json
import os
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from localpipe.core.work import CreatedResource, create_refused
from localpipe.errors import HomeUnusable, JobFailed, NotFound, UsageError
from localpipe.registry.descriptions import (
    APPROVAL_STATUSES,
    describe_group,
    describe_model,
    describe_unversioned,
    describe_version,
    last_part,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from localpipe.core import JSON
    from localpipe.core.names import Identity
    from localpipe.core.work import CreateResource

_SCHEMA_VERSION = 1
_BUSY_TIMEOUT_SECONDS = 30.0
_SCHEMA = """
CREATE TABLE models (name TEXT PRIMARY KEY, token TEXT NOT NULL UNIQUE, description TEXT NOT NULL);
CREATE TABLE groups (name TEXT PRIMARY KEY, last_version INTEGER NOT NULL, description TEXT NOT NULL);
CREATE TABLE packages (
    arn TEXT PRIMARY KEY, group_name TEXT REFERENCES groups (name), version INTEGER,
    token TEXT NOT NULL UNIQUE, description TEXT NOT NULL, UNIQUE (group_name, version)
);
"""


class SqliteRegistry:
    """Models and model packages of a home (`core.ports.Registry`). Any thread or process may call any method.

    Each call opens the file for itself. A group's name is unique in a home whatever the region of its first package, which
    gives the ARNs of all. Raises HomeUnusable when the file cannot be read or written.
    Follows: service.md section 9.3.
    """

    def __init__(self, directory: Path) -> None:
        """Use `directory`/registry.db; neither is made before there is something to keep."""
        self._file = directory / "registry.db"

    def create(self, resource: CreateResource, at: float) -> CreatedResource:
        """Create it, or return what the same token created before.

        Raises JobFailed if the name is taken.
        """
        create = {"Model": _create_model, "ModelPackage": _create_package}[resource.kind]
        with self._writing() as database:
            return CreatedResource(description=create(database, resource, at))

    def models(self) -> Sequence[JSON]:
        """All models in DescribeModel shape, oldest first."""
        return self._read("SELECT description FROM models ORDER BY rowid")

    def model_packages(self, group: str | None = None) -> Sequence[JSON]:
        """Packages in DescribeModelPackage shape, oldest first; of one group (name or ARN) where it is given."""
        if group is None:
            return self._read("SELECT description FROM packages ORDER BY rowid")
        return self._read("SELECT description FROM packages WHERE group_name = ? ORDER BY version", last_part(group))

    def groups(self) -> Sequence[JSON]:
        """All groups in DescribeModelPackageGroup shape, oldest first."""
        return self._read("SELECT description FROM groups ORDER BY rowid")

    def group(self, name: str) -> JSON:
        """One group (name or ARN) in DescribeModelPackageGroup shape. Raises NotFound."""
        found = {group["ModelPackageGroupName"]: group for group in self.groups()}
        if last_part(name) not in found:
            raise NotFound("model package group", name, difflib.get_close_matches(last_part(name), found))
        return found[last_part(name)]

    def set_approval(self, package: str, status: str, description: str | None, *, at: float) -> JSON:
        """Approve or reject a package, given by its ARN or as `<group>/<version>`; return it in DescribeModelPackage shape.

        `description` None leaves ApprovalDescription as it is. Raises UsageError for an unknown status, NotFound.
        Follows: service.md section 9.3, UpdateModelPackage.
        """
        if status not in APPROVAL_STATUSES:
            raise UsageError(f"{status!r} is no ModelApprovalStatus; it is one of {', '.join(APPROVAL_STATUSES)}.")
        with self._writing() as database:
            arn, found = _find_package(database, package)
            reason = {} if description is None else {"ApprovalDescription": description}
            changed = {**found, "ModelApprovalStatus": status, **reason, "LastModifiedTime": at, "LastModifiedBy": {}}
            database.execute("UPDATE packages SET description = ? WHERE arn = ?", (json.dumps(changed), arn))
            return changed

    def _read(self, query: str, *values: str) -> list[JSON]:
        with self._explained():
            if not self._file.exists():
                return []
            with self._open_to_read() as database:
                return [json.loads(text) for (text,) in database.execute(query, values)]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else writes beside; undone if anything is raised."""
        with self._explained(), self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.rollback()
                raise
            database.commit()

    @contextmanager
    def _open_to_read(self) -> Iterator[sqlite3.Connection]:
        """If a file that can only be looked at has no log beside it, SQLite must be told that it rests."""
        if os.access(self._file.parent, os.W_OK):
            with self._open() as database:
                yield database
            return
        rests = not self._file.with_name(f"{self._file.name}-wal").exists()
        address = f"{self._file.absolute().as_uri()}?mode=ro" + ("&immutable=1" if rests else "")
        with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_TIMEOUT_SECONDS)) as database:
            _check_version(database, self._file)
            yield database

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._file, timeout=_BUSY_TIMEOUT_SECONDS, isolation_level=None)
        with closing(connection) as database:
            _prepare(database, self._file)
            yield database

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


def _prepare(database: sqlite3.Connection, file: Path) -> None:
    """Make the tables of a new file. Raises HomeUnusable for the file of a newer localpipe."""
    if _version(database) == 0:
        database.execute("BEGIN IMMEDIATE")
        if _version(database) == 0:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        database.commit()
    _check_version(database, file)


def _check_version(database: sqlite3.Connection, file: Path) -> None:
    if _version(database) > _SCHEMA_VERSION:
        raise HomeUnusable(f"The model registry {file} was written by a newer localpipe. Update localpipe to use it.")


def _version(database: sqlite3.Connection) -> int:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version


def _create_model(database: sqlite3.Connection, resource: CreateResource, at: float) -> JSON:
    before = _by_token(database, "models", resource.token)
    if before is not None:
        return before
    model = describe_model(resource.request, name=resource.name, identity=resource.identity, at=at)
    if database.execute("SELECT 1 FROM models WHERE name = ?", (resource.name,)).fetchone():
        raise JobFailed(create_refused("CreateModel", f"Cannot create already existing model {model['ModelArn']!r}."))
    database.execute("INSERT INTO models VALUES (?, ?, ?)", (resource.name, resource.token, json.dumps(model)))
    return model


def _create_package(database: sqlite3.Connection, resource: CreateResource, at: float) -> JSON:
    before = _by_token(database, "packages", resource.token)
    if before is not None:
        return before
    group_name = resource.request.get("ModelPackageGroupName")
    if group_name:
        package = _next_version(database, last_part(group_name), resource, at)
    else:
        package = describe_unversioned(resource.request, name=resource.name, identity=resource.identity, at=at)
    arn = package["ModelPackageArn"]
    if database.execute("SELECT 1 FROM packages WHERE arn = ?", (arn,)).fetchone():
        raise JobFailed(create_refused("CreateModelPackage", f"Cannot create already existing model package {arn!r}."))
    values = (arn, package.get("ModelPackageGroupName"), package.get("ModelPackageVersion"), resource.token)
    database.execute("INSERT INTO packages VALUES (?, ?, ?, ?, ?)", (*values, json.dumps(package)))
    return package


def _next_version(database: sqlite3.Connection, group_name: str, resource: CreateResource, at: float) -> JSON:
    """The package as the next version of its group, which is made if it is not there: highest version ever and one."""
    group = _group(database, group_name, resource.identity, at)
    database.execute("UPDATE groups SET last_version = last_version + 1 WHERE name = ?", (group_name,))
    version: int = database.execute("SELECT last_version FROM groups WHERE name = ?", (group_name,)).fetchone()[0]
    return describe_version(resource.request, group=group, version=version, at=at)


def _group(database: sqlite3.Connection, name: str, identity: Identity, at: float) -> JSON:
    new = json.dumps(describe_group(name=name, identity=identity, at=at))
    database.execute("INSERT OR IGNORE INTO groups VALUES (?, 0, ?)", (name, new))
    return json.loads(database.execute("SELECT description FROM groups WHERE name = ?", (name,)).fetchone()[0])


def _find_package(database: sqlite3.Connection, package: str) -> tuple[str, JSON]:
    rows = dict(database.execute("SELECT arn, description FROM packages ORDER BY rowid").fetchall())
    short = {arn.partition(":model-package/")[2]: arn for arn in rows}
    arn = short.get(package, package)
    if arn not in rows:
        raise NotFound("model package", package, difflib.get_close_matches(package, short))
    return arn, json.loads(rows[arn])


def _by_token(database: sqlite3.Connection, table: str, token: str) -> JSON | None:
    row = database.execute(f"SELECT description FROM {table} WHERE token = ?", (token,)).fetchone()  # noqa: S608 - ours
    return json.loads(row[0]) if row else None

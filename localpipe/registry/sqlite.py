"""The registry in one SQLite file, `registry.db`, that several processes may write at once."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from localpipe.core.work import CreatedResource, Origin
from localpipe.errors import NotFound, UsageError
from localpipe.registry.creating import create_model, create_package, note_approval, package_named
from localpipe.registry.descriptions import APPROVAL_STATUSES, last_part
from localpipe.registry.file import RegistryFile
from localpipe.registry.resources import MODEL, PACKAGE, Approval, Resource

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from localpipe.core import JSON
    from localpipe.core.work import CreateResource

_LONGEST_DESCRIPTION = 1024
_TABLES: Mapping[str, str] = {MODEL: "models", PACKAGE: "packages"}


class SqliteRegistry:
    """Models and model packages of a home (`core.ports.Registry`). Any thread or process may call any method.

    Each call opens the file for itself. A group's name is unique in a home whatever the region of its first package, which
    gives the ARNs of all. Raises HomeUnusable when the file cannot be read or written.
    Follows: service.md section 9.3.
    """

    def __init__(self, directory: Path) -> None:
        """Use `directory`/registry.db; neither is made before there is something to keep."""
        self._file = RegistryFile(directory)

    def create(self, resource: CreateResource, at: float) -> CreatedResource:
        """Create it, or return what the same token created before.

        Raises JobFailed if the name is taken, or if a model names a package that is not there.
        """
        create = {MODEL: create_model, PACKAGE: create_package}[resource.kind]
        with self._file.writing() as database:
            return CreatedResource(description=create(database, resource, at))

    def models(self) -> Sequence[JSON]:
        """All models in DescribeModel shape, oldest first."""
        return self._read("SELECT description FROM models ORDER BY rowid")

    def model_packages(self, group: str | None = None) -> Sequence[JSON]:
        """Packages in DescribeModelPackage shape, oldest first; of one group (name or ARN) where it is given."""
        if group is None:
            return self._read("SELECT description FROM packages ORDER BY rowid")
        return self._read("SELECT description FROM packages WHERE group_name = ? ORDER BY version", last_part(group))

    def model_package(self, name: str) -> JSON | None:
        """The package of that ARN, name or `<group>/<version>`, in DescribeModelPackage shape; None if there is none."""
        with self._file.reading() as database:
            return package_named(database, name) if database else None

    def groups(self) -> Sequence[JSON]:
        """All groups in DescribeModelPackageGroup shape, oldest first."""
        return self._read("SELECT description FROM groups ORDER BY rowid")

    def group(self, name: str) -> JSON:
        """One group (name or ARN) in DescribeModelPackageGroup shape. Raises NotFound."""
        found = {group["ModelPackageGroupName"]: group for group in self.groups()}
        if last_part(name) not in found:
            raise NotFound("model package group", name, difflib.get_close_matches(last_part(name), found))
        return found[last_part(name)]

    def resources(self) -> Sequence[Resource]:
        """All packages, then all models, each oldest first, with what the registry knows of them."""
        with self._file.reading() as database:
            return [*_resources(database, PACKAGE), *_resources(database, MODEL)] if database else []

    def keep_lineage(self, resource: Resource, lineage: JSON) -> None:
        """Keep what a resource came from, for when its execution is there no more."""
        table, key = _TABLES[resource.kind], "name" if resource.kind == MODEL else "arn"
        values = (json.dumps(lineage), resource.name if resource.kind == MODEL else resource.arn)
        with self._file.writing() as database:
            database.execute(f"UPDATE {table} SET lineage = ? WHERE {key} = ?", values)  # noqa: S608 - tables are ours

    def set_approval(self, package: str, status: str, description: str | None, *, at: float) -> JSON:
        """Approve or reject a package, given by its ARN or as `<group>/<version>`; return it in DescribeModelPackage shape.

        `description` None leaves ApprovalDescription as it is. Raises UsageError for an unknown status, a description that
        the service does not take and the name of a group, NotFound.
        Follows: service.md section 9.3, UpdateModelPackage.
        """
        if status not in APPROVAL_STATUSES:
            raise UsageError(f"{status!r} is no ModelApprovalStatus; it is one of {', '.join(APPROVAL_STATUSES)}.")
        _check_description(description or "")
        with self._file.writing() as database:
            found = package_named(database, package)
            if found is None:
                _refuse_group(database, package)
                raise NotFound("model package", package, difflib.get_close_matches(package, _package_names(database)))
            reason = {} if description is None else {"ApprovalDescription": description}
            changed = {**found, "ModelApprovalStatus": status, **reason, "LastModifiedTime": at, "LastModifiedBy": {}}
            values = (json.dumps(changed), changed["ModelPackageArn"])
            database.execute("UPDATE packages SET description = ? WHERE arn = ?", values)
            note_approval(database, changed, description or "", at)
            return changed

    def _read(self, query: str, *values: str) -> list[JSON]:
        with self._file.reading() as database:
            return [json.loads(text) for (text,) in database.execute(query, values)] if database else []


def _check_description(description: str) -> None:
    """Raise UsageError for what ApprovalDescription may not be. Follows: SageMaker API Reference, UpdateModelPackage."""
    if len(description) > _LONGEST_DESCRIPTION:
        raise UsageError(
            f"The reason has {len(description)} characters: an ApprovalDescription has at most {_LONGEST_DESCRIPTION}."
        )
    if [description] != (description.splitlines() or [""]):
        raise UsageError("The reason has a line break: an ApprovalDescription is one line.")


def _refuse_group(database: sqlite3.Connection, name: str) -> None:
    """Raise UsageError, with a version to name, if this is a group or its ARN."""
    group = name.rpartition(":model-package-group/")[2]
    (newest,) = database.execute("SELECT max(version) FROM packages WHERE group_name = ?", (group,)).fetchone()
    if newest is not None:
        raise UsageError(f"{group!r} is a group; name a version: {group}/{newest} is the newest.")


def _resources(database: sqlite3.Connection, kind: str) -> Iterator[Resource]:
    approvals: dict[str, list[Approval]] = {}
    for arn, *values in database.execute("SELECT arn, at, status, reason FROM approvals ORDER BY rowid"):
        approvals.setdefault(arn, []).append(Approval(*values))
    query = f"SELECT description, execution_arn, step, lineage FROM {_TABLES[kind]} ORDER BY rowid"  # noqa: S608 - ours
    for text, execution_arn, step, lineage in database.execute(query):
        description = json.loads(text)
        yield Resource(
            kind=kind,
            description=description,
            origin=Origin(execution_arn=execution_arn, step=step) if execution_arn else None,
            lineage=json.loads(lineage) if lineage else None,
            approvals=tuple(approvals.get(description.get("ModelPackageArn", ""), ())),
        )


def _package_names(database: sqlite3.Connection) -> list[str]:
    return [arn.partition(":model-package/")[2] for (arn,) in database.execute("SELECT arn FROM packages")]

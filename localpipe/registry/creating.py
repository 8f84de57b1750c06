"""Creating a model or a model package within a transaction on the registry's tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from localpipe.core.work import create_refused
from localpipe.errors import JobFailed
from localpipe.registry.containers import with_packages
from localpipe.registry.descriptions import (
    describe_group,
    describe_model,
    describe_unversioned,
    describe_version,
    last_part,
)

if TYPE_CHECKING:
    import sqlite3

    from localpipe.core import JSON
    from localpipe.core.names import Identity
    from localpipe.core.work import CreateResource


def create_model(database: sqlite3.Connection, resource: CreateResource, at: float) -> JSON:
    """The model in DescribeModel shape, new or of the same token. Raises JobFailed if the name is taken."""
    before = _by_token(database, "models", resource.token)
    if before is not None:
        return before
    request = with_packages(resource.request, lambda name: package_named(database, name))
    model = describe_model(request, name=resource.name, identity=resource.identity, at=at)
    if database.execute("SELECT 1 FROM models WHERE name = ?", (resource.name,)).fetchone():
        raise JobFailed(create_refused("CreateModel", f"Cannot create already existing model {model['ModelArn']!r}."))
    database.execute(
        "INSERT INTO models (name, token, description, execution_arn, step) VALUES (?, ?, ?, ?, ?)",
        (resource.name, resource.token, json.dumps(model), *_origin(resource)),
    )
    return model


def create_package(database: sqlite3.Connection, resource: CreateResource, at: float) -> JSON:
    """The package in DescribeModelPackage shape, new or of the same token. Raises JobFailed if the name is taken."""
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
    database.execute(
        "INSERT INTO packages (arn, group_name, version, token, description, execution_arn, step)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*values, json.dumps(package), *_origin(resource)),
    )
    if group_name:
        note_approval(database, package, "", at)
    return package


def note_approval(database: sqlite3.Connection, package: JSON, reason: str, at: float) -> None:
    """Write down that the package has had its ModelApprovalStatus since then."""
    values = (package["ModelPackageArn"], at, package["ModelApprovalStatus"], reason)
    database.execute("INSERT INTO approvals (arn, at, status, reason) VALUES (?, ?, ?, ?)", values)


def package_named(database: sqlite3.Connection, name: str) -> JSON | None:
    """The package of that ARN, name or `<group>/<version>`, in DescribeModelPackage shape; None if there is none."""
    row = database.execute(
        "SELECT description FROM packages WHERE arn = ? OR substr(arn, instr(arn, ':model-package/') + 15) = ?", (name, name)
    ).fetchone()
    return json.loads(row[0]) if row else None


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


def _origin(resource: CreateResource) -> tuple[str | None, str | None]:
    return (resource.origin.execution_arn, resource.origin.step) if resource.origin else (None, None)


def _by_token(database: sqlite3.Connection, table: str, token: str) -> JSON | None:
    row = database.execute(f"SELECT description FROM {table} WHERE token = ?", (token,)).fetchone()  # noqa: S608 - ours
    return json.loads(row[0]) if row else None

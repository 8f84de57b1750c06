"""`models`: the registry of the home."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from localpipe.cli.common import existing_home, home_below, home_option, json_option, print_json, say, table
from localpipe.core.times import iso_time
from localpipe.service.views import with_iso_times

if TYPE_CHECKING:
    from localpipe.core import JSON


@click.group(invoke_without_command=True)
@click.pass_context
@json_option
@home_option
def models(context: click.Context, home: str | None, *, as_json: bool) -> None:
    """List registered models and model packages; they outlive the executions that made them."""
    context.obj = home
    if context.invoked_subcommand is None:
        context.invoke(list_models, as_json=as_json)


@models.command("list")
@json_option
@home_below
@click.pass_obj
def list_models(home: str | None, *, as_json: bool) -> None:
    """List model packages and models, oldest first."""
    found = existing_home(home)
    packages, plain = (found.registry.model_packages(), found.registry.models()) if found else ([], [])
    if as_json:
        shown = {"ModelPackages": (packages, "DescribeModelPackageOutput"), "Models": (plain, "DescribeModelOutput")}
        model = found.model if found else {}
        print_json({key: [with_iso_times(row, shape, model) for row in rows] for key, (rows, shape) in shown.items()})
        return
    if not packages and not plain:
        say("No models yet. A Model or RegisterModel step makes them.")
    table([_package_row(package) for package in packages], ("MODEL PACKAGE", "APPROVAL", "CREATED", "MODEL DATA"))
    if packages and plain:
        click.echo("")
    table([_model_row(model) for model in plain], ("MODEL", "CREATED", "MODEL DATA"))


def _package_row(package: JSON) -> tuple[str, ...]:
    name = package["ModelPackageArn"].partition(":model-package/")[2]
    containers = package.get("InferenceSpecification", {}).get("Containers", [])
    return name, package.get("ModelApprovalStatus", ""), iso_time(package["CreationTime"]), _data(containers)


def _model_row(model: JSON) -> tuple[str, ...]:
    containers = model.get("Containers") or [model.get("PrimaryContainer", {})]
    return model["ModelName"], iso_time(model["CreationTime"]), _data(containers)


def _data(containers: list[JSON]) -> str:
    return " ".join(container["ModelDataUrl"] for container in containers if "ModelDataUrl" in container)

"""`models`: the registry of the home."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from localpipe.cli.common import existing_home, home_below, home_option, json_option, open_home, print_json, say, table
from localpipe.core.times import iso_time
from localpipe.errors import NotFound
from localpipe.service.models import data_uris, leaves, side_by_side, view_model
from localpipe.service.views import with_iso_times

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.service.models import ModelView
    from localpipe.service.wiring import Home

_HEADING_WIDTH = 13
_WRITTEN_SINCE = "  (written since; it may be of another model)"


@click.group(invoke_without_command=True)
@click.pass_context
@json_option
@home_option
def models(context: click.Context, home: str | None, *, as_json: bool) -> None:
    """List, compare and approve registered models and model packages; they outlive the executions that made them."""
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


@models.command("show")
@click.argument("name", metavar="NAME_OR_ARN")
@json_option
@home_below
@click.pass_obj
def show_model(home: str | None, name: str, *, as_json: bool) -> None:
    """Show a model or a package: containers, metrics, what it came from, approvals.

    NAME_OR_ARN is an ARN, a model's name, GROUP/VERSION, or a GROUP for its newest version.
    """
    found = _home(home, name)
    view = view_model(found, name)
    if as_json:
        print_json(view.document(found.model))
        return
    _print_head(view)
    _print_containers(view)
    _print_metrics(view)
    if view.lineage:
        click.echo("")
        table([(row["StepName"], row["StepType"], row["Arn"]) for row in view.lineage], ("CAME FROM STEP", "TYPE", "JOB"))
    if view.resource.approvals:
        click.echo("")
        rows = [(iso_time(each.at), each.status, each.reason) for each in view.resource.approvals]
        table(rows, ("SINCE", "APPROVAL", ""))


@models.command()
@click.argument("package", metavar="ARN")
@click.option("--reason", metavar="TEXT", help="Why: the package's ApprovalDescription.")
@home_below
@click.pass_obj
def approve(home: str | None, package: str, reason: str | None) -> None:
    """Approve a model package, given by its ARN or as GROUP/VERSION."""
    _set_approval(home, package, "Approved", reason)


@models.command()
@click.argument("package", metavar="ARN")
@click.option("--reason", metavar="TEXT", help="Why: the package's ApprovalDescription.")
@home_below
@click.pass_obj
def reject(home: str | None, package: str, reason: str | None) -> None:
    """Reject a model package, given by its ARN or as GROUP/VERSION."""
    _set_approval(home, package, "Rejected", reason)


@models.command()
@click.argument("left", metavar="A")
@click.argument("right", metavar="B")
@json_option
@home_below
@click.pass_obj
def diff(home: str | None, left: str, right: str, *, as_json: bool) -> None:
    """Compare two models: their metrics, and the hyperparameters and containers that differ.

    A and B are named as in `models show`.
    """
    found = _home(home, left)
    views = view_model(found, left), view_model(found, right)
    sides = side_by_side(*views)
    if as_json:
        print_json([{"Kind": side.kind, "Name": side.name, "A": side.left, "B": side.right} for side in sides])
        return
    for view in views:
        for report in view.metrics:
            if report.newer:
                say(f"{report.uri} was written after {view.resource.name} was made: it may tell of another model.")
    if not sides:
        click.echo("They have no metrics, and their hyperparameters and containers are the same.")
    names = tuple(view.resource.name for view in views)
    table([(side.kind, side.name, _cell(side.left), _cell(side.right)) for side in sides], ("", "", *names))


def _home(home: str | None, name: str) -> Home:
    found = existing_home(home)
    if found is None:
        raise NotFound("model or model package", name, remedy="No pipeline has run here; another home is named by --home.")
    return found


def _set_approval(home: str | None, package: str, status: str, reason: str | None) -> None:
    _home(home, package)
    opened = open_home({"home": home})
    changed = opened.registry.set_approval(package, status, reason, at=opened.clock.now())
    click.echo(f"{changed['ModelPackageArn'].partition(':model-package/')[2]} is {status}.")


def _print_head(view: ModelView) -> None:
    description, origin = view.resource.description, view.resource.origin
    lines = {
        "Model" if "ModelName" in description else "Model package": view.resource.name,
        "ARN": view.resource.arn,
        "Approval": description.get("ModelApprovalStatus"),
        "Description": description.get("ModelPackageDescription"),
        "Created": iso_time(description["CreationTime"]),
        "Made by": f"step {origin.step} of execution {origin.execution_arn.rpartition('/')[2]}" if origin else None,
    }
    for heading, text in lines.items():
        if text:
            click.echo(f"{heading:{_HEADING_WIDTH}}  {text}")


def _print_containers(view: ModelView) -> None:
    places = {
        each.uri: f"{each.path}{_WRITTEN_SINCE if each.newer else ''}" if each.path else "not an object of the local S3"
        for each in view.data
    }
    for number, container in enumerate(view.containers, 1):
        files = [("file", places[uri]) for uri in data_uris({"Containers": [container]})]
        rows = [*leaves(container), *files]
        width = max(len(name) for name, _ in rows)
        click.echo(f"\nContainer {number}")
        for name, value in rows:
            click.echo(f"  {name:{width}}  {value}")


def _print_metrics(view: ModelView) -> None:
    for report in view.metrics:
        remark = (_WRITTEN_SINCE if report.newer else "") if report.found else "  (not in the local S3, or no JSON)"
        click.echo(f"\n{report.source}  {report.uri}{remark}")
        for path, value in report.values.items():
            click.echo(f"  {path}  {value:g}")


def _cell(value: JSON) -> str:
    if value is None:
        return "-"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _package_row(package: JSON) -> tuple[str, ...]:
    name = package["ModelPackageArn"].partition(":model-package/")[2]
    return name, package.get("ModelApprovalStatus", ""), iso_time(package["CreationTime"]), _data(package)


def _model_row(model: JSON) -> tuple[str, ...]:
    return model["ModelName"], iso_time(model["CreationTime"]), _data(model)


def _data(description: JSON) -> str:
    return " ".join(data_uris(description))

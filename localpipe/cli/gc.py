"""`gc`: remove old executions and what crashed runs left behind."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from localpipe.cli.common import command_line, existing_home, home_as_it_is, home_option, say, table
from localpipe.service.cleaning import Swept, empty_trash, removable_executions, remove_execution, sweep_jobs
from localpipe.service.kept import kept_for_jobs

if TYPE_CHECKING:
    from pathlib import Path

_MIB = 1 << 20


@click.command()
@click.option(
    "--older-than",
    "days",
    type=click.FloatRange(min=0),
    default=7.0,
    show_default=True,
    metavar="DAYS",
    help="Only those that ended at least so many days ago.",
)
@click.option(
    "--keep", type=click.IntRange(min=0), metavar="N", default=5, show_default=True, help="How many of the newest to keep."
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option("--kept", is_flag=True, help="List unpacked images and environments with their sizes, and remove nothing.")
@home_option
def gc(days: float, keep: int, *, dry_run: bool, kept: bool, home: str | None) -> None:
    """Remove working directories, logs and facts of executions that ended, and containers that crashed runs left.

    An unpacked image is removed when its name stands for another image, because it was built anew, or when nobody used it
    for a day and the Docker engine, or the archive, no longer has it; never one that a job stands on. An environment is
    removed when it was replaced and unused for thirty days.
    Objects in the local S3 stay, and so do registered models with what `models show` tells of the steps they came from.
    """
    if kept:
        _list_kept(home_as_it_is({"home": home}).cache)
        return
    opened = existing_home(home)
    if opened is None:
        click.echo("Nothing to remove.")
        return
    opened.check_writable()
    old = removable_executions(opened, older_than_days=days, keep=keep)
    removed = [each for each in old if dry_run or remove_execution(opened, each.execution_id)]
    for each in removed:
        made = f"  made {', '.join(each.models)}, kept with what they came from" if each.models else ""
        click.echo(f"{each.execution_id}  {each.pipeline_name}  {each.status}  {each.bytes / _MIB:.1f} MiB{made}")
    swept = Swept(removed=0, outdated=(), interrupted=(), silent=()) if dry_run else sweep_jobs(opened)
    if swept.removed:
        click.echo(f"removed {swept.removed} containers of crashed runs")
    for gone in swept.outdated:
        click.echo(f"removed {gone.what} ({gone.bytes / _MIB:.1f} MiB), which no job will want any more")
    for sentence in swept.silent:
        say(sentence)
    if not (removed or swept.removed or swept.outdated):
        click.echo("Nothing to remove.")
    for execution_id in swept.interrupted:
        resume = command_line(opened, "resume", execution_id)
        say(f"{execution_id} was interrupted: its jobs are kept. To go on with them: {resume}")
    if not dry_run:
        empty_trash(opened)


def _list_kept(cache: Path) -> None:
    kept = kept_for_jobs(cache)
    rows = [(each.what, f"{each.bytes / _MIB:.1f} MiB", _day_and_time(each.used_at), str(each.directory)) for each in kept]
    table(rows, ("WHAT", "SIZE", "LAST USED", "WHERE"))
    click.echo(f"{sum(each.bytes for each in kept) / _MIB:.1f} MiB below {cache}")


def _day_and_time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))

"""`ls`, `show`, `logs`, `artifacts`: what executions did."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from localpipe.cli.common import command_line, existing_home, home_option, json_option, print_json, table
from localpipe.cli.finding import find_execution
from localpipe.core.times import iso_time
from localpipe.errors import UsageError
from localpipe.service.attempts import artifacts_of
from localpipe.service.executions import list_pipeline_executions, refreshed
from localpipe.service.views import all_steps, remark, shown_status

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.scheduling.state import StepExecution
    from localpipe.service.executions import PipelineExecution

_FOLLOW_SECONDS = 0.2


@click.command()
@json_option
@home_option
def ls(as_json: bool, home: str | None) -> None:  # noqa: FBT001 - click passes by name
    """List executions, newest first."""
    found = existing_home(home)
    rows = list_pipeline_executions(found) if found else []
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("No executions yet. Start one with: localpipe run PIPELINE", err=True)
    headings = ("ID", "PIPELINE", "STATUS", "STARTED")
    table([(r["ExecutionId"], r["PipelineName"], _status(r), r["StartTime"]) for r in rows], headings)


@click.command()
@click.argument("execution", metavar="EXEC")
@json_option
@home_option
def show(execution: str, as_json: bool, home: str | None) -> None:  # noqa: FBT001
    """Show an execution: its steps, how each ended and why. EXEC is an ARN, an id or `last`."""
    found = find_execution(home, execution)
    if as_json:
        print_json(found.document())
        return
    _print_execution(found)


@click.command()
@click.argument("execution", metavar="EXEC")
@click.argument("step")
@click.option("-f", "--follow", is_flag=True, help="Go on printing until the step ends.")
@home_option
def logs(execution: str, step: str, follow: bool, home: str | None) -> None:  # noqa: FBT001
    """Print the log of a step: standard output and error of its containers. EXEC is an ARN, an id or `last`."""
    found = find_execution(home, execution)
    if follow and step in found.pipeline.steps:
        _follow(found, step)
        return
    started = found.step(step)
    if not started.log_files:
        raise UsageError(_no_log(found, started))
    for name in started.log_files:
        _copy(name, 0)


def _no_log(execution: PipelineExecution, step: StepExecution) -> str:
    if step.reason:
        return f"Step {step.step!r} has no log: its job did not start. {step.reason}"
    if step.ended_at is not None:
        return f"Step {step.step!r} has no log: a {execution.pipeline.steps[step.step].type} step runs no container."
    return f"Step {step.step!r} has no log yet: it is {shown_status(step)}. Follow it with `-f`."


def _follow(execution: PipelineExecution, name: str) -> None:
    """Print the logs of a step's attempts, from the last one that started on, until the step or the execution has ended."""
    printed: dict[str, int] = {}
    while True:
        step = execution.state.steps.get(name)
        ended = execution.state.finished or bool(step and step.ended_at is not None)
        for log_file in step.log_files if step else ():
            printed[log_file] = _copy(log_file, printed.get(log_file, 0))
        if ended:
            return
        if not execution.driven:
            click.echo(f"The execution was interrupted; no process drives it. To go on: {_resume(execution)}", err=True)
            return
        time.sleep(_FOLLOW_SECONDS)
        execution = refreshed(execution)


@click.command()
@click.argument("execution", metavar="EXEC")
@click.argument("step", required=False)
@json_option
@home_option
def artifacts(execution: str, step: str | None, as_json: bool, home: str | None) -> None:  # noqa: FBT001
    """List the S3 objects that an execution, or one STEP of it, wrote, each with its local path."""
    found = find_execution(home, execution)
    rows = artifacts_of(found, step)
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("Nothing lies under the outputs of its steps.", err=True)
    table([(r["StepName"], r["S3Uri"], r["Path"]) for r in rows], ("STEP", "S3 URI", "PATH"))


def _print_execution(execution: PipelineExecution) -> None:
    state = execution.state
    click.echo(f"Pipeline   {execution.name.pipeline_name}")
    click.echo(f"Execution  {execution.name.arn}")
    click.echo(
        f"Status     {execution.status}"
        + ("" if execution.driven or state.finished else f" (interrupted; to go on: {_resume(execution)})")
    )
    if state.failure_reason:
        click.echo(f"Reason     {state.failure_reason}")
    for name, value in execution.started.parameters.items():
        click.echo(f"Parameter  {name} = {value}")
    click.echo("")
    rows = [_step_row(step) for step in all_steps(state, execution.pipeline.steps)]
    table(rows, ("STEP", "STATUS", "ATTEMPT", "STARTED", "TOOK", ""))


def _step_row(step: StepExecution) -> tuple[str, ...]:
    last = step.last
    if last is None:
        return (step.step, shown_status(step), "", "", "", "")
    took = f"{last.ended_at - last.started_at:.1f} s" if last.ended_at is not None else ""
    return (step.step, shown_status(step), str(last.attempt), iso_time(last.started_at), took, remark(step))


def _resume(execution: PipelineExecution) -> str:
    return command_line(execution.home, "resume", execution.name.execution_id)


def _status(row: JSON) -> str:
    return f"{row['Status']} (interrupted)" if row["Interrupted"] else str(row["Status"])


def _copy(log_file: str, offset: int) -> int:
    """Copy a log from `offset` to standard output; return where it ends now."""
    path = Path(log_file)
    if not path.exists():
        return offset
    with path.open("rb") as stream:
        stream.seek(offset)
        while chunk := stream.read(1 << 16):
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        return stream.tell()

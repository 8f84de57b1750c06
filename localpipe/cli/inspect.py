"""`ls`, `show`, `logs`, `artifacts`: what executions did."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from localpipe.cli.attempts import print_attempts, print_jobs
from localpipe.cli.common import command_line, existing_home, home_option, json_option, print_json, say, table
from localpipe.cli.fidelity import print_fidelity
from localpipe.cli.finding import find_execution
from localpipe.core.times import iso_time
from localpipe.errors import UsageError
from localpipe.service.artifacts import artifacts_of
from localpipe.service.executions import list_pipeline_executions, refreshed
from localpipe.service.fidelity import fidelity, fidelity_rows
from localpipe.service.host_logs import print_new
from localpipe.service.own_jobs import own_job
from localpipe.service.views import all_steps, remark, reuse_words, shown_status, started_steps

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.scheduling.history import StepExecution
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
        say("No executions yet. Start one with: localpipe run PIPELINE")
    headings = ("ID", "PIPELINE", "STATUS", "STARTED")
    table(
        [(r["ExecutionId"], r["PipelineName"], _status(r), r["StartTime"]) for r in rows], headings, expendable=("STARTED",)
    )


def _logs_now(step: StepExecution | None, job: int | None) -> tuple[tuple[str, ...], bool]:
    """The logs that there are by now of a step, or of one of its own jobs, and whether it has ended."""
    if step is None or step.last is None:
        return (), False
    over = step.ended_at is not None
    if job is None:
        return step.log_files, over
    own = step.last.children.get(job)
    return (own.log_files, over or own.status.ended) if own else ((), over)


@click.command()
@click.argument("execution", metavar="EXEC")
@click.argument("step", required=False)
@click.option(
    "--fidelity", "with_fidelity", is_flag=True, help="Show what came only near the service, and what was ignored."
)
@json_option
@home_option
def show(execution: str, *, step: str | None, with_fidelity: bool, as_json: bool, home: str | None) -> None:
    """Show an execution: its steps, how each ended and why. EXEC is an ARN, an id or `last`.

    With STEP: all attempts of a step, why no other followed, and the jobs of its own.
    """
    found = find_execution(home, execution)
    if step:
        print_attempts(found, found.step(step), as_json=as_json)
    elif as_json:
        print_json(found.document() | ({"Fidelity": fidelity_rows(fidelity(found))} if with_fidelity else {}))
    elif with_fidelity:
        print_fidelity(found)
    else:
        _print_execution(found)


@click.command()
@click.argument("execution", metavar="EXEC")
@click.argument("step")
@click.option("-f", "--follow", is_flag=True, help="Go on printing until the step ends.")
@click.option("--job", type=click.IntRange(min=1), metavar="N", help="One of the step's own jobs: of a tuning job, from 1.")
@home_option
def logs(execution: str, step: str, *, follow: bool, job: int | None, home: str | None) -> None:
    """Print the log of a step: standard output and error of its containers. EXEC is an ARN, an id or `last`.

    Of a job on several hosts each line begins with its host, of several jobs of one step with the number of its job.
    """
    found = find_execution(home, execution)
    if follow and step in found.pipeline.steps:
        _follow(found, step, job)
        return
    started = found.step(step)
    log_files = started.log_files if job is None else own_job(started, job).log_files
    if not any(Path(log_file).exists() for log_file in log_files):
        raise UsageError(_no_log(found, started))
    print_new(log_files, {}, sys.stdout.buffer, ended=True)


def _no_log(execution: PipelineExecution, step: StepExecution) -> str:
    if step.last and step.last.reused:
        gone = ", and its log was removed there" if step.log_files else ""
        return f"Step {step.step!r} has no log: it was not done here; {reuse_words(step.last.reused)}{gone}."
    if step.reason:
        return f"Step {step.step!r} has no log: its job did not start. {step.reason}"
    if step.ended_at is not None:
        return f"Step {step.step!r} has no log: a {execution.pipeline.steps[step.step].type} step runs no container."
    return f"Step {step.step!r} has no log yet: it is {shown_status(step)}. Follow it with `-f`."


def _follow(execution: PipelineExecution, name: str, job: int | None) -> None:
    """Print the logs of a step's attempts, from the last one that started on, until the step or the execution has ended.

    `job`: only that of the step's own jobs, until it has ended.
    """
    printed: dict[str, int] = {}
    while True:
        step = execution.state.steps.get(name)
        log_files, ended = _logs_now(step, job)
        ended = ended or execution.state.finished
        named = bool(step and step.last and step.last.children) and job is None
        print_new(log_files, printed, sys.stdout.buffer, ended=ended, named=named)
        if ended:
            return
        if not execution.driven:
            say(f"The execution was interrupted; no process drives it. To go on: {_resume(execution)}")
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
        say("Nothing lies under the outputs of its steps.")
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
    if selection := execution.started.selection:
        click.echo(f"Selected   {', '.join(row['StepName'] for row in selection['SelectedSteps'])}")
    for name, value in execution.started.parameters.items():
        click.echo(f"Parameter  {name} = {value}")
    click.echo("")
    rows = [_step_row(step) for step in all_steps(state, execution.pipeline.steps)]
    table(rows, ("STEP", "STATUS", "ATTEMPT", "STARTED", "TOOK", ""), expendable=("STARTED", "ATTEMPT"))
    for step in started_steps(state):
        print_jobs(step)


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

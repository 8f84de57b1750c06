"""What `show EXEC STEP` prints: all attempts of a step, and the jobs of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from localpipe.cli.common import print_json, table
from localpipe.service.attempts import attempt_rows, why_no_other
from localpipe.service.own_jobs import job_remark, job_rows
from localpipe.service.views import shown_status

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.scheduling.children import ChildExecution
    from localpipe.scheduling.history import StepExecution
    from localpipe.service.executions import PipelineExecution


def print_attempts(execution: PipelineExecution, step: StepExecution, *, as_json: bool) -> None:
    """The attempts on standard output, oldest first, and why no other followed."""
    rows = attempt_rows(step)
    why = why_no_other(execution.pipeline, step)
    jobs = step.last.own_jobs if step.last else ()
    if as_json:
        own = {"Jobs": job_rows(jobs)} if jobs else {}
        print_json({"StepName": step.step, "Attempts": rows, **({"NoOtherAttempt": why} if why else {}), **own})
        return
    click.echo(f"Step       {step.step} ({execution.pipeline.steps[step.step].type})")
    click.echo(f"Execution  {execution.name.arn}")
    click.echo(f"Status     {shown_status(step)}")
    click.echo("")
    headings = ("ATTEMPT", "STATUS", "STARTED", "COUNTS AS", "")
    table([_cells(row) for row in rows], headings, expendable=("STARTED",))
    if why:
        click.echo(f"\nNo other attempt: {why}")
    print_jobs(step)


def print_jobs(step: StepExecution) -> None:
    """The jobs of the last attempt's own, such as the training jobs of a tuning job, if it has some."""
    if step.last and step.last.children:
        click.echo(f"\nJobs of {step.step}")
        table([_job_row(job) for job in step.last.own_jobs], ("JOB", "STATUS", "TOOK", "NAME", ""), expendable=("NAME",))


def _job_row(job: ChildExecution) -> tuple[str, ...]:
    took = f"{job.ended_at - job.started_at:.1f} s" if job.ended_at is not None else ""
    return (f"{job.child:03}", job.status.value, took, job.job_name, job_remark(job))


def _cells(row: JSON) -> tuple[str, ...]:
    reason = row.get("FailureReason", "").partition("\n")[0]
    return (str(row["Attempt"]), row["Status"], row["StartTime"], row.get("ExceptionType", ""), reason)

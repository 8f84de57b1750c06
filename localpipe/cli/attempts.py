"""What `show EXEC STEP` prints: all attempts of a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from localpipe.cli.common import print_json, table
from localpipe.service.attempts import attempt_rows, why_no_other
from localpipe.service.views import shown_status

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.scheduling.history import StepExecution
    from localpipe.service.executions import PipelineExecution


def print_attempts(execution: PipelineExecution, step: StepExecution, *, as_json: bool) -> None:
    """The attempts on standard output, oldest first, and why no other followed."""
    rows = attempt_rows(step)
    why = why_no_other(execution.pipeline, step)
    if as_json:
        print_json({"StepName": step.step, "Attempts": rows, **({"NoOtherAttempt": why} if why else {})})
        return
    click.echo(f"Step       {step.step} ({execution.pipeline.steps[step.step].type})")
    click.echo(f"Execution  {execution.name.arn}")
    click.echo(f"Status     {shown_status(step)}")
    click.echo("")
    headings = ("ATTEMPT", "STATUS", "STARTED", "COUNTS AS", "")
    table([_cells(row) for row in rows], headings, expendable=("STARTED",))
    if why:
        click.echo(f"\nNo other attempt: {why}")


def _cells(row: JSON) -> tuple[str, ...]:
    reason = row.get("FailureReason", "").partition("\n")[0]
    return (str(row["Attempt"]), row["Status"], row["StartTime"], row.get("ExceptionType", ""), reason)

"""`resume`, `retry`, `stop`, `shell`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import click

from localpipe.cli.common import command_line, home_option, json_option, say
from localpipe.cli.driving import drive_in_foreground
from localpipe.cli.finding import find_execution
from localpipe.errors import ExecutionBusy, UsageError
from localpipe.service.executions import check_retry, refreshed, retry_pipeline_execution, stop_pipeline_execution
from localpipe.settings import JOB_COMMAND

if TYPE_CHECKING:
    from localpipe.service.executions import PipelineExecution

_LOOKS, _LOOK_SECONDS = 10, 0.1


@click.command()
@click.argument("execution", metavar="EXEC")
@json_option
@home_option
def resume(execution: str, as_json: bool, home: str | None) -> int:  # noqa: FBT001 - click passes by name
    """Go on with an execution that was interrupted, from its journal.

    Jobs that still run are taken up again; no finished step is done twice. EXEC is an ARN, an id or `last`.
    """
    found = find_execution(home, execution)
    found.home.check_writable()
    execution_id = found.name.execution_id
    if found.state.finished:
        again = f" To do its failed steps again: {command_line(found.home, 'retry', execution_id)}"
        raise UsageError(
            f"Execution {execution_id} is {found.status}; there is nothing to resume."
            + ("" if found.status == "Succeeded" else again)
        )
    return drive_in_foreground(found, as_json=as_json, known=found.state.seq)


@click.command()
@click.argument("execution", metavar="EXEC")
@click.option("--max-parallel", type=click.IntRange(min=1), metavar="N", help="MaxParallelExecutionSteps from now on.")
@json_option
@home_option
def retry(execution: str, max_parallel: int | None, as_json: bool, home: str | None) -> int:  # noqa: FBT001
    """Do failed and stopped steps again, and what follows from them: RetryPipelineExecution.

    Same execution, same parameters; AttemptCount goes up. EXEC is an ARN, an id or `last`.
    """
    found = find_execution(home, execution)
    found.home.check_writable()
    if found.driven:
        raise ExecutionBusy(f"Another process drives execution {found.name.execution_id}. It can be retried when that ends.")
    check_retry(found.name.execution_id, found.state)
    ask = partial(retry_pipeline_execution, found.home, found.name.execution_id, max_parallel=max_parallel)
    return drive_in_foreground(found, as_json=as_json, known=found.state.seq, first=ask)


@click.command()
@click.argument("execution", metavar="EXEC")
@click.option("--kill", is_flag=True, help="Do not wait for the grace.")
@home_option
def stop(execution: str, kill: bool, home: str | None) -> None:  # noqa: FBT001
    """Stop an execution: its jobs get SIGTERM and, after the grace, SIGKILL. EXEC is an ARN, an id or `last`."""
    found = find_execution(home, execution)
    found.home.check_writable()
    stop_pipeline_execution(found.home, found.name.execution_id, kill=kill)
    if found.driven or _is_taken_up(found):
        click.echo(f"{'Killing' if kill else 'Stopping'} {found.name.arn}")
    else:
        resume = command_line(found.home, "resume", found.name.execution_id)
        click.echo(f"No process drives it now. To stop what still runs and to end it: {resume}")


@click.command()
@click.argument("execution", metavar="EXEC")
@click.argument("step")
@click.option("--host", metavar="NAME", help="Which host of a job on several, such as `algo-2`.  [default: the first]")
@click.option("--job", type=click.IntRange(min=1), metavar="N", help="One of the step's own jobs: of a tuning job, from 1.")
@home_option
def shell(execution: str, step: str, host: str | None, job: int | None, home: str | None) -> int:
    """Open a shell where STEP runs or ran: the same image, inputs, environment and working directory.

    A running step is entered; for one that has ended, a new container is made over its working directory. In it,
    `eval "$LOCALPIPE_COMMAND"` does what the step does. EXEC is an ARN, an id or `last`. Ends with the shell's exit status.
    """
    from localpipe.service.shell import enter

    found = find_execution(home, execution)
    found.home.check_writable()
    with enter(found, step, terminal=sys.stdin.isatty(), host_name=host, job=job) as opened:
        if opened.alone_as:
            say(f"This is {opened.alone_as} alone; the other hosts of the job do not run.")
        say(f'The command of this job: {opened.own_command}\nTo run it: eval "${JOB_COMMAND}"')
        # A handler, unlike SIG_IGN, is not inherited: Ctrl-C is the shell's alone.
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            return subprocess.call(opened.line.argv, env={**os.environ, **opened.line.environment})
        finally:
            signal.signal(signal.SIGINT, before)


def _is_taken_up(execution: PipelineExecution) -> bool:
    """Whether a process drives it after all: one that `run --detach` has only just begun needs a moment."""
    for _ in range(_LOOKS):
        now = refreshed(execution)
        if now.driven or now.state.finished:
            return True
        time.sleep(_LOOK_SECONDS)
    return False

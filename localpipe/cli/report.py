"""What is said when an execution has ended: how each step went, and for a failed one all that helps to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from localpipe.cli.common import command_line, say
from localpipe.cli.fidelity import fidelity_line
from localpipe.cli.tail import tail
from localpipe.scheduling.history import StepStatus
from localpipe.service.artifacts import host_files
from localpipe.service.attempts import why_no_other
from localpipe.service.own_jobs import job_trouble, summary
from localpipe.service.views import reuse_words, started_steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localpipe.scheduling.children import ChildExecution
    from localpipe.scheduling.history import StepExecution
    from localpipe.service.executions import PipelineExecution

_TAIL_LINES = 15
_COLOURS: Mapping[str, str] = {"Succeeded": "green", "Failed": "red", "Stopped": "yellow"}


def report(execution: PipelineExecution, *, terminal: bool) -> None:
    """Say on standard error how the execution ended, and what differed from the service in this run.

    `terminal`: it is one, and has colours.
    """
    paint = _painted if terminal else _plain
    steps = started_steps(execution.state)
    say("")
    for step in steps:
        status = step.status.value
        say(f"  {paint(f'{status:<10}', status)} {step.step}{_detail(step)}")
    for note in execution.started.notes:
        say(f"  note: {note}")
    for step in steps:
        if step.status is StepStatus.FAILED:
            say("\n" + paint(f"Step {step.step} failed: {step.reason or 'no reason given'}", step.status.value))
            if why := why_no_other(execution.pipeline, step):
                say(f"  no other attempt:   {why}")
            _failure(execution, step)
    ended = paint(f"{execution.status}.", execution.status)
    say(f"\nPipeline {execution.name.pipeline_name}: {ended} {execution.state.failure_reason}".rstrip())
    if line := fidelity_line(execution):
        say(line)
    for line in _next(execution):
        say(line)


def _next(execution: PipelineExecution) -> Sequence[str]:
    """What to type next."""
    home, execution_id = execution.home, execution.name.execution_id
    retry = command_line(home, "retry", execution_id)
    match execution.status:
        case "Succeeded":
            return [f"Next: {command_line(home, 'artifacts', execution_id)}"]
        case "Stopped":
            return [f"Next: {retry}   (the steps that were stopped, and what follows)"]
        case _:
            return [f"Next: {retry}   (from the failed step, same code; after a change, run the pipeline again)"]


def _detail(step: StepExecution) -> str:
    words = []
    if step.attempt > 1:
        words.append(f"attempt {step.attempt}")
    if step.branches_taken:
        words.append(f"→ {', '.join(step.branches_taken)}")
    if step.last and step.last.reused:
        words.append(reuse_words(step.last.reused))
    elif step.started_at is not None and step.ended_at is not None and step.log_files:
        words.append(f"{step.ended_at - step.started_at:.1f} s")
    if step.last and step.last.children:
        words.append(summary(step.last.own_jobs))
    return "".join(f"  {word}" for word in words)


def _painted(text: str, status: str) -> str:
    return click.style(text, fg=_COLOURS.get(status))


def _plain(text: str, status: str) -> str:
    del status
    return text


def _failure(execution: PipelineExecution, step: StepExecution) -> None:
    """The end of its log, where all of it and its files are, how to repeat it and to look around.

    Of several hosts the end of the log is that of the one that failed first, if it is known which.
    """
    if step.last and step.last.children:
        _failed_job(execution, step, step.last.own_jobs)
        return
    hosts = host_files(step)
    for host in hosts:
        of_host = "" if len(hosts) == 1 else f" on {host.name}"
        if step.failed_host in {"", host.name}:
            _end_of_log(str(host.log_file), f"{of_host}, which failed first" if of_host and step.failed_host else of_host)
        say(f"  {f'whole log{of_host}:':<19} {host.log_file}")
        if step.repeat_command and host.root_dir:
            say(f"  working directory:  {host.root_dir}")
    if step.repeat_command:
        alone = f"{hosts[0].name} alone, " if len(hosts) > 1 else ""
        which = ("--host", step.failed_host) if alone and step.failed_host else ()
        shell = command_line(execution.home, "shell", execution.name.execution_id, step.step, *which)
        say(f"  look around:        {shell}")
        say(f"  repeat:             {step.repeat_command}")
        say(f"                      ({alone}without the local S3, which ends with the run; a shell as above has it)")


def _failed_job(execution: PipelineExecution, step: StepExecution, jobs: Sequence[ChildExecution]) -> None:
    """Of a step with jobs of its own: why the first one failed that did, and where its log is.

    One that printed nothing and did not fail is in trouble for what it should have printed, which is told already.
    """
    failed = next((job for job in jobs if job.reason), jobs[0])
    told, trouble = failed.status.value, job_trouble(failed)
    say(f"  its job {failed.child}:          {told}{'.' if failed.reason or not trouble else ', but'} {trouble}".rstrip())
    for log_file in failed.log_files:
        if failed.reason or tail(log_file, 1):
            _end_of_log(log_file, "")
        say(f"  whole log:          {log_file}")
    others = command_line(execution.home, "logs", execution.name.execution_id, step.step, "--job", "N")
    say(f"  the other jobs:     {others}")


def _end_of_log(log_file: str, of_which: str) -> None:
    """`of_which`: which of several it is, of hosts or of jobs."""
    lines = tail(log_file, _TAIL_LINES)
    say(f"  the last lines of its log{of_which}:" if lines else f"  its log{of_which} is empty")
    for line in lines:
        say(f"  | {line}")

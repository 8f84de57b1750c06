"""What is said when an execution has ended: how each step went, and for a failed one all that helps to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.cli.common import command_line, say
from localpipe.cli.tail import tail
from localpipe.scheduling.state import StepStatus
from localpipe.service.views import started_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localpipe.scheduling.state import StepExecution
    from localpipe.service.executions import PipelineExecution

_TAIL_LINES = 15


def report(execution: PipelineExecution) -> None:
    """Say on standard error how the execution ended, and what differed from the service in this run."""
    steps = started_steps(execution.state)
    say("")
    for step in steps:
        say(f"  {step.status.value:<10} {step.step}{_detail(step)}")
    for note in execution.started.notes:
        say(f"  note: {note}")
    for step in steps:
        if step.status is StepStatus.FAILED:
            _failure(execution, step)
    say(f"\nPipeline {execution.name.pipeline_name}: {execution.status}. {execution.state.failure_reason}".rstrip())
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
    if step.started_at is not None and step.ended_at is not None and step.log_files:
        words.append(f"{step.ended_at - step.started_at:.1f} s")
    return "".join(f"  {word}" for word in words)


def _failure(execution: PipelineExecution, step: StepExecution) -> None:
    """Its name and reason, the end of its log, where all of it and its files are, how to repeat it and to look around."""
    say(f"\nStep {step.step} failed: {step.reason or 'no reason given'}")
    for log_file in step.log_files:
        lines = tail(log_file, _TAIL_LINES)
        say("  the last lines of its log:" if lines else "  its log is empty")
        for line in lines:
            say(f"  | {line}")
        say(f"  whole log:          {log_file}")
    if step.log_files:
        shell = command_line(execution.home, "shell", execution.name.execution_id, step.step)
        say(f"  working directory:  {execution.home.attempt_dir(execution.key(step)) / 'root'}")
        say(f"  look around:        {shell}")
        say(f"  repeat:             {step.repeat_command}")
        say("                      (without the local S3, which ends with the run; a shell as above has it)")

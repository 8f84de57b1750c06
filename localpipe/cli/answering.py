"""What a person is told of a step that waits for an answer: how to give it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.cli.common import command_line, say
from localpipe.scheduling.events import MessageSent
from localpipe.scheduling.history import BUSY
from localpipe.scheduling.messages import asks_to_stop

if TYPE_CHECKING:
    from localpipe.scheduling.events import Recorded
    from localpipe.service.executions import PipelineExecution


def say_what_is_waited_for(execution: PipelineExecution) -> None:
    """For each step that waits already, when a run takes it up."""
    for step in execution.state.steps.values():
        if step.last and step.last.message and step.status in BUSY:
            say(how_to_answer(execution, step.last.message))


def say_how_to_answer(execution: PipelineExecution, fact: Recorded) -> None:
    """Say it, if the fact is that a message has been sent."""
    if isinstance(fact.event, MessageSent):
        say(how_to_answer(execution, fact.event))


def how_to_answer(execution: PipelineExecution, sent: MessageSent) -> str:
    """The commands to type, with the outputs that the step declares."""
    definition = execution.pipeline.steps[sent.step]
    declared = execution.home.step_types[definition.type].output_types(definition) or {}
    outputs = [word for name, type_ in declared.items() for word in ("-o", f"{name}={type_.upper()}")]
    succeed = command_line(execution.home, "callback", "succeed", sent.token, *outputs)
    fail = command_line(execution.home, "callback", "fail", sent.token, "--reason", "TEXT")
    stopped = " before it stops" if asks_to_stop(sent) else ""
    return f"  {sent.step} waits for an answer{stopped}:\n    {succeed}\n    {fail}"

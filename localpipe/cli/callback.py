"""`callback`: the messages of Callback steps, and answering them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from localpipe.cli.common import (
    command_line,
    existing_home,
    home_below,
    home_option,
    json_option,
    pairs,
    print_json,
    say,
    table,
)
from localpipe.errors import NotFound
from localpipe.service.callbacks import (
    send_pipeline_execution_step_failure,
    send_pipeline_execution_step_success,
    waiting_messages,
)

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.service.callbacks import Callback
    from localpipe.service.wiring import Home


@click.group()
@click.pass_context
@home_option
def callback(context: click.Context, home: str | None) -> None:
    """List the messages of Callback steps that wait for an answer, and answer them by their tokens."""
    context.obj = home


@callback.command("list")
@json_option
@home_below
@click.pass_obj
def list_messages(home: str | None, *, as_json: bool) -> None:
    """List the messages that wait for an answer."""
    found = existing_home(home)
    messages = waiting_messages(found) if found else []
    if as_json:
        print_json(messages)
        return
    if not messages:
        say("No message waits for an answer.")
    table([_row(message) for message in messages], ("TOKEN", "STEP", "STATUS", "EXECUTION", "QUEUE", "ARGUMENTS"))


@callback.command()
@click.argument("token")
@click.option("-o", "--output", "outputs", multiple=True, metavar="Name=Value", help="An output that the step declares.")
@home_below
@click.pass_obj
def succeed(home: str | None, token: str, outputs: tuple[str, ...]) -> None:
    """Have the step that waits for TOKEN succeed."""
    given = pairs(outputs, "Output")
    found = _home_with(home, token)
    _say_answered(send_pipeline_execution_step_success(found, token, given))


@callback.command()
@click.argument("token")
@click.option("--reason", required=True, metavar="TEXT", help="The step's failure reason.")
@home_below
@click.pass_obj
def fail(home: str | None, token: str, reason: str) -> None:
    """Have the step that waits for TOKEN fail."""
    found = _home_with(home, token)
    _say_answered(send_pipeline_execution_step_failure(found, token, reason))


def _row(message: JSON) -> tuple[str, ...]:
    execution_id = message["pipelineExecutionArn"].rpartition("/")[2]
    arguments = json.dumps(message["arguments"], ensure_ascii=False)
    return message["token"], message["step"], message["status"], execution_id, message["queueUrl"], arguments


def _home_with(home: str | None, token: str) -> Home:
    found = existing_home(home)
    if found is None:
        raise NotFound("callback token", token, remedy="No pipeline has run here yet; another home is named by --home.")
    found.check_writable()
    return found


def _say_answered(answered: Callback) -> None:
    execution = answered.execution
    click.echo(f"{answered.step.step}: {answered.step.status.value}")
    if not execution.driven and not execution.state.finished:
        resume = command_line(execution.home, "resume", execution.name.execution_id)
        click.echo(f"No process drives the execution now. To go on with it: {resume}")

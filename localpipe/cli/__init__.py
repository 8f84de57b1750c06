"""The command line: argument parsing and rendering only.

Each command lives in a module of its own that is imported when the command is given, so that `--help` is instant.
"""

from __future__ import annotations

import errno
import importlib
import sys
import traceback
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from localpipe._version import __version__
from localpipe.cli.streams import forget_unwritten, open_missing_streams, output_has_no_reader, tell
from localpipe.errors import InvalidTransition, LocalpipeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_EXIT_MACHINE = 3
_EXIT_BUG = 70  # EX_SOFTWARE: never mistaken for a failed pipeline
_EXIT_INTERRUPTED = 130
_FULL = (errno.ENOSPC, errno.EDQUOT)

# command → (module below localpipe.cli, one-line help)
_COMMANDS = {
    "run": ("run", "Run a pipeline: a definition (.json) or a script (.py) written with the SageMaker SDK."),
    "check": ("run", "Say everything that would be refused, and run nothing."),
    "graph": ("run", "Show the steps and what waits for what."),
    "ls": ("inspect", "List executions, newest first."),
    "show": ("inspect", "Show an execution: its steps and how they ended."),
    "logs": ("inspect", "Print the log of a step."),
    "explain": ("explain", "Say why a step was answered from an earlier result, or was not."),
    "artifacts": ("inspect", "List what an execution wrote to S3."),
    "resume": ("control", "Go on with an execution that was interrupted."),
    "retry": ("control", "Do failed and stopped steps again, in the same execution."),
    "stop": ("control", "Stop an execution with grace."),
    "shell": ("control", "Open a shell where a step ran: its image, inputs and environment."),
    "callback": ("callback", "List and answer the messages of Callback steps."),
    "init": ("init", "Write a small pipeline to start from."),
    "images": ("images", "List, build and map container images."),
    "s3": ("s3", "Look into the local S3 and copy to and from it."),
    "models": ("models", "List registered models and model packages."),
    "gc": ("gc", "Remove old executions and what crashed runs left behind."),
    "doctor": ("doctor", "Say what this machine can run, what is missing, and every setting."),
}


class _Commands(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _reader_may_leave():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _reader_may_leave():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"localpipe.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="localpipe")
def localpipe() -> None:
    """Run Amazon SageMaker Pipelines on this machine: same definition, same containers, no account, no network."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0, 1 the execution failed, 2 refused, 3 this machine cannot, 130 stopped, 70 a bug."""
    open_missing_streams()
    status = _status(arguments)
    forget_unwritten()
    sys.exit(status)


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """End with 0 where nobody reads standard output any more (`| head`): click's own end, 1, says that a pipeline failed."""
    try:
        yield
    except BrokenPipeError:
        raise click.exceptions.Exit(0 if output_has_no_reader() else _bug()) from None


def _status(arguments: Sequence[str] | None) -> int:
    try:
        result = localpipe.main(args=arguments, standalone_mode=False)
    except click.exceptions.Abort:
        return _EXIT_INTERRUPTED
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        return error.exit_code
    except InvalidTransition:
        return _bug()
    except LocalpipeError as error:
        tell(f"Error: {error}")
        return error.exit_status
    except Exception as error:  # noqa: BLE001 - the edge: a bug of ours keeps its traceback and an exit code of its own
        return _full(error) if isinstance(error, OSError) and error.errno in _FULL else _bug()
    return result if isinstance(result, int) else 0


def _full(error: OSError) -> int:
    where = f" to {error.filename}" if error.filename else ""
    again = "Make room: `localpipe resume last` goes on with a run."
    tell(f"Error: Nothing more can be written{where}: {error.strerror}. {again}")
    return _EXIT_MACHINE


def _bug() -> int:
    tell(traceback.format_exc().rstrip())
    tell("This is a bug of localpipe, not of your pipeline. `localpipe resume last` goes on with a run.")
    return _EXIT_BUG

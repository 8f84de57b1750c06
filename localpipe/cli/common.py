"""What several commands share: opening the home, options, reading `Name=Value` pairs."""

from __future__ import annotations

import json
import math
import os
import shlex
import shutil
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from localpipe.cli.streams import tell
from localpipe.cli.tables import laid_out
from localpipe.errors import UsageError
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from localpipe.core import JSON

_HOME_HELP = "Where executions and the local S3 are kept [.localpipe]."
_STDERR = 2
_SHOW_CURSOR = "\x1b[?25h"
_SAYING = threading.RLock()
"""Held for each line. A handler may interrupt its own thread's line, so it is one that can be taken twice."""
_LONGEST_LINE_SECONDS = 1.0
EXIT_STATUS = {"Succeeded": 0, "Failed": 1, "Stopped": 130}
"""How `run`, `resume` and `retry` end, by execution status."""


def say(text: str) -> None:
    """A line on standard error, where it can be written. Above the live view, if there is one: `click.echo` would write
    past it.
    """
    with _SAYING:
        tell(text)


def say_last(text: str) -> None:
    """A line on standard error that no other thread's follows: the process is to end at once.

    For a signal handler: it waits for no more than a line that is being written, and past the live view.
    """
    _SAYING.acquire(timeout=_LONGEST_LINE_SECONDS)
    show_cursor = _SHOW_CURSOR if os.isatty(_STDERR) else ""
    with suppress(OSError):
        os.write(_STDERR, f"{show_cursor}{text}\n".encode())


def open_home(flags: Mapping[str, object], target: Path | None = None) -> Home:
    """The home that the flags, the environment and the nearest `localpipe.toml` name, made if it is not there.

    Raises HomeUnusable if nothing can be written to it.
    """
    home = home_as_it_is(flags, target)
    home.check_writable()
    return home


def home_as_it_is(flags: Mapping[str, object], target: Path | None = None) -> Home:
    """The same home to look at: it may be read-only, or not there, and is not made as long as nothing is opened in it."""
    return Home(load_settings(flags, os.environ, Path.cwd(), target), say)


def existing_home(home: str | None) -> Home | None:
    """The home to look at, None if it has not been made yet."""
    found = home_as_it_is({"home": home})
    return found if found.exists() else None


def command_line(home: Home, *words: str) -> str:
    """A command to type next, for the same home."""
    named = ("--home", str(home.location)) if home.settings.origins.get("home") == "--home" else ()
    return shlex.join(["localpipe", *words, *named])


def home_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--home DIR`, as every command has it."""
    return click.option("--home", metavar="DIR", help=_HOME_HELP)(command)


def pairs(texts: Iterable[str], what: str) -> dict[str, str]:
    """`Name=Value` texts as a dict. Raises UsageError for one without `=`."""
    result: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise UsageError(f"{what} {text!r} is not of the form Name=Value.")
        if name in result:
            raise UsageError(f"{what} {name!r} is given twice: {result[name]!r} and {value!r}.")
        result[name] = value
    return result


def parameters_from(file: str | None, texts: Iterable[str]) -> dict[str, JSON]:
    """Start parameters from a JSON file (an object, or a list of Name and Value) and `-p` options; the latter win."""
    return {**(_from_file(Path(file)) if file else {}), **pairs(texts, "Parameter")}


def _from_file(file: Path) -> dict[str, JSON]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The parameters file {file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UsageError(f"The parameters file {file} is no JSON: {error}.") from None
    if isinstance(document, list) and all(isinstance(row, dict) and {"Name", "Value"} <= set(row) for row in document):
        return {row["Name"]: row["Value"] for row in document}
    if isinstance(document, dict):
        return document
    raise UsageError(f'The parameters file {file} must hold {{"Name": value, ...}} or [{{"Name": ..., "Value": ...}}, ...].')


def home_below(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--home DIR` on a command of a group, where it counts as if it stood before the command's name."""

    def remember(context: click.Context, _: click.Parameter, value: str | None) -> None:
        if value is not None:
            context.obj = value

    return click.option("--home", metavar="DIR", expose_value=False, callback=remember, help=_HOME_HELP)(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`, as the commands have it that print a document."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")(command)


def print_json(document: JSON) -> None:
    """One document on standard output."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def table(rows: Sequence[tuple[str, ...]], headings: tuple[str, ...], *, expendable: Sequence[str] = ()) -> None:
    """Columns on standard output, fitted to it if it is a terminal, which may cost the `expendable` ones; see `laid_out`."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else math.inf
    for line in laid_out(rows, headings, expendable=expendable, width=width):
        click.echo(line)

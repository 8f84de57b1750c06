"""From flags, environment, file and defaults to the settings of one command."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from localpipe.errors import UsageError
from localpipe.settings.file import nearest, read_file, refuse_unknown
from localpipe.settings.model import Settings
from localpipe.settings.options import ENVIRONMENT_PREFIX, INTERPRETERS, JOB_COMMAND, OPTIONS
from localpipe.settings.tables import TABLES, read_tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localpipe.settings.file import SettingsFile
    from localpipe.settings.options import Option

HOME_NAME = ".localpipe"

_Given: TypeAlias = tuple[object, str]
"""A value and where it came from."""


def load_settings(
    flags: Mapping[str, object], environ: Mapping[str, str], directory: Path, target: Path | None = None
) -> Settings:
    """Resolve every setting for a command given in `directory`.

    `flags` maps option names to values; a None is not given. The file is the `localpipe.toml` in the nearest parent of
    `directory`, else of `target`. Raises UsageError for an unknown key (naming the nearest) or an impossible value.
    """
    file = read_file(directory, target)
    layers = (*_given(flags, environ), _options_of(file))
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for option in OPTIONS:
        values[option.name], origins[option.name] = _resolve(option, layers)
    if values["home"] is None:
        found = nearest(directory, HOME_NAME)
        values["home"] = found or HOME_NAME
        origins["home"] = "nearest parent that has one" if found else "default"
    values["home"] = directory.absolute() / values["home"]
    for name in INTERPRETERS:
        if values[name] is not None:
            values[name] = _interpreter(name, values[name], origins[name], environ, directory)
    origins |= {name: str(file.path) if file.table(name) else "default" for name in TABLES}
    return Settings(**values, **read_tables(file), origins=origins)


def _given(flags: Mapping[str, object], environ: Mapping[str, str]) -> tuple[Mapping[str, _Given], Mapping[str, _Given]]:
    """What was given with the command and in the environment, where an empty variable counts as none."""
    variables = {key[len(ENVIRONMENT_PREFIX) :].lower(): value for key, value in environ.items() if _is_ours(key)}
    refuse_unknown(variables, {option.name for option in OPTIONS}, "environment variable", _variable)
    return (
        {name: (value, f"--{name.replace('_', '-')}") for name, value in flags.items() if value is not None},
        {name: (value, _variable(name)) for name, value in variables.items() if value},
    )


def _resolve(option: Option, layers: Sequence[Mapping[str, _Given]]) -> tuple[object, str]:
    """The value of the first layer that has one, and where it came from."""
    for layer in layers:
        if option.name in layer:
            value, origin = layer[option.name]
            try:
                return option.parse(value), origin
            except ValueError as error:
                raise UsageError(f"{option.name} = {value!r} ({origin}): {error}.") from None
    return option.default, "default"


def _variable(name: str) -> str:
    return f"{ENVIRONMENT_PREFIX}{name.upper()}"


def _is_ours(key: str) -> bool:
    """Not ours to judge are the variables of our tests, and what a shell of a step exports: localpipe may be used in it."""
    return key.startswith(ENVIRONMENT_PREFIX) and key != JOB_COMMAND and not key.startswith(f"{ENVIRONMENT_PREFIX}TEST_")


def _interpreter(name: str, text: str, origin: str, environ: Mapping[str, str], directory: Path) -> Path:
    """A path, from `directory`, or a command on PATH where there is no slash in it. Raises UsageError if there is none."""
    path = Path(text).expanduser()
    wanted = str(directory.absolute() / path) if "/" in text else text
    found = shutil.which(wanted, path=environ.get("PATH"))
    if found is None:
        raise UsageError(f"{name} = {text!r} ({origin}): {_why_not(wanted)}. Give the path of an interpreter.")
    return Path(found).absolute()


def _why_not(program: str) -> str:
    """Why what `shutil.which` has not found cannot be run."""
    if "/" not in program:
        return "there is no such program"
    try:
        is_directory = stat.S_ISDIR(os.stat(program).st_mode)  # noqa: PTH116 - as text: nothing of it is to be normalised
    except (FileNotFoundError, NotADirectoryError):
        return "there is no such program"
    except (OSError, ValueError) as error:
        return f"it cannot be looked at ({getattr(error, 'strerror', None) or error})"
    return "it is a directory" if is_directory else "it is not executable for this user"


def _options_of(file: SettingsFile) -> Mapping[str, _Given]:
    """What the file gives. Raises UsageError for a key that is neither an option nor a table."""
    known = {option.name for option in OPTIONS}
    refuse_unknown(file.document, known | {name.split(".")[0] for name in TABLES}, f"key in {file.path}")
    options = {name: value for name, value in file.document.items() if name in known}
    for name in ("home", *INTERPRETERS):
        value = options.get(name)
        if isinstance(value, str) and (name == "home" or "/" in value):
            options[name] = str(file.beside(value))
    return {name: (value, str(file.path)) for name, value in options.items()}

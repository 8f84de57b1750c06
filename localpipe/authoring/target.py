"""From what a user names as the thing to run to a definition."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from localpipe.authoring.environment import authoring_environment, config_text
from localpipe.authoring.local_mode import without_local_instances
from localpipe.authoring.localpipe_launcher.redirect import Redirection
from localpipe.authoring.names import pipeline_name
from localpipe.authoring.outcome import AuthoredDefinition
from localpipe.authoring.script import Asked, definition_from_script
from localpipe.errors import UsageError
from localpipe.server.capture import no_history
from localpipe.service.authors_python import choose_python

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.core.names import Identity
    from localpipe.core.ports import ObjectStore
    from localpipe.server.capture import History

NOTHING_ASKED = Asked()
_DICT_NAME = "pipeline"
_SCRIPTS = frozenset({".py", ".ipynb"})
_LONGEST_SHOWN = 200
_BEGINNING_OF_JSON = re.compile(r'\ufeff?\s*\{\s*["}]')
_GIVE = "give a path, a dict (json.loads) or a Pipeline object"


@runtime_checkable
class SdkPipeline(Protocol):
    """A `Pipeline` of SDK v2 or v3."""

    name: str

    def definition(self) -> str:
        """The definition as JSON text; uploads code and local inputs."""
        ...


def load_target(
    target: str | Path | Mapping[str, JSON] | SdkPipeline,
    *,
    store: ObjectStore,
    identity: Identity,
    environ: Mapping[str, str],
    python: str | None = None,
    asked: Asked = NOTHING_ASKED,
    history: History = no_history,
) -> AuthoredDefinition:
    """The definition that a target stands for.

    A path to `*.json`: a definition, named after the file. A path to `*.py` or `*.ipynb`: a script (`python`: see
    `choose_python`; `history`: see `PipelineCapture`). A mapping: a definition named `pipeline`. A `Pipeline` object of the
    SDK: compiled in this process.
    Raises UsageError for anything else, AuthoringError for a script without a pipeline, NotSupported.
    """
    if isinstance(target, Mapping):
        _refuse(asked)
        return AuthoredDefinition(definition=json.dumps(target), pipeline_name=_DICT_NAME)
    if isinstance(target, SdkPipeline):
        _refuse(asked)
        return compile_pipeline(target, store=store, identity=identity)
    path = _path_of(target)
    if path.suffix not in _SCRIPTS:
        _refuse(asked)
    _require_file(path)
    if path.suffix == ".json":
        return AuthoredDefinition(definition=_read(path), pipeline_name=pipeline_name(path.stem), directory=path.parent)
    if path.suffix not in _SCRIPTS:
        raise UsageError(f"{path} is neither a pipeline script (.py, .ipynb) nor a definition (.json).")
    return definition_from_script(
        path,
        python=choose_python(python, environ),
        store=store,
        identity=identity,
        environ=environ,
        asked=asked,
        history=history,
    )


def _refuse(asked: Asked) -> None:
    if asked.flags():
        raise UsageError(f"Only a script (.py, .ipynb) takes {asked.flags()}.")


def _path_of(target: object) -> Path:
    """Raises UsageError for what is no path: another type, a definition's text."""
    if not isinstance(target, str | os.PathLike):
        raise UsageError(f"The target {_shown(target)} is of type {type(target).__name__}: {_GIVE}.")
    text = os.fsdecode(target)
    if _BEGINNING_OF_JSON.match(text):
        raise UsageError(f"The target {_shown(text)} is a definition's text: {_GIVE}.")
    return Path(text)


def _shown(target: object) -> str:
    text = repr(target)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN // 2]}...{text[-_LONGEST_SHOWN // 2 :]}"


def _require_file(path: Path) -> None:
    """Raises UsageError unless it is a file, or something else that can be read."""
    try:
        is_directory = stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"There is no file {path}. A target is a pipeline script (.py) or a definition (.json).") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"The target {_shown(str(path))} cannot be looked at: {reason}.") from None
    if is_directory:
        raise UsageError(f"{path} is a directory. Name the script or the definition in it, such as {path / 'pipeline.py'}.")


def compile_pipeline(pipeline: SdkPipeline, *, store: ObjectStore, identity: Identity) -> AuthoredDefinition:
    """Compile an SDK object in this process while all of its AWS clients talk to a private endpoint.

    For the time of the call the redirection holds for the whole process: no other thread may use AWS. What the author's
    code raises comes out as it is.
    """
    from localpipe.authoring.endpoint import compilation

    with compilation(store, identity) as ours:
        config_file = ours.directory / "aws-config"
        config_file.write_text(config_text(os.environ), encoding="utf-8")
        with _environment(authoring_environment(os.environ, ours.endpoint, config_file)), Redirection(ours.endpoint):
            definition = without_local_instances(pipeline.definition())
            return AuthoredDefinition(definition=definition, pipeline_name=pipeline.name, functions=ours.functions.functions)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """The SDK reads the process's environment: for a while it is exactly `variables`."""
    before = dict(os.environ)
    _change_environment(variables)
    try:
        yield
    finally:
        _change_environment(before)


def _change_environment(variables: Mapping[str, str]) -> None:
    """Touches what differs only: other threads may be reading the rest."""
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update({name: value for name, value in variables.items() if os.environ.get(name) != value})


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as a definition: {error}") from error

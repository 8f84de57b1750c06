"""Runs an author's script in his own Python against a private endpoint, and reads what came of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.authoring.environment import authoring_environment, config_text
from localpipe.authoring.names import pipeline_name
from localpipe.errors import AuthoringError, NotSupported, UsageError
from localpipe.server.capture import CapturedStart

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.authoring.endpoint import Compilation
    from localpipe.core import JSON
    from localpipe.core.names import Identity
    from localpipe.core.ports import ObjectStore
    from localpipe.server.capture import CapturedPipeline

LAUNCHER = Path(__file__).with_name("localpipe_launcher")
_STANDARD_ERROR = 2
_START_NOT_RUN = (
    "The script's `__main__` block did not run: what it gives to start() is not taken. Give parameters by -p Name=Value."
)


@dataclass(frozen=True, kw_only=True)
class AuthoredDefinition:
    """A definition as text, the pipeline's name, and what the author said about the run.

    `parameters`: start parameters that the script itself gave (`pipeline.start(parameters=...)`), by name, as text.
    `max_parallel`: MaxParallelExecutionSteps as the script set it; None where it did not. `notes`: sentences for the user
    about how the definition came to be.
    """

    definition: str
    pipeline_name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    max_parallel: int | None = None
    notes: tuple[str, ...] = ()


def choose_python(explicit: str | None, environ: Mapping[str, str]) -> Path:
    """The Python that runs the author's script: the one asked for, else the active environment's, else localpipe's own.

    `explicit` is a path or a command on PATH. An environment is active by VIRTUAL_ENV or CONDA_PREFIX.
    Raises UsageError if there is no such program.
    """
    if explicit is not None:
        found = shutil.which(explicit, path=environ.get("PATH"))
        if found is None:
            raise UsageError(f"There is no Python at {explicit!r}. Give --python the path of an interpreter.")
        return Path(found).absolute()
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        python = Path(environ.get(variable) or "/nonexistent", "bin", "python")
        if python.exists():
            return python
    return Path(sys.executable)


def definition_from_script(
    path: Path,
    *,
    python: Path,
    store: ObjectStore,
    identity: Identity,
    environ: Mapping[str, str],
    pipeline: str | None = None,
    arguments: Mapping[str, JSON] | None = None,
) -> AuthoredDefinition:
    """Run the script and return its pipeline's definition; code and local inputs that it uploads are in `store`.

    `environ` is the environment the script would have had; see `authoring_environment` for what is taken out of it.
    `pipeline` names the one meant where a script makes several. `arguments` are given to its `get_pipeline` by name. What
    the script prints goes to our standard error. Raises AuthoringError: the script failed (with its own traceback), made no
    pipeline, or several; NotSupported for what it asks of the run.
    """
    from localpipe.authoring.endpoint import compilation

    with compilation(store, identity, pipeline) as ours:
        result = _run(path, python, ours, environ, _request(path, identity, pipeline, arguments or {}))
        return _read_result(result, path, python, ours)


def _request(path: Path, identity: Identity, pipeline: str | None, arguments: Mapping[str, JSON]) -> dict[str, JSON]:
    """The launcher's request but for places; see `localpipe_launcher.run.main`."""
    name = pipeline_name(path.parent.name if path.stem == "pipeline" else path.stem)
    return {
        "script": str(path.absolute()),
        "pipeline": pipeline,
        "arguments": dict(arguments),
        "values": {
            "account": identity.account,
            "region": identity.region,
            "role": identity.role_arn,
            "bucket": f"sagemaker-{identity.region}-{identity.account}",
            "name": name,
            "project_arn": identity.arn("project", name),
            "project_id": "p-localpipe0000",
            "project_name": name,
        },
    }


def _run(path: Path, python: Path, ours: Compilation, environ: Mapping[str, str], request: dict[str, JSON]) -> JSON:
    config_file = ours.directory / "aws-config"
    config_file.write_text(config_text(environ), encoding="utf-8")
    request_file, result_file = ours.directory / "request.json", ours.directory / "result.json"
    places = {"endpoint": ours.endpoint._asdict(), "result_file": str(result_file)}
    request_file.write_text(json.dumps({**request, **places}), encoding="utf-8")
    ended = subprocess.run(
        [str(python), str(LAUNCHER), str(request_file)],
        env=authoring_environment(environ, ours.endpoint, config_file),
        stdin=subprocess.DEVNULL,
        stdout=_STANDARD_ERROR,
        check=False,
    )
    if not result_file.exists():
        raise AuthoringError(f"{path} ended its Python ({python}) with status {ended.returncode} before it was done.")
    return json.loads(result_file.read_text(encoding="utf-8"))


def _read_result(result: JSON, path: Path, python: Path, ours: Compilation) -> AuthoredDefinition:
    """The definition that a result tells of. Raises AuthoringError for every outcome but a definition, NotSupported."""
    name, notes = result.get("name"), tuple(result["notes"])
    captured = ours.capture.pipelines.get(name)
    if result["outcome"] == "compiled":
        notes += (_START_NOT_RUN,) if result["start_not_run"] else ()
        return AuthoredDefinition(definition=result["definition"], pipeline_name=name, notes=notes)
    if result["outcome"] == "captured" and captured:
        return _from_capture(captured, notes)
    raise AuthoringError(_no_definition(result, path, python))


def _from_capture(captured: CapturedPipeline, notes: tuple[str, ...]) -> AuthoredDefinition:
    """What the script told the endpoint: its start wins over the pipeline's setting. Follows: service.md section 5.1."""
    start = captured.start or CapturedStart(parameters={})
    if start.selective:
        raise NotSupported(
            f"Selective execution, as the script starts pipeline {captured.name!r} (SelectiveExecutionConfig),",
            "Start it without: all of its steps run.",
        )
    if start.parameters:
        notes += (f"Parameters that the script starts the pipeline with: {', '.join(start.parameters)}.",)
    max_parallel = start.max_parallel or captured.max_parallel
    if max_parallel:
        notes += (f"The script sets MaxParallelExecutionSteps to {max_parallel}; --max-parallel changes it.",)
    return AuthoredDefinition(
        definition=captured.definition,
        pipeline_name=captured.name,
        parameters=start.parameters,
        max_parallel=max_parallel,
        notes=notes,
    )


def _no_definition(result: JSON, path: Path, python: Path) -> str:
    outcome, names = result["outcome"], ", ".join(result.get("names", ()))
    if outcome == "several":
        return f"{path} makes several pipelines: {names}. Name the one you mean by --pipeline."
    if outcome == "absent":
        ended = " It was ended where it waits, so it may make others after that." if result["ended"] else ""
        return f"{path} makes no pipeline of the name asked for by --pipeline. It makes: {names}.{ended}"
    if outcome == "failed":
        return _failed(result, path, python)
    if outcome == "arguments":
        return _refused_arguments(result, path, names)
    if result["unknown_parameters"]:
        return (
            f"get_pipeline() of {path} has parameters that localpipe has no value for: "
            f"{', '.join(result['unknown_parameters'])}. Give them by --arg Name=Value, give them defaults, or keep a "
            "Pipeline in a variable of the module."
        )
    return (
        f"{path} made no pipeline. Define get_pipeline(), keep a Pipeline in a variable of the module, "
        "or upsert it when the script runs."
    )


def _refused_arguments(result: JSON, path: Path, names: str) -> str:
    if result["taken"] is None:
        return f"{path} has no get_pipeline() that could take what --arg gives: {names}."
    return f"get_pipeline() of {path} does not take {names}. It takes: {', '.join(result['taken']) or 'nothing'}."


def _failed(result: JSON, path: Path, python: Path) -> str:
    missing = result["missing_module"] or ""
    if missing == "sagemaker":
        return (
            f"{python} cannot import `sagemaker`, which {path} needs. Install the SageMaker SDK there "
            f"(`{python} -m pip install sagemaker`), or name another Python by --python."
        )
    if missing.startswith("sagemaker."):
        return (
            f"The SageMaker SDK of {python} has no `{missing}`, which {path} needs: its versions 2 and 3 have different "
            "modules. Name a Python with the version that the script is written for by --python."
        )
    if result["wants_arguments"]:
        return (
            f"{path} wants arguments on its command line, and is given none; what it says about them is above. Give them "
            "defaults, or define get_pipeline(), whose arguments are given by --arg Name=Value."
        )
    text = f"{path} failed:\n{result['traceback'].rstrip()}"
    if missing:
        return f"{text}\nThe Python is {python}: install `{missing.partition('.')[0]}` there, or name another by --python."
    return text

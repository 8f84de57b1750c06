"""Runs an author's script in his own Python against a private endpoint."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.authoring.environment import authoring_environment, config_text
from localpipe.authoring.names import pipeline_name
from localpipe.authoring.outcome import AuthoredDefinition, Ran, read_result
from localpipe.errors import AuthoringError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.authoring.endpoint import Compilation
    from localpipe.core import JSON
    from localpipe.core.names import Identity
    from localpipe.core.ports import ObjectStore
    from localpipe.server.capture import History

LAUNCHER = Path(__file__).with_name("localpipe_launcher")
_STANDARD_ERROR = 2


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the user asks of a script.

    `pipeline`: the one meant where it makes several. `function`: the one that makes the pipeline. `arguments`: given to that
    function by name. `script_arguments`: its `sys.argv[1:]`. None and empty: not asked for.
    """

    pipeline: str | None = None
    function: str | None = None
    arguments: Mapping[str, JSON] = field(default_factory=dict)
    script_arguments: tuple[str, ...] = ()

    def flags(self) -> str:
        """The flags by which it is asked, for a sentence; empty if nothing is."""
        asked = {"--function": self.function, "--arg": self.arguments, "-- ARGS": self.script_arguments}
        return ", ".join(flag for flag, value in asked.items() if value)


def definition_from_script(
    path: Path,
    *,
    python: Path,
    store: ObjectStore,
    identity: Identity,
    environ: Mapping[str, str],
    asked: Asked,
    history: History,
) -> AuthoredDefinition:
    """Run the script and return its pipeline's definition; code and local inputs that it uploads are in `store`.

    `history`: see `PipelineCapture`.
    `environ` is the environment the script would have had; see `authoring_environment` for what is taken out of it. What
    the script prints goes to our standard error. Raises AuthoringError: the script failed (with its own traceback), made no
    pipeline, or several; NotSupported for what it asks of the run, or of AWS.
    """
    from localpipe.authoring.endpoint import compilation

    ran = Ran(path=path, python=python, script_arguments=asked.script_arguments)
    with compilation(store, identity, asked.pipeline, history) as ours:
        result = _run(ran, ours, environ, _request(path, identity, asked))
        authored = read_result(result, ran, ours.capture.pipelines)
    return replace(authored, functions=ours.functions.functions)


def _request(path: Path, identity: Identity, asked: Asked) -> dict[str, JSON]:
    """The launcher's request but for places; see `localpipe_launcher.run.main`."""
    name = pipeline_name(path.parent.name if path.stem == "pipeline" else path.stem)
    return {
        "script": str(path.absolute()),
        "script_arguments": list(asked.script_arguments),
        "pipeline": asked.pipeline,
        "function": asked.function,
        "arguments": dict(asked.arguments),
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


def _run(ran: Ran, ours: Compilation, environ: Mapping[str, str], request: dict[str, JSON]) -> JSON:
    config_file = ours.directory / "aws-config"
    config_file.write_text(config_text(environ), encoding="utf-8")
    request_file, result_file = ours.directory / "request.json", ours.directory / "result.json"
    places = {"endpoint": ours.endpoint._asdict(), "result_file": str(result_file)}
    request_file.write_text(json.dumps({**request, **places}), encoding="utf-8")
    ended = subprocess.run(
        [str(ran.python), str(LAUNCHER), str(request_file)],
        env=authoring_environment(environ, ours.endpoint, config_file),
        stdin=subprocess.DEVNULL,
        stdout=_STANDARD_ERROR,
        check=False,
    )
    if not result_file.exists():
        raise AuthoringError(
            f"{ran.path} ended its Python ({ran.python}) with status {ended.returncode} before it was done."
        )
    return json.loads(result_file.read_text(encoding="utf-8"))

"""Runs the author's script under the redirection and says which pipeline came of it.

The pipeline is looked for in this order; the first that yields any ends the search:
1. the script executed as an import (its `__main__` block does not run): what its `get_pipeline(...)` returns,
2. the `Pipeline` objects in its variables,
3. what it upserted or started (the endpoint has it),
4. if its text mentions `__name__`: the script executed once more, as the program, and points 2 and 3 again,
5. the `Pipeline` objects that were constructed anywhere,
6. what a `get_pipeline(...)` returns that the script only imports (in place 1 if the user gives arguments for it).
So only a script that makes its pipeline in its `__main__` block is executed twice, and its other code once more at most.

A pipeline that the script itself upserted is not compiled again: the endpoint's copy is taken.
"""

from __future__ import annotations

import inspect
import json
import logging
import os
import re
import sys
import traceback
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import find, load
from .redirect import Endpoint, Redirection
from .waiting import NothingToWaitFor, ScriptEnded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import ModuleType

OUR_FOLDER = str(Path(__file__).parent)
WAITED = "The script waits for an execution that it started; it was ended there, and the run begins afterwards."
_START_CALL = re.compile(r"\.start\s*\(")


def main(request_file: str) -> int:
    """Do what the request says; write the result; return 0.

    Request: `script`, `pipeline` (a name or None), `values` (see `find.PARAMETER_VALUES`), `arguments` (of `get_pipeline`,
    by name), `endpoint` (fields of Endpoint), `result_file`. Result: `outcome` with its own fields, and `notes`; see
    `localpipe.authoring.script`.
    """
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    script, endpoint = Path(request["script"]), Endpoint(**request["endpoint"])
    sys.argv = [str(script)]
    logging.getLogger("botocore.configprovider").setLevel(logging.WARNING)  # else it announces the endpoint for each client
    sys.path[:0] = load.search_path(script)
    result_file = Path(request["result_file"])

    def give_up() -> None:
        """Leave with what the endpoint has."""
        author.notes.append(WAITED)
        _write(result_file, author, author.choose([dict.fromkeys(captured_names(endpoint))]))
        os._exit(0)

    recorder, waiting = find.Recorder(), NothingToWaitFor(request["pipeline"], give_up)
    author = Author(request, recorder, waiting, lambda: captured_names(endpoint))
    with Redirection(endpoint, waiting.before_call):
        recorder.install()
        waiting.install()
        result = author.result()
    _write(result_file, author, result)
    return 0


def _write(result_file: Path, author: Author, result: Mapping[str, Any]) -> None:
    result_file.write_text(json.dumps(dict(result, notes=author.notes)), encoding="utf-8")


class Author:
    """One script and what came of it. `request`: see `main`. `captured`: the names of pipelines that the endpoint has."""

    def __init__(
        self,
        request: Mapping[str, Any],
        recorder: find.Recorder,
        waiting: NothingToWaitFor,
        captured: Callable[[], list[str]],
    ) -> None:
        self.notes: list[str] = []
        self._script = Path(request["script"])
        self._wanted: str | None = request["pipeline"]
        self._values: Mapping[str, Any] = request["values"]
        self._arguments: Mapping[str, Any] = request["arguments"]
        self._recorder = recorder
        self._waiting = waiting
        self._captured = captured
        self._unknown_parameters: tuple[str, ...] = ()
        self._late_error: BaseException | None = None

    def result(self) -> dict[str, Any]:
        """The outcome as the request's reader expects it. Never raises what the author's code raised."""
        try:
            return self.choose(self._search())
        except find.UnknownArguments as unknown:
            return {"outcome": "arguments", "names": unknown.names, "taken": unknown.taken}
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the author's code raises is reported as his
            return failure(error)

    def choose(self, places: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """The outcome by what is found in the first place that has any. Raises what kept the script from making more."""
        seen: dict[str, Any] = {}
        for pipelines in places:
            seen.update(pipelines)
            if self._wanted is None and len(pipelines) > 1:
                return {"outcome": "several", "names": sorted(pipelines)}
            for name in [self._wanted] if self._wanted else list(pipelines):
                if name in pipelines:
                    return self._compiled(name, pipelines[name])
        if self._late_error:
            raise self._late_error
        if seen:
            return {"outcome": "absent", "names": sorted(seen), "ended": WAITED in self.notes}
        return {"outcome": "none", "unknown_parameters": self._unknown_parameters}

    def _compiled(self, name: str, pipeline: Any) -> dict[str, Any]:
        if name in self._captured():
            return {"outcome": "captured", "name": name}
        text = load.read(self._script)
        starts = "__name__" in text and _START_CALL.search(text) is not None
        return {"outcome": "compiled", "name": name, "definition": pipeline.definition(), "start_not_run": starts}

    def _search(self) -> Iterator[dict[str, Any]]:
        """The pipelines by name (None: the endpoint has it), place after place, in the order of the module's docstring."""
        module = self._run(lambda: load.execute(self._script, as_program=False))
        if module is not None:
            yield self._from_get_pipeline(module, imported=bool(self._arguments))
        yield from self._from_execution(module)
        if "__name__" in load.read(self._script):
            yield from self._from_execution(self._run(lambda: load.execute(self._script, as_program=True)))
        yield find.by_name(self._recorder.constructed)
        if module is not None and find.get_pipeline_of(module, imported=False) is None:
            yield self._from_get_pipeline(module, imported=True)

    def _run(self, act: Callable[[], Any]) -> Any:
        """What the author's code returns; None if it ended before its end in a way that leaves what it has made so far."""
        try:
            return act()
        except ScriptEnded:
            self.notes.append(WAITED)
        except (Exception, SystemExit) as error:
            if isinstance(error, SystemExit) and error.code in (None, 0):
                return None
            if not self._waiting.started:
                raise
            self._late_error = error
            self.notes.append(_failed_late(error))
        finally:
            self._waiting.rest()
        return None

    def _from_get_pipeline(self, module: ModuleType, *, imported: bool) -> dict[str, Any]:
        function = find.get_pipeline_of(module, imported=imported)
        if function is None:
            if self._arguments:
                raise find.UnknownArguments(self._arguments, None)
            return {}
        try:
            arguments = find.arguments_for(inspect.signature(function), self._values, self._arguments)
        except find.UnknownParameters as unknown:
            self._unknown_parameters = unknown.names
            return {}
        guessed = find.guessed(arguments, self._arguments)
        if guessed:
            given = ", ".join(f"{name}={value!r}" for name, value in guessed.items())
            self.notes.append(f"get_pipeline() is given {given}. Give it other values by --arg Name=Value.")
        return self._run(lambda: find.call_get_pipeline(function, arguments)) or {}

    def _from_execution(self, module: ModuleType | None) -> Iterator[dict[str, Any]]:
        if module is not None:
            yield find.module_level(module)
        yield dict.fromkeys(self._captured())


def _failed_late(error: BaseException) -> str:
    last_line = traceback.format_exception_only(type(error), error)[-1].strip()
    return (
        f"The script failed after it had started its pipeline ({last_line}). It may have wanted results, which are there "
        "only after the run; the run begins now."
    )


def failure(error: BaseException) -> dict[str, Any]:
    """The author's error: his traceback without our frames, and the module that is missing, if that is the error."""
    return {
        "outcome": "failed",
        "traceback": "".join(_without_our_frames(traceback.TracebackException.from_exception(error)).format()),
        "missing_module": error.name if isinstance(error, ModuleNotFoundError) else None,
        "wants_arguments": isinstance(error, SystemExit) and _passed_argparse(error),
    }


def _passed_argparse(error: BaseException) -> bool:
    return any(Path(frame.filename).name == "argparse.py" for frame in traceback.extract_tb(error.__traceback__))


def _without_our_frames(shown: traceback.TracebackException) -> traceback.TracebackException:
    shown.stack = traceback.StackSummary.from_list(
        [frame for frame in shown.stack if not frame.filename.startswith(OUR_FOLDER)]
    )
    for chained in (shown.__cause__, shown.__context__):
        if chained is not None:
            _without_our_frames(chained)
    return shown


def captured_names(endpoint: Endpoint) -> list[str]:
    """The names of the pipelines that the endpoint has received, in the order they came."""
    scope = f"Credential={endpoint.access_key}/19700101/{endpoint.region}/sagemaker/aws4_request"
    headers = {"X-Amz-Target": "SageMaker.ListPipelines", "Authorization": f"AWS4-HMAC-SHA256 {scope}"}
    request = urllib.request.Request(endpoint.url, b"{}", headers)  # noqa: S310 - our own endpoint
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
        return [pipeline["PipelineName"] for pipeline in json.load(response)["PipelineSummaries"]]

"""Runs the author's script under the redirection and says which pipeline came of it.

The pipeline is looked for in this order; the first place that yields any ends the search:
1. the script executed as an import (its `__main__` block does not run): what its own `get_pipeline(...)` returns,
2. the `Pipeline` objects in its variables,
3. what it upserted or started (the endpoint has it),
4. if its text mentions `__name__`: the script executed once more, as the program, and points 2 and 3 again,
5. the `Pipeline` objects that were constructed anywhere,
6. what the function returns that evidently makes it (`find.function_of`).
So only a script that makes its pipeline in its `__main__` block is executed twice, and its other code once more at most.

A user who names a function, or gives arguments for one, asks for point 6 first. A script that is given arguments of its
command line, and a notebook, are executed once, as the program, and points 2, 3, 5 and 6 follow.

A pipeline that the script itself upserted is not compiled again: the endpoint's copy is taken.
"""

from __future__ import annotations

import inspect
import json
import logging
import os
import re
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import find, load, notebook
from .failure import failure, last_line
from .local_mode import NoLocalMode
from .redirect import WANTED_VARIABLE, Endpoint, Redirection
from .waiting import NothingToWaitFor, ScriptEnded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import ModuleType

WAITED = "The script waits for an execution that it started; it was ended there, and the run begins afterwards."
_START_CALL = re.compile(r"\.start\s*\(")


def main(request_file: str) -> int:
    """Do what the request says; write the result; return 0.

    Request: `script`, `script_arguments` (its `sys.argv[1:]`), `pipeline` and `function` (names or None), `arguments` (of
    the function, by name), `values` (see `find.PARAMETER_VALUES`), `endpoint` (fields of Endpoint), `result_file`. Result:
    `outcome` with its own fields, and `notes`; see `localpipe.authoring.outcome`.
    """
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    script, endpoint = Path(request["script"]), Endpoint(**request["endpoint"])
    logging.getLogger("botocore.configprovider").setLevel(logging.WARNING)  # else it announces the endpoint for each client
    sys.path[:] = load.search_path(script, sys.path)
    result_file = Path(request["result_file"])

    def give_up() -> None:
        """Leave with what the endpoint has."""
        author.tell(WAITED)
        _write(result_file, author, author.choose([dict.fromkeys(captured_names(endpoint))]))
        os._exit(0)

    recorder, waiting = find.Recorder(), NothingToWaitFor(request["pipeline"], give_up)
    author = Author(request, recorder, waiting, lambda: captured_names(endpoint))
    os.environ[WANTED_VARIABLE] = request["pipeline"] or ""
    with Redirection(endpoint, waiting.before_call):
        recorder.install()
        waiting.install()
        NoLocalMode(author.tell).install()
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
        self._script_arguments: list[str] = request["script_arguments"]
        self._wanted: str | None = request["pipeline"]
        self._function: str | None = request["function"]
        self._arguments: Mapping[str, Any] = request["arguments"]
        self._values: Mapping[str, Any] = request["values"]
        self._recorder = recorder
        self._waiting = waiting
        self._captured = captured
        self._folder = Path.cwd()
        self._called: dict[str, Any] = {"function": None, "unknown_parameters": ()}
        self._late_error: BaseException | None = None

    def tell(self, sentence: str) -> None:
        """Have the user told, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def result(self) -> dict[str, Any]:
        """The outcome as the request's reader expects it. Never raises what the author's code raised."""
        try:
            return self.choose(self._search())
        except notebook.NoNotebook:
            return {"outcome": "no notebook"}
        except find.UnknownArguments as unknown:
            return {**self._called, "outcome": "arguments", "names": unknown.names, "taken": unknown.taken}
        except find.SeveralFunctions as several:
            return {"outcome": "functions", "names": several.names}
        except find.FunctionNotFound as absent:
            return {"outcome": "function", "names": absent.names}
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the author's code raises is reported as his
            return dict(failure(error))

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
        return {"outcome": "none", **self._called}

    def _compiled(self, name: str, pipeline: Any) -> dict[str, Any]:
        if name in self._captured():
            return {"outcome": "captured", "name": name}
        text = load.read(self._script)
        starts = not self._is_program() and "__name__" in text and _START_CALL.search(text) is not None
        return {"outcome": "compiled", "name": name, "definition": pipeline.definition(), "start_not_run": starts}

    def _asks_for_function(self) -> bool:
        return bool(self._function or self._arguments)

    def _is_program(self) -> bool:
        """Whether the script is to be executed once, as the program."""
        is_notebook = self._script.suffix == load.NOTEBOOK_SUFFIX
        return (is_notebook or bool(self._script_arguments)) and not self._asks_for_function()

    def _search(self) -> Iterator[dict[str, Any]]:
        """The pipelines by name (None: the endpoint has it), place after place, in the order of the module's docstring."""
        module = self._execute(as_program=self._is_program())
        if module is not None and self._asks_for_function():
            yield self._from_function(find.function_of(module, self._function))
        elif module is not None and not self._is_program():
            yield self._from_function(find.own_get_pipeline(module))
        yield from self._from_execution(module)
        if not self._is_program() and "__name__" in load.read(self._script):
            yield from self._from_execution(self._execute(as_program=True))
        yield find.by_name(self._recorder.constructed)
        if module is not None and self._called["function"] is None:
            yield self._from_function(find.function_of(module, None))

    def _execute(self, *, as_program: bool) -> ModuleType | None:
        """The script's module; None if it ended before its end. A script may have changed what a program finds at first."""
        os.chdir(self._folder)
        sys.argv = [str(self._script), *self._script_arguments]
        names = {"get_ipython": lambda: notebook.Shell(self.tell), "display": print}
        return self._run(lambda: load.execute(self._script, names, as_program=as_program))  # type: ignore[no-any-return]

    def _run(self, act: Callable[[], Any]) -> Any:
        """What the author's code returns; None if it ended before its end in a way that leaves what it has made so far."""
        try:
            return act()
        except ScriptEnded:
            self.tell(WAITED)
        except (Exception, SystemExit) as error:
            if isinstance(error, SystemExit) and error.code in (None, 0):
                return None
            if not self._waiting.started:
                raise
            self._late_error = error
            self.tell(_failed_late(error))
        finally:
            self._waiting.rest()
        return None

    def _from_function(self, function: Callable[..., Any] | None) -> dict[str, Any]:
        if function is None:
            if self._arguments:
                raise find.UnknownArguments(self._arguments, None)
            return {}
        name = self._called["function"] = getattr(function, "__name__", self._function)
        try:
            arguments = find.arguments_for(inspect.signature(function), self._values, self._arguments)
        except find.UnknownParameters as unknown:
            self._called["unknown_parameters"] = unknown.names
            return {}
        guessed = find.guessed(arguments, self._arguments)
        if guessed:
            given = ", ".join(f"{name}={value!r}" for name, value in guessed.items())
            self.tell(f"{name}() is given {given}. Give it other values by --arg Name=Value.")
        return self._run(lambda: find.call_maker(function, arguments)) or {}

    def _from_execution(self, module: ModuleType | None) -> Iterator[dict[str, Any]]:
        if module is not None:
            yield find.module_level(module)
        yield dict.fromkeys(self._captured())


def _failed_late(error: BaseException) -> str:
    return (
        f"The script failed after it had started its pipeline ({last_line(error)}). It may have wanted results, which are "
        "there only after the run; the run begins now."
    )


def captured_names(endpoint: Endpoint) -> list[str]:
    """The names of the pipelines that the endpoint has received, in the order they came."""
    scope = f"Credential={endpoint.access_key}/19700101/{endpoint.region}/sagemaker/aws4_request"
    headers = {"X-Amz-Target": "SageMaker.ListPipelines", "Authorization": f"AWS4-HMAC-SHA256 {scope}"}
    request = urllib.request.Request(endpoint.url, b"{}", headers)  # noqa: S310 - our own endpoint
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
        return [pipeline["PipelineName"] for pipeline in json.load(response)["PipelineSummaries"]]

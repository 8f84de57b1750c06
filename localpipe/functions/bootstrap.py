"""What a Lambda function runs in: the program of its process, in the author's Python, with the standard library alone.

A line of JSON on standard input says what to call; standard input stays open as long as localpipe lives, and the process
ends with it. What came of the call is written to a file. Errors have the names and texts of AWS's own runtime
(`awslambdaric`). Works in every Python from 3.8.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Refused(Exception):
    """The function cannot be called, or its answer cannot be used: `kind` is the runtime's name for it."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


class Context:
    """The second argument of a handler."""

    def __init__(self, request: dict[str, Any], deadline: float) -> None:
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.invoked_function_arn = request["arn"]
        self.aws_request_id = request["request_id"]
        self.identity = SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None)
        self.client_context = None
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        """How long the function may still run."""
        return max(0, int(1000 * (self._deadline - time.monotonic())))

    def log(self, message: str) -> None:
        """Write to the log as it is."""
        sys.stdout.write(str(message))


def main() -> None:
    """Call the function that the request names and end, whatever threads it has left."""
    asked = os.fdopen(os.dup(0), "rb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    request = json.loads(asked.readline())
    threading.Thread(target=_end_with_localpipe, args=(asked,), daemon=True).start()
    sys.path[0] = request["directory"]
    _configure_logging(request["request_id"])
    answer = _called(request)
    if "errorType" in answer:
        sys.stdout.write(f"[ERROR] {answer['errorType']}: {answer['errorMessage']}\n{answer.pop('trace')}")
    with open(request["answer_file"], "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs the start of each call
        json.dump(answer, file)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _end_with_localpipe(asked: Any) -> None:
    """Whoever called is gone: nobody takes the answer any more, and a resumed run calls again."""
    asked.read()
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _configure_logging(request_id: str) -> None:
    """The handler that the runtime gives to the root logger."""
    formatter = logging.Formatter(
        f"[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t{request_id}\t%(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)


def _called(request: dict[str, Any]) -> dict[str, Any]:
    """What came of the call: `returned`, its answer as JSON text, or `errorType`, `errorMessage` and `trace`."""
    context = Context(request, time.monotonic() + request["timeout_seconds"])
    try:
        returned = _handler(request["handler"], request["file"])(request["event"], context)
        return {"returned": _json_text(returned)}
    except Refused as error:
        return {"errorType": error.kind, "errorMessage": str(error), "trace": ""}
    except SystemExit as error:
        return {"errorType": "Runtime.ExitError", "errorMessage": f"sys.exit({error.code})", "trace": ""}
    except BaseException as error:  # noqa: BLE001 - whatever the function raises is its answer
        trace = "".join(traceback.format_exception(type(error), error, _own_part(error)))
        return {"errorType": type(error).__name__, "errorMessage": str(error), "trace": trace}


def _own_part(error: BaseException) -> Any:
    """The traceback from the function on, without the frame of ours."""
    return error.__traceback__ and error.__traceback__.tb_next


def _handler(name: str, file: str | None) -> Callable[[Any, Context], Any]:
    module_name, _, function_name = name.rpartition(".")
    try:
        module = _loaded(module_name, file) if file else importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise Refused("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from None
    except SyntaxError as error:
        raise Refused("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}") from None
    if not hasattr(module, function_name):
        raise Refused("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'")
    handler: Callable[[Any, Context], Any] = getattr(module, function_name)
    return handler


def _loaded(name: str, file: str) -> Any:
    """The module of a file, whatever its name: one that is taken, or has a dot, is not the module's."""
    own_name = f"lambda_{name.replace('.', '_')}" if "." in name or name in sys.modules else name
    spec = importlib.util.spec_from_file_location(own_name, file)
    assert spec  # noqa: S101 - the file ends with .py
    assert spec.loader  # noqa: S101
    module = sys.modules[own_name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _json_text(answer: Any) -> str:
    try:
        return json.dumps(answer, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Refused("Runtime.MarshalError", f"Unable to marshal response: {error}") from None


if __name__ == "__main__":
    main()

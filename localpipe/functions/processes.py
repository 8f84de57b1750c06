"""Calls Lambda functions, each in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.core.functions import FunctionEnd, FunctionExit
from localpipe.errors import JobFailed
from localpipe.functions.environment import function_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localpipe.core.functions import Function
    from localpipe.core.names import AttemptKey
    from localpipe.core.work import CallFunction

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")


class FunctionProcesses:
    """The functions of an execution by ARN. `endpoint` gives the variables that lead to the local S3, when it is asked."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        attempt_dir: Callable[[AttemptKey], Path],
        endpoint: Callable[[], Mapping[str, str]],
        environ: Mapping[str, str],
    ) -> None:
        self._functions, self._attempt_dir = functions, attempt_dir
        self._endpoint, self._environ = endpoint, environ

    def log_file(self, key: AttemptKey) -> Path:
        """`logs/function.log` of the attempt."""
        return self._attempt_dir(key) / "logs" / "function.log"

    def start(self, key: AttemptKey, call: CallFunction) -> FunctionProcess:
        """Begin a call. Raises JobFailed for a function that is not there, OSError."""
        function = self._functions.get(call.arn)
        if function is None:
            raise JobFailed(f"the execution has no function {call.arn}.")
        log_file = self.log_file(key)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        answer_file = self._attempt_dir(key) / "answer.json"
        answer_file.unlink(missing_ok=True)  # of a call that a crash cut off
        request = {
            "handler": function.handler,
            "directory": str(function.directory),
            "file": str(function.file) if function.file else None,
            "event": call.event,
            "arn": call.arn,
            "request_id": str(uuid.uuid4()),
            "timeout_seconds": function.timeout_seconds,
            "answer_file": str(answer_file),
        }
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [str(function.python or sys.executable), str(BOOTSTRAP)],
                cwd=function.directory,
                env=function_environment(function, call.arn, self._environ, self._endpoint()),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is not for it
            )
        running = FunctionProcess(process, function.timeout_seconds, answer_file)
        running.ask(request)
        return running


class FunctionProcess:
    """A function that is being called. One thread waits, any may kill.

    What it has started does not outlive it. Mutable: `_over` says that its process is reaped, so that the id of its group
    may be another's; `_lock` guards it.
    """

    def __init__(self, process: subprocess.Popen[bytes], timeout_seconds: float, answer_file: Path) -> None:
        self._process, self._timeout_seconds, self._answer_file = process, timeout_seconds, answer_file
        self._lock = threading.Lock()
        self._over = False

    def ask(self, request: Mapping[str, object]) -> None:
        """Say what to call. Standard input stays open: the process ends when it is closed, and so with us."""
        assert self._process.stdin  # noqa: S101 - a pipe
        with suppress(BrokenPipeError):  # it is over already; its exit says why
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()

    def wait(self, most_seconds: float | None = None) -> FunctionExit:
        """Block until the function has ended; it is ended at its time limit, or after `most_seconds` if sooner."""
        timed_out, own = threading.Event(), self._timeout_seconds
        limit = threading.Timer(own if most_seconds is None else min(own, most_seconds), self._end_late, [timed_out])
        limit.daemon = True
        limit.start()
        try:
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        finally:
            limit.cancel()
            status = self._reap()
            self._close()
        if timed_out.is_set():
            text = f"its limit is {self._timeout_seconds:g} s (Timeout of the function, at most 600 s in a pipeline)."
            return FunctionExit(end=FunctionEnd.TIMED_OUT, text=text)
        return self._exit(status)

    def kill(self) -> None:
        """End it, and all that it has started, at once."""
        with self._lock:
            self._kill_group()

    def _end_late(self, timed_out: threading.Event) -> None:
        timed_out.set()
        self.kill()

    def _reap(self) -> int:
        """End what it has left running and return its exit status."""
        with self._lock:
            self._kill_group()
            status = self._process.wait()
            self._over = True
        return status

    def _kill_group(self) -> None:
        if not self._over:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _close(self) -> None:
        assert self._process.stdin  # noqa: S101 - a pipe
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def _exit(self, status: int) -> FunctionExit:
        try:
            answer = json.loads(self._answer_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            how = f"signal {-status}" if status < 0 else f"status {status}"
            return FunctionExit(end=FunctionEnd.EXITED, text=f"its process ended with {how}; its log may say why.")
        if "returned" in answer:
            return FunctionExit(end=FunctionEnd.RETURNED, text=answer["returned"])
        return FunctionExit(end=FunctionEnd.RAISED, text=f"{answer['errorType']}: {answer['errorMessage']}")

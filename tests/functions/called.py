"""Functions written as text and called."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from localpipe.core import JSON
from localpipe.core.functions import Function, FunctionExit
from localpipe.core.names import AttemptKey
from localpipe.core.work import CallFunction
from localpipe.functions.processes import FunctionProcess, FunctionProcesses

ARN = "arn:aws:lambda:us-east-1:123456789012:function:notify"
KEY = AttemptKey(execution_id="abcdefghij12", step="Tell", attempt=1)


class Called:
    """Functions written as text and called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log_file = self.attempt_dir(KEY) / "logs" / "function.log"

    def attempt_dir(self, key: AttemptKey) -> Path:
        return self.folder / "runs" / key.step / str(key.attempt)

    def begin(self, code: str, event: JSON = None, **changes: JSON) -> FunctionProcess:
        directory = self.folder / "code"
        directory.mkdir(exist_ok=True)
        (directory / "notify.py").write_text(textwrap.dedent(code))
        values = {"handler": "notify.handler", "directory": directory, "python": Path(sys.executable), **changes}
        host = FunctionProcesses(
            {ARN: Function(**values)}, self.attempt_dir, lambda: {"AWS_ENDPOINT_URL": "http://local"}, {"PATH": "/bin"}
        )
        return host.start(KEY, CallFunction(arn=ARN, event=event))

    def __call__(self, code: str, event: JSON = None, **changes: JSON) -> FunctionExit:
        return self.begin(code, event, **changes).wait()

    @property
    def log(self) -> str:
        return self.log_file.read_text()

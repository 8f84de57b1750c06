"""The HTTP server: gunicorn's worker processes, each with a model of its own, one request at a time."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from typing import TYPE_CHECKING

from gunicorn.app.base import BaseApplication
from gunicorn.errors import HaltServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType
    from typing import TextIO
    from wsgiref.types import WSGIApplication

_PORT = "8080"
_TIMEOUT_SECONDS = "60"


def run(application: Callable[[], WSGIApplication]) -> None:
    """Serve until SIGTERM, which ends it at once, with requests that are under way.

    `application` is called in each worker and loads the model; requests wait for the first one that has. Where it raises,
    the traceback is in the log, the error is its last line, and the program ends with status 3.
    """
    first_process = os.getpid()
    with tempfile.TemporaryFile("w+") as failure:
        try:
            _Server(application, settings(os.environ), failure).run()
        except HaltServer as halted:  # raised once more where another worker ends while it halts for the first
            sys.exit(halted.exit_status)
        finally:
            if os.getpid() == first_process:  # a worker ends here too
                failure.seek(0)
                sys.stderr.write(failure.readline())


def end_at_once() -> None:
    """Let SIGTERM end the program before the server is there too: as the first process of a container it would not."""
    signal.signal(signal.SIGTERM, _exit)


def workers(environ: Mapping[str, str]) -> int:
    """How many requests are answered at the same time: as many as there are processors, unless the model says."""
    return int(environ.get("SAGEMAKER_MODEL_SERVER_WORKERS") or len(os.sched_getaffinity(0)))


def settings(environ: Mapping[str, str]) -> dict[str, object]:
    """Gunicorn's settings. A request, or loading the model, may take the time limit; then its worker is replaced."""
    return {
        "bind": f"0.0.0.0:{environ.get('SAGEMAKER_BIND_TO_PORT') or _PORT}",
        "workers": workers(environ),
        "timeout": int(environ.get("SAGEMAKER_MODEL_SERVER_TIMEOUT") or _TIMEOUT_SECONDS),
        "graceful_timeout": 0,
        "control_socket_disable": True,
    }


def _exit(signum: int, frame: FrameType | None) -> None:
    del frame
    sys.exit(128 + signum)


class _Server(BaseApplication):
    """Tells the first process by the file `failure` why a worker could not load the model."""

    def __init__(self, application: Callable[[], WSGIApplication], options: Mapping[str, object], failure: TextIO) -> None:
        self._application, self._options, self._failure = application, options, failure
        super().__init__()

    def load_config(self) -> None:
        """Gunicorn calls it for the settings."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        """Gunicorn calls it in each worker; one that exits here would be replaced for ever, one that raises is not."""
        try:
            return self._application()
        except SystemExit as end:
            error = RuntimeError(f"its code ended the program: {end}")
            self._note(error)
            raise error from end
        except Exception as error:
            self._note(error)
            raise

    def _note(self, error: Exception) -> None:
        print(f"The model cannot be loaded: {type(error).__name__}: {' '.join(str(error).split())}", file=self._failure)
        self._failure.flush()

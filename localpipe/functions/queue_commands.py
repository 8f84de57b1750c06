"""Takes messages to the commands that `[callback]` of localpipe.toml names for their queues."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localpipe.core import JSON
    from localpipe.core.functions import QueueCommand
    from localpipe.core.names import AttemptKey


class QueueCommands:
    """`commands`: pattern of queue URLs → command; the first that fits counts. `home`: where commands find the tokens.

    A command is a consumer of its queue, and none of a step's: nobody waits for it, and it may outlive the step and us.
    """

    def __init__(
        self,
        commands: Mapping[str, QueueCommand],
        attempt_dir: Callable[[AttemptKey], Path],
        home: Path,
        environ: Mapping[str, str],
    ) -> None:
        self._commands, self._attempt_dir = commands, attempt_dir
        self._home, self._environ = home, environ

    def log_files(self, key: AttemptKey, queue_url: str) -> tuple[Path, ...]:
        """`logs/queue.log` of the attempt, if a command serves the queue."""
        return (self._attempt_dir(key) / "logs" / "queue.log",) if self._command(queue_url) else ()

    def deliver(self, key: AttemptKey, queue_url: str, message: JSON) -> None:
        """Begin the command with the message on standard input."""
        command = self._command(queue_url)
        if command is None:
            return
        (log_file,) = self.log_files(key, queue_url)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        message_file = log_file.with_name("message.json")
        message_file.write_text(json.dumps(message) + "\n", encoding="utf-8")
        with message_file.open("rb") as body, log_file.open("ab") as log:
            try:
                process = subprocess.Popen(
                    ["/bin/sh", "-c", command.line],
                    cwd=command.directory,
                    env=self._environment(),
                    stdin=body,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except OSError as error:
                _tell(log_file, f"the command {command.line!r} cannot be started in {command.directory}: {error.strerror}.")
                return
        threading.Thread(target=_tell_failure, args=(process, command.line, log_file), daemon=True).start()

    def _command(self, queue_url: str) -> QueueCommand | None:
        return next((command for pattern, command in self._commands.items() if fnmatchcase(queue_url, pattern)), None)

    def _environment(self) -> dict[str, str]:
        """Our own, leading to the home, in which `localpipe` is found even where it is not on PATH."""
        path = os.pathsep.join(filter(None, (self._environ.get("PATH"), str(Path(sys.executable).parent))))
        return {**self._environ, "LOCALPIPE_HOME": str(self._home), "PATH": path}


def _tell_failure(process: subprocess.Popen[bytes], line: str, log_file: Path) -> None:
    if status := process.wait():
        how = f"signal {-status}" if status < 0 else f"status {status}"
        _tell(log_file, f"the command {line!r} ended with {how}, which alone fails no step.")


def _tell(log_file: Path, text: str) -> None:
    with log_file.open("a", encoding="utf-8") as log:
        log.write(f"localpipe: {text}\n")

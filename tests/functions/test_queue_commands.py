from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from called import KEY
from support import until

from localpipe.core.functions import QueueCommand
from localpipe.functions.queue_commands import QueueCommands

QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/approvals"
MESSAGE = {"token": "26vcYbeWsZ", "arguments": {"number": 5}, "status": "Executing"}


def delivered(tmp_path: Path, commands: dict[str, str], queue: str = QUEUE, directory: Path | None = None) -> Path:
    """Deliver the message; the log that its command writes to."""
    named = {url: QueueCommand(line=line, directory=directory or tmp_path) for url, line in commands.items()}
    host = QueueCommands(named, lambda key: tmp_path / key.step, tmp_path / "home", {"PATH": "/usr/bin:/bin"})
    host.deliver(KEY, queue, MESSAGE)
    return tmp_path / KEY.step / "logs" / "queue.log"


def becomes(log: Path, wanted: Callable[[str], bool]) -> str:
    until(lambda: log.exists() and wanted(log.read_text()), f"what is wanted of {log}")
    return log.read_text()


def test_a_command_gets_the_message_and_leads_to_the_home(tmp_path: Path) -> None:
    log = delivered(tmp_path, {QUEUE: "cat; pwd; echo $LOCALPIPE_HOME; echo done"})
    message, directory, home, _ = becomes(log, lambda text: "done" in text).splitlines()
    assert json.loads(message) == MESSAGE
    assert (directory, home) == (str(tmp_path), str(tmp_path / "home"))


def test_the_first_pattern_that_fits_serves_a_queue(tmp_path: Path) -> None:
    log = delivered(tmp_path, {"*/refusals": "echo no", "https://sqs.*/approvals": "echo yes", "*": "echo any"})
    assert becomes(log, bool) == "yes\n"


def test_a_failing_command_is_told_in_the_log(tmp_path: Path) -> None:
    log = delivered(tmp_path, {QUEUE: "exit 3"})
    text = becomes(log, lambda text: "status" in text)
    assert text == "localpipe: the command 'exit 3' ended with status 3, which alone fails no step.\n"


def test_a_command_that_cannot_be_started_is_told_in_the_log(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    log = delivered(tmp_path, {QUEUE: "true"}, directory=gone)
    assert log.read_text() == f"localpipe: the command 'true' cannot be started in {gone}: No such file or directory.\n"


@pytest.mark.parametrize("commands", [{}, {"*/refusals": "echo no"}])
def test_a_queue_without_a_command_has_no_log(tmp_path: Path, commands: dict[str, str]) -> None:
    assert not delivered(tmp_path, commands).exists()

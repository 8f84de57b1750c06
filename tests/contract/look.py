"""A job that prints what it finds, as JSON behind the word SEEN, and then does what its arguments ask for, in their order.

write PATH TEXT, repeat PATH TEXT COUNT, bytes PATH BASE64, link PATH TARGET, remove PATH, read PATH, print TEXT, warn TEXT,
resolve HOST, connect (to the local S3), call HOST PORT (and wait until whoever answers has hung up), wait (for SIGTERM),
serve PORT (to one caller), reach HOST PORT (once it serves), exit CODE. `on HOST` before one of these: only on that host.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

OPT_ML = Path("/opt/ml")


def main(words: list[str]) -> None:
    if "wait" in words:
        signal.signal(signal.SIGTERM, end)
    say(f"SEEN {json.dumps(seen())}")
    while words:
        host, words = (words[1], words[2:]) if words[0] == "on" else (socket.gethostname(), words)
        action, count = ACTIONS[words[0]]
        if host == socket.gethostname():
            action(*words[1 : count + 1])
        words = words[count + 1 :]


def end(*_: object) -> None:
    say("told to end")
    sys.exit(0)


def seen() -> dict[str, object]:
    directories = [OPT_ML, *(path for path in OPT_ML.rglob("*") if path.is_dir()), Path("/tmp"), Path.home(), Path.cwd()]  # noqa: S108 - the job's own
    shared_memory = os.statvfs("/dev/shm")  # noqa: S108 - its size alone
    return {
        "arguments": sys.argv[1:],
        "directory": str(Path.cwd()),
        "environment": dict(os.environ),
        "files": {str(path): text(path) for path in sorted(OPT_ML.rglob("*"))},
        "writable": sorted({str(path) for path in directories if os.access(path, os.W_OK)}),
        "process": os.getpid(),
        "host": socket.gethostname(),
        "shared_memory": shared_memory.f_blocks * shared_memory.f_frsize,
    }


def text(path: Path) -> str | None:
    """What is in a file; None for a directory, a FIFO, or bytes that are no text."""
    try:
        return path.read_text() if path.is_file() else None
    except UnicodeDecodeError:
        return "(bytes)"


def write(path: str, content: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(content)


def remove(path: str) -> None:
    (os.rmdir if Path(path).is_dir() else os.remove)(path)


def read(path: str) -> None:
    say(f"READ {base64.b64encode(Path(path).read_bytes()).decode()}")


def say(*words: object) -> None:
    print(*words, flush=True)


def resolve(host: str) -> None:
    """Names are good once every host is up."""
    say("resolved" if tried(lambda: socket.gethostbyname(host)) else "not resolved", host)


def tried(attempt: Callable[[], object]) -> bool:
    """Try for ten seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with suppress(OSError):
            attempt()
            return True
        time.sleep(0.05)
    return False


def connect() -> None:
    """A job without a network may know no address of the local S3."""
    address = urlsplit(os.environ.get("AWS_ENDPOINT_URL", "http://192.0.2.1:80"))
    try:
        socket.create_connection((address.hostname, address.port), timeout=5).close()
    except OSError as error:
        say("not connected", error)
    else:
        say("connected")


def call(host: str, port: str) -> None:
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.recv(1)


def serve(port: str) -> None:
    with socket.create_server(("0.0.0.0", int(port))) as server:  # noqa: S104 - on the job's own network
        connection, _ = server.accept()
        connection.close()


def reach(host: str, port: str) -> None:
    if tried(lambda: socket.create_connection((host, int(port)), timeout=5).close()):
        say("reached", host)


ACTIONS: dict[str, tuple[Callable[..., object], int]] = {
    "write": (write, 2),
    "repeat": (lambda path, piece, count: write(path, piece * int(count)), 3),
    "bytes": (lambda path, encoded: Path(path).write_bytes(base64.b64decode(encoded)), 2),
    "link": (lambda path, target: Path(path).symlink_to(target), 2),
    "remove": (remove, 1),
    "read": (read, 1),
    "print": (say, 1),
    "warn": (lambda line: print(line, file=sys.stderr, flush=True), 1),
    "resolve": (resolve, 1),
    "connect": (connect, 0),
    "call": (call, 2),
    "serve": (serve, 1),
    "reach": (reach, 2),
    "wait": (signal.pause, 0),
    "exit": (lambda code: sys.exit(int(code)), 1),
}

if __name__ == "__main__":
    main(sys.argv[1:])

"""A model that answers over HTTP in this process, behind the address of a scripted container."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from localpipe.runners.scripted import ScriptedContainer

Reply: TypeAlias = tuple[int, str, bytes]
"""Status, content type, body."""


@dataclass
class HttpModel:
    """`invoke` answers a body and the number of its request, from 1. Mutable: keeps what it was asked."""

    invoke: Callable[[bytes, int], Reply]
    parameters: bytes = b""
    pings_until_healthy: int = 0
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    most_at_once: int = 0
    port: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, path: str) -> Reply:
        with self._lock:
            if path == "/ping":
                self.pings_until_healthy -= 1
                return (200 if self.pings_until_healthy < 0 else 503), "text/plain", b""
            return (200 if self.parameters else 404), "application/json", self.parameters

    def post(self, body: bytes, headers: dict[str, str]) -> Reply:
        with self._lock:
            self.bodies.append(body)
            self.headers.append(headers)
            number = len(self.bodies)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self.invoke(body, number)
        finally:
            with self._lock:
                self._at_once -= 1


@contextmanager
def serving(model: HttpModel) -> Iterator[HttpModel]:
    """The model while it answers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._answer(model.get(self.path))

        def do_POST(self) -> None:
            self._answer(model.post(self._body(), dict(self.headers.items())))

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers["Content-Length"]))
            pieces = []
            while length := int(self.rfile.readline(), 16):
                pieces.append(self.rfile.read(length))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)

        def _answer(self, reply: Reply) -> None:
            status, content_type, body = reply
            if not status:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    model.port = server.server_address[1]
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def until_stopped(container: ScriptedContainer) -> int:
    """What a scripted container does that serves: end well when it is told to."""
    container.log("serving")
    container.next_signal()
    return 0


def sums(body: bytes, number: int) -> Reply:
    """The sum of each row."""
    del number
    rows = [sum(map(float, row.split(b","))) for row in body.splitlines()]
    return 200, "text/csv", b"".join(b"%g\n" % row for row in rows)

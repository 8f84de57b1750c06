"""An engine that goes away and comes back while a runner keeps its connection."""

from __future__ import annotations

import json
import os
import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from localpipe.images.catalogue import Absence
from localpipe.runners.docker import ImageNames
from localpipe.runners.exported_images import ExportedImages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

INFO = {"OSType": "linux", "NCPU": 1, "MemTotal": 1, "Architecture": "x86_64", "Runtimes": {}, "OperatingSystem": "Debian"}


class AnEngine(BaseHTTPRequestHandler):
    """Answers what is asked of an engine to know it; it has no image."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[Mapping[str, object]] = {
        "version": {"ApiVersion": "1.44", "Components": []},
        "info": INFO,
        "bridge": {"IPAM": {"Config": [{"Gateway": "172.17.0.1"}]}},
        "_ping": "OK",
    }

    def do_GET(self) -> None:
        """An image is not found, the rest is."""
        answer = self.answers.get(self.path.rpartition("/")[2])
        body = json.dumps(answer or {"message": "no such image"}).encode()
        self.send_response(200 if answer else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def address_string(self) -> str:
        """A Unix socket has none."""
        return ""


@contextmanager
def an_engine(path: Path) -> Iterator[None]:
    path.unlink(missing_ok=True)
    with socketserver.ThreadingUnixStreamServer(str(path), AnEngine) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield
        server.shutdown()


def open_sockets() -> int:
    """How many this process has."""
    files = Path("/proc/self/fd").iterdir()
    return sum(os.readlink(file).startswith("socket:") for file in files if os.path.lexists(file))  # noqa: PTH115


def test_a_connection_to_an_engine_that_has_gone_is_closed_before_another_is_made(tmp_path: Path) -> None:
    socket, absence = tmp_path / "engine.sock", Absence(reason="it is nowhere.", remedy="Build it.")
    names = ImageNames(candidates=lambda uri: (uri,), notes=lambda *_: (), absence=lambda _: absence)
    environment = {"DOCKER_HOST": f"unix://{socket}"}
    images = ExportedImages(cache=tmp_path / "cache", names=names, archives=False, environment=environment, say=print)
    held = []
    for _ in range(3):
        with an_engine(socket):
            assert images.status("mine:1").reason == "it is nowhere."
        held.append(open_sockets())
    images.close()
    assert held[1:] == held[:1] * 2

"""A model's container that runs, as who asks it sees it."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE_SECONDS = 60.0
_AGAIN_SECONDS = 0.05


class Answer(NamedTuple):
    status: int
    content_type: str | None
    text: str


@dataclass(frozen=True)
class Served:
    """`signal` reaches the first process, `wait` gives its exit status."""

    host: str
    port: int
    log: Callable[[], str]
    signal: Callable[[int], object]
    wait: Callable[[], int]

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, None, {})

    def invoke(self, body: str | bytes, content_type: str | None = None, accept: str | None = None) -> Answer:
        headers = {"Content-Type": content_type, "Accept": accept}
        given = {name: value for name, value in headers.items() if value is not None}
        return self._ask("POST", "/invocations", body if isinstance(body, bytes) else body.encode(), given)

    def ready(self) -> Served:
        """Itself, once it answers `/ping` as the service asks it: again and again."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while not self._answers():
            assert time.monotonic() < until, self.log()
            time.sleep(_AGAIN_SECONDS)
        return self

    def stop(self) -> int:
        """SIGTERM, then its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def _answers(self) -> bool:
        try:
            return self.get("/ping").status == 200
        except OSError:
            return False

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = HTTPConnection(self.host, self.port, timeout=_PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.getheader("Content-Type"), response.read().decode())
        finally:
            connection.close()

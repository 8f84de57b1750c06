"""Runs an ASGI application in one thread of its own: quiet, quickly there and quickly gone.

Importing this takes some 60 ms (asyncio, uvicorn): import it where a server is about to be started.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

from typing_extensions import Self
from uvicorn.config import Config
from uvicorn.server import Server

from localpipe.server.listening import listen

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from types import TracebackType

    from starlette.types import ASGIApp

_KEEP_ALIVE_SECONDS = 75
_CLOSE_SECONDS = 1.0
"""How long requests under way may take to end when the server is closed."""


def serve(app: ASGIApp, host: str | Sequence[str], port: int = 0) -> RunningServer:
    """Serve `app` at one address, or at several on the same port; 0 takes a free one. Returns when requests are answered.

    Raises UsageError for an address that means every interface, RunnerUnavailable for one that cannot be listened on.
    """
    return RunningServer(app, listen([host] if isinstance(host, str) else host, port))


class RunningServer:
    """A server that runs until `close` or the end of the `with` block. Any thread may close it, more than once.

    Mutable: owns its thread, event loop and listening sockets.
    """

    def __init__(self, app: ASGIApp, listeners: Sequence[socket.socket]) -> None:
        self._listeners = listeners
        self._host, self._port = listeners[0].getsockname()[:2]
        self._server = _Server(app)
        self._thread = threading.Thread(target=self._run, name=f"http:{self._port}", daemon=True)
        self._thread.start()
        self._server.answering.wait()

    @property
    def port(self) -> int:
        """The port, the same at each address."""
        return int(self._port)

    @property
    def url(self) -> str:
        """`http://<first address>:<port>`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def close(self) -> None:
        """Stop accepting, end idle connections at once and busy ones within a second, and wait for the thread."""
        self._server.end()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=list(self._listeners)))
        finally:
            self._server.answering.set()
            for listener in self._listeners:
                listener.close()


class _Server(Server):
    """uvicorn's server, told its end by an event: uvicorn's own loops look for it ten times a second."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            Config(
                app,
                http="h11",
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            )
        )
        self.answering = threading.Event()
        self._ending: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def end(self) -> None:
        """Begin to shut down. Any thread may call it, also when the server has ended."""
        if self._ending:
            loop, event = self._ending
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server has ended
                loop.call_soon_threadsafe(event.set)

    async def main_loop(self) -> None:
        event = asyncio.Event()
        self._ending = (asyncio.get_running_loop(), event)
        self.answering.set()
        await event.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - uvicorn's signature
        # Refuse first and close later: asyncio loses the socket of a connection that is accepted while its server is closed.
        for listener in [listener for server in self.servers for listener in server.sockets]:
            asyncio.get_running_loop().remove_reader(listener.fileno())
        await _turns_of_the_loop()
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            await asyncio.wait(set(self.server_state.tasks), timeout=_CLOSE_SECONDS)
        for task in self.server_state.tasks:
            task.cancel()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await _turns_of_the_loop()


async def _turns_of_the_loop() -> None:
    """Let connections that are just being accepted or closed come to know it; asyncio takes up to three turns."""
    for _ in range(5):
        await asyncio.sleep(0)

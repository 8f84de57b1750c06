"""Runs an ASGI application in one thread of its own: quiet, quickly there and quickly gone.

Importing this takes some 60 ms (asyncio, uvicorn): import it where a server is about to be started.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from typing_extensions import Self
from uvicorn.config import Config
from uvicorn.server import Server

from localpipe.errors import RunnerUnavailable, UsageError

if TYPE_CHECKING:
    from types import TracebackType

    from starlette.types import ASGIApp

_BACKLOG = 512
_PORT_ATTEMPTS = 20
"""How often another free port is tried, if the one that is free at the first address is taken at another."""

_KEEP_ALIVE_SECONDS = 75
_CLOSE_SECONDS = 1.0
"""How long requests under way may take to end when the server is closed."""


def serve(app: ASGIApp, host: str | Sequence[str], port: int = 0) -> RunningServer:
    """Serve `app` at one address, or at several on the same port; 0 takes a free one. Returns when requests are answered.

    Raises UsageError for an address that means every interface, RunnerUnavailable for one that cannot be listened on.
    """
    return RunningServer(app, _listen([host] if isinstance(host, str) else host, port))


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


def _listen(hosts: Sequence[str], port: int) -> list[socket.socket]:
    for host in hosts:
        if not host or (_is_address(host) and ipaddress.ip_address(host).is_unspecified):
            raise UsageError(f"{host!r} means every network interface: localpipe only listens at addresses of this machine.")
    try:
        return _bound(hosts, port, attempts=1 if port else _PORT_ATTEMPTS)
    except OSError as error:
        raise RunnerUnavailable(
            f"Cannot listen at {' and '.join(hosts)}, port {port or 'any'}: {error.strerror or error}.",
            "Check that the address belongs to this machine and that no other program uses the port.",
        ) from error


def _bound(hosts: Sequence[str], port: int, attempts: int) -> list[socket.socket]:
    """A listener for each host, all on one port. Raises OSError."""
    listeners: list[socket.socket] = []
    try:
        for host in hosts:
            listeners.append(_listener(host, listeners[0].getsockname()[1] if listeners else port))
    except OSError as error:
        for listener in listeners:
            listener.close()
        if error.errno == errno.EADDRINUSE and attempts > 1:
            return _bound(hosts, port, attempts - 1)
        raise
    return listeners


def _listener(host: str, port: int) -> socket.socket:
    """The protocol is named: asyncio sends small answers without delay only on sockets that say that they are TCP."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

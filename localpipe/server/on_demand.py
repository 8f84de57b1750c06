"""A server that comes to be when somebody first connects.

Most jobs never ask for anything: their data are mounted. A server takes some 80 ms to be there, which nobody should wait for
whom nobody asks.
"""

from __future__ import annotations

import os
import selectors
import threading
from typing import TYPE_CHECKING

from localpipe.server.listening import listen

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from localpipe.server.http import RunningServer


class OnDemandServer:
    """Listens from the start; what connects is answered once the app is made and its server runs. Any thread may close it.

    `make_app` is called at the first connection, in a thread of its own. Mutable: owns that thread and the listening socket.
    """

    def __init__(self, make_app: Callable[[], ASGIApp], host: str, port: int = 0) -> None:
        """Port 0 takes a free one. Raises what `listen` raises."""
        self._make_app = make_app
        (self._listener,) = listen([host], port)
        self.port: int = self._listener.getsockname()[1]
        self._closed_reader, self._closed_writer = os.pipe()
        self._server: RunningServer | None = None
        self._bug: BaseException | None = None
        self._thread = threading.Thread(target=self._wait, name=f"port:{self.port}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, end what is served as its server does, and raise what kept the app from being made: a bug."""
        os.close(self._closed_writer)
        self._thread.join()
        os.close(self._closed_reader)
        if self._server:
            self._server.close()
        if self._bug:
            raise self._bug

    def _wait(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._listener, selectors.EVENT_READ)
                selector.register(self._closed_reader, selectors.EVENT_READ)
                ready = {key.fileobj for key, _ in selector.select()}
            if self._closed_reader in ready:
                self._listener.close()
            else:
                self._serve()
        except BaseException as bug:  # noqa: BLE001 - raised again by who closes the server
            self._listener.close()
            self._bug = bug

    def _serve(self) -> None:
        from localpipe.server.http import RunningServer

        self._server = RunningServer(self._make_app(), [self._listener])

"""A server that comes to be when somebody first connects."""

from __future__ import annotations

import http.client
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from localpipe.errors import RunnerUnavailable
from localpipe.server.on_demand import OnDemandServer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


def get(port: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/")
    body = connection.getresponse().read()
    connection.close()
    return body


class Makers:
    """Counts how often an app was made."""

    def __init__(self) -> None:
        self.made = 0

    def app(self) -> ASGIApp:
        self.made += 1
        return hello


def test_nothing_is_made_for_nobody_and_nothing_is_left() -> None:
    makers, before = Makers(), threading.active_count()
    server = OnDemandServer(makers.app, "127.0.0.1")
    server.close()
    assert makers.made == 0
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        get(server.port)


def test_all_who_come_first_at_once_are_answered_by_one_app() -> None:
    makers, before = Makers(), threading.active_count()
    server = OnDemandServer(makers.app, "127.0.0.1")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(get, [server.port] * 8)) == [b"hello"] * 8
    server.close()
    assert makers.made == 1
    assert threading.active_count() == before


def test_a_port_that_is_taken_is_refused_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(RunnerUnavailable, match="Cannot listen at"):
        OnDemandServer(Makers().app, "127.0.0.1", taken.getsockname()[1])


def test_an_app_that_cannot_be_made_is_told_when_the_server_is_closed() -> None:
    def broken() -> ASGIApp:
        raise LookupError("no app")

    server = OnDemandServer(broken, "127.0.0.1")
    with pytest.raises(ConnectionError):
        get(server.port)
    with pytest.raises(LookupError, match="no app"):
        server.close()

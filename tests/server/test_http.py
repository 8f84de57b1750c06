from __future__ import annotations

import asyncio
import http.client
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from localpipe.errors import RunnerUnavailable, UsageError
from localpipe.server.http import serve

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

QUICKLY = 0.5


async def hello(scope: Scope, _: Receive, send: Send) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


def get(host: str, port: int) -> bytes:
    connection = http.client.HTTPConnection(host, port)
    connection.request("GET", "/")
    body = connection.getresponse().read()
    connection.close()
    return body


def test_it_answers_as_soon_as_it_is_there_and_leaves_no_thread() -> None:
    before = threading.active_count()
    with serve(hello, "127.0.0.1") as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert get("127.0.0.1", server.port) == b"hello"
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        get("127.0.0.1", server.port)


def test_the_port_can_be_had_again_at_once() -> None:
    with serve(hello, "127.0.0.1") as first:
        get("127.0.0.1", first.port)
    with serve(hello, "127.0.0.1", first.port) as second:
        assert second.port == first.port
        assert get("127.0.0.1", second.port) == b"hello"


def test_closing_does_not_wait_for_idle_connections() -> None:
    server = serve(hello, "127.0.0.1")
    idle = http.client.HTTPConnection("127.0.0.1", server.port)
    idle.request("GET", "/")
    assert idle.getresponse().read() == b"hello"
    silent = socket.create_connection(("127.0.0.1", server.port))
    started = time.monotonic()
    server.close()
    server.close()
    assert time.monotonic() - started < QUICKLY
    idle.close()
    silent.close()


def test_closing_ends_requests_that_do_not_end() -> None:
    begun = threading.Event()

    async def endless(_scope: Scope, _receive: Receive, _send: Send) -> None:
        begun.set()
        await asyncio.Event().wait()

    server = serve(endless, "127.0.0.1")
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    begun.wait()
    server.close()
    assert connection.recv(1) == b""
    connection.close()


def test_small_answers_are_not_held_back() -> None:
    with serve(hello, "127.0.0.1") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        started = time.monotonic()
        for _ in range(25):  # 40 ms each, if the second packet of an answer waits for the first's acknowledgement
            connection.request("GET", "/")
            connection.getresponse().read()
        assert time.monotonic() - started < QUICKLY
        connection.close()


def test_several_addresses_share_a_port() -> None:
    with serve(hello, ["127.0.0.1", "127.0.0.2"]) as server:
        assert get("127.0.0.1", server.port) == get("127.0.0.2", server.port) == b"hello"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])  # noqa: S104 - that is what is refused
def test_every_interface_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="means every network interface"):
        serve(hello, ["127.0.0.1", host])


def test_an_address_that_cannot_be_had_is_named() -> None:
    with serve(hello, "127.0.0.1") as server, pytest.raises(RunnerUnavailable) as error:
        serve(hello, "127.0.0.1", server.port)
    assert str(error.value) == (
        f"Cannot listen at 127.0.0.1, port {server.port}: Address already in use. "
        "Check that the address belongs to this machine and that no other program uses the port."
    )
    with pytest.raises(RunnerUnavailable, match=r"^Cannot listen at 192\.0\.2\.1, port any: "):
        serve(hello, "192.0.2.1")

"""The sockets that servers of this machine listen on."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import TYPE_CHECKING

from localpipe.errors import RunnerUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_BACKLOG = 512
_PORT_ATTEMPTS = 20
"""How often another free port is tried, if the one that is free at the first address is taken at another."""


def listen(hosts: Sequence[str], port: int = 0) -> list[socket.socket]:
    """A listening socket for each host, all on one port; 0 takes a free one.

    Raises UsageError for an address that means every interface, RunnerUnavailable for one that cannot be listened on.
    """
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

"""A program by itself: keeps the network of a job's hosts, made without any right on this machine.

It makes a user namespace with a bridge and, for each host, a network namespace whose `eth0` is on that bridge. It answers by
one line of JSON: the files by which a host's namespaces are entered. Then it carries connections from a port of each host's
loopback to the same port of this machine's, which hosts cannot reach otherwise; and, where hosts serve, from a port of this
machine's loopback, any that is free, to the one at which a host serves on its own. On its standard input it is told the
processes of the hosts, one number a line; it ends when the input has ended and so have they.

usage: _network_keeper.py CARRIED SERVED NAME=ADDRESS/PREFIX...      a port of 0: nothing is carried, nothing served

It imports nothing of localpipe, whose other modules an isolated interpreter would have to find first.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
from contextlib import suppress
from ipaddress import IPv4Interface
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000  # <linux/sched.h>
_NETLINK_ROUTE = 0  # <linux/netlink.h>, as what follows
_REQUEST, _ACKNOWLEDGE, _CREATE, _EXCLUSIVE = 0x001, 0x004, 0x400, 0x200
_HEADER, _ERROR = struct.Struct("=IHHII"), 2
_NEW_LINK, _NEW_ADDRESS = 16, 20  # <linux/rtnetlink.h>
_LINK, _ADDRESS = struct.Struct("=BxHiII"), struct.Struct("=BBBBI")
_UP = 1  # <linux/if.h>
_NAME, _MASTER, _LINK_INFO, _NET_NS_FD = 3, 10, 18, 28  # <linux/if_link.h>
_KIND, _DATA, _PEER = 1, 2, 1
_LOCAL = 2  # <linux/if_addr.h>
_LOOPBACK, _LOOPBACK_INDEX, _BRIDGE, _INTERFACE = "127.0.0.1", 1, "hosts", "eth0"
_CHUNK = 1 << 16
_FIRST_PORT = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")  # of the network namespace of who opens it
_PAUSE_SECONDS = 0.1

_libc = ctypes.CDLL(None, use_errno=True)


def main(carried: int, served: int, hosts: dict[str, IPv4Interface]) -> None:
    """Make the network in a child, which holds it; carry connections here; end with the hosts."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = os.fork()
    if not child:
        ours.close()
        _hold(theirs, carried, hosts)
    theirs.close()
    answer, listeners, _, _ = socket.recv_fds(ours, 1 << 20, len(hosts))
    if not answer:
        sys.exit(1)  # the child has said why
    places = json.loads(answer)
    asking = threading.Lock()
    for index, place in enumerate(places.values() if served else ()):
        listener = socket.create_server((_LOOPBACK, 0))
        place["reached_at"] = listener.getsockname()[1]
        _start(_carry, listener, lambda index=index: _connected(_socket_of_host(ours, asking, index), served))
    os.write(1, json.dumps(places).encode() + b"\n")
    os.close(1)
    for descriptor in listeners:
        _start(_carry, socket.socket(fileno=descriptor), lambda: _connected(socket.socket(), carried))
    _outlive(int(line) for line in sys.stdin)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _outlive(pids: Iterable[int]) -> None:
    """Wait until no more processes are told and all have ended."""
    descriptors = []
    for pid in pids:
        with suppress(ProcessLookupError):
            descriptors.append(os.pidfd_open(pid))
    for descriptor in descriptors:
        select.select([descriptor], [], [])


def _hold(parent: socket.socket, port: int, hosts: dict[str, IPv4Interface]) -> None:
    """Make the network, tell of it and hand out sockets of hosts until killed. Ends with the parent, which asks for them."""
    user, group = os.getuid(), os.getgid()
    _unshare(_NEW_USER | _NEW_NET)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    bridged, routing = _namespace(), _Routing()
    routing.link(name=_BRIDGE, kind="bridge")
    bridge = socket.if_nametoindex(_BRIDGE)
    places, listeners = {}, []
    for index, (name, address) in enumerate(hosts.items()):
        places[name] = _host(bridged, routing, bridge, f"host{index}", address)
        if port:
            listeners.append(socket.create_server((_LOOPBACK, port)))
        _setns(bridged)
    own = f"/proc/{os.getpid()}"
    answer = {name: {"user": f"{own}/ns/user", "net": f"{own}/fd/{place}"} for name, place in places.items()}
    socket.send_fds(parent, [json.dumps(answer).encode()], [listener.fileno() for listener in listeners])
    os.close(1)
    descriptors = list(places.values())
    while asked := parent.recv(1):
        _setns(descriptors[asked[0]])
        with socket.socket() as made:
            socket.send_fds(parent, [b"."], [made.fileno()])
    os._exit(0)


def _socket_of_host(child: socket.socket, asking: threading.Lock, index: int) -> socket.socket:
    """A socket that is in a host's network, wherever it is used. Raises OSError."""
    with asking:
        child.send(bytes([index]))
        _, descriptors, _, _ = socket.recv_fds(child, 1, 1)
    return socket.socket(fileno=descriptors[0])


def _connected(made: socket.socket, port: int) -> socket.socket:
    """The socket, connected to a port of its network's loopback. Raises OSError."""
    try:
        made.connect((_LOOPBACK, port))
    except OSError:
        made.close()
        raise
    return made


def _start(function: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=function, args=arguments, daemon=True).start()


def _host(bridged: int, routing: _Routing, bridge: int, port_name: str, address: IPv4Interface) -> int:
    """Make a host's network namespace, go into it, and return a descriptor of it."""
    _unshare(_NEW_NET)
    place = _namespace()
    _setns(bridged)
    routing.veth(port_name, bridge, _INTERFACE, place)
    _setns(place)
    inside = _Routing()
    inside.up(_LOOPBACK_INDEX)
    index = socket.if_nametoindex(_INTERFACE)
    inside.address(index, address)
    inside.up(index)
    with suppress(OSError):  # /proc may be read-only; then ports below 1024 are root's, whom a host has not
        _FIRST_PORT.write_text("0")
    return place


class _Routing:
    """Requests to the kernel's rtnetlink(7) in the network namespace where this was made."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_ROUTE)

    def link(self, *, name: str, kind: str) -> None:
        """Make an interface that is up."""
        info = _attribute(_LINK_INFO, _attribute(_KIND, kind.encode()))
        self._ask(_NEW_LINK, _CREATE | _EXCLUSIVE, _LINK.pack(0, 0, 0, _UP, _UP) + _attribute(_NAME, name.encode()) + info)

    def veth(self, name: str, master: int, peer: str, place: int) -> None:
        """Make a pair of interfaces: one here, up and on a bridge, its peer in another namespace."""
        far = _LINK.pack(0, 0, 0, 0, 0) + _attribute(_NAME, peer.encode()) + _attribute(_NET_NS_FD, struct.pack("=I", place))
        info = _attribute(_KIND, b"veth") + _attribute(_DATA, _attribute(_PEER, far))
        near = _attribute(_NAME, name.encode()) + _attribute(_MASTER, struct.pack("=I", master))
        body = _LINK.pack(0, 0, 0, _UP, _UP) + near + _attribute(_LINK_INFO, info)
        self._ask(_NEW_LINK, _CREATE | _EXCLUSIVE, body)

    def up(self, index: int) -> None:
        """Switch an interface on."""
        self._ask(_NEW_LINK, 0, _LINK.pack(0, 0, index, _UP, _UP))

    def address(self, index: int, address: IPv4Interface) -> None:
        """Give an interface an address."""
        head = _ADDRESS.pack(socket.AF_INET, address.network.prefixlen, 0, 0, index)
        self._ask(_NEW_ADDRESS, _CREATE | _EXCLUSIVE, head + _attribute(_LOCAL, address.packed))

    def _ask(self, kind: int, flags: int, body: bytes) -> None:
        size = _HEADER.size + len(body)
        self._socket.send(_HEADER.pack(size, kind, flags | _REQUEST | _ACKNOWLEDGE, 1, 0) + body)
        answer = self._socket.recv(_CHUNK)
        _, what, _, _, _ = _HEADER.unpack_from(answer)
        (number,) = struct.unpack_from("=i", answer, _HEADER.size)
        if what != _ERROR or number:
            raise OSError(-number, os.strerror(-number))


def _attribute(kind: int, content: bytes) -> bytes:
    """A `struct rtattr`, padded."""
    return struct.pack("=HH", 4 + len(content), kind) + content + b"\0" * (-len(content) % 4)


def _namespace() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


def _unshare(flags: int) -> None:
    _checked(_libc.unshare(flags))


def _setns(descriptor: int) -> None:
    _checked(_libc.setns(descriptor, _NEW_NET))


def _checked(answer: int) -> None:
    if answer:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _carry(listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
    """Carry every connection that is made to a listener over one that `connect` makes."""
    while True:
        try:
            inside, _ = listener.accept()
        except OSError:  # of too many connections
            time.sleep(_PAUSE_SECONDS)
            continue
        try:
            outside = connect()
        except OSError:
            inside.close()
            continue
        for source, target in ((inside, outside), (outside, inside)):
            target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _start(_copy, source, target)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    carried_port, served_port, *names = sys.argv[1:]
    places = (word.partition("=") for word in names)
    main(int(carried_port), int(served_port), {name: IPv4Interface(address) for name, _, address in places})

"""Refuses connections to AWS: names of its hosts do not resolve, and the addresses of its metadata services refuse."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from types import ModuleType

    from .patches import Patches

AWS_DOMAINS = ("amazonaws.com", "amazonaws.com.cn", "api.aws", "on.aws", "awsapps.com", "api.amazonwebservices.com.cn")
METADATA_ADDRESSES = frozenset({"169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23"})


def is_aws(host: Any) -> bool:
    """Whether a host, as the socket functions take it (text, bytes or None), belongs to AWS."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
    name = name.lower().rstrip(".")
    return name in METADATA_ADDRESSES or any(name == domain or name.endswith("." + domain) for domain in AWS_DOMAINS)


def refuse_aws(patches: Patches, module: ModuleType) -> None:
    """Make `module`, which is `socket`, refuse AWS hosts. What connects below it is not covered."""
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        patches.replace(module, name, _unresolved)
    for name in ("connect", "connect_ex"):
        patches.replace(module.socket, name, _refused)


def _unresolved(resolve: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
        if is_aws(host):
            import socket

            raise socket.gaierror(socket.EAI_NONAME, _sentence(host))
        return resolve(host, *args, **kwargs)

    return guarded


def _refused(connect: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        if isinstance(address, tuple) and is_aws(address[0]):
            raise ConnectionRefusedError(errno.ECONNREFUSED, _sentence(address[0]))
        return connect(self, address)

    return guarded


def _sentence(host: Any) -> str:
    return f"localpipe lets nothing reach AWS while a pipeline is compiled: {host}"

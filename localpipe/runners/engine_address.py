"""Where the Docker engine of this machine is, and a connection to it.

It is looked for as the `docker` command does it: DOCKER_HOST, then DOCKER_CONTEXT, then the context that
`docker context use` has chosen, then the default socket.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localpipe.errors import RunnerUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker import DockerClient

    from localpipe.core import JSON

_DEFAULT_SOCKET = "unix:///var/run/docker.sock"
_DEFAULT_CONTEXT = "default"
_CONNECT_SECONDS = 2.0
_TCP_PORT = 2375
_TLS_PORT = 2376
START = "Start it (on Linux: `sudo systemctl start docker`, elsewhere: start Docker Desktop)."


@dataclass(frozen=True)
class EngineAddress:
    """Where an engine listens. `source` says in words who named it."""

    url: str
    source: str


def engine_address(environment: Mapping[str, str]) -> EngineAddress:
    """Find out where the engine should be. Raises RunnerUnavailable for a context that is not there."""
    if environment.get("DOCKER_HOST"):
        return EngineAddress(environment["DOCKER_HOST"], "DOCKER_HOST")
    config_dir = Path(environment.get("DOCKER_CONFIG") or Path(environment.get("HOME") or "/") / ".docker")
    context = environment.get("DOCKER_CONTEXT") or _current_context(config_dir)
    if context == _DEFAULT_CONTEXT:
        return EngineAddress(_DEFAULT_SOCKET, "the default socket")
    return EngineAddress(_context_url(config_dir, context), f"Docker context {context!r}")


def _current_context(config_dir: Path) -> str:
    config = _read_json(config_dir / "config.json")
    try:
        return str(config["currentContext"] or _DEFAULT_CONTEXT)
    except (KeyError, TypeError):
        return _DEFAULT_CONTEXT


def _context_url(config_dir: Path, context: str) -> str:
    """The address in a context's metadata, which the `docker` command keeps under the digest of its name."""
    digest = hashlib.sha256(context.encode()).hexdigest()
    metadata = _read_json(config_dir / "contexts" / "meta" / digest / "meta.json")
    try:
        return str(metadata["Endpoints"]["docker"]["Host"])
    except (KeyError, TypeError):
        raise RunnerUnavailable(
            f"Docker context {context!r} is chosen, but {config_dir} has no such context.",
            "List them with `docker context ls` and choose one with `docker context use NAME`.",
        ) from None


def _read_json(path: Path) -> JSON:
    """The document in a file; None if there is none that can be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def check_reachable(address: EngineAddress) -> None:
    """Raise RunnerUnavailable, with what to type, if nothing answers at an address or it is not on this machine."""
    url = urlsplit(address.url)
    if url.scheme == "unix":
        _check_socket(address, url.path)
    elif url.netloc.endswith(f":{_TLS_PORT}"):
        raise RunnerUnavailable(
            f"The Docker engine at {address.url} ({address.source}) wants TLS, which is not supported.",
            "Use its socket (`docker context use default`, or unset DOCKER_HOST).",
        )
    elif url.scheme not in {"tcp", "http"} or url.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise RunnerUnavailable(
            f"The Docker engine at {address.url} ({address.source}) is not on this machine, so it cannot see a job's files.",
            "Choose a local one (`docker context use default`, or unset DOCKER_HOST).",
        )


def _check_socket(address: EngineAddress, path: str) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_CONNECT_SECONDS)
        try:
            probe.connect(path)
        except OSError as error:
            raise _unreachable(address, path, error) from error


def _unreachable(address: EngineAddress, path: str, error: OSError) -> RunnerUnavailable:
    if error.errno in {errno.EACCES, errno.EPERM}:
        group = _group_of(path)
        return RunnerUnavailable(
            f"You may not use the Docker engine at {address.url}: its socket belongs to group {group!r}.",
            f'Join the group (`sudo usermod -aG {group} "$USER"`, then log in again).',
        )
    return RunnerUnavailable(f"No Docker engine answers at {address.url} ({address.source}).", START)


def _group_of(path: str) -> str:
    import grp

    try:
        group = os.stat(path).st_gid  # noqa: PTH116 - a socket's path as the engine names it
        return grp.getgrgid(group).gr_name
    except (OSError, KeyError):
        return "docker"


def docker_client(address: EngineAddress, answer_seconds: float) -> DockerClient:
    """A client of the engine at an address, whose calls may take that long. Raises RunnerUnavailable if it is no engine."""
    from docker import DockerClient
    from docker.errors import DockerException

    check_reachable(address)
    try:
        return DockerClient(base_url=address.url, version="auto", timeout=answer_seconds)
    except DockerException as error:
        raise _no_engine(address, error) from error


def _no_engine(address: EngineAddress, error: Exception) -> RunnerUnavailable:
    """Why no client could be made: nothing listens at a TCP address, or something else does."""
    url = urlsplit(address.url)
    if url.scheme != "unix" and not _listens(url.hostname or "", url.port):
        return RunnerUnavailable(f"No Docker engine answers at {address.url} ({address.source}).", START)
    return RunnerUnavailable(f"What answers at {address.url} is no Docker engine: {error}.", START)


def _listens(host: str, port: int | None) -> bool:
    try:
        socket.create_connection((host, port or _TCP_PORT), _CONNECT_SECONDS).close()
    except OSError:
        return False
    return True

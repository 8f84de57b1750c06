"""What kind of Docker engine answers, and whether jobs can run on it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING

from localpipe.errors import RunnerUnavailable
from localpipe.runners.engine_address import START, docker_client

if TYPE_CHECKING:
    from docker import APIClient

    from localpipe.core import JSON
    from localpipe.runners.engine_address import EngineAddress

_ANSWER_SECONDS = 10.0
_DESKTOP_HOST = "host.docker.internal"
_GPU_RUNTIME = "nvidia"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""The kernel's names and those of images, where they differ."""


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    """What matters of an engine that answers.

    `native`: its containers run on this machine's own kernel, so that a container's address can be reached from here and
    an overlay can be mounted. `gateway`: this machine's address on the containers' network; only native engines have one.
    `architecture` is named as images name theirs. `gpus`: whether its containers can be given this machine's.
    """

    native: bool
    gateway: str
    cpus: int
    memory_bytes: int
    architecture: str
    gpus: bool

    @property
    def endpoint_host(self) -> str:
        """Where this machine listens so that containers reach it."""
        return self.gateway if self.native else "127.0.0.1"

    @property
    def endpoint_url_host(self) -> str:
        """How containers call that address."""
        return self.gateway if self.native else _DESKTOP_HOST


def connect(address: EngineAddress) -> tuple[APIClient, EngineFacts]:
    """Connect to an engine and ask what it is. Raises RunnerUnavailable if it is none, or of a kind that runs no jobs.

    Only this first talk has a time limit: a job's log and its end may come days later.
    """
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    api = docker_client(address, _ANSWER_SECONDS).api
    try:
        facts = _facts(address, api)
    except (DockerException, RequestException) as error:
        api.close()
        raise RunnerUnavailable(f"The Docker engine at {address.url} does not tell what it is: {error}.", START) from error
    except RunnerUnavailable:
        api.close()
        raise
    api.timeout = None
    return api, facts


def _facts(address: EngineAddress, api: APIClient) -> EngineFacts:
    where = f"at {address.url} ({address.source})"
    info = api.info()
    _check_kind(where, api, info)
    native = sys.platform == "linux" and info.get("OperatingSystem") != "Docker Desktop"
    return EngineFacts(
        native=native,
        gateway=_gateway(where, api) if native else "",
        cpus=info["NCPU"],
        memory_bytes=info["MemTotal"],
        architecture=_ARCHITECTURES.get(info["Architecture"], info["Architecture"]),
        gpus=_GPU_RUNTIME in info["Runtimes"],
    )


def _check_kind(where: str, api: APIClient, info: JSON) -> None:
    """Raise RunnerUnavailable for Podman, rootless Docker and Windows containers.

    Neither of the first two lets containers reach this machine at their network's gateway, where the local S3 listens.
    """
    if any("podman" in component.get("Name", "").lower() for component in api.version().get("Components") or ()):
        raise RunnerUnavailable(f"The engine {where} is Podman, which is not supported.", "Use Docker itself.")
    if any("rootless" in option for option in info.get("SecurityOptions") or ()):
        raise RunnerUnavailable(
            f"The Docker engine {where} is rootless, which is not supported: its containers cannot reach the local S3.",
            "Choose the system's engine (`docker context use default`).",
        )
    if info.get("OSType") != "linux":
        raise RunnerUnavailable(f"The Docker engine {where} runs Windows containers.", "Switch it to Linux containers.")


def _gateway(where: str, api: APIClient) -> str:
    """This machine's address on the default bridge: its gateway, or the first address of its subnet where none is told."""
    from docker.errors import NotFound

    try:
        configs = api.inspect_network("bridge")["IPAM"]["Config"]
    except NotFound:
        configs = ()
    if not configs:
        raise RunnerUnavailable(
            f"The Docker engine {where} has no default bridge network, through which jobs reach the local S3.",
            "Start it without `--bridge=none`.",
        )
    return str(configs[0].get("Gateway") or next(ip_network(configs[0]["Subnet"]).hosts()))

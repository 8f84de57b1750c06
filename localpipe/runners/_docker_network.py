"""The network of a job of several hosts: one of its own, so that `algo-1` is the one of this job.

Every container is told the addresses of all hosts before it starts, so a host is known by name even while it has yet to
start. Addresses can only be chosen in a subnet that was named when its network was made; which one is free here, the engine
knows best: it is asked by making a network of the engine's own choice first.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING

from localpipe.core.names import attempt_token
from localpipe.runners._docker_errors import gone_is_fine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from docker import APIClient

    from localpipe.core import JSON
    from localpipe.core.names import AttemptKey

_FIRST_HOST = 2  # of the subnet: 1 is the gateway's
_WITHOUT_GATEWAY = {"com.docker.network.bridge.inhibit_ipv4": "true"}
"""This machine has no address on the bridge, so it cannot be reached either."""
_OVERLAP = "pool overlaps"
_ATTEMPTS = 10


@dataclass(frozen=True, kw_only=True)
class JobNetwork:
    """`addresses`: host name → IPv4 address."""

    name: str
    addresses: Mapping[str, str]

    def others(self, host: str) -> Mapping[str, str]:
        """What a host has to be told; its own name it is told by the engine."""
        return {name: address for name, address in self.addresses.items() if name != host}


def network_name(key: AttemptKey) -> str:
    """The name of the attempt's network: the same for every process."""
    return f"localpipe-{key.execution_id}-{attempt_token(key)}"


def make_network(
    api: APIClient,
    key: AttemptKey,
    hosts: Sequence[str],
    labels: Mapping[str, str],
    *,
    isolated: bool,
    reachable: bool = False,
) -> JobNetwork:
    """Make the attempt's network, over what a killed process left of it. Raises APIError.

    `isolated`: the hosts reach one another and nothing else (containers.md 1.9). `reachable`: but this machine reaches them,
    and so they reach what it serves to all networks alike.
    """
    name = network_name(key)
    remove_network(api, name)
    subnet = ip_network(_made(api, name, labels, isolated=isolated, reachable=reachable))
    return JobNetwork(name=name, addresses={host: str(subnet[_FIRST_HOST + index]) for index, host in enumerate(hosts)})


def remove_network(api: APIClient, name: str) -> None:
    """Remove a network; one that is not there is no error."""
    with gone_is_fine():
        api.remove_network(name)


def _made(api: APIClient, name: str, labels: Mapping[str, str], *, isolated: bool, reachable: bool) -> str:
    """The subnet of the network that was made. Another process may take a free one first: then the next is tried."""
    from docker.errors import APIError

    for attempt in range(1, _ATTEMPTS + 1):
        subnet = _free_subnet(api, name, labels)
        try:
            _create(api, name, labels, isolated=isolated, reachable=reachable, subnet=subnet)
        except APIError as error:
            if attempt == _ATTEMPTS or _OVERLAP not in str(error.explanation).lower():
                raise
        else:
            break
    return subnet


def _free_subnet(api: APIClient, name: str, labels: Mapping[str, str]) -> str:
    network = api.create_network(name, driver="bridge", labels=dict(labels))["Id"]
    configs: list[JSON] = api.inspect_network(network)["IPAM"]["Config"]
    api.remove_network(network)
    return str(configs[0]["Subnet"])


def _create(api: APIClient, name: str, labels: Mapping[str, str], *, isolated: bool, reachable: bool, subnet: str) -> None:
    from docker.types import IPAMConfig, IPAMPool

    api.create_network(
        name,
        driver="bridge",
        internal=isolated,
        options=_WITHOUT_GATEWAY if isolated and not reachable else None,
        labels=dict(labels),
        ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)]),
        check_duplicate=True,
    )

"""The network of a job of several hosts, or of one that serves: started before them, entered by each, gone with the last.

Hosts are on a bridge of their own (`_network_keeper`), so every port is open between them and none to anybody else. What
they reach besides is the local S3, at the address where a job of one host would find it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localpipe.errors import JOB_INTERNAL_ERROR, JobFailed
from localpipe.runners import _network_keeper
from localpipe.runners._sandbox_plan import LAUNCH_ENVIRONMENT, SYSTEM_PATH
from localpipe.runners._sandbox_signals import with_default_signals

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from localpipe.core.jobspec import StagedJob

_SUBNET = IPv4Network("10.0.0.0/16")  # of nothing that a job could reach, so any will do
_ENDPOINT = "AWS_ENDPOINT_URL"
_PLACE_FILE = "network"


@dataclass(frozen=True)
class HostPlace:
    """Where a host's network is: files by which its user and its network namespace are entered, while it lives.

    `reached_at`: the port of this machine's loopback that leads to the one at which the host serves, 0 if it serves none.
    """

    user: str
    net: str
    reached_at: int = 0

    def words(self) -> tuple[str, ...]:
        """What comes before a command that is to run there."""
        nsenter = shutil.which("nsenter", path=SYSTEM_PATH) or "nsenter"
        return (nsenter, f"--user={self.user}", f"--net={self.net}", "--preserve-credentials", "--")

    def write(self, directory: Path) -> None:
        """Note it in a sandbox's directory, for a later process."""
        (directory / _PLACE_FILE).write_text(json.dumps(asdict(self)))


def place_in(directory: Path) -> HostPlace | None:
    """What was noted in a sandbox's directory; None for one that shares a network or has its own."""
    try:
        return HostPlace(**json.loads((directory / _PLACE_FILE).read_text()))
    except FileNotFoundError:
        return None


@dataclass(frozen=True, kw_only=True)
class NetworkPlan:
    """`addresses` by host name. `carried`: a port of this machine's loopback that hosts find on theirs; `served`: one at
    which they serve this machine. 0: none.
    """

    addresses: Mapping[str, str]
    carried: int = 0
    served: int = 0


def has_network(job: StagedJob) -> bool:
    """Whether the hosts of a job are in a network of their own."""
    return len(job.hosts) > 1 or job.port is not None


def host_addresses(job: StagedJob) -> Mapping[str, str]:
    """The addresses of the hosts of such a job, by name; none for another."""
    if not has_network(job):
        return {}
    return {host.name: str(_SUBNET[index]) for index, host in enumerate(job.hosts, start=1)}


def carried_port(job: StagedJob) -> int:
    """The port of this machine's loopback that hosts find on theirs: the local S3's. 0: none, as for an isolated job."""
    return 0 if job.network_isolated else urlsplit(job.environment.get(_ENDPOINT, "")).port or 0


class HostNetwork:
    """A network whose keeper runs. Mutable: `close` ends what this process has to do with it."""

    def __init__(self, plan: NetworkPlan) -> None:
        """Start the keeper. Raises JobFailed if no network can be made."""
        hosts = (f"{name}={address}/{_SUBNET.prefixlen}" for name, address in plan.addresses.items())
        ports = (str(plan.carried), str(plan.served))
        program = (sys.executable, "-I", "-S", _network_keeper.__file__, *ports, *hosts)
        self._keeper = subprocess.Popen(
            with_default_signals(program),
            env=LAUNCH_ENVIRONMENT,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )
        assert self._keeper.stdin is not None  # noqa: S101 - asked for
        assert self._keeper.stdout is not None  # noqa: S101 - asked for
        self._told = self._keeper.stdin
        with self._keeper.stdout as answers:
            answer = answers.readline()
            trouble = "" if answer.startswith("{") else (answer + answers.read()).strip()
        if not answer.startswith("{"):
            self._told.close()
            self._keeper.wait()
            why = trouble.splitlines()[-1] if trouble else "its keeper was killed"
            raise JobFailed(f"The network of the hosts could not be made: {why}", JOB_INTERNAL_ERROR)
        self.places = {name: HostPlace(**files) for name, files in json.loads(answer).items()}
        self._keeper.returncode = 0  # it is to outlive this process and its Popen; `reap` takes its end

    def keep_for(self, pid: int) -> None:
        """Have the network last as long as a process."""
        self._told.write(f"{pid}\n")
        self._told.flush()

    def close(self) -> None:
        """There are no more processes to keep it for."""
        self._told.close()

    def reap(self) -> None:
        """Wait for the keeper's end, which comes with that of the processes."""
        with suppress(ChildProcessError):
            os.waitpid(self._keeper.pid, 0)


def can_be_made() -> bool:
    """Whether this machine lets the user make such a network: tried for real."""
    if shutil.which("nsenter", path=SYSTEM_PATH) is None:
        return False
    try:
        network = HostNetwork(NetworkPlan(addresses={f"algo-{number}": str(_SUBNET[number]) for number in (1, 2)}))
    except JobFailed:
        return False
    network.close()
    network.reap()
    return True

from __future__ import annotations

import json
import socket
import sys
from dataclasses import replace
from pathlib import Path, PurePosixPath
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired, run

import pytest

from localpipe.core.jobspec import StagedHost, StagedJob
from localpipe.core.names import AttemptKey
from localpipe.errors import JobFailed
from localpipe.runners._host_network import (
    HostNetwork,
    HostPlace,
    NetworkPlan,
    can_be_made,
    carried_port,
    host_addresses,
    place_in,
)
from localpipe.runners._sandbox_plan import RootFileSystem, SandboxImage, plan_sandbox

JOB = StagedJob(
    key=AttemptKey(execution_id="abc", step="Train", attempt=1),
    job_name="train-1",
    image_uri="repo/image:1",
    entrypoint=("train",),
    arguments=(),
    environment={"AWS_ENDPOINT_URL": "http://127.0.0.1:4567"},
    hosts=tuple(StagedHost(name=f"algo-{n}", mounts=(), log_file=Path(f"/log/{n}")) for n in (1, 2)),
    network_isolated=False,
    attempt_dir=Path("/attempt"),
)


def test_hosts_of_one_job_have_addresses_and_a_single_host_needs_none() -> None:
    assert host_addresses(JOB) == {"algo-1": "10.0.0.1", "algo-2": "10.0.0.2"}
    assert host_addresses(replace(JOB, hosts=JOB.hosts[:1])) == {}


@pytest.mark.parametrize(
    ("job", "port"),
    [(JOB, 4567), (replace(JOB, network_isolated=True), 0), (replace(JOB, environment={}), 0)],
)
def test_the_local_s3_is_carried_to_hosts_unless_they_are_isolated(job: StagedJob, port: int) -> None:
    assert carried_port(job) == port


@pytest.mark.parametrize(("hosts", "isolated"), [(1, True), (2, False)])
def test_a_host_among_several_knows_all_and_gets_no_network_of_its_own(hosts: int, *, isolated: bool) -> None:
    job = replace(JOB, hosts=JOB.hosts[:hosts], network_isolated=True)
    image = SandboxImage(root=RootFileSystem(below=Path("/below")))
    plan = plan_sandbox(
        job, job.hosts[0], ("x",), directory=Path("/s"), image=image, overlays=True, addresses=host_addresses(job)
    )
    assert plan.network_isolated is isolated
    known = plan.files[PurePosixPath("/etc/hosts")].decode().splitlines()[2:]
    assert known == (["127.0.0.1\talgo-1"] if hosts == 1 else ["10.0.0.1\talgo-1", "10.0.0.2\talgo-2"])


def test_a_place_is_noted_for_a_later_process(tmp_path: Path) -> None:
    assert place_in(tmp_path) is None
    place = HostPlace(user="/proc/1/ns/user", net="/proc/1/fd/6")
    place.write(tmp_path)
    assert place_in(tmp_path) == place


@pytest.mark.sandbox
def test_a_network_is_there_while_it_is_kept() -> None:
    if not can_be_made():
        pytest.skip("this machine lets nobody make networks")
    network = HostNetwork(NetworkPlan(addresses=host_addresses(JOB)))
    show = "import json, socket; print(json.dumps([name for _, name in socket.if_nameindex()]))"
    seen = run([*network.places["algo-2"].words(), "python3", "-c", show], capture_output=True, text=True, check=True)
    network.close()
    network.reap()
    assert json.loads(seen.stdout) == ["lo", "eth0"]
    assert not Path(network.places["algo-1"].user).exists()


@pytest.mark.sandbox
def test_what_keeps_a_network_from_being_made_is_told() -> None:
    with pytest.raises(JobFailed) as failed:
        HostNetwork(NetworkPlan(addresses={"algo-1": "no address"}))
    assert str(failed.value).startswith("The network of the hosts could not be made: ")
    assert "no address" in str(failed.value)


def test_carrying_goes_on_after_a_connection_that_could_not_be_accepted() -> None:
    """Here accepting times out at once, as it fails while too many files are open."""
    program = (
        "import socket; from localpipe.runners._network_keeper import _carry\n"
        "listener = socket.create_server(('127.0.0.2', 0)); listener.settimeout(0.001)\n"
        "port = listener.getsockname()[1]\n"
        "behind = socket.create_server(('127.0.0.1', port)); print(port, flush=True)\n"
        "_carry(listener, port)"
    )
    with Popen([sys.executable, "-c", program], stdout=PIPE, stderr=DEVNULL, text=True) as carrying:
        try:
            assert carrying.stdout is not None
            port = int(carrying.stdout.readline())
            with pytest.raises(TimeoutExpired):  # it goes on
                carrying.wait(timeout=0.3)
            socket.create_connection(("127.0.0.2", port), timeout=5).close()
        finally:
            carrying.kill()

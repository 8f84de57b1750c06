"""The containers of one job: made from a staged job or found by their labels, followed to their end, removed."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.core.names import AttemptKey
from localpipe.errors import NotSupported
from localpipe.runners._docker_errors import engine_errors, not_executed
from localpipe.runners._docker_home import HOME_LABEL
from localpipe.runners._docker_mounts import api_mounts, make_bind_sources, make_overlay_dirs
from localpipe.runners._docker_network import make_network, network_name, remove_network
from localpipe.runners._docker_running import RunningContainer
from localpipe.runners._docker_stream import AttachedStream, kept_output
from localpipe.runners._docker_waiting import ARRIVED, GO
from localpipe.runners._never_ran import never_ran
from localpipe.runners._shared_fate import SharedFate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from docker import APIClient

    from localpipe.core import JSON
    from localpipe.core.jobspec import StagedHost, StagedJob
    from localpipe.core.ports import Running
    from localpipe.runners._docker_home import DockerEngine, LocalImage
    from localpipe.runners._docker_network import JobNetwork

_EXECUTION, _STEP, _ATTEMPT, _CHILD = "localpipe.execution", "localpipe.step", "localpipe.attempt", "localpipe.child"
_HOST, _HOSTS = "localpipe.host", "localpipe.hosts"  # which of the job's hosts, from 0, and how many there are
_SCRATCH, _LOG_FILE, _WAITED = "localpipe.scratch", "localpipe.log-file", "localpipe.waited"
_LOG_OPTIONS = {"max-size": "1000g", "max-file": "1", "compress": "false"}  # the engine's copy is never cut
_NEVER_STARTED, _RUNNING = "created", "running"
_NANO, _ALL = 1_000_000_000, -1
_OVERLAYS_DIR = "overlays"
_LOOPBACK = "127.0.0.1"


def attempt_labels(key: AttemptKey) -> dict[str, str]:
    """The labels, besides the home's, by which what belongs to an attempt is found."""
    return {_EXECUTION: key.execution_id, _STEP: key.step, _ATTEMPT: str(key.attempt), _CHILD: str(key.child)}


def prepare(engine: DockerEngine, job: StagedJob, image: LocalImage) -> PreparedContainer | PreparedHosts:
    """Create the job's containers, and their network where they need one. Raises what `engine_errors` makes of trouble.

    That is where there are several, or where an isolated one is to be reached from here.
    """
    hidden = job.network_isolated and job.port is not None
    if hidden and not engine.facts.native:
        raise NotSupported("Serving an isolated model on Docker Desktop", "Set its EnableNetworkIsolation to False.")
    if len(job.hosts) == 1 and not hidden:
        return prepare_alone(engine, job, image)
    names, labels = [host.name for host in job.hosts], {HOME_LABEL: str(engine.home), **attempt_labels(job.key)}
    with engine_errors(job.image_uri, "given a network"):
        network = make_network(
            engine.api, job.key, names, labels, isolated=job.network_isolated, reachable=job.port is not None
        )
    with ExitStack() as on_failure:
        on_failure.callback(remove_network, engine.api, network.name)
        hosts = []
        for index, host in enumerate(job.hosts):
            hosts.append(PreparedContainer(engine, job, host, _create(engine, job, index, image, network)))
            on_failure.callback(hosts[-1].remove)
        on_failure.pop_all()
    return PreparedHosts(engine, job, hosts)


def prepare_alone(engine: DockerEngine, job: StagedJob, image: LocalImage, *, waits: bool = False) -> PreparedContainer:
    """Create the container of a job that has one. `waits`: its command is one of `_docker_waiting`."""
    return PreparedContainer(engine, job, job.hosts[0], _create(engine, job, 0, image, waits=waits))


def _create(
    engine: DockerEngine,
    job: StagedJob,
    index: int,
    image: LocalImage,
    network: JobNetwork | None = None,
    *,
    waits: bool = False,
) -> str:
    """Create the container of one host and return its id. What it is given need not be there before the start."""
    host, api = job.hosts[index], engine.api
    labels = {
        HOME_LABEL: str(engine.home),
        **attempt_labels(job.key),
        _HOST: str(index),
        _HOSTS: str(len(job.hosts)),
        _SCRATCH: str(_scratch_dir(job, host)),
        _LOG_FILE: str(host.log_file),
        **({_WAITED: ""} if waits else {}),
    }
    with engine_errors(job.image_uri, "created"):
        make_bind_sources(host.mounts)
        created = api.create_container(
            image.name,
            entrypoint=None if job.entrypoint is None else list(job.entrypoint),
            command=None if job.arguments is None else list(job.arguments),
            environment=dict(job.environment_of(host)),
            hostname=host.name,
            stdin_open=waits,
            labels=labels,
            ports=list(_published(engine, job)),
            platform=image.platform,
            host_config=_host_config(engine, job, host, labels, network),
            networking_config=None if network is None else _place_in(api, network, host),
        )
    return str(created["Id"])


def _host_config(
    engine: DockerEngine, job: StagedJob, host: StagedHost, labels: Mapping[str, str], network: JobNetwork | None
) -> JSON:
    from docker.types import DeviceRequest, LogConfig

    limits = host.limits
    return engine.api.create_host_config(
        mounts=api_mounts(host.mounts, _scratch_dir(job, host), labels),
        shm_size=limits.shared_memory_bytes,
        mem_limit=limits.memory_bytes,
        memswap_limit=limits.memory_bytes,  # what does not fit ends the job, as on the service, instead of being swapped
        nano_cpus=None if limits.cpus is None else int(limits.cpus * _NANO),
        device_requests=[DeviceRequest(count=_ALL, capabilities=[["gpu"]])] if limits.gpus else None,
        init=False,  # the entrypoint is the first process and gets the signals (containers.md section 0)
        log_config=LogConfig(type="local", config=_LOG_OPTIONS),
        port_bindings=_published(engine, job),
        **_network_options(job, host, network),
    )


def _published(engine: DockerEngine, job: StagedJob) -> Mapping[int, tuple[str]]:
    """The port at which a job serves, to be had on loopback where a virtual machine stands between."""
    return {job.port: (_LOOPBACK,)} if job.port and not engine.facts.native else {}


def _network_options(job: StagedJob, host: StagedHost, network: JobNetwork | None) -> JSON:
    if network is not None:
        return {"network_mode": network.name, "extra_hosts": dict(network.others(host.name))}
    return {"network_mode": "none", "extra_hosts": {host.name: _LOOPBACK}} if job.network_isolated else {}


def _place_in(api: APIClient, network: JobNetwork, host: StagedHost) -> JSON:
    endpoint = api.create_endpoint_config(ipv4_address=network.addresses[host.name])
    return api.create_networking_config({network.name: endpoint})


def _scratch_dir(job: StagedJob, host: StagedHost) -> Path:
    """Where a host's overlay mounts keep what the job writes to them."""
    return job.attempt_dir / _OVERLAYS_DIR / host.name


class PreparedContainer:
    """A container that exists and does not run. Mutable: `start` may be called once."""

    def __init__(self, engine: DockerEngine, job: StagedJob, host: StagedHost, container: str) -> None:
        self._engine, self._job, self._host, self._container = engine, job, host, container

    def start(self) -> Running:
        """Start it, its output being read from the first byte. Raises JobFailed."""
        from docker.errors import APIError

        with engine_errors(self._job.image_uri, "started"):
            try:
                stream = self.begin()
            except APIError as error:
                if why := not_executed(str(error.explanation)):
                    return never_ran(why, self._host.log_file, self.remove)
                raise
        return self._follow(stream, stream.output())

    def begin(self, *, standard_input: bool = False) -> AttachedStream:
        """Start it and return its streams. Raises APIError."""
        with ExitStack() as on_failure:
            make_overlay_dirs(self._host.mounts, _scratch_dir(self._job, self._host))
            stream = AttachedStream(self._engine.api, self._container, standard_input=standard_input)
            on_failure.callback(stream.close)
            self._engine.api.start(self._container)
            on_failure.pop_all()
        return stream

    def go_on(self, stream: AttachedStream, lines: Iterable[bytes]) -> Running:
        """Have a container that waits become its job. Raises OSError if it is gone."""
        _go_file(_scratch_dir(self._job, self._host)).touch()
        os.write(stream.fileno(), GO)
        return self._follow(stream, lines)

    def _follow(self, stream: AttachedStream, lines: Iterable[bytes]) -> Running:
        """The job of a container that was begun; `lines`: what it prints, from where the job's log begins."""
        scratch = _scratch_dir(self._job, self._host)
        output = _closing_after(stream, lines)
        return RunningContainer(self._engine, self._container, output=output, log_file=self._host.log_file, scratch=scratch)

    def remove(self) -> None:
        """Remove the container."""
        with engine_errors(self._job.image_uri, "removed"):
            self._engine.remove(self._container)


class PreparedHosts:
    """The containers of a job of several hosts, in a network of their own. Mutable: `start` may be called once."""

    def __init__(self, engine: DockerEngine, job: StagedJob, hosts: Sequence[PreparedContainer]) -> None:
        self._engine, self._job, self._hosts = engine, job, tuple(hosts)

    def start(self) -> Running:
        """Start all at once. Raises JobFailed if one cannot be started; then none is left."""
        with ThreadPoolExecutor(len(self._hosts)) as threads:
            starting = [threads.submit(host.start) for host in self._hosts]
        if failure := next(filter(None, (start.exception() for start in starting)), None):
            self.remove()
            raise failure
        return _several(self._engine, self._job.key, [start.result() for start in starting])

    def remove(self) -> None:
        """Remove the containers and their network."""
        for host in self._hosts:
            host.remove()
        _remove_network(self._engine, self._job.key)


def _several(engine: DockerEngine, key: AttemptKey, hosts: Sequence[Running]) -> SharedFate:
    return SharedFate(hosts, partial(_remove_network, engine, key), grace_seconds=engine.grace_seconds)


def _remove_network(engine: DockerEngine, key: AttemptKey) -> None:
    with engine_errors("", "removed"):
        remove_network(engine.api, network_name(key))


@contextmanager
def _closing_after(stream: AttachedStream, lines: Iterable[bytes]) -> Iterator[Iterable[bytes]]:
    with closing(stream):
        yield lines


def find(engine: DockerEngine, key: AttemptKey) -> Running | None:
    """The attempt's job; one of which not every host was started, or not every one is left, is removed."""
    with engine_errors("", "looked for"):
        found = sorted(engine.containers(attempt_labels(key)), key=_host_index)
        started = [container for container in found if _has_started(container)]
        if found and len(started) == int(found[0]["Labels"][_HOSTS]):
            hosts = [_attach_again(engine, container) for container in started]
            return hosts[0] if len(hosts) == 1 else _several(engine, key, hosts)
        for container in found:
            engine.remove(container["Id"])
        remove_network(engine.api, network_name(key))
        return None


def running(engine: DockerEngine, key: AttemptKey, host: int) -> str | None:
    """The id of the container of one of the attempt's hosts, counted from 0, if it runs."""
    with engine_errors("", "looked for"):
        found = engine.containers({**attempt_labels(key), _HOST: str(host)})
        begun = (container for container in found if container["State"] == _RUNNING and _has_started(container))
        return next((container["Id"] for container in begun), None)


def sweep(engine: DockerEngine, keep: Callable[[AttemptKey], bool]) -> int:
    """Remove the home's jobs whose attempt is not to be kept; how many there were."""
    with engine_errors("", "removed"):
        dead = [container for container in engine.containers({}) if not keep(_key(container["Labels"]))]
        for container in dead:
            if container["State"] == _NEVER_STARTED:
                engine.remove(container["Id"])
            else:
                _attach_again(engine, container).remove()
        for network in engine.networks():
            if not keep(_key(network["Labels"])):
                remove_network(engine.api, network["Id"])
    return len({_key(container["Labels"]) for container in dead})


def _has_started(container: JSON) -> bool:
    """Whether its job has: one that waits, or waited until localpipe was gone, has not."""
    labels = container["Labels"]
    waits = _WAITED in labels and not _go_file(Path(labels[_SCRATCH])).exists()
    return container["State"] != _NEVER_STARTED and not waits


def _go_file(scratch: Path) -> Path:
    """What stands beside the scratch directory once a job that waited was told to start."""
    return scratch.with_name(f"{scratch.name}.go")


def _host_index(container: JSON) -> int:
    return int(container["Labels"][_HOST])


def _key(labels: Mapping[str, str]) -> AttemptKey:
    return AttemptKey(
        execution_id=labels[_EXECUTION],
        step=labels[_STEP],
        attempt=int(labels[_ATTEMPT]),
        child=int(labels.get(_CHILD, "0")),
    )


def _attach_again(engine: DockerEngine, container: JSON) -> RunningContainer:
    """Follow a container that an earlier process started; its log is written again from the engine's copy."""
    labels = container["Labels"]
    output = kept_output(engine.api, container["Id"], begun_by=ARRIVED if _WAITED in labels else b"")
    log_file, scratch = Path(labels[_LOG_FILE]), Path(labels[_SCRATCH])
    return RunningContainer(engine, container["Id"], output=output, log_file=log_file, scratch=scratch)

"""One job's container: made from a staged job or found by its labels, followed to its end, removed."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from localpipe.core.jobspec import Access, JobExit, Mount
from localpipe.core.names import AttemptKey
from localpipe.errors import NotSupported
from localpipe.runners._docker_errors import engine_errors, gone_is_fine, not_executed
from localpipe.runners._docker_lines import SHM_SIZE
from localpipe.runners._docker_mounts import api_mounts
from localpipe.runners._docker_reclaim import ReclaimHelper, has_foreign, rewrite_owner, take_as_root
from localpipe.runners._docker_stream import AttachedStream, kept_output
from localpipe.runners._never_ran import never_ran

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from docker import APIClient

    from localpipe.core import JSON
    from localpipe.core.jobspec import StagedJob
    from localpipe.core.ports import Running
    from localpipe.runners._docker_engine import EngineFacts

_HOME, _EXECUTION, _STEP, _ATTEMPT = "localpipe.home", "localpipe.execution", "localpipe.step", "localpipe.attempt"
_ATTEMPT_DIR, _LOG_FILE = "localpipe.attempt-dir", "localpipe.log-file"
_LOG_OPTIONS = {"max-size": "1000g", "max-file": "1", "compress": "false"}  # the engine's copy is never cut
_NEVER_STARTED, _RUNNING = "created", "running"
_KILLED = 137  # 128 + SIGKILL, which is also how the kernel ends a process when memory runs out
OVERLAYS_DIR, REPEAT_DIR = "overlays", "repeat-overlays"
"""Where in an attempt's directory overlay mounts keep what is written: by the job itself, and by a person who repeats it."""


@dataclass(frozen=True)
class DockerEngine:
    """A connected engine as the containers of one home need it."""

    api: APIClient
    facts: EngineFacts
    home: Path
    helper: ReclaimHelper

    def containers(self, labels: Mapping[str, str]) -> list[JSON]:
        """The home's containers with these labels, whatever their state, in the shape of the engine's list."""
        wanted = {_HOME: str(self.home), **labels}
        return list(self.api.containers(all=True, filters={"label": [f"{name}={value}" for name, value in wanted.items()]}))

    def remove(self, container: str) -> None:
        """Remove a container and its volumes, whatever it does; one that is not there is no error."""
        with gone_is_fine():
            self.api.remove_container(container, v=True, force=True)

    def reclaim(self, directories: Sequence[Path], image: str) -> bool:
        """Give directories and all below to the user; False if that takes root and no helper could do it."""
        user, group = os.getuid(), os.getgid()
        if not has_foreign(directories, user):
            return True
        if user == 0:
            take_as_root(directories, user, group)
            return True
        return self.helper.reclaim(directories, image)


def attempt_labels(key: AttemptKey) -> dict[str, str]:
    """The labels, besides the home's, by which an attempt's container is found."""
    return {_EXECUTION: key.execution_id, _STEP: key.step, _ATTEMPT: str(key.attempt)}


def create(engine: DockerEngine, job: StagedJob, image: str) -> str:
    """Create the container of a one-host job and return its id. Raises what `engine_errors` makes of trouble."""
    from docker.types import LogConfig

    host, api = job.hosts[0], engine.api
    labels = {
        _HOME: str(engine.home),
        **attempt_labels(job.key),
        _ATTEMPT_DIR: str(job.attempt_dir),
        _LOG_FILE: str(host.log_file),
    }
    network = {"network_mode": "none", "extra_hosts": {host.name: "127.0.0.1"}} if job.network_isolated else {}
    host_config = api.create_host_config(
        mounts=api_mounts(host.mounts, job.attempt_dir / OVERLAYS_DIR, labels),
        shm_size=SHM_SIZE,
        init=False,  # the entrypoint is the first process and gets the signals (containers.md section 0)
        log_config=LogConfig(type="local", config=_LOG_OPTIONS),
        **network,
    )
    with engine_errors(job.image_uri, "created"):
        created = api.create_container(
            image,
            entrypoint=None if job.entrypoint is None else list(job.entrypoint),
            command=None if job.arguments is None else list(job.arguments),
            environment=dict(job.environment),
            hostname=host.name,
            labels=labels,
            host_config=host_config,
        )
    return str(created["Id"])


class PreparedContainer:
    """A container that exists and does not run. Mutable: `start` may be called once."""

    def __init__(self, engine: DockerEngine, job: StagedJob, container: str) -> None:
        self._engine, self._job, self._container = engine, job, container

    def start(self) -> Running:
        """Start it, its output being read from the first byte. Raises JobFailed."""
        from docker.errors import APIError

        api, host = self._engine.api, self._job.hosts[0]
        with engine_errors(self._job.image_uri, "started"), ExitStack() as on_failure:
            stream = on_failure.enter_context(closing(AttachedStream(api, self._container)))
            try:
                api.start(self._container)
            except APIError as error:
                if why := not_executed(str(error.explanation)):
                    return never_ran(why, host.log_file, self.remove)
                raise
            on_failure.pop_all()
        output, attempt_dir = _output(stream), self._job.attempt_dir
        return RunningContainer(
            self._engine, self._container, output=output, log_file=host.log_file, attempt_dir=attempt_dir
        )

    def remove(self) -> None:
        """Remove the container."""
        with engine_errors(self._job.image_uri, "removed"):
            self._engine.remove(self._container)


@contextmanager
def _output(stream: AttachedStream) -> Iterator[Iterable[bytes]]:
    with closing(stream):
        yield stream.output()


def find(engine: DockerEngine, key: AttemptKey) -> RunningContainer | None:
    """The attempt's container; those that were made and never started are removed."""
    with engine_errors("", "looked for"):
        found = engine.containers(attempt_labels(key))
        started = next((container for container in found if container["State"] != _NEVER_STARTED), None)
        for container in found:
            if container is not started:
                engine.remove(container["Id"])
        return None if started is None else _attach_again(engine, started)


def running(engine: DockerEngine, key: AttemptKey) -> str | None:
    """The id of the attempt's container, if it runs."""
    with engine_errors("", "looked for"):
        return next((found["Id"] for found in engine.containers(attempt_labels(key)) if found["State"] == _RUNNING), None)


def sweep(engine: DockerEngine, keep: Callable[[AttemptKey], bool]) -> int:
    """Remove the home's containers whose attempt is not to be kept; how many there were."""
    with engine_errors("", "removed"):
        dead = [container for container in engine.containers({}) if not keep(_key(container["Labels"]))]
        for container in dead:
            if container["State"] == _NEVER_STARTED:
                engine.remove(container["Id"])
            else:
                _attach_again(engine, container).remove()
    return len(dead)


def _key(labels: Mapping[str, str]) -> AttemptKey:
    return AttemptKey(execution_id=labels[_EXECUTION], step=labels[_STEP], attempt=int(labels[_ATTEMPT]))


def _attach_again(engine: DockerEngine, container: JSON) -> RunningContainer:
    """Follow a container that an earlier process started; its log is written again from the engine's copy."""
    labels = container["Labels"]
    output = kept_output(engine.api, container["Id"])
    log_file, attempt_dir = Path(labels[_LOG_FILE]), Path(labels[_ATTEMPT_DIR])
    return RunningContainer(engine, container["Id"], output=output, log_file=log_file, attempt_dir=attempt_dir)


class RunningContainer:
    """A container that has been started, with a thread that writes its log and notes its end. Any thread may call it."""

    def __init__(
        self,
        engine: DockerEngine,
        container: str,
        *,
        output: AbstractContextManager[Iterable[bytes]],
        log_file: Path,
        attempt_dir: Path,
    ) -> None:
        self._engine, self._container, self._attempt_dir = engine, container, attempt_dir
        self._ended = threading.Event()
        self._exit: JobExit | None = None
        self._trouble: BaseException | None = None
        self._follower = threading.Thread(target=self._follow, args=(output, log_file), daemon=True)
        self._follower.start()

    def wait(self, timeout_seconds: float | None = None) -> JobExit | None:
        """Block until the container has ended. Raises JobFailed if the engine lost it, and what else ended its thread."""
        if not self._ended.wait(timeout_seconds):
            return None
        if self._trouble:
            raise self._trouble
        return self._exit

    def signal(self, signum: int) -> None:
        """Send a signal to the first process; the engine refuses for one that has ended, which is fine."""
        with engine_errors("", "signalled"), gone_is_fine():
            self._engine.api.kill(self._container, signal=signum)

    def address(self, port: int) -> tuple[str, int]:
        """The container's own address. Raises NotSupported where there is none or it cannot be reached from here."""
        with engine_errors("", "looked up"):
            host = self._engine.api.inspect_container(self._container)["NetworkSettings"]["IPAddress"]
        if not host:
            raise NotSupported(f"Reaching port {port} of a job without a network", "Turn its network isolation off.")
        return host, port

    def remove(self) -> None:
        """Kill the container, let its log and its files be settled, remove it and its volumes."""
        if not self._ended.is_set():
            self.signal(signal.SIGKILL)
            self._ended.wait()
        with engine_errors("", "removed"):
            self._engine.remove(self._container)

    def _follow(self, output: AbstractContextManager[Iterable[bytes]], log_file: Path) -> None:
        try:
            with engine_errors("", "followed"):
                with output as pieces, log_file.open("wb", buffering=0) as log:
                    for piece in pieces:
                        log.write(piece)
                self._engine.api.wait(self._container)
                ended = self._engine.api.inspect_container(self._container)
                self._settle_files(ended)
                self._exit = _job_exit(ended["State"])
        except BaseException as error:  # noqa: BLE001 - raised where the job is waited for
            self._trouble = error
        finally:
            self._ended.set()

    def _settle_files(self, ended: JSON) -> None:
        """Give what the container wrote to the user."""
        written = [
            Mount(host_dir=Path(m["Source"]), container_dir=PurePosixPath(m["Destination"]), access=Access.WRITABLE)
            for m in ended["Mounts"]
            if m["Type"] == "bind" and m["RW"]
        ]
        overlays = self._attempt_dir / OVERLAYS_DIR
        if not self._engine.reclaim([*(mount.host_dir for mount in written), overlays], ended["Image"]):
            rewrite_owner(self._engine.api, self._container, written, self._attempt_dir)


def _job_exit(state: JSON) -> JobExit:
    """How the container ended, from the engine's State."""
    code = int(state["ExitCode"])
    return JobExit(exit_code=code, out_of_memory=code == _KILLED and bool(state["OOMKilled"]), message=state["Error"])

"""Jobs in containers of a Docker engine on this machine.

A container carries labels that say which attempt it is, so that a later process finds it. Its output is read from the
engine's stream as it comes; the engine keeps a copy of its own (its `local` log driver, which keeps every byte), from which
the log is written again after a crash. Nothing is polled: a stream ends when its container has ended.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from localpipe.core.ports import Availability, ImageStatus
from localpipe.errors import ImageMissing, JobFailed, RunnerUnavailable
from localpipe.runners import _docker_container as containers
from localpipe.runners._docker_container import OVERLAYS_DIR, REPEAT_DIR, DockerEngine, PreparedContainer
from localpipe.runners._docker_engine import connect
from localpipe.runners._docker_errors import engine_errors
from localpipe.runners._docker_lines import exec_line, repeat_line, shell_line
from localpipe.runners._docker_mounts import can_overlay, make_overlay_dirs
from localpipe.runners._docker_reclaim import ReclaimHelper
from localpipe.runners._hosts import only_host
from localpipe.runners.engine_address import engine_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from localpipe.core.jobspec import StagedJob
    from localpipe.core.names import AttemptKey
    from localpipe.core.ports import CommandLine
    from localpipe.runners._docker_container import RunningContainer


class Absence(Protocol):
    """Why an image is not there and the command that helps."""

    @property
    def reason(self) -> str:
        """A sentence."""
        ...

    @property
    def remedy(self) -> str:
        """What to type."""
        ...


@dataclass(frozen=True, kw_only=True)
class ImageNames:
    """How image URIs map to local images; which of them the engine has, the runner finds out.

    `candidates(uri)`: local names, best first. `notes(uri, local)`: what differs when `local` serves `uri`.
    `absence(uri)`: what to say when no candidate is there.
    """

    candidates: Callable[[str], Sequence[str]]
    notes: Callable[[str, str], tuple[str, ...]]
    absence: Callable[[str], Absence]


class DockerRunner:
    """Runs jobs on the Docker engine that the `docker` command would use. Any thread may call it.

    `home` is the directory below which attempts lie; containers are labelled with it. `environment` is where DOCKER_HOST and
    its kin are looked up. Mutable: connects when first needed.
    """

    name: ClassVar[str] = "docker"

    def __init__(self, home: Path, images: ImageNames, environment: Mapping[str, str]) -> None:
        self._home, self._images, self._environment = home, images, environment
        self._connecting = threading.Lock()
        self._connected: DockerEngine | None = None

    @property
    def overlays(self) -> bool:
        """True on an engine of this machine's own kernel, unless the home's path cannot be named in mount options."""
        return self._engine.facts.native and can_overlay(self._home)

    def check(self) -> Availability:
        """Whether the engine answers and is of a kind that jobs can run on."""
        try:
            api, _ = connect(engine_address(self._environment))
        except RunnerUnavailable as error:
            return Availability(usable=False, reason=error.reason, remedy=error.remedy)
        api.close()
        return Availability(usable=True)

    def image(self, image_uri: str) -> ImageStatus:
        """The first candidate that the engine has."""
        local = self._local_image(image_uri)
        if local is None:
            absence = self._images.absence(image_uri)
            return ImageStatus(image_uri=image_uri, local=None, reason=absence.reason, remedy=absence.remedy)
        return ImageStatus(image_uri=image_uri, local=local, notes=self._images.notes(image_uri, local))

    def ensure_image(self, image_uri: str) -> None:
        """Raise ImageMissing if no candidate is there; images are built by a command of their own."""
        self._present_image(image_uri)

    def endpoint_host(self) -> str:
        """The gateway of the containers' network; loopback where a virtual machine stands between."""
        return self._engine.facts.endpoint_host

    def endpoint_url_host(self) -> str:
        """The same gateway, or the name that Docker Desktop gives this machine."""
        return self._engine.facts.endpoint_url_host

    def prepare(self, job: StagedJob) -> PreparedContainer:
        """Create the container. Raises NotSupported for a job of several hosts."""
        host = only_host(job)
        image = self._present_image(job.image_uri)
        for scratch in (OVERLAYS_DIR, REPEAT_DIR):
            make_overlay_dirs(host.mounts, job.attempt_dir / scratch)
        return PreparedContainer(self._engine, job, containers.create(self._engine, job, image))

    def find(self, key: AttemptKey) -> RunningContainer | None:
        """The attempt's container by its labels; one that was never started is removed."""
        return containers.find(self._engine, key)

    def enter(self, key: AttemptKey, command: Sequence[str], *, terminal: bool) -> Sequence[str] | None:
        """`docker exec` in the attempt's container."""
        container = containers.running(self._engine, key)
        return None if container is None else exec_line(container, command, terminal=terminal)

    def job_command(self, job: StagedJob) -> Sequence[str]:
        """The job's command with the image's ENTRYPOINT and CMD. Follows: containers.md 1.2."""
        image = self._present_image(job.image_uri)
        with engine_errors(job.image_uri, "looked up"):
            config = self._engine.api.inspect_image(image)["Config"]
        if job.entrypoint is not None:
            return [*job.entrypoint, *(job.arguments or ())]
        arguments = job.arguments if job.arguments is not None else config.get("Cmd") or ()
        return [*(config.get("Entrypoint") or ()), *arguments]

    def shell(self, job: StagedJob, command: Sequence[str], *, terminal: bool) -> CommandLine:
        """`docker run` with another program in place of the job's."""
        image = self._present_image(job.image_uri)
        scratch = job.attempt_dir / REPEAT_DIR
        make_overlay_dirs(job.hosts[0].mounts, scratch)
        return shell_line(job, image, command, scratch, terminal=terminal)

    def repeat_command(self, job: StagedJob) -> str:
        """`docker run` with the job's own command."""
        return repeat_line(job, self._present_image(job.image_uri), job.attempt_dir / REPEAT_DIR)

    def sweep(self, keep: Callable[[AttemptKey], bool]) -> int:
        """Remove the containers of this home whose attempt is not to be kept; how many there were."""
        return containers.sweep(self._engine, keep)

    def reclaim(self, directory: Path, image_uri: str) -> None:
        """Give a directory of the home and all below it to the user, e.g. after a shell in it or before its deletion.

        Raises ImageMissing, and JobFailed where the image has no shell to do it with.
        """
        if not self._engine.reclaim([directory], self._present_image(image_uri)):
            raise JobFailed(f"{directory} holds files of root that could not be given to you.")

    def close(self) -> None:
        """Let go of the engine. The helper container ends with it, as it would with the process."""
        with self._connecting:
            connected, self._connected = self._connected, None
        if connected:
            connected.helper.close()
            connected.api.close()

    @property
    def _engine(self) -> DockerEngine:
        with self._connecting:
            if self._connected is None:
                api, facts = connect(engine_address(self._environment))
                self._connected = DockerEngine(api, facts, self._home, ReclaimHelper(api, self._home))
            return self._connected

    def _present_image(self, image_uri: str) -> str:
        status = self.image(image_uri)
        if status.local is None:
            raise ImageMissing(image_uri, status.reason, status.remedy)
        return status.local

    def _local_image(self, image_uri: str) -> str | None:
        from docker.errors import APIError

        for name in self._images.candidates(image_uri):
            with engine_errors(image_uri, "looked up"):
                try:
                    self._engine.api.inspect_image(name)
                except APIError as error:
                    if not error.is_client_error():  # not there, or no name that an image can have
                        raise
                else:
                    return name
        return None

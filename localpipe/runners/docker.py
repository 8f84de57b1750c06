"""Jobs in containers of a Docker engine on this machine.

A container carries labels that say which attempt and host it is, so that a later process finds it. Hosts of one job share a
network of their own, other jobs the engine's default bridge. The output is read from the engine's stream as it comes; the
engine keeps a copy of its own (its `local` log driver, which keeps every byte), from which the log is written again after a
crash. Nothing is polled: a stream ends when its container has ended.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Protocol

from localpipe.core.ports import Availability, ImageStatus
from localpipe.errors import ImageMissing, JobFailed, RunnerUnavailable
from localpipe.runners import _docker_container as containers
from localpipe.runners._docker_ahead import can_wait, prepare_waiting
from localpipe.runners._docker_engine import connect
from localpipe.runners._docker_errors import engine_errors
from localpipe.runners._docker_home import DockerEngine, LocalImage
from localpipe.runners._docker_lines import exec_line, repeat_line, shell_line
from localpipe.runners._docker_mounts import can_overlay, make_overlay_dirs
from localpipe.runners._docker_reclaim import ReclaimHelper
from localpipe.runners._retractable import Retractable
from localpipe.runners._shared_fate import FATE_GRACE_SECONDS
from localpipe.runners.engine_address import START, engine_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from localpipe.core import JSON
    from localpipe.core.jobspec import Limits, StagedJob
    from localpipe.core.names import AttemptKey
    from localpipe.core.ports import CommandLine, Prepared, Running
    from localpipe.runners._docker_engine import EngineFacts


_REPEAT_DIR = "repeat-overlays"
"""Where in an attempt's directory overlay mounts keep what is written by a person who repeats the job."""
_SHARED_MEMORY_PART = 0.5
"""Of the machine's memory, as Linux limits it by default. Docker's 64 MB break PyTorch's loaders (containers.md 2.14)."""


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
    its kin are looked up. `grace_seconds`: how long the other hosts of a job have to end when one has failed.
    Mutable: connects when first needed, and remembers which images it has seen there, and in which of
    them no job can wait before which program.
    """

    name: ClassVar[str] = "docker"
    prepares_ahead: ClassVar[bool] = True
    several_hosts: ClassVar[bool] = True
    runs_images: ClassVar[bool] = True
    keeps_limits: ClassVar[bool] = True
    one_user: ClassVar[bool] = False
    shields_machine: ClassVar[bool] = False

    def __init__(
        self, home: Path, images: ImageNames, environment: Mapping[str, str], *, grace_seconds: float = FATE_GRACE_SECONDS
    ) -> None:
        self._home, self._images, self._environment, self._grace_seconds = home, images, environment, grace_seconds
        self._connecting = threading.Lock()
        self._connected: DockerEngine | None = None
        self._seen: dict[str, LocalImage] = {}
        self._cannot_wait: set[tuple[str, ...]] = set()

    @property
    def overlays(self) -> bool:
        """True on an engine of this machine's own kernel, unless the home's path cannot be named in mount options."""
        return self._engine.facts.native and can_overlay(self._home)

    def check(self) -> Availability:
        """Whether the engine answers and is of a kind that jobs can run on."""
        try:
            with engine_errors("", "asked"):
                self._engine.api.ping()
        except RunnerUnavailable as error:
            return Availability(usable=False, reason=error.reason, remedy=error.remedy)
        except JobFailed as error:
            return Availability(usable=False, reason=f"It was there a moment ago: {error}", remedy=START)
        return Availability(usable=True)

    def image(self, image_uri: str) -> ImageStatus:
        """The first candidate that the engine has."""
        found = self._looked_up(image_uri)
        if found is None:
            absence = self._images.absence(image_uri)
            return ImageStatus(image_uri=image_uri, local=None, reason=absence.reason, remedy=absence.remedy)
        name = found["Name"]
        notes = (*self._images.notes(image_uri, name), *_user_notes(found))
        return ImageStatus(image_uri=image_uri, local=name, notes=notes, digest=found["Id"])

    def ensure_image(self, image_uri: str) -> None:
        """Raise ImageMissing if no candidate is there; images are built by a command of their own."""
        self._present_image(image_uri)

    def endpoint_host(self) -> str:
        """The gateway of the containers' network; loopback where a virtual machine stands between."""
        return self._engine.facts.endpoint_host

    def endpoint_url_host(self) -> str:
        """The same gateway, or the name that Docker Desktop gives this machine."""
        return self._engine.facts.endpoint_url_host

    def prepare(self, job: StagedJob, *, ahead: bool = False) -> Prepared:
        """Create the containers, and the network of several. Nothing of the job need be on disk yet.

        Ahead of its inputs a job's only container is started too, where it can wait before its program.
        """
        image, limited = self._present_image(job.image_uri), self._limited(job)
        try:
            waiting = self._waiting(limited, image) if ahead else None
            return Retractable(waiting) if waiting else containers.prepare(self._engine, limited, image)
        except ImageMissing:
            self._seen.pop(job.image_uri, None)
            raise

    def find(self, key: AttemptKey) -> Running | None:
        """The attempt's containers by their labels; those of a job that was never started whole are removed."""
        return containers.find(self._engine, key)

    def enter(self, key: AttemptKey, command: Sequence[str], *, terminal: bool, host: int = 0) -> Sequence[str] | None:
        """`docker exec` in the container of one of the attempt's hosts."""
        container = containers.running(self._engine, key, host)
        return None if container is None else exec_line(container, command, terminal=terminal)

    def job_command(self, job: StagedJob) -> Sequence[str]:
        """The job's command with the image's ENTRYPOINT and CMD. Follows: containers.md 1.2."""
        return _command(job, self._required(job.image_uri)["Config"] if job.entrypoint is None else {})

    def shell(self, job: StagedJob, command: Sequence[str], *, terminal: bool) -> CommandLine:
        """`docker run` with another program in place of the job's. Of several hosts it is the first alone."""
        image, scratch = self._present_image(job.image_uri), _repeat_dir(job)
        return shell_line(self._limited(job), image, command, scratch, terminal=terminal)

    def repeat_command(self, job: StagedJob) -> str:
        """`docker run` with the job's own command. Of several hosts it runs the first alone."""
        return repeat_line(self._limited(job), self._present_image(job.image_uri), _repeat_dir(job))

    def sweep(self, keep: Callable[[AttemptKey], bool]) -> int:
        """Remove the containers of this home whose attempt is not to be kept; how many there were."""
        return containers.sweep(self._engine, keep)

    def tidy(self) -> None:
        """Images are the engine's own."""

    def reclaim(self, directory: Path, image_uri: str) -> None:
        """Give a directory of the home and all below it to the user, e.g. after a shell in it or before its deletion.

        Raises ImageMissing, and JobFailed where the image has no shell to do it with.
        """
        if not self._engine.reclaim([directory], self._present_image(image_uri).name):
            raise JobFailed(f"{directory} holds files of root that could not be given to you.")

    def close(self) -> None:
        """Let go of the engine. The helper container ends with it, as it would with the process."""
        with self._connecting:
            connected, self._connected = self._connected, None
        if connected:
            connected.helper.close()
            connected.api.close()

    def _waiting(self, job: StagedJob, image: LocalImage) -> Prepared | None:
        """The job's container up to its program; None where it cannot wait there."""
        config = self._required(job.image_uri)["Config"]
        command = _command(job, config)
        tried = (image.name, *command[:1])
        if tried in self._cannot_wait or not (command and can_wait(self._engine, job, image, config)):
            return None
        waiting = prepare_waiting(self._engine, job, image, command)
        if waiting is None:
            self._cannot_wait.add(tried)
        return waiting

    @property
    def _engine(self) -> DockerEngine:
        with self._connecting:
            if self._connected is None:
                api, facts = connect(engine_address(self._environment))
                self._connected = DockerEngine(api, facts, self._home, ReclaimHelper(api, self._home), self._grace_seconds)
            return self._connected

    def _limited(self, job: StagedJob) -> StagedJob:
        """The job with limits that this machine can keep."""
        facts = self._engine.facts
        return replace(job, hosts=tuple(replace(host, limits=_possible(host.limits, facts)) for host in job.hosts))

    def _present_image(self, image_uri: str) -> LocalImage:
        """The image for a URI as it was last seen, else looked up. Raises ImageMissing."""
        if image_uri not in self._seen:
            self._required(image_uri)
        return self._seen[image_uri]

    def _required(self, image_uri: str) -> JSON:
        """The engine's description of the image for a URI, with its `Name`. Raises ImageMissing."""
        found = self._looked_up(image_uri)
        if found is None:
            absence = self._images.absence(image_uri)
            raise ImageMissing(image_uri, absence.reason, absence.remedy)
        return found

    def _looked_up(self, image_uri: str) -> JSON | None:
        from docker.errors import APIError

        for name in self._images.candidates(image_uri):
            with engine_errors(image_uri, "looked up"):
                try:
                    found = self._engine.api.inspect_image(name)
                except APIError as error:
                    if not error.is_client_error():  # not there, or no name that an image can have
                        raise
                    continue
            self._seen[image_uri] = LocalImage(name, image_platform(found, self._engine.facts.architecture))
            return {**found, "Name": name}
        self._seen.pop(image_uri, None)
        return None


def _command(job: StagedJob, config: JSON) -> Sequence[str]:
    """What a job runs in an image of this configuration."""
    if job.entrypoint is not None:
        return [*job.entrypoint, *(job.arguments or ())]
    arguments = job.arguments if job.arguments is not None else config.get("Cmd") or ()
    return [*(config.get("Entrypoint") or ()), *arguments]


def image_platform(image: JSON, architecture: str) -> str | None:
    """What to ask an engine of an architecture for so that it runs an image of another one by emulation."""
    return None if image["Architecture"] == architecture else f"{image['Os']}/{image['Architecture']}"


def _user_notes(image: JSON) -> tuple[str, ...]:
    """What the user of an image cannot do that is not root: the files of inputs are this machine's user's."""
    user = str(image["Config"].get("User") or "").partition(":")[0]
    if user in {"", "0", "root"}:
        return ()
    return (f"its user {user} may add and remove files of an input, but not change those that came",)


def _possible(limits: Limits, facts: EngineFacts) -> Limits:
    """No more processors than the machine has, GPUs where it has any."""
    shared = limits.shared_memory_bytes
    return replace(
        limits,
        cpus=None if limits.cpus is None else min(limits.cpus, facts.cpus),
        shared_memory_bytes=int(facts.memory_bytes * _SHARED_MEMORY_PART) if shared is None else shared,
        gpus=limits.gpus if facts.gpus else 0,
    )


def _repeat_dir(job: StagedJob) -> Path:
    """Where overlay mounts keep what a person who repeats the job writes: made, since the engine does not."""
    directory = job.attempt_dir / _REPEAT_DIR / job.hosts[0].name
    make_overlay_dirs(job.hosts[0].mounts, directory)
    return directory

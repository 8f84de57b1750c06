"""Containers that are started ahead of their job's inputs and wait before its program."""

from __future__ import annotations

import logging
import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from localpipe.core.container_paths import lies_in
from localpipe.runners._docker_container import prepare, prepare_alone
from localpipe.runners._docker_errors import engine_errors, not_executed
from localpipe.runners._docker_waiting import ARRIVED, NOT_KEPT, waiting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from localpipe.core import JSON
    from localpipe.core.jobspec import StagedJob
    from localpipe.core.ports import Running
    from localpipe.runners._docker_container import PreparedContainer
    from localpipe.runners._docker_home import DockerEngine, LocalImage
    from localpipe.runners._docker_stream import AttachedStream

_log = logging.getLogger(__name__)
_ARRIVES_SECONDS = 10.0
"""How long the shell of an image may take from the container's start until it waits."""
_KEPT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def can_wait(engine: DockerEngine, job: StagedJob, image: LocalImage, config: JSON) -> bool:
    """Whether a job's container may be started ahead. `config`: the image's, in the engine's shape.

    One without others, that does not serve, on this machine's own kernel: files put into its mounts later appear only there.
    Not one of another architecture, which a shell might take for a script; not one with variables that a shell would not
    hand on, nor one that has the shell look into a mount for programs: what it finds there is remembered by the kernel.
    """
    alone = engine.facts.native and len(job.hosts) == 1 and job.port is None and image.platform is None
    given = dict(pair.partition("=")[::2] for pair in config.get("Env") or ())
    environment = {**given, **job.environment_of(job.hosts[0])}
    kept = all(_KEPT_NAME.fullmatch(name) and name not in NOT_KEPT for name in environment)
    places = (*environment.get("PATH", "/bin").split(":"), config.get("WorkingDir") or "/")
    return alone and kept and not any(_lies_in_mount(PurePosixPath(place), job) for place in places)


def _lies_in_mount(place: PurePosixPath, job: StagedJob) -> bool:
    return not place.is_absolute() or any(lies_in(place, mount.container_dir) for mount in job.hosts[0].mounts)


def prepare_waiting(
    engine: DockerEngine, job: StagedJob, image: LocalImage, command: Sequence[str]
) -> WaitingContainer | None:
    """Start a job's container up to its program; None, and nothing is left, where its image cannot have it wait.

    Raises what `engine_errors` makes of other trouble.
    """
    from docker.errors import APIError

    prepared = prepare_alone(engine, waiting(job, command), image, waits=True)
    with ExitStack() as on_failure, engine_errors(job.image_uri, "started"):
        on_failure.callback(prepared.remove)
        try:
            stream = prepared.begin(standard_input=True)
        except APIError as error:
            if not_executed(str(error.explanation)) is None:
                raise
            return None
        on_failure.callback(stream.close)
        lines = stream.output()
        if not stream.has_news(_ARRIVES_SECONDS) or next(lines, b"") != ARRIVED:
            _log.info("%s: its container cannot wait before %s", job.key, command[0])
            return None
        on_failure.pop_all()
        return WaitingContainer(engine, job, image, prepared, stream, lines)


@dataclass(frozen=True)
class WaitingContainer:
    """A container whose first process waits for the job to start. `lines`: what it prints from there."""

    engine: DockerEngine
    job: StagedJob
    image: LocalImage
    prepared: PreparedContainer
    stream: AttachedStream
    lines: Iterator[bytes]

    def start(self) -> Running:
        """Let it become the job's program; where somebody has ended it, start another one. Raises JobFailed."""
        if self.stream.has_news(0):  # it prints nothing while it waits, so this is its end
            self.remove()
            return prepare(self.engine, self.job, self.image).start()
        with engine_errors(self.job.image_uri, "started"):
            return self.prepared.go_on(self.stream, self.lines)

    def remove(self) -> None:
        """Kill and remove it."""
        try:
            self.prepared.remove()
        finally:
            self.stream.close()

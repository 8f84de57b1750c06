"""Containers that are started ahead of their job's inputs and wait before its program."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.runners._docker_container import prepare_alone
from localpipe.runners._docker_errors import engine_errors
from localpipe.runners._docker_waiting import ARRIVED, waiting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from localpipe.core.jobspec import StagedJob
    from localpipe.core.ports import Running
    from localpipe.runners._docker_container import PreparedContainer
    from localpipe.runners._docker_home import DockerEngine, LocalImage
    from localpipe.runners._docker_stream import AttachedStream


def can_wait(engine: DockerEngine, job: StagedJob, image: LocalImage) -> bool:
    """Whether a job's container may be started ahead: one without others, none that serves, on this machine's own kernel.

    Else what comes into its mounts later may not be seen in it. Nor one of another architecture, which a shell might take
    for a script.
    """
    return engine.facts.native and len(job.hosts) == 1 and job.port is None and image.platform is None


def prepare_waiting(
    engine: DockerEngine, job: StagedJob, image: LocalImage, command: Sequence[str]
) -> WaitingContainer | None:
    """Start a job's container up to its program; None, and nothing is left, where its image cannot have it wait.

    Raises what `engine_errors` makes of trouble on creating it.
    """
    from docker.errors import APIError

    prepared = prepare_alone(engine, waiting(job, command), image, waits=True)
    with ExitStack() as on_failure, engine_errors(job.image_uri, "started"):
        on_failure.callback(prepared.remove)
        try:
            stream = prepared.begin(standard_input=True)
        except APIError:
            return None
        on_failure.callback(stream.close)
        lines = stream.output()
        if next(lines, b"") != ARRIVED:
            return None
        on_failure.pop_all()
        return WaitingContainer(job.image_uri, prepared, stream, lines)


@dataclass(frozen=True)
class WaitingContainer:
    """A container whose first process waits for the job to start. `lines`: what it prints from there."""

    image_uri: str
    prepared: PreparedContainer
    stream: AttachedStream
    lines: Iterator[bytes]

    def start(self) -> Running:
        """Let it become the job's program. Raises JobFailed if it is gone."""
        with engine_errors(self.image_uri, "started"):
            return self.prepared.go_on(self.stream, self.lines)

    def remove(self) -> None:
        """Kill and remove it."""
        self.prepared.remove()
        self.stream.close()

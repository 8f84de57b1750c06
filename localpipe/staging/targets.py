"""Where container directories lie on the host, and which of them a container must be given as mounts. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.core.container_paths import lies_in, path_fault
from localpipe.core.jobspec import InputMode
from localpipe.errors import JobFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import PurePosixPath

    from localpipe.core.jobspec import Channel, HostSpec, JobSpec, OutputSpec
    from localpipe.core.names import S3Uri


@dataclass(frozen=True)
class AttemptLayout:
    """The directories of one attempt that its hosts share.

    `views/<channel>` is what containers read where all get the same, `logs` what they print, `outgoing` where archives wait
    for the store, and `<host>` what only one host sees.
    """

    attempt_dir: Path

    def host(self, name: str) -> HostLayout:
        """The directories of one host."""
        return HostLayout(self, name)

    def log_file(self, host: str) -> Path:
        """Where a host's output goes."""
        return self.attempt_dir / "logs" / f"{host}.log"

    @property
    def outgoing_dir(self) -> Path:
        """Archives on their way to the store."""
        return self.attempt_dir / "outgoing"


@dataclass(frozen=True)
class HostLayout:
    """What one host sees: `<host>/root/<container path>` is what it writes to, `<host>/views/<channel>` its own shares."""

    attempt: AttemptLayout
    name: str

    @property
    def root_dir(self) -> Path:
        """What stands for the container's `/`."""
        return self.attempt.attempt_dir / self.name / "root"

    def host_path(self, container_path: PurePosixPath) -> Path:
        """The host file or directory that stands for a container path."""
        return Path(f"{self.root_dir}{container_path}")

    def view_dir(self, channel: Channel) -> Path:
        """The directory of links to a channel's objects, one for all hosts that get the same."""
        directory = self.attempt.attempt_dir
        return (directory / self.name if channel.sharded else directory) / "views" / channel.name


def folder_of(output: OutputSpec) -> S3Uri:
    """The prefix of exactly the objects that stand for files of a tree: it ends with a slash."""
    return output.uri.child("") if output.uri.key else output.uri


def spec_of_host(spec: JobSpec, host: HostSpec) -> JobSpec:
    """The job as one of its hosts sees it: alone, with the channels that it gets."""
    channels = tuple(channel for channel in spec.channels if channel.hosts is None or host.name in channel.hosts)
    return replace(spec, hosts=(host,), channels=channels)


def check_targets(spec: JobSpec) -> None:
    """Raise JobFailed if a path that the spec wants in the container is not absolute or belongs to the system."""
    for what, path in _targets(spec):
        if fault := path_fault(path):
            raise JobFailed(f"{what}: the container path '{path}' {fault}. Use a directory below /opt/ml.")


def _targets(spec: JobSpec) -> Iterator[tuple[str, PurePosixPath]]:
    """Every path that the spec names, with what it is for."""
    yield from ((f"Input {channel.name!r}", channel.container_dir) for channel in spec.channels)
    yield from ((f"Output {output.name!r}", output.container_dir) for output in spec.outputs)
    yield from (("A directory of the job", directory) for directory in spec.directories)
    yield from (("A mount of the job", root) for root in spec.mount_roots)
    yield from ((f"A file of host {host.name}", file.container_path) for host in spec.hosts for file in host.files)


def viewed_channels(spec: JobSpec, *, overlays: bool) -> frozenset[str]:
    """Names of the channels that are mounted as views of the store; the others are copied into the writable tree.

    A File channel is a view where the runner can overlay it and it shares no directory with an output or another input:
    what is written there must then come together with what was downloaded, as it does on the service.
    """
    return frozenset(
        channel.name
        for channel in spec.channels
        if channel.mode is InputMode.FAST_FILE
        or (overlays and channel.mode is InputMode.FILE and not _shares_directory(channel, spec))
    )


def _shares_directory(channel: Channel, spec: JobSpec) -> bool:
    others = [other.container_dir for other in spec.channels if other is not channel]
    others += [output.container_dir for output in spec.outputs]
    return any(overlap(channel.container_dir, other) for other in others)


def overlap(one: PurePosixPath, other: PurePosixPath) -> bool:
    """Whether the directories are the same or one lies in the other."""
    return lies_in(one, other) or lies_in(other, one)


@dataclass(frozen=True, kw_only=True)
class MountPoint:
    """A container directory to mount; `channel` is the one whose view it is, None for a part of the writable tree.

    `inside` is the mount in which it lies, None for the image's own file system.
    """

    container_dir: PurePosixPath
    channel: Channel | None
    inside: MountPoint | None


def mount_points(spec: JobSpec, viewed: frozenset[str]) -> tuple[MountPoint, ...]:
    """The mounts of a container, parents first: each view, and each writable directory that no writable mount covers."""
    views = {channel.container_dir: channel for channel in spec.channels if channel.name in viewed}
    points: list[MountPoint] = []
    for directory in sorted({*writable_dirs(spec, viewed), *views}):
        inside = next((point for point in reversed(points) if lies_in(directory, point.container_dir)), None)
        if directory in views or inside is None or inside.channel is not None:
            points.append(MountPoint(container_dir=directory, channel=views.get(directory), inside=inside))
    return tuple(points)


def writable_dirs(spec: JobSpec, viewed: frozenset[str]) -> frozenset[PurePosixPath]:
    """Every directory that the container finds and may write to, views left out."""
    views = {channel.container_dir for channel in spec.channels if channel.name in viewed}
    return frozenset(_writable(spec)) - views


def _writable(spec: JobSpec) -> Iterable[PurePosixPath]:
    yield from spec.mount_roots
    yield from spec.directories
    yield from (_directory(channel) for channel in spec.channels)
    yield from (output.container_dir for output in spec.outputs)
    yield from (file.container_path.parent for host in spec.hosts for file in host.files)


def _directory(channel: Channel) -> PurePosixPath:
    """The channel's own directory, or that of its FIFOs. Follows: containers.md 2.5."""
    return channel.container_dir.parent if channel.mode is InputMode.PIPE else channel.container_dir

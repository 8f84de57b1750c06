"""From `JobSpec` to `StagedJob`: the directories, files and inputs that a container finds when it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.jobspec import Access, InputMode, Mount, StagedHost, StagedJob
from localpipe.errors import InputNotFound, JobFailed, NotSupported, StoreError
from localpipe.staging import files
from localpipe.staging.keys import channel_files
from localpipe.staging.metrics import compile_metrics
from localpipe.staging.targets import AttemptLayout, check_targets, mount_points, viewed_channels, writable_dirs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from localpipe.core.jobspec import Channel, JobSpec
    from localpipe.core.names import AttemptKey, S3Uri
    from localpipe.core.ports import ObjectInfo, ObjectStore
    from localpipe.staging.keys import ChannelFiles
    from localpipe.staging.targets import MountPoint


def describe(
    spec: JobSpec, key: AttemptKey, environment: Mapping[str, str], attempt_dir: Path, *, overlays: bool
) -> StagedJob:
    """The job as `populate` makes it on disk. Pure: the same arguments always describe the same job.

    Raises JobFailed for a path that no container can be given, and for a regex that is none.
    """
    if len(spec.hosts) != 1:
        raise NotSupported(f"A job of {len(spec.hosts)} hosts", "Set InstanceCount to 1.")
    check_targets(spec)
    compile_metrics(spec.metrics)
    layout = AttemptLayout(attempt_dir)
    points = mount_points(spec, viewed_channels(spec, overlays=overlays))
    mounts = tuple(_mount(point, layout, overlays=overlays) for point in points)
    return StagedJob(
        key=key,
        job_name=spec.job_name,
        image_uri=spec.image_uri,
        entrypoint=spec.entrypoint,
        arguments=spec.arguments,
        environment=environment,
        hosts=tuple(StagedHost(name=host.name, mounts=mounts, log_file=layout.log_file(host.name)) for host in spec.hosts),
        network_isolated=spec.network_isolated,
        attempt_dir=attempt_dir,
    )


def _mount(point: MountPoint, layout: AttemptLayout, *, overlays: bool) -> Mount:
    channel = point.channel
    if channel is None:
        return Mount(
            host_dir=layout.host_path(point.container_dir), container_dir=point.container_dir, access=Access.WRITABLE
        )
    overlaid = overlays and channel.mode is InputMode.FILE
    access = Access.OVERLAY if overlaid else Access.READ_ONLY
    return Mount(host_dir=layout.view_dir(channel), container_dir=point.container_dir, access=access)


def populate(
    spec: JobSpec, attempt_dir: Path, store: ObjectStore, nearest_prefix: Callable[[S3Uri], str | None], *, overlays: bool
) -> None:
    """Make the attempt's directories anew: what a crashed attempt left there is removed first.

    Raises InputNotFound for a channel without objects, JobFailed for an object that cannot be a file, HomeUnusable.
    """
    layout = AttemptLayout(attempt_dir)
    inputs = {channel.name: _find(channel, store, nearest_prefix) for channel in spec.channels}
    viewed = viewed_channels(spec, overlays=overlays)
    files.remove_tree(attempt_dir)
    attempt_dir.mkdir(parents=True)
    layout.log_file(spec.hosts[0].name).parent.mkdir()
    for channel in spec.channels:
        if channel.name in viewed:
            _fill(channel, inputs[channel.name], layout.view_dir(channel), layout, make=files.link)
    for directory in sorted(writable_dirs(spec, viewed)):
        files.make_dirs(layout.host_path(directory), below=attempt_dir)
    for channel in spec.channels:
        if channel.name not in viewed:
            _fill(channel, inputs[channel.name], layout.host_path(channel.container_dir), layout, make=files.copy)
    for point in mount_points(spec, viewed):
        _make_mount_point(point, layout)
    for file in spec.hosts[0].files:
        path = layout.host_path(file.container_path)
        path.write_text(file.text, encoding="utf-8")
        path.chmod(0o644)


def _find(channel: Channel, store: ObjectStore, nearest_prefix: Callable[[S3Uri], str | None]) -> ChannelFiles:
    """The channel's objects in their places. Raises InputNotFound, JobFailed."""
    objects = _listed(channel, store)
    if not objects:
        raise InputNotFound(channel.name, str(channel.uri), channel.path, nearest_prefix(channel.uri))
    return channel_files(channel, objects)


def _listed(channel: Channel, store: ObjectStore) -> list[ObjectInfo]:
    try:
        return list(store.list(channel.uri))
    except StoreError as error:
        if error.s3_code == "NoSuchBucket":
            return []
        raise


def _fill(
    channel: Channel, content: ChannelFiles, directory: Path, layout: AttemptLayout, *, make: Callable[[Path, Path], None]
) -> None:
    """Make a channel's directories, and each file by `make(stored file, file)`."""
    below = layout.attempt_dir
    try:
        files.make_dirs(directory, below=below)
        for relative in sorted(content.directories):
            files.make_dirs(directory / relative, below=below)
        for relative, info in content.files.items():
            make(info.path, directory / relative)
    except (FileExistsError, NotADirectoryError) as error:
        raise JobFailed(
            f"Input {channel.name!r} has an object where another input or output has its directory: {error.filename}."
        ) from error


def _make_mount_point(point: MountPoint, layout: AttemptLayout) -> None:
    """Make the directory on which a mount inside another one lands; a container engine would make it as root."""
    outer = point.inside
    if outer is None:
        return
    inner = point.container_dir.relative_to(outer.container_dir)
    base = layout.view_dir(outer.channel) if outer.channel else layout.host_path(outer.container_dir)
    try:
        files.make_dirs(base / inner, below=layout.attempt_dir)
    except NotADirectoryError as error:
        raise JobFailed(f"'{point.container_dir}' is a file of an input and cannot be a directory of the job.") from error

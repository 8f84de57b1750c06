"""From `JobSpec` to `StagedJob`: the directories, files and inputs that a container finds when it starts."""

from __future__ import annotations

import os
import tarfile
import zlib
from typing import TYPE_CHECKING

from localpipe.core.jobspec import Access, Channel, InputMode, Mount, StagedHost, StagedJob
from localpipe.errors import JobFailed
from localpipe.staging import files, making
from localpipe.staging.archive import read_archive
from localpipe.staging.keys import ChannelFiles, channel_files, parent_of, shard, with_parents
from localpipe.staging.metrics import compile_metrics
from localpipe.staging.sources import find_files, listed
from localpipe.staging.targets import (
    AttemptLayout,
    check_targets,
    folder_of,
    mount_points,
    spec_of_host,
    viewed_channels,
    writable_dirs,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from localpipe.core.jobspec import JobSpec, OutputSpec
    from localpipe.core.names import AttemptKey, S3Uri
    from localpipe.core.ports import ObjectInfo, ObjectStore
    from localpipe.staging.targets import HostLayout, MountPoint


def describe(
    spec: JobSpec, key: AttemptKey, environment: Mapping[str, str], attempt_dir: Path, *, overlays: bool
) -> StagedJob:
    """The job as `lay_out` and `fill` make it on disk. Pure: the same arguments always describe the same job.

    Raises JobFailed for a path that no container can be given, and for a regex that is none.
    """
    check_targets(spec)
    compile_metrics(spec.metrics)
    layout = AttemptLayout(attempt_dir)
    return StagedJob(
        key=key,
        job_name=spec.job_name,
        image_uri=spec.image_uri,
        entrypoint=spec.entrypoint,
        arguments=spec.arguments,
        environment=environment,
        hosts=tuple(
            _staged_host(spec_of_host(spec, host), layout.host(host.name), overlays=overlays) for host in spec.hosts
        ),
        network_isolated=spec.network_isolated,
        attempt_dir=attempt_dir,
        port=spec.port,
    )


def _staged_host(spec: JobSpec, layout: HostLayout, *, overlays: bool) -> StagedHost:
    points = mount_points(spec, viewed_channels(spec, overlays=overlays))
    mounts = tuple(_mount(point, layout, overlays=overlays) for point in points)
    log_file = layout.attempt.log_file(layout.name)
    return StagedHost(name=layout.name, mounts=mounts, log_file=log_file, environment=spec.hosts[0].environment)


def _mount(point: MountPoint, layout: HostLayout, *, overlays: bool) -> Mount:
    channel = point.channel
    if channel is None:
        return Mount(
            host_dir=layout.host_path(point.container_dir), container_dir=point.container_dir, access=Access.WRITABLE
        )
    overlaid = overlays and channel.mode is InputMode.FILE
    access = Access.OVERLAY if overlaid else Access.READ_ONLY
    return Mount(host_dir=layout.view_dir(channel), container_dir=point.container_dir, access=access)


def lay_out(spec: JobSpec, attempt_dir: Path, *, overlays: bool) -> None:
    """Make the attempt's directories anew and empty: what a crashed attempt left there is removed first.

    Raises HomeUnusable.
    """
    layout = AttemptLayout(attempt_dir)
    files.remove_tree(attempt_dir)
    attempt_dir.mkdir(parents=True)
    layout.log_file(spec.hosts[0].name).parent.mkdir()
    for host in spec.hosts:
        _lay_out_host(spec_of_host(spec, host), layout.host(host.name), overlays=overlays)


def _lay_out_host(spec: JobSpec, layout: HostLayout, *, overlays: bool) -> None:
    viewed = viewed_channels(spec, overlays=overlays)
    views = [layout.view_dir(channel) for channel in spec.channels if channel.name in viewed]
    writable = map(layout.host_path, sorted(writable_dirs(spec, viewed)))
    inner = [_mount_point(point, layout) for point in mount_points(spec, viewed) if point.inside]
    for directory in (*views, *writable, *inner):
        making.make_dirs(str(directory), below=str(layout.attempt.attempt_dir))


def _mount_point(point: MountPoint, layout: HostLayout) -> Path:
    """The directory on which a mount inside another one lands; a container engine would make it as root."""
    outer = point.inside
    if outer is None:
        return layout.host_path(point.container_dir)
    base = layout.view_dir(outer.channel) if outer.channel else layout.host_path(outer.container_dir)
    return base / point.container_dir.relative_to(outer.container_dir)


def fill(
    spec: JobSpec, attempt_dir: Path, store: ObjectStore, nearest_prefix: Callable[[S3Uri], str | None], *, overlays: bool
) -> None:
    """Put into the directories that `lay_out` made what a job finds in them; they stay the directories that they are.

    Raises InputNotFound for a channel without objects, JobFailed for an object that cannot be a file, HomeUnusable.
    """
    layout = AttemptLayout(attempt_dir)
    channels = [channel for channel in spec.channels if channel.mode is not InputMode.PIPE]
    found = [(channel, find_files(channel, store, nearest_prefix)) for channel in channels]
    shares = {channel.name: _shares(channel, spec, content) for channel, content in found}
    mirrors = {output: _mirrored(output, store) for output in spec.outputs if output.mirrored}
    filled: set[Path] = set()
    for host in spec.hosts:
        inputs = {name: share[host.name] for name, share in shares.items() if host.name in share}
        _fill_host(spec_of_host(spec, host), layout.host(host.name), inputs, mirrors, filled, overlays=overlays)


def _fill_host(
    spec: JobSpec,
    layout: HostLayout,
    inputs: Mapping[str, ChannelFiles],
    mirrors: Mapping[OutputSpec, ChannelFiles],
    filled: set[Path],
    *,
    overlays: bool,
) -> None:
    """Fill what one host sees. A view that was filled for another host serves this one too."""
    viewed = viewed_channels(spec, overlays=overlays)
    for channel in spec.channels:
        view = layout.view_dir(channel)
        if channel.name not in viewed or view in filled:
            continue
        filled.add(view)
        if channel.unpacks:
            _unpack(channel, inputs[channel.name], view)
        else:
            _fill(channel, inputs[channel.name], view, layout, make=making.link)
    for channel in spec.channels:
        if channel.name in inputs and channel.name not in viewed:
            _fill(channel, inputs[channel.name], layout.host_path(channel.container_dir), layout, make=making.copy)
    for output, content in mirrors.items():
        _fill(output, content, layout.host_path(output.container_dir), layout, make=making.copy_dated)
    for file in spec.hosts[0].files:
        making.write_text(str(layout.host_path(file.container_path)), file.text)


def _shares(channel: Channel, spec: JobSpec, content: ChannelFiles) -> dict[str, ChannelFiles]:
    """What each host that gets the channel finds in it."""
    names = [host.name for host in spec.hosts if channel.hosts is None or host.name in channel.hosts]
    if not channel.sharded:
        return dict.fromkeys(names, content)
    return {name: _share(content, index, len(names)) for index, name in enumerate(names)}


def _mirrored(output: OutputSpec, store: ObjectStore) -> ChannelFiles:
    """What lies under an output before the job starts. Raises JobFailed for an object that cannot be a file."""
    place = Channel(name=output.name, uri=folder_of(output), container_dir=output.container_dir)
    return channel_files(place, listed(place.uri, store))


def _share(content: ChannelFiles, index: int, count: int) -> ChannelFiles:
    own = {path: content.files[path] for path in shard(tuple(content.files), index, count)}
    return ChannelFiles(files=own, directories=with_parents(map(parent_of, own)))


def _fill(
    place: Channel | OutputSpec,
    content: ChannelFiles,
    directory: Path,
    layout: HostLayout,
    *,
    make: Callable[[str, str], None],
) -> None:
    """Make the directories of what comes to a place and each of its files by `make(stored file, file)`."""
    below = str(layout.attempt.attempt_dir)
    base = str(directory)
    try:
        for relative in sorted(content.directories - {""}):
            making.make_dirs(f"{base}/{relative}", below=below)
        for relative, info in content.files.items():
            make(info.file, f"{base}/{relative}")
    except (FileExistsError, NotADirectoryError) as error:
        where = os.path.normpath(place.container_dir / os.path.relpath(error.filename2 or error.filename, base))
        raise JobFailed(
            f"Input {place.name!r} cannot be put at {where}: another input or output has its own there."
            " Give one of them another directory."
        ) from error


def _unpack(channel: Channel, content: ChannelFiles, directory: Path) -> None:
    """Fill the view of an archive's members. Raises JobFailed for what is no archive of ordinary files."""
    for info in content.files.values():
        _read_archive(channel, info, directory)


def _read_archive(channel: Channel, info: ObjectInfo, directory: Path) -> None:
    try:
        read_archive(info.path, directory)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise JobFailed(f"Input {channel.name!r}: {info.uri} cannot be unpacked as tar.gz: {error}.") from error

"""Between the store and the containers: a job's inputs as directories before it runs, its outputs as objects afterwards."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localpipe.core.jobspec import InputMode
from localpipe.staging.collect import Collected, collect
from localpipe.staging.files import delete_tree
from localpipe.staging.pipes import refuse_pipes_elsewhere, serving_pipes
from localpipe.staging.records import stream
from localpipe.staging.sources import find_objects
from localpipe.staging.stage import describe, fill, lay_out
from localpipe.staging.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from localpipe.core.jobspec import Channel, JobEnd, JobSpec, Limits, StagedJob
    from localpipe.core.names import AttemptKey, S3Uri
    from localpipe.core.ports import ObjectStore
    from localpipe.errors import JobFailed

__all__ = ["Collected", "Serving", "Stager", "delete_tree"]


@dataclass(frozen=True, kw_only=True)
class Serving:
    """What localpipe does for a job while it runs. `trouble`: what kept it from being done to the end, known afterwards."""

    uploads: Uploads
    trouble: Callable[[], JobFailed | None]


@dataclass(frozen=True, kw_only=True)
class Stager:
    """Stages and collects the jobs of one home.

    `attempt_dir` gives each attempt its own directory; nothing else may be in it. `nearest_prefix` gives the nearest prefix
    that has objects, for the message about one that has none. `limits`: what a container may use on an instance type.
    """

    store: ObjectStore
    attempt_dir: Callable[[AttemptKey], Path]
    nearest_prefix: Callable[[S3Uri], str | None]
    limits: Callable[[str], Limits]

    def describe(self, spec: JobSpec, key: AttemptKey, environment: Mapping[str, str], *, overlays: bool) -> StagedJob:
        """The job as it is on disk once it is staged; nothing is made. `environment` is the whole one of its containers.

        `overlays`: what the runner says of itself. Raises JobFailed for what the containers cannot be given, NotSupported.
        """
        refuse_pipes_elsewhere(spec, sys.platform)
        described = describe(spec, key, environment, self.attempt_dir(key), overlays=overlays)
        limits = [self.limits(host.instance_type) for host in spec.hosts]
        hosts = (replace(host, limits=limit) for host, limit in zip(described.hosts, limits, strict=True))
        return replace(described, hosts=tuple(hosts))

    def lay_out(self, spec: JobSpec, key: AttemptKey, *, overlays: bool) -> None:
        """Make the job's directories, over the remains of a crashed attempt if there are any. Raises HomeUnusable."""
        lay_out(spec, self.attempt_dir(key), overlays=overlays)

    def fill(self, spec: JobSpec, key: AttemptKey, *, overlays: bool) -> None:
        """Put into the directories what the job finds there. They may be mounted in a container that waits by now.

        Raises JobFailed (InputNotFound) for what the containers cannot be given, StoreError, HomeUnusable.
        """
        fill(spec, self.attempt_dir(key), self.store, self.nearest_prefix, overlays=overlays)

    def stage(self, spec: JobSpec, key: AttemptKey, environment: Mapping[str, str], *, overlays: bool) -> StagedJob:
        """The job, ready on disk: described, laid out and filled. Raises what these raise."""
        job = self.describe(spec, key, environment, overlays=overlays)
        self.lay_out(spec, key, overlays=overlays)
        self.fill(spec, key, overlays=overlays)
        return job

    def objects(self, channel: Channel) -> tuple[S3Uri, list[S3Uri]]:
        """The objects that a channel names, and the prefix below which all of them lie. Raises as `sources.find_objects`."""
        return find_objects(channel, self.store, self.nearest_prefix)

    def read(self, uri: S3Uri, channel: Channel) -> Iterator[bytes]:
        """The bytes of one of its objects, in pieces. Raises as `records.stream`."""
        return stream(uri, channel, self.store)

    @contextmanager
    def serving(self, spec: JobSpec, staged: StagedJob, failed: Callable[[], None]) -> Iterator[Serving]:
        """What localpipe does for a job while it runs: entered before its containers start, left when they have ended.

        `failed` is called, from another thread, once the job cannot go on for want of it. Leaving ends all of it.
        Raises JobFailed on entering for inputs that are not there.
        """
        uploads = Uploads(spec, staged, self.store)
        with serving_pipes(spec, staged, self.store, self.nearest_prefix, failed) as trouble, uploads.following():
            yield Serving(uploads=uploads, trouble=trouble)

    def can_go_on_serving(self, spec: JobSpec) -> bool:
        """Whether a job that ran on while localpipe was away can be served from there: what went through a FIFO is gone."""
        return all(channel.mode is not InputMode.PIPE for channel in spec.channels)

    def collect(
        self, spec: JobSpec, staged: StagedJob, end: JobEnd, uploads: Uploads, *, now: float, failed_host: str = ""
    ) -> Collected:
        """Publish what the job wrote and read what its containers left; see `staging.collect.collect`."""
        return collect(spec, staged, end, self.store, uploads, now=now, failed_host=failed_host)

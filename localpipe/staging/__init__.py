"""Between the store and the containers: a job's inputs as directories before it runs, its outputs as objects afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.staging.collect import Collected, collect
from localpipe.staging.files import delete_tree
from localpipe.staging.stage import describe, populate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from localpipe.core.jobspec import JobEnd, JobSpec, StagedJob
    from localpipe.core.names import AttemptKey, S3Uri
    from localpipe.core.ports import ObjectStore

__all__ = ["Collected", "Stager", "delete_tree"]


@dataclass(frozen=True, kw_only=True)
class Stager:
    """Stages and collects the jobs of one home.

    `attempt_dir` gives each attempt its own directory; nothing else may be in it. `nearest_prefix` gives the nearest prefix
    that has objects, for the message about one that has none.
    """

    store: ObjectStore
    attempt_dir: Callable[[AttemptKey], Path]
    nearest_prefix: Callable[[S3Uri], str | None]

    def stage(
        self, spec: JobSpec, key: AttemptKey, environment: Mapping[str, str], *, anew: bool, overlays: bool
    ) -> StagedJob:
        """The job, ready on disk. `environment` is the whole environment of its containers.

        `anew` makes its directories, over the remains of a crashed attempt if there are any; without it the job is only
        described, for containers that run or have run in them. `overlays`: what the runner says of itself.
        Raises JobFailed (InputNotFound) for what the containers cannot be given, NotSupported, StoreError, HomeUnusable.
        """
        staged = describe(spec, key, environment, self.attempt_dir(key), overlays=overlays)
        if anew:
            populate(spec, staged.attempt_dir, self.store, self.nearest_prefix, overlays=overlays)
        return staged

    def collect(self, spec: JobSpec, staged: StagedJob, end: JobEnd, *, now: float) -> Collected:
        """Publish what the job wrote and read what its containers left; see `staging.collect.collect`."""
        return collect(spec, staged, end, self.store, now=now)

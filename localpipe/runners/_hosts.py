"""How many containers a job may have here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.errors import NotSupported

if TYPE_CHECKING:
    from localpipe.core.jobspec import StagedHost, StagedJob


def only_host(job: StagedJob) -> StagedHost:
    """The host of a job that has one. Raises NotSupported for a job of several."""
    if len(job.hosts) != 1:
        raise NotSupported(f"A job of {len(job.hosts)} hosts ({job.job_name})", "Set InstanceCount to 1.")
    return job.hosts[0]

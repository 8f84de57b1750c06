"""What all job types share: refusals in the service's words, the environment of a container, lengths of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.jobspec import JobEnd, JobResult
from localpipe.core.work import create_refused
from localpipe.errors import JobFailed
from localpipe.jobs.layout import NETWORK_INTERFACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from localpipe.core import JSON
    from localpipe.core.jobspec import JobSpec
    from localpipe.core.names import Identity
    from localpipe.errors import Problem

REASON_LIMIT = 1024
"""Characters of a FailureReason or ExitMessage, of a job and of a step. Follows: service.md 1.2, containers.md 1.1, 2.1."""

DEFAULT_MAX_RUNTIME_SECONDS = 86_400
"""MaxRuntimeInSeconds where the request has none: one day. Follows: containers.md 1.1, 2.1."""

PLATFORM_WORDS: Mapping[JobEnd, str] = {
    JobEnd.LOST: "InternalServerError",
    JobEnd.UNPROVISIONED: "CapacityError",
    JobEnd.CUT_OFF: "ClientError",
    JobEnd.UNPUBLISHED: "ClientError: Artifact upload failed",
}
"""How a FailureReason begins where not the container failed but what is around it.

UNVERIFIED: the service's text for the last is not recorded. Follows: containers.md 2.11.
"""

ALWAYS = frozenset(JobEnd)
"""The ends after which what was uploaded while the job ran is brought up to date. Follows: containers.md 1.7, 2.12."""


def require_none(problems: Iterable[Problem], operation: str) -> None:
    """Raise JobFailed, in the words of a refused Create call, if there are problems."""
    details = "; ".join(str(problem) for problem in problems)
    if details:
        raise JobFailed(create_refused(operation, details))


def time_limit_reason(spec: JobSpec, end: JobEnd) -> str:
    """The reason of a step whose job ran into one of its time limits; empty for another end.

    UNVERIFIED: the service's texts are not recorded. Follows: service.md section 5.4, 13 no. 16.
    """
    stopped = f"ClientError: The {spec.kind.value} job was stopped because it"
    if end is JobEnd.TIMED_OUT:
        return f"{stopped} ran longer than MaxRuntimeInSeconds ({spec.max_runtime_seconds})"
    if end is JobEnd.WAITED_OUT:
        return f"{stopped} had not completed within MaxWaitTimeInSeconds ({spec.max_wait_seconds})"
    return ""


def service_environment(identity: Identity) -> Mapping[str, str]:
    """Variables that the service gives to jobs of both kinds.

    UNVERIFIED for processing, but for the region. Follows: containers.md 1.3, 2.7.
    """
    return {
        "AWS_REGION": identity.region,
        "AWS_DEFAULT_REGION": identity.region,
        "AWS_EXECUTION_ENV": "AWS_ECS_EC2",
        "DMLC_INTERFACE": NETWORK_INTERFACE,
    }


def command(words: Iterable[str] | None) -> tuple[str, ...] | None:
    """ContainerEntrypoint or ContainerArguments; None where the request has none."""
    return tuple(words) if words else None


def echoed(request: JSON, names: Iterable[str]) -> dict[str, JSON]:
    """The members of the request that Describe shows as they are; absent ones stay absent."""
    return {name: request[name] for name in names if name in request}


def platform_reason(result: JobResult, limit: int) -> str:
    """FailureReason of a job with one of the ends of `PLATFORM_WORDS`, cut at `limit`."""
    return f"{PLATFORM_WORDS[result.end]}: {result.detail}"[:limit]

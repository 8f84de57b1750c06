"""What a step asks for (`Work`) and what came of it (`Outcome`): closed sets, matched to the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from localpipe.core.jobspec import JobResult, JobSpec, PropertyFileSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core import JSON
    from localpipe.core.names import ExecutionName, Identity


@dataclass(frozen=True, kw_only=True)
class ResolvedStep:
    """A step about to be done: every expression in `arguments` and `fields` has been replaced by its value.

    `fields` are the step-level members other than Arguments (`FunctionArn`, `CheckType`, ...). `path` is the step's JSON
    path in the definition. `job_name` is the name of the job it may start. `attempt` counts from 1. `at` is the time of
    the attempt, epoch seconds.
    """

    name: str
    type: str
    path: str
    arguments: JSON
    fields: Mapping[str, JSON]
    property_files: tuple[PropertyFileSpec, ...]
    execution: ExecutionName
    job_name: str
    attempt: int
    at: float


@dataclass(frozen=True, kw_only=True)
class Success:
    """The step did its work. `properties` has the Describe shape; `property_files`: name → text of the file.

    `branches_taken`: names of the branches that this success opens (`IfSteps`); empty for a step without branches.
    """

    properties: JSON
    property_files: Mapping[str, str] = field(default_factory=dict)
    branches_taken: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The step failed. `reason` is its FailureReason, in the service's words ("" : the step has none).

    `exception_type` is what RetryPolicies match on; None is never retried. `ends_execution`: running jobs are stopped and
    nothing new starts (a Fail step). `failed_host`: the host of its job that failed first, empty if none did.
    """

    reason: str
    exception_type: str | None = None
    properties: JSON = None
    ends_execution: bool = False
    failed_host: str = ""


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """The step was stopped from outside."""

    reason: str = ""
    properties: JSON = None


Outcome: TypeAlias = Success | Failure | Stopped


@dataclass(frozen=True, kw_only=True)
class RunJob:
    """Run containers. Answered with a `JobResult`."""

    spec: JobSpec


@dataclass(frozen=True, kw_only=True)
class CreateResource:
    """Keep a resource in the registry of the home. `kind` is `Model` or `ModelPackage`, `request` the Create request.

    Done once per `token` however often it is asked (a resumed run asks again). `identity` gives the ARN its account and
    region. Answered with a `CreatedResource`.
    """

    kind: str
    name: str
    request: JSON
    token: str
    identity: Identity


@dataclass(frozen=True, kw_only=True)
class CreatedResource:
    """The resource in Describe shape (timestamps in epoch seconds)."""

    description: JSON


@dataclass(frozen=True, kw_only=True)
class Immediate:
    """Nothing to perform: the outcome is known already."""

    outcome: Outcome


Work: TypeAlias = RunJob | CreateResource | Immediate
WorkResult: TypeAlias = JobResult | CreatedResource


def create_refused(operation: str, detail: str) -> str:
    """What a refused Create call says; a step's reason has `ClientError: ` before it. Follows: service.md section 5.4."""
    return f"Failed to invoke sagemaker:{operation}. Error Details: {detail}"

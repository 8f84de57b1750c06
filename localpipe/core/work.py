"""What a step asks for (`Work`) and what came of it (`Outcome`): closed sets, matched to the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from localpipe.core.functions import FunctionExit
from localpipe.core.jobspec import JobResult, JobSpec, PropertyFileSpec
from localpipe.core.tuning import TuningResult, TuningSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core import JSON
    from localpipe.core.names import ExecutionName, Identity
    from localpipe.core.transform import TransformSpec


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

    `exception_type` is what RetryPolicies match on; None is never retried. `ends_execution`: running jobs are stopped,
    nothing new starts, and the execution fails (a Fail step). `failed_host`: the host of its job that failed first, empty
    if none did.
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
class RunTransform:
    """Have the containers of a registered model transform objects.

    Answered with a `JobResult`, whose `detail` is the FailureReason of a job that failed.
    """

    spec: TransformSpec


@dataclass(frozen=True, kw_only=True)
class RunTuning:
    """Run training jobs, each with parameters chosen by what came of those before. Answered with a `TuningResult`."""

    spec: TuningSpec


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The step of a pipeline execution that made a resource."""

    execution_arn: str
    step: str


@dataclass(frozen=True, kw_only=True)
class CreateResource:
    """Keep a resource in the registry of the home. `kind` is `Model` or `ModelPackage`, `request` the Create request.

    Done once per `token` however often it is asked (a resumed run asks again). `identity` gives the ARN its account and
    region. `origin` None: no pipeline asks for it. Answered with a `CreatedResource`.
    """

    kind: str
    name: str
    request: JSON
    token: str
    identity: Identity
    origin: Origin | None = None


@dataclass(frozen=True, kw_only=True)
class CreatedResource:
    """The resource in Describe shape (timestamps in epoch seconds)."""

    description: JSON


@dataclass(frozen=True, kw_only=True)
class CallFunction:
    """Call the Lambda function of this ARN with an event. Answered with a `FunctionResult`."""

    arn: str
    event: JSON


@dataclass(frozen=True, kw_only=True)
class FunctionResult:
    """How the call ended. `stopped`: the step was told to stop meanwhile, which a function is not told."""

    exit: FunctionExit
    stopped: bool = False


@dataclass(frozen=True, kw_only=True)
class SendMessage:
    """Send a message with a token to the queue of this URL. Answered, by whoever has the token, with a `CallbackAnswer`."""

    queue_url: str
    arguments: JSON


@dataclass(frozen=True, kw_only=True)
class CallbackAnswer:
    """What the answer to a message says: the outputs, or (`failure` not None) why the step fails."""

    token: str
    outputs: Mapping[str, JSON] = field(default_factory=dict)
    failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class Immediate:
    """Nothing to perform: the outcome is known already."""

    outcome: Outcome


Work: TypeAlias = RunJob | RunTuning | RunTransform | CreateResource | CallFunction | SendMessage | Immediate
WorkResult: TypeAlias = JobResult | TuningResult | CreatedResource | FunctionResult | CallbackAnswer


def create_refused(operation: str, detail: str) -> str:
    """What a refused Create call says; a step's reason has `ClientError: ` before it. Follows: service.md section 5.4."""
    return f"Failed to invoke sagemaker:{operation}. Error Details: {detail}"

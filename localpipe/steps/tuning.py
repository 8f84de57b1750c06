"""`Type: Tuning`: runs a tuning job, whose training jobs each leave a model in S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from localpipe.core.faults import WHILE_IT_RUNS
from localpipe.core.names import TUNING_JOB_NAME_LIMIT
from localpipe.core.tuning import TuningEnd, TuningResult
from localpipe.core.work import Failure, RunTuning, Stopped, Success
from localpipe.errors import JOB_INTERNAL_ERROR
from localpipe.jobs.tuning import tuning_spec
from localpipe.jobs.tuning_description import describe_tuning_job, failure_reason
from localpipe.jobs.tuning_fidelity import TUNING_FIDELITY
from localpipe.jobs.tuning_problems import tuning_problems
from localpipe.steps.base import JOBS_AT_A_STOP, LeafStep
from localpipe.steps.signatures import TUNING_SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localpipe.core import JSON
    from localpipe.core.faults import FaultKind
    from localpipe.core.fidelity import Rule
    from localpipe.core.signature import Signature
    from localpipe.core.tuning import TuningSpec
    from localpipe.core.work import Outcome, ResolvedStep, Work, WorkResult
    from localpipe.definition.model import StepDefinition
    from localpipe.errors import Problem


class TuningStep(LeafStep):
    """Follows: service.md section 1.4; containers.md section 4."""

    type: ClassVar[str] = "Tuning"
    request_shape: ClassVar[str | None] = "CreateHyperParameterTuningJobRequest"
    properties_shape: ClassVar[str | None] = "DescribeHyperParameterTuningJobResponse"
    job_name_argument: ClassVar[str | None] = "HyperParameterTuningJobName"
    job_name_limit: ClassVar[int] = TUNING_JOB_NAME_LIMIT
    retryable: ClassVar[bool] = True
    runs_jobs: ClassVar[bool] = True
    meets: ClassVar[frozenset[FaultKind]] = WHILE_IT_RUNS
    at_a_stop: ClassVar[str] = JOBS_AT_A_STOP
    never_retried: ClassVar[frozenset[str]] = frozenset({JOB_INTERNAL_ERROR})
    fidelity: ClassVar[tuple[Rule, ...]] = TUNING_FIDELITY
    signature: ClassVar[Signature | None] = TUNING_SIGNATURE

    def check(self, step: StepDefinition) -> Iterable[Problem]:
        """What the service or localpipe refuses in the request."""
        return tuning_problems(step.arguments, f"{step.path}.Arguments")

    def work(self, step: ResolvedStep) -> Work:
        """Run the training jobs."""
        return RunTuning(spec=_spec(step))

    def outcome(self, step: ResolvedStep, result: WorkResult) -> Outcome:
        """Properties in DescribeHyperParameterTuningJob shape, or the job's reason, which no policy retries.

        Raises TypeError for the result of other work: a bug of the engine.
        """
        if not isinstance(result, TuningResult):
            raise TypeError(f"a tuning job ended in a {type(result).__name__}")
        spec = _spec(step)
        properties = describe_tuning_job(step.arguments, spec, result)
        match result.end:
            case TuningEnd.COMPLETED:
                return Success(properties=properties)
            case TuningEnd.STOPPED:
                return Stopped(properties=properties)
            case TuningEnd.FAILED:
                return Failure(reason=f"ClientError: {failure_reason(spec, result)}", properties=properties)

    def metadata(self, properties: JSON) -> JSON:
        """`{"TuningJob": {"Arn": ...}}`."""
        return {"TuningJob": {"Arn": properties["HyperParameterTuningJobArn"]}} if properties else {}


def _spec(step: ResolvedStep) -> TuningSpec:
    path = f"{step.path}.Arguments"
    return tuning_spec(step.arguments, job_name=step.job_name, identity=step.execution.identity, path=path)

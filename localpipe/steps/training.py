"""`Type: Training`: runs a training job; its model is an archive in S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from localpipe.core.faults import WHILE_IT_RUNS
from localpipe.core.work import RunJob
from localpipe.jobs.training import training_problems, training_spec
from localpipe.jobs.training_description import describe_training_job, failure_reason
from localpipe.jobs.training_fidelity import TRAINING_FIDELITY
from localpipe.steps.base import JOBS_AT_A_STOP, LeafStep
from localpipe.steps.jobs import job_outcome, job_result
from localpipe.steps.signatures import TRAINING_SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localpipe.core import JSON
    from localpipe.core.faults import FaultKind
    from localpipe.core.fidelity import Rule
    from localpipe.core.jobspec import JobSpec
    from localpipe.core.signature import Signature
    from localpipe.core.work import Outcome, ResolvedStep, Work, WorkResult
    from localpipe.definition.model import StepDefinition
    from localpipe.errors import Problem


class TrainingStep(LeafStep):
    """Follows: service.md section 1.4; containers.md section 2."""

    type: ClassVar[str] = "Training"
    request_shape: ClassVar[str | None] = "CreateTrainingJobRequest"
    properties_shape: ClassVar[str | None] = "DescribeTrainingJobResponse"
    job_name_argument: ClassVar[str | None] = "TrainingJobName"
    retryable: ClassVar[bool] = True
    runs_jobs: ClassVar[bool] = True
    meets: ClassVar[frozenset[FaultKind]] = WHILE_IT_RUNS
    at_a_stop: ClassVar[str] = JOBS_AT_A_STOP
    fidelity: ClassVar[tuple[Rule, ...]] = TRAINING_FIDELITY
    signature: ClassVar[Signature | None] = TRAINING_SIGNATURE

    def check(self, step: StepDefinition) -> Iterable[Problem]:
        """What the service or localpipe refuses in the request."""
        return training_problems(step.arguments, f"{step.path}.Arguments")

    def work(self, step: ResolvedStep) -> Work:
        """Run the job."""
        return RunJob(spec=_spec(step))

    def outcome(self, step: ResolvedStep, result: WorkResult) -> Outcome:
        """Properties in DescribeTrainingJob shape, or the job's reason."""
        job, spec = job_result(result), _spec(step)
        description = describe_training_job(step.arguments, spec, job, step.execution.identity)
        return job_outcome(job, spec, failure_reason, description)

    def metadata(self, properties: JSON) -> JSON:
        """`{"TrainingJob": {"Arn": ...}}`."""
        return {"TrainingJob": {"Arn": properties["TrainingJobArn"]}} if properties else {}


def _spec(step: ResolvedStep) -> JobSpec:
    path = f"{step.path}.Arguments"
    return training_spec(step.arguments, job_name=step.job_name, identity=step.execution.identity, path=path)

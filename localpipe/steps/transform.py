"""`Type: Transform`: has the containers of a model transform the objects of S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from localpipe.core.signature import Signature
from localpipe.core.work import RunTransform
from localpipe.jobs.transform import transform_problems, transform_spec
from localpipe.jobs.transform_description import describe_transform_job, failure_reason
from localpipe.jobs.transform_fidelity import TRANSFORM_FIDELITY
from localpipe.steps.base import JOBS_AT_A_STOP, LeafStep
from localpipe.steps.jobs import job_outcome, job_result

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localpipe.core import JSON
    from localpipe.core.fidelity import Rule
    from localpipe.core.transform import TransformSpec
    from localpipe.core.work import Outcome, ResolvedStep, Work, WorkResult
    from localpipe.definition.model import StepDefinition
    from localpipe.errors import Problem


class TransformStep(LeafStep):
    """Follows: service.md section 1.4, 6; containers.md section 3."""

    type: ClassVar[str] = "Transform"
    request_shape: ClassVar[str | None] = "CreateTransformJobRequest"
    properties_shape: ClassVar[str | None] = "DescribeTransformJobResponse"
    job_name_argument: ClassVar[str | None] = "TransformJobName"
    retryable: ClassVar[bool] = True
    runs_jobs: ClassVar[bool] = True
    at_a_stop: ClassVar[str] = JOBS_AT_A_STOP
    fidelity: ClassVar[tuple[Rule, ...]] = TRANSFORM_FIDELITY
    signature: ClassVar[Signature | None] = Signature(
        members=(
            "Arguments.DataProcessing",
            "Arguments.Environment",
            "Arguments.ModelName",
            "Arguments.TransformInput",
        ),
        also=("Arguments.BatchStrategy", "Arguments.TransformOutput"),
        places=("Arguments.TransformOutput.S3OutputPath",),
    )

    def check(self, step: StepDefinition) -> Iterable[Problem]:
        """What the service or localpipe refuses in the request."""
        return transform_problems(step.arguments, f"{step.path}.Arguments")

    def work(self, step: ResolvedStep) -> Work:
        """Run the job."""
        return RunTransform(spec=_spec(step))

    def outcome(self, step: ResolvedStep, result: WorkResult) -> Outcome:
        """Properties in DescribeTransformJob shape, or the job's reason."""
        job, spec = job_result(result), _spec(step)
        return job_outcome(job, None, failure_reason, describe_transform_job(step.arguments, spec, job))

    def metadata(self, properties: JSON) -> JSON:
        """`{"TransformJob": {"Arn": ...}}`."""
        return {"TransformJob": {"Arn": properties["TransformJobArn"]}} if properties else {}


def _spec(step: ResolvedStep) -> TransformSpec:
    path = f"{step.path}.Arguments"
    return transform_spec(step.arguments, job_name=step.job_name, identity=step.execution.identity, path=path)

"""`Type: Processing`: runs a processing job. Its property files can be read by later steps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from localpipe.core.faults import FaultKind
from localpipe.core.work import RunJob
from localpipe.definition.property_paths import element_names
from localpipe.jobs.processing import describe_processing_job, failure_reason, processing_problems, processing_spec
from localpipe.jobs.processing_fidelity import PROCESSING_FIDELITY
from localpipe.steps.base import JOBS_AT_A_STOP, LeafStep
from localpipe.steps.jobs import job_outcome, job_result
from localpipe.steps.signatures import PROCESSING_SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from localpipe.core import JSON
    from localpipe.core.fidelity import Rule
    from localpipe.core.jobspec import JobSpec
    from localpipe.core.signature import Signature
    from localpipe.core.work import Outcome, ResolvedStep, Work, WorkResult
    from localpipe.definition.model import StepDefinition
    from localpipe.errors import Problem


class ProcessingStep(LeafStep):
    """Follows: service.md section 1.4, 10; containers.md section 1."""

    type: ClassVar[str] = "Processing"
    request_shape: ClassVar[str | None] = "CreateProcessingJobRequest"
    properties_shape: ClassVar[str | None] = "DescribeProcessingJobResponse"
    job_name_argument: ClassVar[str | None] = "ProcessingJobName"
    retryable: ClassVar[bool] = True
    runs_jobs: ClassVar[bool] = True
    meets: ClassVar[frozenset[FaultKind]] = frozenset({FaultKind.TIME_LIMIT})
    at_a_stop: ClassVar[str] = JOBS_AT_A_STOP
    fidelity: ClassVar[tuple[Rule, ...]] = PROCESSING_FIDELITY
    signature: ClassVar[Signature | None] = PROCESSING_SIGNATURE

    def check(self, step: StepDefinition) -> Iterable[Problem]:
        """What the service or localpipe refuses in the request."""
        return processing_problems(step.arguments, f"{step.path}.Arguments")

    def output_names(self, step: StepDefinition) -> Collection[str] | None:
        """The OutputNames; None if one is not there as text. Follows: service.md section 10."""
        config = step.arguments.get("ProcessingOutputConfig")
        outputs = config.get("Outputs") if isinstance(config, dict) else None
        listed = outputs if isinstance(outputs, list) else []
        names = element_names(listed)
        return names if len(names) == len(listed) else None

    def work(self, step: ResolvedStep) -> Work:
        """Run the job."""
        return RunJob(spec=_spec(step))

    def outcome(self, step: ResolvedStep, result: WorkResult) -> Outcome:
        """Properties in DescribeProcessingJob shape, or the job's reason."""
        job, spec = job_result(result), _spec(step)
        description = describe_processing_job(step.arguments, spec, job, step.execution.identity)
        return job_outcome(job, spec, failure_reason, description)

    def metadata(self, properties: JSON) -> JSON:
        """`{"ProcessingJob": {"Arn": ...}}`."""
        return {"ProcessingJob": {"Arn": properties["ProcessingJobArn"]}} if properties else {}


def _spec(step: ResolvedStep) -> JobSpec:
    path = f"{step.path}.Arguments"
    spec = processing_spec(step.arguments, job_name=step.job_name, identity=step.execution.identity, path=path)
    return replace(spec, property_files=step.property_files)

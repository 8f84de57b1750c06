"""What a step type is. A new one is one file with one class, and one line in `steps/__init__.py`.

Everything here is pure: a step type says *what* is to be done, as a value, and what a result means; never how.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from localpipe.core.names import JOB_NAME_LIMIT
from localpipe.definition.step_kind import StepKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from localpipe.core import JSON
    from localpipe.core.faults import FaultKind
    from localpipe.core.fidelity import Rule
    from localpipe.core.signature import Signature
    from localpipe.core.work import Outcome, ResolvedStep, Work, WorkResult
    from localpipe.definition.model import StepDefinition
    from localpipe.errors import Problem


JOBS_AT_A_STOP = "jobs have {grace} to end"


class StepType(StepKind, Protocol):
    """One value of a step's `Type`: what it means for a definition (`StepKind`), and what it does."""

    job_name_limit: ClassVar[int]
    """The most characters of the name of its job. Follows: service.md section 1.5."""

    capped: ClassVar[bool]
    """Whether it counts against MaxParallelExecutionSteps; instant steps do not (service.md 13, no. 17)."""

    runs_jobs: ClassVar[bool]
    """Whether what it creates runs containers, and may fail after it was created."""

    meets: ClassVar[frozenset[FaultKind]]
    """The faults that may come while it runs: those that its work has on the service."""

    at_a_stop: ClassVar[str]
    """What becomes of its work when the execution is stopped, in words; empty: it is over at once. `{grace}`: the time that
    jobs have."""

    writes_unseen: ClassVar[bool]
    """Whether what it sets going may write to S3 wherever it likes."""

    fidelity: ClassVar[tuple[Rule, ...]]
    """What becomes of each member of the request; empty without one."""

    never_retried: ClassVar[frozenset[str]]
    """Exception types that no retry policy applies to for it. Follows: service.md section 7."""

    signature: ClassVar[Signature | None]
    """What decides whether an earlier result stands for it; None: it is always done. Follows: service.md section 6."""

    def work(self, step: ResolvedStep) -> Work:
        """What to do.

        Raises JobFailed when the service would refuse the Create call for its resolved values, ExpressionError when they do
        not tell what to do. The step's reason is then `ClientError: ` and the message.
        """
        ...

    def outcome(self, step: ResolvedStep, result: WorkResult) -> Outcome:
        """What a result means for the step: properties in Describe shape, or the service's failure reason."""
        ...

    def branches_taken(self, properties: JSON) -> tuple[str, ...]:
        """The branches that a step with these properties has opened. Raises ValueError where they cannot tell it."""
        ...

    def metadata(self, properties: JSON) -> JSON:
        """Metadata in ListPipelineExecutionSteps, e.g. `{"ProcessingJob": {"Arn": ...}}`; `{}` without properties."""
        ...


class LeafStep:
    """What most step types have in common: no branches, no further checks, work that counts against the cap."""

    request_shape: ClassVar[str | None] = None
    properties_shape: ClassVar[str | None] = None
    extra_properties: ClassVar[tuple[str, ...]] = ()
    fields: ClassVar[tuple[str, ...]] = ()
    job_name_argument: ClassVar[str | None] = None
    job_name_limit: ClassVar[int] = JOB_NAME_LIMIT
    retryable: ClassVar[bool] = False
    can_be_depended_on: ClassVar[bool] = True
    capped: ClassVar[bool] = True
    runs_jobs: ClassVar[bool] = False
    meets: ClassVar[frozenset[FaultKind]] = frozenset()
    at_a_stop: ClassVar[str] = ""
    writes_unseen: ClassVar[bool] = False
    fidelity: ClassVar[tuple[Rule, ...]] = ()
    never_retried: ClassVar[frozenset[str]] = frozenset()
    signature: ClassVar[Signature | None] = None

    def check(self, step: StepDefinition) -> Iterable[Problem]:
        """None beyond those of the shape."""
        del step
        return ()

    def branches(self, step: StepDefinition) -> Mapping[str, tuple[StepDefinition, ...]]:
        """None."""
        del step
        return {}

    def branches_taken(self, properties: JSON) -> tuple[str, ...]:
        """None."""
        del properties
        return ()

    def own_arguments(self, step: StepDefinition) -> JSON:
        """All of them."""
        return step.arguments

    def output_types(self, step: StepDefinition) -> Mapping[str, str] | None:
        """None."""
        del step
        return None

    def output_names(self, step: StepDefinition) -> Collection[str] | None:
        """No outputs that a property file could be in."""
        del step
        return ()


class InstantStep(LeafStep):
    """A step whose work is always `Immediate`: it waits for no slot and has no result to make sense of."""

    capped: ClassVar[bool] = False

    def outcome(self, step: ResolvedStep, result: WorkResult) -> Outcome:
        """Never asked for. Raises TypeError: a bug of the engine."""
        raise TypeError(f"step {step.name!r} asked for no work, but got a {type(result).__name__}")

"""Words for stories about executions: `a_plan(step("A"), step("B", needs=["A"]))`, `after(plan, started("A"), ...)`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.definition.model import Dependency, RetryPolicy, StepDefinition
from localpipe.scheduling.events import (
    AttemptFailed,
    AttemptStarted,
    AttemptStopped,
    ExecutionStarted,
    JobLaunched,
    Recorded,
    StepSucceeded,
    StopSignalled,
)
from localpipe.scheduling.graph import build_graph
from localpipe.scheduling.plan import FAILURE_MODE, ExecutionPlan
from localpipe.scheduling.state import fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.scheduling.events import Event
    from localpipe.scheduling.graph import PipelineGraph
    from localpipe.scheduling.plan import FailureMode
    from localpipe.scheduling.state import ExecutionState

NOW = 100.0
"""When everything in a story happens, unless it says otherwise."""


def step(
    name: str, *, needs: Iterable[str] = (), refers_to: Iterable[str] = (), retry: Sequence[RetryPolicy] = (), path: str = ""
) -> StepDefinition:
    """An ordinary step. `needs` is its DependsOn, `refers_to` what its arguments refer to."""
    return StepDefinition(
        name=name,
        type="Work",
        path=path or f"$.{name}",
        arguments={"refers_to": list(refers_to)},
        depends_on=tuple(Dependency(step=need) for need in needs),
        retry_policies=tuple(retry),
    )


def choice(
    name: str,
    *,
    needs: Iterable[str] = (),
    refers_to: Iterable[str] = (),
    then: Iterable[StepDefinition] = (),
    otherwise: Iterable[StepDefinition] = (),
) -> StepDefinition:
    """A step with two branches that counts against no cap."""
    return StepDefinition(
        name=name,
        type="Choice",
        path=f"$.{name}",
        arguments={"refers_to": list(refers_to), "IfSteps": tuple(then), "ElseSteps": tuple(otherwise)},
        depends_on=tuple(Dependency(step=need) for need in needs),
    )


def branches(definition: StepDefinition) -> Mapping[str, tuple[StepDefinition, ...]]:
    return {name: definition.arguments[name] for name in ("IfSteps", "ElseSteps") if name in definition.arguments}


def references(definition: StepDefinition) -> frozenset[str]:
    return frozenset(definition.arguments["refers_to"])


def is_capped(definition: StepDefinition) -> bool:
    return definition.type != "Choice"


def a_graph(*steps: StepDefinition) -> PipelineGraph:
    return build_graph(steps, branches, references, is_capped)


@dataclass(frozen=True, kw_only=True)
class StartedPlan(ExecutionPlan):
    """A plan, and the MaxParallelExecutionSteps that its execution is started with."""

    max_parallel: int | None


def a_plan(*steps: StepDefinition, max_parallel: int | None = None, failure_mode: FailureMode = FAILURE_MODE) -> StartedPlan:
    return StartedPlan(graph=a_graph(*steps), max_parallel=max_parallel, failure_mode=failure_mode)


def on(*exception_types: str, interval_seconds: float = 1, max_attempts: int | None = 5) -> Sequence[RetryPolicy]:
    """One retry policy."""
    return [RetryPolicy(exception_types=exception_types, interval_seconds=interval_seconds, max_attempts=max_attempts)]


def recorded(*events: Event, at: float = NOW) -> list[Recorded]:
    return [Recorded(seq, at, event) for seq, event in enumerate(events, 1)]


def after(plan: StartedPlan, *events: Event, at: float = NOW) -> ExecutionState:
    """The state after the start of an execution and these events, all at the same time."""
    return fold(recorded(begun(plan), *events, at=at))


def begun(plan: StartedPlan) -> ExecutionStarted:
    return ExecutionStarted("pipeline", "abcdefghij12", {}, {}, plan.max_parallel, {})


def started(name: str, attempt: int = 1) -> AttemptStarted:
    return AttemptStarted(name, attempt, f"job-{name}-{attempt}")


def launched(name: str, attempt: int = 1) -> JobLaunched:
    return JobLaunched(name, attempt, (f"/logs/{name}/{attempt}",), f"docker run {name}")


def succeeded(name: str, attempt: int = 1, *, taking: str = "", properties: JSON = None) -> StepSucceeded:
    return StepSucceeded(name, attempt, properties, branches_taken=(taking,) if taking else ())


def failed(name: str, attempt: int = 1, *, exception_type: str | None = None, ends_execution: bool = False) -> AttemptFailed:
    return AttemptFailed(name, attempt, "AlgorithmError", exception_type, ends_execution=ends_execution)


def signalled(name: str, attempt: int = 1) -> StopSignalled:
    return StopSignalled(name, attempt)


def stopped(name: str, attempt: int = 1) -> AttemptStopped:
    return AttemptStopped(name, attempt)


def done(*names: str) -> list[Event]:
    """The steps started and succeeded, one after the other."""
    return [event for name in names for event in (started(name), succeeded(name))]

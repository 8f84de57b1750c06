"""Faults that are asked for: refused where they cannot happen, told where they will. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.faults import OF_THE_CREATE_CALL, OF_THE_JOB, WHILE_IT_RUNS, FaultKind
from localpipe.definition.wording import did_you_mean
from localpipe.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from localpipe.core.faults import Fault
    from localpipe.definition.model import StepDefinition
    from localpipe.service.foresight import ForeseenJob
    from localpipe.steps.base import StepType

_HAD: Mapping[FaultKind, str] = {FaultKind.TIME_LIMIT: "time limit", FaultKind.SPOT_INTERRUPTION: "spot training"}


def fault_notes(
    faults: Iterable[Fault],
    jobs: Sequence[ForeseenJob],
    steps: Mapping[str, StepDefinition],
    step_types: Mapping[str, StepType],
    *,
    runs: Collection[str],
) -> list[str]:
    """What will happen, in a sentence for each fault. Raises UsageError for one that cannot happen to its step.

    `runs`: the steps that the part has that is to run.
    """
    notes = []
    for fault in faults:
        step = steps.get(fault.step)
        if step is None:
            raise UsageError(f"Fault {fault}: there is no step {fault.step!r}. {did_you_mean(fault.step, steps)}")
        if fault.step not in runs:
            raise UsageError(
                f"Fault {fault} cannot happen: step {fault.step!r} does not run. Let it run too, or leave it out."
            )
        own_jobs = [job for job in jobs if job.node.name == fault.step]
        if why_not := _why_not(fault.kind, step_types[step.type], own_jobs, step_types.values()):
            raise UsageError(f"Fault {fault} cannot happen: step {fault.step!r} {why_not}")
        notes.append(f"{_what(fault)}, as asked for by a fault.")
    return notes


def _why_not(kind: FaultKind, step_type: StepType, jobs: Sequence[ForeseenJob], step_types: Iterable[StepType]) -> str:
    """What of the step keeps the fault from happening, to complete a sentence; empty: nothing does."""
    if kind in OF_THE_CREATE_CALL and not step_type.retryable:
        return f"is of type {step_type.type!r}, to which no retry policy applies."
    if kind in OF_THE_JOB and not step_type.runs_jobs:
        return f"is of type {step_type.type!r}, which runs no job."
    if kind in WHILE_IT_RUNS and kind not in step_type.meets:
        *others, last = sorted(each.type for each in step_types if kind in each.meets)
        has_none = f"is of type {step_type.type!r}, which has no {_HAD[kind]} on the service."
        return f"{has_none} It happens to {', '.join(others)} and {last} steps."
    if kind is FaultKind.SPOT_INTERRUPTION and all(job.spec and not job.spec.spot for job in jobs):
        return "does not use managed spot training (EnableManagedSpotTraining)."
    return ""


def _what(fault: Fault) -> str:
    step, attempts = f"Step {fault.step!r}", f"{fault.times} attempts" if fault.times > 1 else "one attempt"
    match fault.kind:
        case FaultKind.SPOT_INTERRUPTION:
            often = f"up to {fault.times} times" if fault.times > 1 else "once"
            each = f"Each spot training job of step {fault.step!r}"
            return f"{each} is interrupted {often}, where it still runs {fault.after_seconds:g} s after its start"
        case FaultKind.TIME_LIMIT:
            return f"{step} runs into its time limit if it still runs after {fault.after_seconds:g} s, in {attempts}"
        case _:
            return f"{step} fails with {fault.kind.value}, in {attempts}"

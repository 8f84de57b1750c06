"""Executions as the service shows them: Describe and List answers folded from the journal. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.names import local_path
from localpipe.core.times import iso_time
from localpipe.scheduling.history import BUSY, StepExecution, StepStatus
from localpipe.service.own_jobs import job_rows, summary
from localpipe.steps.callback import sent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.core.names import ExecutionName
    from localpipe.definition.model import StepDefinition
    from localpipe.scheduling.events import StepReused
    from localpipe.scheduling.state import ExecutionState
    from localpipe.steps.base import StepType

# Two of our statuses are not the service's. One that waits for its next attempt still executes for everyone else; one that
# a retry of the execution has still to do again has been taken up.
_SHOWN_STATUS = {StepStatus.BACKING_OFF: "Executing", StepStatus.WAITING: "Starting"}
_REUSE_MEMBERS = {"cache": "CacheHitResult", "selection": "SelectiveExecutionResult", "given": "SelectiveExecutionResult"}
_REUSE_WORDS = {"cache": "cached: the result", "selection": "not selected: the result"}
NOT_STARTED = "NotStarted"
"""Ours: the service does not list a step that has not started. Follows: service.md section 5.4."""


def execution_document(
    name: ExecutionName,
    state: ExecutionState,
    steps: Mapping[str, StepDefinition],
    step_types: Mapping[str, StepType],
    model: JSON,
) -> JSON:
    """The one document of `--json`: the execution, and the rows of ListPipelineExecutionSteps, oldest first.

    Each row has `Properties` and `LogFiles` added; where the step has jobs of its own, such as the training jobs of a tuning
    job, `Jobs`; and where a job waits for room on this machine, `Awaits`, a sentence. Times are ISO 8601 UTC with
    milliseconds. `FailureReason` is null where there is none; `SelectiveExecutionConfig` is only there if a part of the
    pipeline runs.
    """
    rows = []
    for execution in started_steps(state):
        step = steps[execution.step]
        row = step_row(execution, step, step_types[step.type])
        row |= {key: iso_time(row[key]) for key in ("StartTime", "EndTime") if key in row}
        row["Properties"] = with_iso_times(known_properties(execution) or {}, step_types[step.type].properties_shape, model)
        row["LogFiles"] = list(execution.log_files)
        if execution.last and execution.last.children:
            row["Jobs"] = job_rows(execution.last.own_jobs)
        if execution.last and execution.last.awaits:
            row["Awaits"] = execution.last.awaits
        rows.append(row)
    return {
        "PipelineName": name.pipeline_name,
        "PipelineExecutionArn": name.arn,
        "PipelineExecutionStatus": state.status.value,
        "FailureReason": state.failure_reason or None,
        **({"SelectiveExecutionConfig": state.started.selection} if state.started.selection else {}),
        "Steps": rows,
    }


def step_row(execution: StepExecution, step: StepDefinition, step_type: StepType) -> JSON:
    """One row of ListPipelineExecutionSteps, times in epoch seconds, absent members left out.

    Follows: service.md section 5.3.
    """
    row = {
        "StepName": execution.step,
        "StepDisplayName": step.display_name,
        "StepDescription": step.description,
        "StartTime": execution.started_at,
        "EndTime": execution.ended_at,
        "StepStatus": shown_status(execution),
        "AttemptCount": execution.attempt,
        "FailureReason": (execution.reason or None) if execution.ended_at is not None else None,
        "Metadata": metadata_of(execution, step_type),
        **_reuse(execution),
    }
    return {key: value for key, value in row.items() if value is not None}


def known_properties(execution: StepExecution) -> JSON:
    """The step's properties; of one that waits for an answer, or was stopped there, what is known without it."""
    message = execution.last.message if execution.last else None
    return execution.properties or (sent(message.token, message.queue_url) if message else None)


def _reuse(execution: StepExecution) -> JSON:
    """Where a step that was not done comes from. Follows: service.md sections 5.3, 6 and 8."""
    reused = execution.last.reused if execution.last else None
    source = {"SourcePipelineExecutionArn": reused.source} if reused and reused.source else {}
    return {_REUSE_MEMBERS[reused.by]: source} if reused else {}


def metadata_of(execution: StepExecution, step_type: StepType) -> JSON:
    """What the step made; `{}` where it has made nothing yet, or only has the values that the user gave."""
    reused = execution.last.reused if execution.last else None
    properties = known_properties(execution)
    return step_type.metadata(properties) if properties and not (reused and not reused.source) else {}


def reuse_words(reused: StepReused) -> str:
    """Where a step that was not done comes from, in words."""
    if not reused.source:
        return f"not selected: {'its values are given' if reused.properties or reused.property_files else 'taken as done'}"
    given = f", with {', '.join(reused.given)} given by hand" if reused.given else ""
    return f"{_REUSE_WORDS[reused.by]} of execution {reused.source.rpartition('/')[2]}{given}{elsewhere(reused)}"


def elsewhere(reused: StepReused) -> str:
    """Where people would look for the results in vain, and where they are, to go on with a sentence; empty if nowhere."""
    if not reused.unwritten:
        return ""
    lies = f"; it lies in {_places(reused.outputs)}" if reused.outputs else ""
    return f"{lies}; nothing was written to {_places(reused.unwritten)}"


def _places(uris: Iterable[str]) -> str:
    return ", ".join(local_path(uri) or uri for uri in uris)


def shown_status(execution: StepExecution) -> str:
    """The service's word for where a step stands; `NotStarted` before its first attempt."""
    if not execution.attempts:
        return NOT_STARTED
    return _SHOWN_STATUS.get(execution.status, execution.status.value)


def started_steps(state: ExecutionState) -> Sequence[StepExecution]:
    """The steps that the service would list: those that have started, oldest first."""
    return sorted((step for step in state.steps.values() if step.attempts), key=lambda step: step.attempts[0].started_at)


def all_steps(state: ExecutionState, names: Iterable[str]) -> Sequence[StepExecution]:
    """The steps that have started, oldest first, then the others of `names` in their order."""
    started = started_steps(state)
    known = {step.step for step in started}
    return (*started, *(StepExecution(step=name) for name in names if name not in known))


def _awaited(execution: StepExecution) -> str:
    """What the step's attempt waits for, a place or an answer; empty for nothing."""
    last = execution.last
    if last and last.message and execution.status in BUSY:
        return f"waits for an answer with the token {last.message.token}"
    return last.awaits if last else ""


def remark(execution: StepExecution) -> str:
    """What there is to tell of a step besides its status, in one line: branches taken, when it goes on, why it failed."""
    last = execution.last
    if last and last.reused:
        return reuse_words(last.reused)
    if awaited := _awaited(execution):
        return awaited
    if last and last.children and not execution.reason:
        return summary(last.own_jobs)
    if execution.branches_taken:
        return f"→ {', '.join(execution.branches_taken)}"
    reason = execution.reason.partition("\n")[0]
    if execution.due_at is not None:
        return f"waits for attempt {execution.attempt + 1}, due {iso_time(execution.due_at)}. {reason}"
    return reason


def with_iso_times(value: JSON, shape_name: str | None, model: JSON) -> JSON:
    """The value with every timestamp of its shape as text; what the shape does not know is left alone."""
    if shape_name is None or shape_name not in model["shapes"]:
        return value
    shape = model["shapes"][shape_name]
    if shape["type"] == "timestamp" and isinstance(value, int | float):
        return iso_time(value)
    if shape["type"] == "structure" and isinstance(value, dict):
        members = shape["members"]
        return {k: with_iso_times(v, members.get(k, {}).get("shape"), model) for k, v in value.items()}
    if shape["type"] == "list" and isinstance(value, list):
        return [with_iso_times(v, shape["member"]["shape"], model) for v in value]
    if shape["type"] == "map" and isinstance(value, dict):
        return {k: with_iso_times(v, shape["value"]["shape"], model) for k, v in value.items()}
    return value

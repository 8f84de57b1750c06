"""The execution that steps of a part are taken from. Follows: service.md section 8."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from localpipe.errors import NotFound, UsageError
from localpipe.journal.lease import is_driven
from localpipe.scheduling.events import StepReused
from localpipe.scheduling.history import StepStatus
from localpipe.scheduling.state import fold
from localpipe.service.history import kept_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from localpipe.scheduling.state import ExecutionState
    from localpipe.service.wiring import Home

LAST = "last"
SELECTION = "selection"
_CAN_BE_SOURCE = ("Succeeded", "Failed", "Stopped")


@dataclass(frozen=True, kw_only=True)
class Source:
    """An execution that has ended, whose steps may stand for those of another one."""

    arn: str
    execution_id: str
    state: ExecutionState


def find_source(home: Home, pipeline_name: str, wanted: str | None, needed: Collection[str]) -> Source | None:
    """The execution of a pipeline with an ARN or id; the last one for `last` and None, and None if there is none.

    `needed`: the steps that are to be taken from it, so that another can be named that has them.
    Raises NotFound; UsageError for one of another pipeline, and for one that has not ended.
    """
    if wanted in {None, LAST}:
        execution_id = next(_newest_first(home, pipeline_name), None)
    else:
        execution_id = _known_execution(home, pipeline_name, str(wanted))
    if execution_id is None:
        return None
    source = _read_source(home, execution_id)
    if source.state.status not in _CAN_BE_SOURCE:
        raise UsageError(_not_ended(home, pipeline_name, source, needed))
    return source


def _not_ended(home: Home, pipeline_name: str, source: Source, needed: Collection[str]) -> str:
    """Why an execution can be no source yet, and what to do."""
    execution_id = source.execution_id
    better = better_source(home, pipeline_name, needed)
    instead = f"Execution {better} has all that is needed: --source {better}" if better else "Name another by --source."
    if is_driven(home.execution_dir(execution_id)):
        return f"Execution {execution_id} is {source.state.status}: only one that has ended can be a source. {instead}"
    return (
        f"Execution {execution_id} was interrupted: only one that has ended can be a source. "
        f"`localpipe resume {execution_id}` goes on with it. {instead}"
    )


def better_source(home: Home, pipeline_name: str, needed: Collection[str]) -> str | None:
    """The newest execution of the pipeline in which everything that is needed has succeeded."""
    for execution_id in _newest_first(home, pipeline_name):
        state = fold(home.journal.read(execution_id))
        if state.finished and state.having(StepStatus.SUCCEEDED).issuperset(needed):
            return execution_id
    return None


def from_source(source: Source, name: str) -> StepReused:
    """What a step that has succeeded gave."""
    step = source.state.steps[name]
    return StepReused(
        step=name,
        attempt=1,
        source=source.arn,
        by=SELECTION,
        job_name=step.job_name,
        properties=step.properties,
        property_files=step.property_files,
        branches_taken=step.branches_taken,
        outputs=step.outputs,
        log_files=step.log_files,
        given=step.last.reused.given if step.last and step.last.reused else (),
    )


def _newest_first(home: Home, pipeline_name: str) -> Iterator[str]:
    started = reversed(home.journal.executions())
    return (each.execution_id for each in started if each.pipeline_name == pipeline_name)


def _known_execution(home: Home, pipeline_name: str, wanted: str) -> str:
    execution_id = wanted.rpartition("/")[2]
    started = home.journal.started(execution_id)
    if started is None:
        near = get_close_matches(execution_id, home.journal.ids(), n=1)
        raise NotFound("execution", wanted, near, "`localpipe ls` lists all.")
    if started.pipeline_name != pipeline_name:
        raise UsageError(
            f"Execution {execution_id} is one of pipeline {started.pipeline_name!r}: a source must be one of the "
            f"same pipeline, {pipeline_name!r}."
        )
    return execution_id


def _read_source(home: Home, execution_id: str) -> Source:
    state = fold(home.journal.read(execution_id))
    return Source(arn=kept_name(home, state.started).arn, execution_id=execution_id, state=state)

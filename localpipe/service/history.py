"""Earlier executions of a pipeline, as a script may ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.names import ExecutionName
from localpipe.scheduling.state import fold
from localpipe.server.capture import PastExecution

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpipe.scheduling.state import ExecutionState
    from localpipe.service.wiring import Home


def past_executions(home: Home, pipeline_name: str) -> Iterator[PastExecution]:
    """Yield the executions of a pipeline in this home, newest first."""
    for started in reversed(home.journal.executions()):
        if started.pipeline_name == pipeline_name:
            yield past_execution(home, fold(home.journal.read(started.execution_id)))


def past_execution(home: Home, state: ExecutionState) -> PastExecution:
    """What a script may ask of the execution that is in a state; it has the identity that it keeps."""
    started = state.started
    return PastExecution(
        name=ExecutionName(
            pipeline_name=started.pipeline_name,
            execution_id=started.execution_id,
            identity=home.settings.with_kept(started.settings).identity,
        ),
        status=state.status.value,
        started_at=state.started_at,
        parameters=started.parameters,
    )

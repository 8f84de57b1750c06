"""Earlier executions of a pipeline, as a script may ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.names import ExecutionName
from localpipe.core.past import PastExecution
from localpipe.scheduling.state import fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpipe.scheduling.events import ExecutionStarted
    from localpipe.service.wiring import Home


def past_executions(home: Home, pipeline_name: str) -> Iterator[PastExecution]:
    """Yield the executions of a pipeline in this home, newest first."""
    for started in reversed(home.journal.executions()):
        if started.pipeline_name == pipeline_name:
            state = fold(home.journal.read(started.execution_id))
            yield PastExecution(
                name=kept_name(home, started),
                status=state.status.value,
                started_at=state.started_at,
                parameters=started.parameters,
            )


def kept_name(home: Home, started: ExecutionStarted) -> ExecutionName:
    """The name of an execution, with the identity that it keeps."""
    return ExecutionName(
        pipeline_name=started.pipeline_name,
        execution_id=started.execution_id,
        identity=home.settings.with_kept(started.settings).identity,
    )

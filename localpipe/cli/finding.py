"""From what a user types as EXEC to an execution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.cli.common import existing_home
from localpipe.errors import NotFound
from localpipe.service.executions import describe_pipeline_execution

if TYPE_CHECKING:
    from localpipe.service.executions import PipelineExecution


def find_execution(home: str | None, execution: str) -> PipelineExecution:
    """The execution named by an ARN, an id or `last`; looking for it makes no home. Raises NotFound."""
    found = existing_home(home)
    if found is None:
        raise NotFound("execution", execution, remedy="No pipeline has run here yet; another home is named by --home.")
    try:
        return describe_pipeline_execution(found, execution)
    except NotFound as error:
        remedy = f"`localpipe ls` lists those of {found.location}; another home is named by --home."
        raise NotFound(error.kind, error.name, error.near, remedy) from None

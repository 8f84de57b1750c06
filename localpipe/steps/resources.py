"""What steps have in common that create a resource of the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.names import AttemptKey, attempt_token
from localpipe.core.work import CreatedResource, Origin, Success

if TYPE_CHECKING:
    from localpipe.core.work import Outcome, ResolvedStep, WorkResult


def token(step: ResolvedStep) -> str:
    """The token under which an attempt creates its resource: once, however often it is done again."""
    key = AttemptKey(execution_id=step.execution.execution_id, step=step.name, attempt=step.attempt)
    return f"{step.execution.execution_id}-{attempt_token(key)}"


def origin(step: ResolvedStep) -> Origin:
    """Whom the registry names as the maker."""
    return Origin(execution_arn=step.execution.arn, step=step.name)


def created(result: WorkResult) -> Outcome:
    """The resource's description as properties. Raises TypeError for another result: a bug of the engine."""
    if not isinstance(result, CreatedResource):
        raise TypeError(f"a resource was created as {type(result).__name__}")
    return Success(properties=result.description)

"""The jobs that an attempt runs by itself, such as the training jobs of a tuning job, folded from its facts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from typing_extensions import assert_never

from localpipe.scheduling.events import ChildEnded, ChildLaunched, ChildStarted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core import JSON

ChildEvent: TypeAlias = ChildStarted | ChildLaunched | ChildEnded


class ChildStatus(str, Enum):
    """Where a job stands. The last three are the service's words for its end."""

    STARTING = "Starting"
    EXECUTING = "Executing"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"

    __str__ = str.__str__

    @property
    def ended(self) -> bool:
        """Whether it has ended, and will not be done again."""
        return self not in {ChildStatus.STARTING, ChildStatus.EXECUTING}


@dataclass(frozen=True, kw_only=True)
class ChildExecution:
    """One job of an attempt. Times are epoch seconds; `launched_at`: its containers run since. `detail`: see `ChildStarted`.

    `started_at` stays when a job that a crash cut off is done anew.
    """

    child: int
    job_name: str
    started_at: float
    status: ChildStatus = ChildStatus.STARTING
    launched_at: float | None = None
    ended_at: float | None = None
    reason: str = ""
    detail: JSON = None
    properties: JSON = None
    log_files: tuple[str, ...] = ()
    repeat_command: str = ""
    outputs: tuple[str, ...] = ()


def after(children: Mapping[int, ChildExecution], event: ChildEvent, at: float) -> Mapping[int, ChildExecution] | None:
    """The jobs of an attempt after one more fact about one of them; None for a fact that cannot follow.

    A job that has ended takes no further fact, and one that never started takes nothing but its start.
    """
    before = children.get(event.child)
    if before is None:
        changed = _begun(event, at) if isinstance(event, ChildStarted) else None
    else:
        changed = None if before.status.ended else _changed(before, event, at)
    return None if changed is None else {**children, event.child: changed}


def _begun(event: ChildStarted, at: float) -> ChildExecution:
    return ChildExecution(child=event.child, job_name=event.job_name, started_at=at, detail=event.detail)


def _changed(before: ChildExecution, event: ChildEvent, at: float) -> ChildExecution:
    match event:
        case ChildStarted():
            return replace(before, status=ChildStatus.STARTING, job_name=event.job_name, detail=event.detail)
        case ChildLaunched():
            return replace(
                before,
                status=ChildStatus.EXECUTING,
                launched_at=before.launched_at if event.found else at,
                log_files=event.log_files,
                repeat_command=event.repeat_command,
                outputs=event.outputs,
            )
        case ChildEnded():
            status = ChildStatus(event.status)
            return replace(before, status=status, ended_at=at, reason=event.reason, properties=event.properties)
        case _:
            assert_never(event)

"""The jobs that an attempt runs by itself, such as the training jobs of a tuning job, folded from its facts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from typing_extensions import assert_never

from localpipe.scheduling.events import ChildAwaitedRoom, ChildEnded, ChildLaunched, ChildStarted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core import JSON

ChildEvent: TypeAlias = ChildStarted | ChildAwaitedRoom | ChildLaunched | ChildEnded


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

    `started_at` stays when a job that a crash cut off is done anew. `awaits`: the place that it waits for, in a sentence.
    `unread`: see `ChildEnded`. `ended_before`: how many of the attempt's jobs had ended before it did.
    """

    child: int
    job_name: str
    started_at: float
    status: ChildStatus = ChildStatus.STARTING
    launched_at: float | None = None
    ended_at: float | None = None
    ended_before: int = 0
    reason: str = ""
    awaits: str = ""
    detail: JSON = None
    properties: JSON = None
    unread: str = ""
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
        ended_before = sum(job.status.ended for job in children.values())
        changed = None if before.status.ended else _changed(before, event, at, ended_before)
    return None if changed is None else {**children, event.child: changed}


def _begun(event: ChildStarted, at: float) -> ChildExecution:
    return ChildExecution(child=event.child, job_name=event.job_name, started_at=at, detail=event.detail)


def _changed(before: ChildExecution, event: ChildEvent, at: float, ended_before: int) -> ChildExecution:
    match event:
        case ChildStarted():
            return replace(before, status=ChildStatus.STARTING, job_name=event.job_name, awaits="", detail=event.detail)
        case ChildAwaitedRoom(reason=reason):
            return replace(before, awaits=reason)
        case ChildLaunched():
            return replace(
                before,
                status=ChildStatus.EXECUTING,
                launched_at=before.launched_at if event.found else at,
                awaits="",
                log_files=event.log_files,
                repeat_command=event.repeat_command,
                outputs=event.outputs,
            )
        case ChildEnded():
            return replace(
                before,
                status=ChildStatus(event.status),
                ended_at=at,
                ended_before=ended_before,
                reason=event.reason,
                awaits="",
                properties=event.properties,
                unread=event.unread,
            )
        case _:
            assert_never(event)

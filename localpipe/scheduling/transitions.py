"""Which fact may follow in which status of a step, and what status it leads to: a table, and the diagram drawn from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.scheduling.events import (
    AttemptFailed,
    AttemptStarted,
    AttemptStopped,
    CacheChecked,
    ChildAwaitedRoom,
    ChildEnded,
    ChildLaunched,
    ChildStarted,
    JobLaunched,
    MessageSent,
    RetryRequested,
    RetryScheduled,
    RoomAwaited,
    StepReused,
    StepSucceeded,
    StopSignalled,
)
from localpipe.scheduling.history import StepStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.scheduling.events import Event

TRANSITIONS: Mapping[tuple[StepStatus, type[Event]], StepStatus] = {
    (StepStatus.WAITING, AttemptStarted): StepStatus.STARTING,
    (StepStatus.WAITING, StepReused): StepStatus.SUCCEEDED,  # not selected
    (StepStatus.STARTING, AttemptStarted): StepStatus.STARTING,  # localpipe crashed: the same attempt is done anew
    (StepStatus.STARTING, RoomAwaited): StepStatus.STARTING,
    (StepStatus.STARTING, JobLaunched): StepStatus.EXECUTING,
    (StepStatus.STARTING, MessageSent): StepStatus.EXECUTING,
    (StepStatus.STARTING, CacheChecked): StepStatus.STARTING,
    (StepStatus.STARTING, StepReused): StepStatus.SUCCEEDED,  # found in the cache
    (StepStatus.STARTING, StopSignalled): StepStatus.STOPPING,
    (StepStatus.STARTING, StepSucceeded): StepStatus.SUCCEEDED,
    (StepStatus.STARTING, AttemptFailed): StepStatus.FAILED,
    (StepStatus.STARTING, AttemptStopped): StepStatus.STOPPED,
    (StepStatus.EXECUTING, AttemptStarted): StepStatus.STARTING,
    (StepStatus.EXECUTING, JobLaunched): StepStatus.EXECUTING,  # found after a crash, it failed and runs anew
    (StepStatus.EXECUTING, ChildStarted): StepStatus.EXECUTING,
    (StepStatus.EXECUTING, ChildAwaitedRoom): StepStatus.EXECUTING,
    (StepStatus.EXECUTING, ChildLaunched): StepStatus.EXECUTING,
    (StepStatus.EXECUTING, ChildEnded): StepStatus.EXECUTING,
    (StepStatus.EXECUTING, StopSignalled): StepStatus.STOPPING,
    (StepStatus.EXECUTING, StepSucceeded): StepStatus.SUCCEEDED,
    (StepStatus.EXECUTING, AttemptFailed): StepStatus.FAILED,
    (StepStatus.EXECUTING, AttemptStopped): StepStatus.STOPPED,
    (StepStatus.STOPPING, AttemptStarted): StepStatus.STARTING,
    (StepStatus.STOPPING, RoomAwaited): StepStatus.STOPPING,  # what was being done when it was told to stop
    (StepStatus.STOPPING, JobLaunched): StepStatus.STOPPING,
    (StepStatus.STOPPING, MessageSent): StepStatus.STOPPING,
    (StepStatus.STOPPING, CacheChecked): StepStatus.STOPPING,
    (StepStatus.STOPPING, StepReused): StepStatus.SUCCEEDED,
    (StepStatus.STOPPING, ChildStarted): StepStatus.STOPPING,
    (StepStatus.STOPPING, ChildAwaitedRoom): StepStatus.STOPPING,
    (StepStatus.STOPPING, ChildLaunched): StepStatus.STOPPING,
    (StepStatus.STOPPING, ChildEnded): StepStatus.STOPPING,
    (StepStatus.STOPPING, StopSignalled): StepStatus.STOPPING,  # now it is killed
    (StepStatus.STOPPING, StepSucceeded): StepStatus.SUCCEEDED,
    (StepStatus.STOPPING, AttemptFailed): StepStatus.FAILED,
    (StepStatus.STOPPING, AttemptStopped): StepStatus.STOPPED,
    (StepStatus.FAILED, RetryScheduled): StepStatus.BACKING_OFF,
    (StepStatus.FAILED, RetryRequested): StepStatus.WAITING,
    (StepStatus.STOPPED, RetryRequested): StepStatus.WAITING,
    (StepStatus.BACKING_OFF, AttemptStarted): StepStatus.STARTING,
    (StepStatus.BACKING_OFF, AttemptStopped): StepStatus.STOPPED,  # the execution stops before the retry is due
}


def transitions_mermaid() -> str:
    """TRANSITIONS as a Mermaid state diagram, for the documentation."""
    lines = [f"    {before.value} --> {after.value}: {event.__name__}" for (before, event), after in TRANSITIONS.items()]
    return "\n".join(["stateDiagram-v2", "    [*] --> Waiting", *lines, "    Succeeded --> [*]"])

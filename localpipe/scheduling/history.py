"""What has happened to one step, as values: its status, its attempts, the facts that led there."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from localpipe.scheduling.events import AttemptStarted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from localpipe.core import JSON
    from localpipe.scheduling.children import ChildExecution
    from localpipe.scheduling.events import CacheChecked, Event, MessageSent, Recorded, StepReused


class StepStatus(str, Enum):
    """The service's words, and two of ours: Waiting (never listed) and BackingOff (a retry is due later).

    A step of a branch not taken, or behind a failed step, stays Waiting. Follows: service.md section 5.2.
    """

    WAITING = "Waiting"
    STARTING = "Starting"
    EXECUTING = "Executing"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    SUCCEEDED = "Succeeded"
    BACKING_OFF = "BackingOff"

    __str__ = str.__str__


BUSY = (StepStatus.STARTING, StepStatus.EXECUTING, StepStatus.STOPPING)
"""An attempt is under way and has no end in the journal yet."""

_ENDED = frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.STOPPED})


@dataclass(frozen=True, kw_only=True)
class AttemptExecution:
    """One attempt of a step. Times are epoch seconds; `ended_at` None: it is under way. `launched_at`: its job runs since.

    `started_at` stays when a crashed attempt is done anew. `killed`: it was signalled after a kill had been asked for.
    `failed_host`: the host of its job that failed first, empty if none did. `awaits`: the place that its job waits for, in a
    sentence. `children`: its own jobs by number. `message`: what a Callback step has sent. `reused`: it was not made, since
    what the step gave elsewhere stands for it. `checks`: how it was compared with earlier results, by what was compared.
    """

    attempt: int
    job_name: str
    started_at: float
    ended_at: float | None = None
    reason: str = ""
    exception_type: str | None = None
    properties: JSON = None
    ends_execution: bool = False
    failed_host: str = ""
    log_files: tuple[str, ...] = ()
    repeat_command: str = ""
    outputs: tuple[str, ...] = ()
    launched_at: float | None = None
    killed: bool = False
    awaits: str = ""
    children: Mapping[int, ChildExecution] = field(default_factory=dict)
    message: MessageSent | None = None
    reused: StepReused | None = None
    checks: Mapping[str, CacheChecked] = field(default_factory=dict)

    @property
    def own_jobs(self) -> tuple[ChildExecution, ...]:
        """Its own jobs in the order of their numbers."""
        return tuple(self.children[number] for number in sorted(self.children))

    @property
    def all_log_files(self) -> tuple[str, ...]:
        """Those of its job, then those of its own jobs."""
        return (*self.log_files, *(log_file for child in self.own_jobs for log_file in child.log_files))

    @property
    def all_outputs(self) -> tuple[str, ...]:
        """Those of its job, then those of its own jobs."""
        return (*self.outputs, *(uri for child in self.own_jobs for uri in child.outputs))


@dataclass(frozen=True, kw_only=True)
class StepExecution:
    """The history of one step. What a single attempt has (`job_name`, `reason`, ...) is read from the last one.

    `attempts` are all of them, oldest first, those before a RetryPipelineExecution included. `tried_since`: start of the
    first attempt since then, from which ExpireAfterMin counts. `retries`: index of a policy → how often it was used since
    then. `due_at`: when the next attempt may start, while BackingOff. `branches_taken`: opened by its success.
    """

    step: str
    status: StepStatus = StepStatus.WAITING
    attempts: tuple[AttemptExecution, ...] = ()
    tried_since: float | None = None
    retries: Mapping[int, int] = field(default_factory=dict)
    due_at: float | None = None
    property_files: Mapping[str, str] = field(default_factory=dict)
    branches_taken: tuple[str, ...] = ()
    story: tuple[Recorded, ...] = field(default=(), repr=False)

    @property
    def last(self) -> AttemptExecution | None:
        """The last attempt, under way or ended; None before the first."""
        return self.attempts[-1] if self.attempts else None

    @property
    def attempt(self) -> int:
        """AttemptCount: the number of the last attempt, 0 before the first."""
        return self.last.attempt if self.last else 0

    @property
    def job_name(self) -> str:
        """The job of the last attempt; empty before the first."""
        return self.last.job_name if self.last else ""

    @property
    def started_at(self) -> float | None:
        """When the last attempt started; None before the first."""
        return self.last.started_at if self.last else None

    @property
    def ended_at(self) -> float | None:
        """When the step ended; None while it goes on, also between two attempts."""
        return self.last.ended_at if self.last and self.status in _ENDED else None

    @property
    def properties(self) -> JSON:
        """The last attempt's properties in Describe shape; None where it has none."""
        return self.last.properties if self.last else None

    @property
    def reason(self) -> str:
        """The last attempt's FailureReason; empty where it has none."""
        return self.last.reason if self.last else ""

    @property
    def failed_host(self) -> str:
        """The host of the last attempt's job that failed first; empty if none did."""
        return self.last.failed_host if self.last else ""

    @property
    def exception_type(self) -> str | None:
        """What RetryPolicies match on; None is never retried."""
        return self.last.exception_type if self.last else None

    @property
    def log_files(self) -> tuple[str, ...]:
        """Host paths of the logs of the last attempt and of its own jobs."""
        return self.last.all_log_files if self.last else ()

    @property
    def repeat_command(self) -> str:
        """Runs the last attempt's container again by hand; empty where there is none."""
        return self.last.repeat_command if self.last else ""

    @property
    def outputs(self) -> tuple[str, ...]:
        """S3 URIs under which the last attempt's job publishes, or its own jobs do."""
        return self.last.all_outputs if self.last else ()


def told(story: Iterable[Recorded]) -> str:
    """The facts in a line, such as `#12 AttemptStarted(1), #13 JobLaunched`."""
    return ", ".join(f"#{recorded.seq} {labelled(recorded.event)}" for recorded in story) or "nothing before"


def labelled(event: Event) -> str:
    """The event's name; of an AttemptStarted with the number of the attempt."""
    name = type(event).__name__
    return f"{name}({event.attempt})" if isinstance(event, AttemptStarted) else name

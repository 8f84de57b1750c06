"""Every fact of the journal, as frozen dataclasses. Events say what happened, in the past tense; state is their fold.

Each class has a `SCHEMA` number, raised when its members change; `from_json` reads every number up to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import ClassVar, TypeAlias, get_args, get_origin, get_type_hints

from localpipe.core import JSON


@dataclass(frozen=True)
class ExecutionStarted:
    """An execution was asked for. Holds all that a later process needs to go on.

    `notes`: what differs from the service in this run, in sentences.
    `definition` is the JSON document, `parameters` the resolved values, `settings` what the execution keeps for its life
    (runner, region, account, ...). `max_parallel` None: unlimited. `started_at` of the execution is the event's time.
    `images`: URI of each image known by then → what stands for it here, in a sentence; empty for the very image.
    `selection`: the SelectiveExecutionConfig, None where the whole pipeline runs. `functions`: ARN of each Lambda function
    that it calls → a `core.functions.Function`.
    """

    SCHEMA: ClassVar[int] = 3
    pipeline_name: str
    execution_id: str
    definition: JSON
    parameters: Mapping[str, JSON]
    max_parallel: int | None
    settings: Mapping[str, JSON]
    notes: tuple[str, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    selection: JSON = None
    functions: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True)
class AttemptStarted:
    """The engine is about to do a step. Written before anything happens; again when a crashed attempt is done anew."""

    SCHEMA: ClassVar[int] = 1
    step: str
    attempt: int
    job_name: str


@dataclass(frozen=True)
class JobLaunched:
    """The job's containers run. `log_files` are host paths; `repeat_command` runs the container again by hand.

    `outputs` are the S3 URIs (prefixes or objects) under which its outputs will be published. `found`: they ran already,
    left by a killed localpipe.
    """

    SCHEMA: ClassVar[int] = 1
    step: str
    attempt: int
    log_files: tuple[str, ...] = ()
    repeat_command: str = ""
    outputs: tuple[str, ...] = ()
    found: bool = False


@dataclass(frozen=True)
class RoomAwaited:
    """The attempt's job waits for a place on this machine; `reason` is a sentence that says what for."""

    SCHEMA: ClassVar[int] = 1
    step: str
    attempt: int
    reason: str


@dataclass(frozen=True)
class ChildStarted:
    """The attempt is about to run a job of its own: a training job of a tuning job. Again when that is done anew.

    `child` counts from 1 within the attempt. `detail` is what the attempt must know of it to go on after a crash.
    """

    SCHEMA: ClassVar[int] = 1
    step: str
    attempt: int
    child: int
    job_name: str
    detail: JSON = None


@dataclass(frozen=True)
class ChildAwaitedRoom:
    """An attempt's own job waits for a place on this machine; `reason` is a sentence that says what for."""

    SCHEMA: ClassVar[int] = 1
    step: str
    attempt: int
    child: int
    reason: str


@dataclass(frozen=True)
class ChildLaunched:
    """The containers of an attempt's own job run. The members are those of `JobLaunched`."""

    SCHEMA: ClassVar[int] = 1
    step: str
    attempt: int
    child: int
    log_files: tuple[str, ...] = ()
    repeat_command: str = ""
    outputs: tuple[str, ...] = ()
    found: bool = False


@dataclass(frozen=True)
class ChildEnded:
    """An attempt's own job has ended. `status` is the service's: Completed, Failed or Stopped; `properties` Describe's.

    `unread`: what its log told in place of a finite number for its objective; empty if it told nothing else.
    """

    SCHEMA: ClassVar[int] = 1
    step: str
    attempt: int
    child: int
    status: str
    reason: str = ""
    properties: JSON = None
    unread: str = ""


@dataclass(frozen=True)
class MessageSent:
    """A Callback step's message lies in its queue; the step waits for who answers with the token.

    `message` is the body. `log_files`: what the command that serves the queue prints; empty without one.
    Follows: service.md section 11.2.
    """

    SCHEMA: ClassVar[int] = 1
    step: str
    attempt: int
    token: str
    queue_url: str
    message: JSON
    log_files: tuple[str, ...] = ()


@dataclass(frozen=True)
class CacheChecked:
    """An attempt that is about to be made was compared with earlier results of the step in the same pipeline.

    `by`: what was compared, `service` (values) or `content` (what lies behind them); `values`: member → value, `key` their
    digest, `step_key` what all of the step's results have in common. `verdict` is a `caching.verdict.CacheVerdict`.
    `source`: the ARN of the execution that the verdict is about, which ended the step at `source_ended_at`; empty and None
    where the step has no earlier result. `changes`: what differs from it, each with its `Path`, `Old` and `New`. `off`: why
    the verdict did not count, in a sentence; empty if it did.
    Follows: service.md section 6.
    """

    SCHEMA: ClassVar[int] = 1
    step: str
    attempt: int
    by: str
    key: str
    step_key: str
    values: Mapping[str, JSON]
    verdict: str
    source: str = ""
    source_ended_at: float | None = None
    changes: tuple[Mapping[str, JSON], ...] = ()
    off: str = ""


@dataclass(frozen=True)
class StepReused:
    """The step is not done: what it gave in another execution of the pipeline stands for it.

    `source`: the ARN of that execution. `by`: `cache` (the attempt was about to do it), `selection` (of the execution's
    SelectiveExecutionConfig) or `given` (there is no source: the user gave the values that are needed). The other members
    are those that the step had there. `given`: what of it the user gave, here or in a source before, in words. `unwritten`:
    directories of this machine, as URIs, that the step would have written to, and that hold nothing of the result.
    Follows: service.md sections 6 and 8.
    """

    SCHEMA: ClassVar[int] = 1
    step: str
    attempt: int
    source: str
    by: str
    job_name: str
    properties: JSON = None
    property_files: Mapping[str, str] = field(default_factory=dict)
    branches_taken: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    log_files: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    unwritten: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepSucceeded:
    """The step's properties can be referred to from now on.

    `keys`: what the journal finds the result by, so that it can stand for the step in a later execution. `published`: those
    of the job's outputs under which something lay at its end → what that was, as a digest of names and contents (written by
    earlier versions: of names, sizes and times), or empty where contents do not count.
    """

    SCHEMA: ClassVar[int] = 2
    step: str
    attempt: int
    properties: JSON
    property_files: Mapping[str, str] = field(default_factory=dict)
    branches_taken: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    published: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AttemptFailed:
    """An attempt failed; without a RetryScheduled after it, so did the step. `exception_type` None: never retried.

    `failed_host`: the host of its job that failed first, empty if none did.
    """

    SCHEMA: ClassVar[int] = 2
    step: str
    attempt: int
    reason: str
    exception_type: str | None = None
    properties: JSON = None
    ends_execution: bool = False
    failed_host: str = ""


@dataclass(frozen=True)
class AttemptStopped:
    """An attempt ended because it was told to."""

    SCHEMA: ClassVar[int] = 1
    step: str
    attempt: int
    reason: str = ""
    properties: JSON = None


@dataclass(frozen=True)
class StopSignalled:
    """The job of a step has been told to stop and has its grace to do so."""

    SCHEMA: ClassVar[int] = 1
    step: str
    attempt: int


@dataclass(frozen=True)
class RetryScheduled:
    """A policy allows another attempt, due at `at` (epoch seconds). `policy` is its index, whose counter goes up."""

    SCHEMA: ClassVar[int] = 1
    step: str
    attempt: int
    at: float
    policy: int


@dataclass(frozen=True)
class StopRequested:
    """Somebody asked for the execution to stop (StopPipelineExecution, Ctrl-C)."""

    SCHEMA: ClassVar[int] = 1
    kill: bool = False


@dataclass(frozen=True)
class RetryRequested:
    """Somebody asked for RetryPipelineExecution: failed and stopped steps are done again. `max_parallel` None: unchanged."""

    SCHEMA: ClassVar[int] = 1
    max_parallel: int | None = None


@dataclass(frozen=True)
class ParallelismChanged:
    """UpdatePipelineExecution with a new MaxParallelExecutionSteps. None: unlimited."""

    SCHEMA: ClassVar[int] = 1
    max_parallel: int | None


@dataclass(frozen=True)
class ExecutionFinished:
    """Nothing runs and nothing can start. `status` is an execution status of the service; `reason` its FailureReason."""

    SCHEMA: ClassVar[int] = 1
    status: str
    reason: str = ""


StepEvent: TypeAlias = (
    AttemptStarted
    | JobLaunched
    | RoomAwaited
    | ChildStarted
    | ChildAwaitedRoom
    | ChildLaunched
    | ChildEnded
    | MessageSent
    | CacheChecked
    | StepReused
    | StepSucceeded
    | AttemptFailed
    | AttemptStopped
    | StopSignalled
    | RetryScheduled
)
"""A fact about one step."""

Event: TypeAlias = ExecutionStarted | StepEvent | StopRequested | RetryRequested | ParallelismChanged | ExecutionFinished

EVENT_TYPES: Mapping[str, type[Event]] = {cls.__name__: cls for cls in get_args(Event)}

_TUPLES: Mapping[str, frozenset[str]] = {
    name: frozenset(member for member, hint in get_type_hints(cls).items() if get_origin(hint) is tuple)
    for name, cls in EVENT_TYPES.items()
}
"""The members of each event that JSON has as lists and the class as tuples."""


@dataclass(frozen=True)
class Recorded:
    """An event in the journal: `seq` orders all events of one execution from 1, `at` is when it was written."""

    seq: int
    at: float
    event: Event


def numbered(events: Iterable[Event], *, after: int, at: float) -> tuple[Recorded, ...]:
    """The events as they are recorded at once behind the fact `after`."""
    return tuple(Recorded(seq, at, event) for seq, event in enumerate(events, after + 1))


def to_json(event: Event) -> JSON:
    """The event's members as JSON; what they hold is shared, not copied."""
    return {f.name: getattr(event, f.name) for f in fields(event)}


def from_json(type_name: str, body: JSON) -> Event:
    """The event back from its members. Raises KeyError for a type that this version does not know."""
    cls: Callable[..., Event] = EVENT_TYPES[type_name]
    values = {f.name: body[f.name] for f in fields(EVENT_TYPES[type_name]) if f.name in body}
    return cls(**{name: tuple(value) if name in _TUPLES[type_name] else value for name, value in values.items()})

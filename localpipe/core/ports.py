"""The effects, as protocols: what the engine needs from the world. Implementations live in their own packages."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.core.functions import FunctionExit
    from localpipe.core.jobspec import JobExit, StagedJob
    from localpipe.core.names import AttemptKey, S3Uri
    from localpipe.core.work import CallFunction, CreatedResource, CreateResource


class Clock(Protocol):
    """The time, so that nothing else reads it."""

    def now(self) -> float:
        """Epoch seconds."""
        ...


@dataclass(frozen=True, kw_only=True)
class Availability:
    """Whether a runner can be used here; if not, `reason` says why and `remedy` what to install or type.

    Of one that can be used, `reason` may say by what means.
    """

    usable: bool
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class ImageStatus:
    """What a runner would use for an image URI.

    `local`: the local image or environment, None where there is none; then `reason` says why and `remedy` is the command
    that helps. `python`: its Python (`3.11`), empty where the runner does not know. `notes`: what differs from the image
    that was asked for (another framework version, ...). `kind`: what `local` is, in words, where that is no image. `digest`:
    what tells it from other images that have had its name; empty where the name does.
    """

    image_uri: str
    local: str | None
    reason: str = ""
    remedy: str = ""
    python: str = ""
    notes: tuple[str, ...] = ()
    kind: str = ""
    digest: str = ""


class Running(Protocol):
    """A started job. Any thread may call any method; `wait` may be called by several at once."""

    def wait(self, timeout_seconds: float | None = None) -> JobExit | None:
        """Block until every container has ended; None if, and only if, the timeout came first.

        When it returns, the logs are complete and what the containers wrote belongs to the user. Raises JobFailed if the
        job was lost, and whatever else kept the runner from following it to its end.
        """
        ...

    def signal(self, signum: int) -> None:
        """Send a signal to the first process of every container. A job that has ended already is no error."""
        ...

    def address(self, port: int) -> tuple[str, int]:
        """Host and port where the first container's port can be reached from this machine."""
        ...

    def remove(self) -> None:
        """Kill what still runs and leave nothing behind; files that a container wrote belong to the user then."""
        ...


class Prepared(Protocol):
    """A job whose containers exist but whose program does not run yet."""

    def start(self) -> Running:
        """Start it. Raises JobFailed if the container cannot be started.

        A job whose program is not there or cannot be executed has been started and is over: it failed, as on the service.
        """
        ...

    def remove(self) -> None:
        """Take back the preparation of a job that will not be started."""
        ...


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """A program to start with the caller's terminal or standard streams.

    `environment`: variables that it needs besides the caller's own. They hold what no command line may show, since every
    user of the machine can read those.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


class Runner(Protocol):
    """Runs staged jobs. Passes the contract suite (`tests/contract`) or it is not a runner."""

    @property
    def name(self) -> str:
        """The name by which users choose it."""
        ...

    @property
    def overlays(self) -> bool:
        """Whether it takes `Access.OVERLAY` mounts here; ask only a runner that `check` found usable."""
        ...

    @property
    def prepares_ahead(self) -> bool:
        """Whether it is worth while to prepare jobs ahead of their inputs; see `prepare`."""
        ...

    @property
    def several_hosts(self) -> bool:
        """Whether it runs jobs of several hosts. It may take a trial to say: ask where there is such a job."""
        ...

    @property
    def runs_images(self) -> bool:
        """Whether jobs have the files of an image; else it has environments of its own for some."""
        ...

    @property
    def keeps_limits(self) -> bool:
        """Whether it holds containers to the limits of their job."""
        ...

    @property
    def one_user(self) -> bool:
        """Whether a job's processes are one user for good, who owns all that they see, as in sandboxes."""
        ...

    @property
    def shields_machine(self) -> bool:
        """Whether an isolated job that serves cannot reach what listens on all addresses of this machine."""
        ...

    def check(self) -> Availability:
        """Whether it can be used on this machine. Cheap; never raises."""
        ...

    def image(self, image_uri: str) -> ImageStatus:
        """What would be used for an image URI. Builds and downloads nothing."""
        ...

    def ensure_image(self, image_uri: str) -> None:
        """Make what `image` promised, if it takes making (an environment). Raises ImageMissing."""
        ...

    def endpoint_host(self) -> str:
        """The address of this machine on which the local S3 must listen so that jobs reach it; never 0.0.0.0."""
        ...

    def endpoint_url_host(self) -> str:
        """The host that jobs put in the URL of the local S3: `endpoint_host()`, or the name by which jobs know it."""
        ...

    def prepare(self, job: StagedJob, *, ahead: bool = False) -> Prepared:
        """Make everything that can be made before the start. Raises JobFailed, ImageMissing or RunnerUnavailable.

        `ahead`: its directories are there and yet to be filled, in their place, before the start. The runner may begin
        all the same, as long as nothing of the job's own runs: not its program, and nothing that looks into its inputs.
        """
        ...

    def find(self, key: AttemptKey) -> Running | None:
        """The job of this attempt as it runs or ended unseen (localpipe was killed); None if it never started.

        For recovery, and only for who drives the execution: what never started is removed, and a log may be written again.
        """
        ...

    def enter(self, key: AttemptKey, command: Sequence[str], *, terminal: bool, host: int = 0) -> Sequence[str] | None:
        """The command line that runs a program inside one of the attempt's containers; None if that does not run now.

        `host`: which of the job's hosts, from 0. `terminal`: whether the caller's standard input is one. Changes nothing, so
        anybody may ask at any time.
        """
        ...

    def sweep(self, keep: Callable[[AttemptKey], bool]) -> int:
        """Remove what killed processes left of this home's jobs, but for attempts to be kept; how many there were."""
        ...

    def tidy(self) -> None:
        """Remove what is kept for jobs to come, of any home of the user's, and will not be wanted any more."""
        ...

    def job_command(self, job: StagedJob) -> Sequence[str]:
        """The program that the job runs and its arguments, with what its image adds. Raises JobFailed, ImageMissing."""
        ...

    def shell(self, job: StagedJob, command: Sequence[str], *, terminal: bool) -> CommandLine:
        """How to run another program in the job's image, mounts, environment and working directory; see `enter`.

        Of several hosts it is the first, without the others.
        What it writes may belong to root until it is reclaimed.
        """
        ...

    def reclaim(self, directory: Path, image_uri: str) -> None:
        """Give a directory of the home and all below it to the user. Raises JobFailed; ImageMissing where it takes one."""
        ...

    def repeat_command(self, job: StagedJob) -> str:
        """One line a person can paste to run the job's container again; of several hosts the first, without the others."""
        ...

    def close(self) -> None:
        """Let go of what the runner holds open. Jobs go on; one that is used again opens it again."""
        ...


@dataclass(frozen=True, kw_only=True)
class ObjectInfo:
    """An object of the store. `modified_at`: epoch seconds. `file`: the local file with the content, never to be written.

    It is text, since a listing has thousands and a `Path` takes as long to make as all the rest.
    """

    uri: S3Uri
    size: int
    modified_at: float
    file: str
    content_type: str
    metadata: Mapping[str, str]

    @property
    def path(self) -> Path:
        """The local file."""
        return Path(self.file)


class ObjectStore(Protocol):
    """The local S3: any key that S3 accepts comes back unchanged; puts are atomic. Raises StoreError."""

    def buckets(self) -> Sequence[str]:
        """Names of all buckets, sorted; mounted ones included."""
        ...

    def create_bucket(self, bucket: str) -> None:
        """Make a bucket; one that exists is no error."""
        ...

    def delete_bucket(self, bucket: str) -> None:
        """Remove an empty bucket. Raises StoreError `NoSuchBucket`, `BucketNotEmpty`."""
        ...

    def bucket_document(self, bucket: str, name: str) -> str | None:
        """What was put with the bucket under a name, or None. It goes with the bucket."""
        ...

    def put_bucket_document(self, bucket: str, name: str, document: str | None) -> None:
        """Keep a document with a bucket under a name, which can be a file's; None removes it."""
        ...

    def head(self, uri: S3Uri) -> ObjectInfo | None:
        """The object with exactly this key, or None."""
        ...

    def list(self, prefix: S3Uri, *, start_after: str = "") -> Iterator[ObjectInfo]:
        """Objects whose key begins with `prefix.key` (a string prefix), in UTF-8 byte order, keys after `start_after`."""
        ...

    def open(self, uri: S3Uri) -> BinaryIO:
        """Read the object. Raises StoreError `NoSuchKey`, `NoSuchBucket`."""
        ...

    def put(
        self,
        uri: S3Uri,
        source: BinaryIO | bytes | Path,
        *,
        move: bool = False,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
        etag: str = "",
    ) -> ObjectInfo:
        """Write an object atomically, making its bucket if need be. `move`: a Path source may be renamed into place.

        `content_type` "": the one of the key's file name. `etag`: known already (a multipart upload), "": it is not.
        """
        ...

    def put_directory(self, prefix: S3Uri, directory: Path) -> bool:
        """Put every file below `directory` at once, by moving it as a whole: `prefix.key` ends with a slash.

        False if that cannot be: there are objects below the prefix, or a file cannot be moved as it is. Then each file is
        still there, to be put one by one; modes, times and empty directories may have changed.
        """
        ...

    def delete(self, uri: S3Uri) -> None:
        """Remove the object; one that is not there is no error."""
        ...

    def etag(self, info: ObjectInfo) -> str:
        """The md5 (or multipart) ETag of the object, without quotes. Computed when first asked for: ask only at need."""
        ...

    def scratch_dir(self) -> Path:
        """A directory on the store's file system for files that are to be put with `move`; swept after a day."""
        ...


class RunningFunction(Protocol):
    """A Lambda function that is being called. Any thread may call `kill`."""

    def wait(self, most_seconds: float | None = None) -> FunctionExit:
        """Block until it has ended; at its time limit it is ended, or after `most_seconds` if that comes sooner."""
        ...

    def kill(self) -> None:
        """End it, and all that it has started, at once."""
        ...


class FunctionHost(Protocol):
    """Calls the Lambda functions of an execution."""

    def log_file(self, key: AttemptKey) -> Path:
        """Where what a call prints goes."""
        ...

    def start(self, key: AttemptKey, call: CallFunction) -> RunningFunction:
        """Begin a call. Raises JobFailed for a function that is not there, OSError where its process cannot be started."""
        ...


class QueueHost(Protocol):
    """Takes the messages of Callback steps to the commands that serve their queues."""

    def log_files(self, key: AttemptKey, queue_url: str) -> tuple[Path, ...]:
        """Where what the command of a queue prints about an attempt goes; empty where no command serves the queue."""
        ...

    def deliver(self, key: AttemptKey, queue_url: str, message: JSON) -> None:
        """Begin the command, if there is one; that it cannot be begun, or fails, is told in its log.

        A message may be delivered twice, as by a queue of the service: after a crash it is delivered again.
        """
        ...


class Registry(Protocol):
    """Models and model packages, kept in the home; they outlive an execution."""

    def create(self, resource: CreateResource, at: float) -> CreatedResource:
        """Create it, or return what the same token created before. Versions count up within a group."""
        ...

    def models(self) -> Sequence[JSON]:
        """All models in DescribeModel shape, oldest first."""
        ...

    def model_packages(self, group: str | None = None) -> Sequence[JSON]:
        """Packages in DescribeModelPackage shape, oldest first; of one group where it is given."""
        ...

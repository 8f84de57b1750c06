"""A job as a value: wanted (`JobSpec`), ready on disk (`StagedJob`), happened (`JobResult`).

Identity is what affects the result; names and places are `compare=False`. A runner sees a `StagedJob` and neither S3 nor
the journal. Lists of hosts are there from the start; a job of one host has one, `algo-1`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core.names import AttemptKey, S3Uri


class JobKind(str, Enum):
    """What sort of SageMaker job a container serves."""

    PROCESSING = "processing"
    TRAINING = "training"
    TRANSFORM = "transform"


class InputMode(str, Enum):
    """How a channel's objects come to the container. Follows: containers.md 1.6, 2.4."""

    FILE = "File"
    FAST_FILE = "FastFile"
    PIPE = "Pipe"


class DataType(str, Enum):
    """What a channel's URI names: all objects under a prefix, or a list of objects or records.

    Follows: containers.md 2.4.
    """

    S3_PREFIX = "S3Prefix"
    MANIFEST_FILE = "ManifestFile"
    AUGMENTED_MANIFEST_FILE = "AugmentedManifestFile"


class JobEnd(str, Enum):
    """How a job ended.

    REFUSED means that it never started (missing input or image, engine trouble), LOST that it ran and the engine could not
    say how it ended, CUT_OFF that it was ended since an input could not be streamed on, UNPUBLISHED that what it wrote could
    not be brought to S3, UNPROVISIONED that it was created and never got an instance; `JobResult.detail` says why.
    TIMED_OUT means that it ran too long, WAITED_OUT that waiting and running together took a spot job too long.
    INTERRUPTED is the end of one run of a spot job, which is started again: no job ends so.
    """

    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"
    TIMED_OUT = "TimedOut"
    WAITED_OUT = "WaitedOut"
    REFUSED = "Refused"
    LOST = "Lost"
    CUT_OFF = "CutOff"
    UNPUBLISHED = "Unpublished"
    UNPROVISIONED = "Unprovisioned"
    INTERRUPTED = "Interrupted"


class OutputForm(str, Enum):
    """TREE uploads each file below the directory under the prefix; TAR_GZ uploads one archive of its contents."""

    TREE = "tree"
    TAR_GZ = "tar.gz"


@dataclass(frozen=True, kw_only=True)
class Channel:
    """Objects of S3 that appear in a container directory. `path` is the JSON path of the request member.

    Key to file: containers.md 1.6. A URI that names one object gives `container_dir/<basename>`.
    `unpacks` (FAST_FILE only): the URI names a tar.gz, whose members are what appears (a model). Follows: containers.md 3.1.
    `sharded`: each host gets its share of the objects. `hosts`: names of those that get the channel, None for all.
    PIPE: the objects come through FIFOs `<container_dir>_<epoch>`; only there count `gunzip` (objects are decompressed),
    `record_io` (each object becomes a record), `shuffle_seed` (the order differs in each epoch; None: it does not) and
    `attribute_names` (of an augmented manifest, those whose values are streamed). Follows: containers.md 2.4, 2.5.
    """

    name: str
    uri: S3Uri
    container_dir: PurePosixPath
    mode: InputMode = InputMode.FILE
    data_type: DataType = DataType.S3_PREFIX
    unpacks: bool = False
    attribute_names: tuple[str, ...] = ()
    sharded: bool = False
    hosts: frozenset[str] | None = None
    gunzip: bool = False
    record_io: bool = False
    shuffle_seed: int | None = None
    path: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True)
class OutputSpec:
    """A container directory, made empty and writable before the start, whose contents go to S3 at the end of the job.

    `uri` is a prefix for TREE, the archive's object for TAR_GZ. `path` is the JSON path of the request member.
    `published_on` are the ends after which it is published. `even_if_empty`: an archive is written although the directory is
    empty (a tree never writes anything then). `continuous`: a tree's files are uploaded while the job runs too, as they
    appear and change, and stay whatever its end. `mirrored`: moreover the directory begins with what lies under `uri`, and
    what the job deletes is deleted there (checkpoints). Of several hosts all publish to one place, in the order of their
    names. Follows: containers.md 1.7, 2.12.
    """

    name: str
    container_dir: PurePosixPath
    uri: S3Uri
    form: OutputForm = OutputForm.TREE
    published_on: frozenset[JobEnd] = frozenset({JobEnd.COMPLETED})
    even_if_empty: bool = False
    continuous: bool = False
    mirrored: bool = False
    path: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True)
class PropertyFileSpec:
    """A JSON file inside an output that later steps read by Std:JsonGet. `file_path` is relative to the output."""

    name: str
    output_name: str
    file_path: str


@dataclass(frozen=True, kw_only=True)
class MetricDefinition:
    """A metric read from log lines: the regex's group 1 as a float. Follows: containers.md 2.13."""

    name: str
    regex: str


@dataclass(frozen=True, kw_only=True)
class TextFile:
    """A file that the service writes into the container before the start."""

    container_path: PurePosixPath
    text: str


@dataclass(frozen=True, kw_only=True)
class HostSpec:
    """One container of a job: its host name (`algo-1`, ...) and the configuration files that only it sees.

    `instance_type`: what it runs on ("": not known). `environment`: what it has besides the job's variables, which win.
    """

    name: str
    files: tuple[TextFile, ...]
    instance_type: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """What a Create*Job request asks for, in localpipe's words.

    `entrypoint` None means the image's ENTRYPOINT, `arguments` None the image's CMD; a given entrypoint with `arguments`
    None runs without arguments (the image's CMD is ignored). Follows: containers.md 1.2, 2.2.
    `directories` are made empty and writable before the start, besides those of channels and outputs.
    `mount_roots` are the container directories that hide what the image ships there; channels and outputs outside of them
    are mounted one by one.
    `failure_file`, `message_file`: read after the end into `JobResult.failure`, `.exit_message`.
    `restarts`: how often the job is started again, under the same name, when the engine loses it (RetryStrategy). `spot`: it
    uses managed spot training, so it is started again whenever it is interrupted. `max_runtime_seconds` is for all its runs
    in total, `max_wait_seconds` for these and all waiting, from its creation; None: it may wait as long as it takes.
    `port`: where it serves, to be reached from this machine even if it is isolated; None: it serves nobody.
    """

    kind: JobKind
    image_uri: str
    entrypoint: tuple[str, ...] | None
    arguments: tuple[str, ...] | None
    hosts: tuple[HostSpec, ...]
    channels: tuple[Channel, ...]
    outputs: tuple[OutputSpec, ...]
    directories: tuple[PurePosixPath, ...]
    mount_roots: tuple[PurePosixPath, ...]
    environment: Mapping[str, str]
    max_runtime_seconds: int
    network_isolated: bool
    property_files: tuple[PropertyFileSpec, ...] = ()
    metrics: tuple[MetricDefinition, ...] = ()
    failure_file: PurePosixPath | None = None
    message_file: PurePosixPath | None = None
    restarts: int = 0
    spot: bool = False
    max_wait_seconds: int | None = None
    port: int | None = None
    job_name: str = field(compare=False)
    job_arn: str = field(compare=False)


class Access(str, Enum):
    """What a container may do with a mount.

    OVERLAY: it may write, and the host directory must not change; only given to runners that say `overlays`.
    """

    READ_ONLY = "read-only"
    WRITABLE = "writable"
    OVERLAY = "overlay"


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A host directory that appears at a container directory. Mounts are ordered parents first."""

    host_dir: Path
    container_dir: PurePosixPath
    access: Access


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one container of a job may use; None: as much as the machine has. Follows: containers.md 2.14.

    `gpus`: how many its instance has. A container sees all of the machine's or, with 0, none.
    """

    memory_bytes: int | None = None
    cpus: float | None = None
    shared_memory_bytes: int | None = None
    gpus: int = 0


@dataclass(frozen=True, kw_only=True)
class StagedHost:
    """One container, ready to be made. `log_file` receives standard output and error while it runs.

    `environment`: see `StagedJob.environment_of`.
    """

    name: str
    mounts: tuple[Mount, ...]
    log_file: Path
    limits: Limits = Limits()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StagedJob:
    """All a runner needs. `attempt_dir` is the attempt's own directory on the host; a runner may keep files there.

    `environment` is what all hosts have: the request's, the service's and, unless isolated, the endpoint's.
    `port`: see `JobSpec.port`; its host has a network of its own, so that the port is its own too.
    """

    key: AttemptKey
    job_name: str
    image_uri: str
    entrypoint: tuple[str, ...] | None
    arguments: tuple[str, ...] | None
    environment: Mapping[str, str]
    hosts: tuple[StagedHost, ...]
    network_isolated: bool
    attempt_dir: Path
    port: int | None = None

    def environment_of(self, host: StagedHost) -> Mapping[str, str]:
        """The whole environment of one of its hosts."""
        return {**host.environment, **self.environment}


@dataclass(frozen=True, kw_only=True)
class JobExit:
    """How the containers of a job ended. `exit_code` is the first non-zero one, 128+n for signal n, else 0.

    `out_of_memory`: the kernel killed it for memory. `message` is the runner's own explanation, where it has one (an
    executable that is not there, ...), else empty. `host`: which of the job's hosts, from 0, has that exit code.
    """

    exit_code: int
    out_of_memory: bool = False
    message: str = ""
    host: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class Restart:
    """A job was started again under its name, at `at`, when its run before had ended at `ended_at` (epoch seconds).

    `interrupted`: that run was interrupted, as spot instances are; else the engine had lost it.
    """

    ended_at: float
    at: float
    interrupted: bool


@dataclass(frozen=True, kw_only=True)
class MetricDatum:
    """The last value of a metric, a finite number. `at`: epoch seconds."""

    name: str
    value: float
    at: float


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """What happened to a job. Times are epoch seconds; `started_at` None: it never started.

    `failure`: text of the failure file, None if there is none. `exit_message`: first kilobyte of the message file, None if
    there is none or, `message_undecodable`, if it is not UTF-8. `unread_metrics`: name → text of each metric whose log
    told no finite number at the end. `property_files`: name → text of each declared file that
    exists. `detail`: why a job was REFUSED, or what is known of why it failed. `exception_type`: the RetryPolicies
    name that a REFUSED job counts as, or None. `restarts`: when it was started again, oldest first.
    `failed_host`: name of the host that failed first, empty unless one did.
    """

    end: JobEnd
    exit_code: int | None = None
    out_of_memory: bool = False
    created_at: float
    started_at: float | None = None
    ended_at: float
    failure: str | None = None
    exit_message: str | None = None
    message_undecodable: bool = False
    metrics: tuple[MetricDatum, ...] = ()
    unread_metrics: Mapping[str, str] = field(default_factory=dict)
    property_files: Mapping[str, str] = field(default_factory=dict)
    detail: str = ""
    exception_type: str | None = None
    restarts: tuple[Restart, ...] = ()
    failed_host: str = ""

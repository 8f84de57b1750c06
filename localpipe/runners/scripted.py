"""Jobs that are Python functions: for tests of everything above a runner, under the runners' own contract."""

from __future__ import annotations

import queue
import shlex
import signal
import threading
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from localpipe.core.jobspec import JobExit
from localpipe.core.ports import Availability, ImageStatus
from localpipe.errors import ImageMissing, NotSupported

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path, PurePosixPath

    from localpipe.core.jobspec import StagedJob
    from localpipe.core.names import AttemptKey
    from localpipe.core.ports import CommandLine
    from localpipe.errors import LocalpipeError

_KILLED = JobExit(exit_code=128 + signal.SIGKILL)


class ScriptedContainer:
    """What a behaviour sees of its job. Mutable: owned by the thread that runs the behaviour, signalled by any."""

    def __init__(self, job: StagedJob) -> None:
        self.job = job
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._writing = threading.Lock()
        self._log = job.hosts[0].log_file.open("wb", buffering=0)

    def path(self, container_path: PurePosixPath) -> Path:
        """The host file behind a container path. Raises FileNotFoundError if no mount holds it."""
        for mount in reversed(self.job.hosts[0].mounts):
            if container_path.is_relative_to(mount.container_dir):
                return mount.host_dir / container_path.relative_to(mount.container_dir)
        raise FileNotFoundError(f"no mount of {self.job.job_name} holds {container_path}")

    def write(self, container_path: PurePosixPath, text: str) -> None:
        """Write a file, making its directory."""
        path = self.path(container_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def log(self, text: str) -> None:
        """Print a line; after the job was killed nothing is printed any more."""
        with self._writing:
            if not self._log.closed:
                self._log.write(f"{text}\n".encode())

    def next_signal(self, timeout_seconds: float | None = None) -> int | None:
        """Block until a signal comes; None if the timeout came first."""
        try:
            return self._signals.get(timeout=timeout_seconds)
        except queue.Empty:
            return None

    def receive(self, signum: int) -> None:
        """Deliver a signal."""
        self._signals.put(signum)

    def close_log(self) -> None:
        """End the log."""
        with self._writing:
            self._log.close()


Behaviour: TypeAlias = "Callable[[ScriptedContainer], JobExit | int]"
"""What a job does; returns how it ended. SIGKILL ends a job whatever its behaviour does."""


def succeed(container: ScriptedContainer) -> int:  # noqa: ARG001 - a behaviour is given its container
    """The behaviour of steps that have none: exit 0 at once."""
    return 0


class ScriptedRunner:
    """Runs a behaviour for each job, chosen by the name of its step. Any thread may call it.

    `behaviours` by step name, `default` for the others. `refusals` by step name: raised instead of starting.
    `missing_images`: URIs that it says it does not have. `address_of` tells where a job's port is reached.
    `started` lists the attempts in the order they started.
    Mutable: keeps the jobs that are not removed yet.
    """

    name: ClassVar[str] = "scripted"
    overlays: ClassVar[bool] = False
    several_hosts: ClassVar[bool] = True
    runs_images: ClassVar[bool] = True
    keeps_limits: ClassVar[bool] = False
    one_user: ClassVar[bool] = False
    shields_machine: ClassVar[bool] = True

    def __init__(
        self,
        behaviours: Mapping[str, Behaviour] | None = None,
        *,
        default: Behaviour = succeed,
        refusals: Mapping[str, LocalpipeError] | None = None,
        missing_images: Collection[str] = (),
        prepares_ahead: bool = False,
        address_of: Callable[[AttemptKey, int], tuple[str, int]] = lambda _, port: ("127.0.0.1", port),
    ) -> None:
        self.address_of = address_of
        self.prepares_ahead = prepares_ahead
        self._behaviours, self._default = dict(behaviours or {}), default
        self._refusals, self._missing_images = dict(refusals or {}), frozenset(missing_images)
        self._lock = threading.Lock()
        self._running: dict[AttemptKey, _ScriptedRunning] = {}
        self.started: list[AttemptKey] = []

    def check(self) -> Availability:
        """Always usable."""
        return Availability(usable=True)

    def image(self, image_uri: str) -> ImageStatus:
        """The URI itself, unless it is one of the missing."""
        if image_uri in self._missing_images:
            return ImageStatus(
                image_uri=image_uri, local=None, reason="it is scripted to be missing.", remedy="Use another."
            )
        return ImageStatus(image_uri=image_uri, local=image_uri)

    def ensure_image(self, image_uri: str) -> None:
        """Raise ImageMissing for a missing one."""
        status = self.image(image_uri)
        if status.local is None:
            raise ImageMissing(image_uri, status.reason, status.remedy)

    def endpoint_host(self) -> str:
        """Behaviours run in this process."""
        return "127.0.0.1"

    def endpoint_url_host(self) -> str:
        """The same."""
        return self.endpoint_host()

    def prepare(self, job: StagedJob, *, ahead: bool = False) -> _ScriptedPrepared:  # noqa: ARG002 - the port's signature
        """Nothing is made before the start."""
        self.ensure_image(job.image_uri)
        return _ScriptedPrepared(self, job)

    def find(self, key: AttemptKey) -> _ScriptedRunning | None:
        """A job of this very object that was started and not removed."""
        with self._lock:
            return self._running.get(key)

    def sweep(self, keep: Callable[[AttemptKey], bool]) -> int:
        """Remove the jobs that are not to be kept."""
        with self._lock:
            dead = [running for key, running in self._running.items() if not keep(key)]
        for running in dead:
            running.remove()
        return len(dead)

    def tidy(self) -> None:
        """Nothing is kept."""

    def enter(
        self,
        key: AttemptKey,
        command: Sequence[str],
        *,
        terminal: bool,  # noqa: ARG002 - the port's signature
        host: int = 0,  # noqa: ARG002 - the port's signature
    ) -> Sequence[str] | None:
        """The program itself, beside the behaviour that runs in this process."""
        running = self.find(key)
        return None if running is None or running.ended else command

    def job_command(self, job: StagedJob) -> Sequence[str]:
        """The job's command; nothing is added to it."""
        return [*(job.entrypoint or ()), *(job.arguments or ())]

    def shell(self, job: StagedJob, command: Sequence[str], *, terminal: bool) -> CommandLine:  # noqa: ARG002
        """There is none."""
        raise NotSupported(f"A shell in {job.job_name}", "Its runner is for tests; use another.")

    def repeat_command(self, job: StagedJob) -> str:
        """The job's command as it would be typed, without what surrounds it."""
        return shlex.join(self.job_command(job))

    def reclaim(self, directory: Path, image_uri: str) -> None:
        """Everything belongs to the user."""

    def close(self) -> None:
        """Nothing is held open."""

    def start(self, job: StagedJob) -> _ScriptedRunning:
        """Start a prepared job."""
        step = job.key.step
        if step in self._refusals:
            raise self._refusals[step]
        running = _ScriptedRunning(self, job, self._behaviours.get(step, self._default))
        with self._lock:
            self._running[job.key] = running
            self.started.append(job.key)
        running.begin()
        return running

    def forget(self, running: _ScriptedRunning) -> None:
        """Leave nothing behind of a removed job."""
        with self._lock:
            if self._running.get(running.key) is running:
                del self._running[running.key]


class _ScriptedPrepared:
    def __init__(self, runner: ScriptedRunner, job: StagedJob) -> None:
        self._runner, self._job = runner, job

    def start(self) -> _ScriptedRunning:
        return self._runner.start(self._job)

    def remove(self) -> None:
        """Nothing was made."""


class _ScriptedRunning:
    """A behaviour in a thread of its own. The first of its return and SIGKILL is how the job ended."""

    def __init__(self, runner: ScriptedRunner, job: StagedJob, behaviour: Behaviour) -> None:
        self.key = job.key
        self._runner, self._behaviour = runner, behaviour
        self._container = ScriptedContainer(job)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._exit: JobExit | None = None
        self._error: Exception | None = None

    def begin(self) -> None:
        threading.Thread(target=self._run, daemon=True, name=f"scripted {self.key.step}").start()

    def wait(self, timeout_seconds: float | None = None) -> JobExit | None:
        """Raises what the behaviour raised."""
        if not self._ended.wait(timeout_seconds):
            return None
        if self._error:
            raise self._error
        return self._exit

    def signal(self, signum: int) -> None:
        if signum == signal.SIGKILL:
            self._end(_KILLED)
        self._container.receive(signum)

    def address(self, port: int) -> tuple[str, int]:
        return self._runner.address_of(self.key, port)

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def remove(self) -> None:
        self.signal(signal.SIGKILL)
        self._runner.forget(self)

    def _run(self) -> None:
        try:
            ended = self._behaviour(self._container)
        except Exception as error:  # noqa: BLE001 - a test's own mistake; raised where the test waits
            self._end(None, error)
        else:
            self._end(ended if isinstance(ended, JobExit) else JobExit(exit_code=ended))

    def _end(self, ended: JobExit | None, error: Exception | None = None) -> None:
        with self._lock:
            if not self._ended.is_set():
                self._exit, self._error = ended, error
                self._container.close_log()
                self._ended.set()

"""The process runner: each job as a sandboxed process over this machine's own programs, with a virtual environment as image.

A job finds what it finds in a container: `/opt/ml`, a writable `/`, `/tmp` and home of its own, itself as root and first
process; no capability, no process, file or credential of the machine's user. It outlives localpipe and is found again.
Which file system stands below is a value (`RootFileSystem`). bubblewrap makes the sandboxes or, where it is not installed,
util-linux alone (`Launcher`). Linux only.
"""

from __future__ import annotations

import signal
import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from localpipe.core.jobspec import JobExit
from localpipe.core.ports import Availability, CommandLine, ImageStatus
from localpipe.errors import ImageMissing, JobFailed, RunnerUnavailable
from localpipe.runners import _sandbox_process as processes
from localpipe.runners._hosts import only_host
from localpipe.runners._never_ran import REFUSED_BY_KERNEL, never_ran
from localpipe.runners._sandbox_check import find_ability
from localpipe.runners._sandbox_directory import make_directory, remove_directory
from localpipe.runners._sandbox_interpreter import interpreter_of
from localpipe.runners._sandbox_plan import (
    SandboxPlan,
    enter_line,
    merged,
    plan_sandbox,
    program_of,
)
from localpipe.runners._sandbox_program import not_executed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from localpipe.core.jobspec import StagedJob
    from localpipe.core.names import AttemptKey
    from localpipe.core.ports import Running
    from localpipe.runners._sandbox_check import Ability
    from localpipe.runners._sandbox_launcher import Launcher
    from localpipe.runners._sandbox_plan import RootFileSystem
    from localpipe.runners._sandbox_process import FirstProcess, ProcessId

_LOOPBACK = "127.0.0.1"
_SANDBOX, _REPEAT, _SHELL = "sandbox", "repeat", "shell-"
_OOM_FILE, _LOG_LINK = "oom-kills", "log"
_KILLED = 128 + signal.SIGKILL
_NOT_RUN = 126
_PERHAPS_NOT_EXECUTED = (None, 126, 127)
_NOT_EXECUTED = ("bwrap: execvp ", "setpriv: failed to execute ")
"""How a launcher's last words begin when the kernel refuses the program, and the exit codes that it may have then."""


class EnvironmentStatus(Protocol):
    """The virtual environment that serves an image URI."""

    @property
    def path(self) -> Path | None:
        """Its directory, made or not; None: there can be none, and `reason` and `remedy` say why and what helps."""
        ...

    @property
    def ready(self) -> bool:
        """Whether it is made."""
        ...

    @property
    def reason(self) -> str:
        """Why there can be none; else empty."""
        ...

    @property
    def remedy(self) -> str:
        """The command that helps; else empty."""
        ...

    @property
    def python(self) -> str:
        """Its Python (`3.11`), empty where that is not known."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What differs from the image that was asked for."""
        ...


class Environments(Protocol):
    """Where virtual environments come from."""

    def environment(self, image_uri: str) -> EnvironmentStatus:
        """What would serve the image; makes nothing."""
        ...

    def ensure(self, image_uri: str, say: Callable[[str], None]) -> Path:
        """The environment's directory, made first if need be. Raises ImageMissing, RunnerUnavailable."""
        ...


class ProcessRunner:
    """Runs jobs of one host as sandboxed processes.

    `work_dir`: a directory on the file system of the attempts, where sandboxes are tried. `attempt_dir_of`: the attempt
    directory of a key, whether or not it exists. `image_environment`: what images set; a job's own variables come first.
    `say` hears what goes on while an environment is made. `search_path`: the PATH on which bubblewrap or, in its place,
    `unshare` is looked for; None: the caller's own.
    """

    name: ClassVar[str] = "process"

    def __init__(
        self,
        *,
        root: RootFileSystem,
        environments: Environments,
        attempt_dir_of: Callable[[AttemptKey], Path],
        work_dir: Path,
        image_environment: Mapping[str, str],
        say: Callable[[str], None],
        search_path: str | None = None,
    ) -> None:
        self._root = root
        self._environments = environments
        self._attempt_dir_of = attempt_dir_of
        self._work_dir = work_dir
        self._image_environment = image_environment
        self._say = say
        self._search_path = search_path
        self._ability: Ability | None = None
        self._trial = threading.Lock()

    @property
    def overlays(self) -> bool:
        """Whether this kernel lets the user mount overlays on the attempts' file system."""
        return self._tried().overlays

    def check(self) -> Availability:
        """Whether a sandbox starts here: tried once, then remembered."""
        return self._tried().availability

    def image(self, image_uri: str) -> ImageStatus:
        """The virtual environment that serves the image, made or not."""
        found = self._environments.environment(image_uri)
        return ImageStatus(
            image_uri=image_uri,
            local=str(found.path) if found.path else None,
            reason=found.reason,
            remedy=found.remedy,
            python=found.python,
            notes=found.notes,
        )

    def ensure_image(self, image_uri: str) -> None:
        """Make the virtual environment if it is not there. Raises ImageMissing, RunnerUnavailable."""
        self._venv(image_uri)

    def endpoint_host(self) -> str:
        """Loopback: jobs share the machine's network unless they are isolated."""
        return _LOOPBACK

    def endpoint_url_host(self) -> str:
        """The same: jobs know it by its address."""
        return _LOOPBACK

    def prepare(self, job: StagedJob) -> PreparedSandbox:
        """Make the sandbox's directory. Raises JobFailed, ImageMissing or RunnerUnavailable."""
        host = only_host(job)
        directory = job.attempt_dir / _SANDBOX
        plan = self._plan(job, program_of(job), directory)
        remove_directory(directory)
        make_directory(plan)
        return PreparedSandbox(plan=plan, launcher=self._launcher(), log_file=host.log_file)

    def find(self, key: AttemptKey) -> SandboxedJob | None:
        """The job as it runs or ended unseen; None if it never started or died with the machine."""
        directory = self._attempt_dir_of(key) / _SANDBOX
        monitor = processes.monitor_of(directory)
        if monitor is None:
            return None
        first, exit_code = processes.status_of(directory)
        if first is None:
            processes.kill_group(monitor)
            return None
        if exit_code is None and not processes.alive(monitor):
            processes.kill_first(first)
            return None
        return SandboxedJob(directory, monitor, first)

    def enter(self, key: AttemptKey, command: Sequence[str], *, terminal: bool) -> Sequence[str] | None:  # noqa: ARG002
        """`nsenter` into the namespaces of the job, with or without a terminal."""
        directory = self._attempt_dir_of(key) / _SANDBOX
        monitor = processes.monitor_of(directory)
        first, exit_code = processes.status_of(directory)
        if monitor is None or first is None or exit_code is not None or not processes.alive(monitor):
            return None
        return enter_line(first.pid, command, own_network=first.own_network)

    def sweep(self, keep: Callable[[AttemptKey], bool]) -> int:  # noqa: ARG002 - the port's signature
        """A sandbox goes with its job: nothing is left."""
        return 0

    def job_command(self, job: StagedJob) -> Sequence[str]:
        """The job's command; raises JobFailed if it needs an image's ENTRYPOINT."""
        return program_of(job)

    def shell(self, job: StagedJob, command: Sequence[str], *, terminal: bool) -> CommandLine:  # noqa: ARG002
        """A sandbox like the job's, with or without a terminal. It works while this process or its heir lives."""
        directory = Path(tempfile.mkdtemp(prefix=_SHELL, dir=job.attempt_dir))
        plan = self._plan(job, tuple(command), directory)
        plan = replace(plan, environment={"TERM": "xterm", **plan.environment})
        make_directory(plan)
        launcher = self._launcher()
        instructions = processes.open_instructions(launcher.shell_instructions(plan))
        return CommandLine(argv=launcher.shell_line(plan, instructions))

    def reclaim(self, directory: Path, image_uri: str) -> None:
        """Everything belongs to the user."""

    def repeat_command(self, job: StagedJob) -> str:
        """One line a person can paste to run the job again, on the terminal; it holds no credentials."""
        plan = self._plan(job, program_of(job), job.attempt_dir / _REPEAT)
        if not plan.directory.exists():
            make_directory(plan)
        return self._launcher().pasteable_line(plan)

    def close(self) -> None:
        """Nothing is held open."""

    def _plan(self, job: StagedJob, command: tuple[str, ...], directory: Path) -> SandboxPlan:
        return plan_sandbox(
            job,
            command,
            directory=directory,
            root=self._root,
            interpreter=interpreter_of(self._venv(job.image_uri)),
            image_environment=self._image_environment,
            overlays=self._tried().overlays,
        )

    def _venv(self, image_uri: str) -> Path:
        found = self._environments.environment(image_uri)
        if found.path is None:
            raise ImageMissing(image_uri, found.reason, found.remedy)
        return found.path if found.ready else self._environments.ensure(image_uri, self._say)

    def _launcher(self) -> Launcher:
        ability = self._tried()
        if ability.launcher is None:
            raise RunnerUnavailable(ability.availability.reason, ability.availability.remedy)
        return ability.launcher

    def _tried(self) -> Ability:
        with self._trial:
            if self._ability is None:
                self._ability = find_ability(self._root, self._work_dir, self._search_path)
            return self._ability


@dataclass(frozen=True, kw_only=True)
class PreparedSandbox:
    """A sandbox whose directory is made and whose job does not run yet."""

    plan: SandboxPlan
    launcher: Launcher
    log_file: Path

    def start(self) -> Running:
        """Start it. Raises JobFailed, naming what is missing, if no sandbox can be made."""
        self._refuse_what_is_missing()
        directory = self.plan.directory
        if why := not_executed(self.plan):
            return never_ran(why, self.log_file, self.remove)
        (directory / _LOG_LINK).symlink_to(self.log_file)
        (directory / _OOM_FILE).write_text(str(_oom_kills()))
        first = processes.spawn(self.plan, self.launcher, self.log_file)
        monitor = processes.monitor_of(directory)
        if first is None or monitor is None:
            if monitor is not None:
                processes.kill_group(monitor)
                processes.wait_for(monitor, None)
            raise JobFailed(f"The sandbox could not be made: {_last_line(self.log_file)}")
        return SandboxedJob(directory, monitor, first)

    def remove(self) -> None:
        """Remove the sandbox's directory."""
        remove_directory(self.plan.directory)

    def _refuse_what_is_missing(self) -> None:
        lowers = {merged(self.plan.directory, layer): layer.lower for layer in self.plan.layers}
        for bind in self.plan.binds:
            source = lowers.get(bind.source, bind.source)
            if not source.exists():
                raise JobFailed(f"{source}, to be mounted at {bind.target}, does not exist.")


class SandboxedJob:
    """A started job. Mutable: it remembers how the job ended, so that it can be asked after `remove`."""

    def __init__(self, directory: Path, monitor: ProcessId, first: FirstProcess) -> None:
        self._directory, self._monitor, self._first = directory, monitor, first
        self._exit: JobExit | None = None
        self._settling = threading.Lock()

    def wait(self, timeout_seconds: float | None = None) -> JobExit | None:
        """How the job ended; None if the timeout came first."""
        if self._exit is None and not processes.wait_for(self._monitor, timeout_seconds):
            return None
        return self._settled()

    def signal(self, signum: int) -> None:
        """Send a signal to the job's first process; without a handler for it nothing happens, as in a container."""
        processes.signal_first(self._first, signum)

    def address(self, port: int) -> tuple[str, int]:
        """The port on loopback; out of reach if the job is isolated."""
        return _LOOPBACK, port

    def remove(self) -> None:
        """Kill every process of the sandbox and remove its directory; mounts end with the processes."""
        if self._exit is None:
            processes.kill_first(self._first)
            processes.wait_for(self._monitor, None)
            self._settled()
        remove_directory(self._directory)

    def _settled(self) -> JobExit:
        with self._settling:
            if self._exit is None:
                self._exit = self._read_exit()
            return self._exit

    def _read_exit(self) -> JobExit:
        _, exit_code = processes.status_of(self._directory)
        line = _last_line(self._directory / _LOG_LINK) if exit_code in _PERHAPS_NOT_EXECUTED else ""
        if line.startswith(_NOT_EXECUTED):
            return JobExit(exit_code=REFUSED_BY_KERNEL)
        if exit_code is not None:
            more_kills = _oom_kills() > int((self._directory / _OOM_FILE).read_text())
            return JobExit(exit_code=exit_code, out_of_memory=exit_code == _KILLED and more_kills)
        processes.kill_first(self._first)
        if line.startswith("bwrap: "):
            return JobExit(exit_code=_NOT_RUN, message=f"The sandbox could not be made: {line}")
        return JobExit(exit_code=_KILLED, message="The sandbox was killed from outside.")


def _oom_kills() -> int:
    """How often the kernel has killed a process for memory since it started; 0 if it does not tell."""
    counts = (line.split() for line in Path("/proc/vmstat").read_text().splitlines())
    return next((int(value) for name, value in counts if name == "oom_kill"), 0)


def _last_line(log_file: Path) -> str:
    """The last line of a log, where it is an ordinary file."""
    if not log_file.is_file():
        return ""
    lines = log_file.read_bytes()[-4096:].decode(errors="replace").splitlines()
    return lines[-1] if lines else ""

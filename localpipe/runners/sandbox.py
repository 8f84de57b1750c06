"""Each job as a sandboxed process: over this machine's own programs (`process`) or over an image's (`sandbox`).

A job finds what it finds in a container: `/opt/ml`, a writable `/`, `/tmp` and home of its own, itself as first process; no
capability, no process, file or credential of the machine's user. It outlives localpipe and is found again. What stands
below is a value (`SandboxImage`). bubblewrap makes the sandboxes or, where it is not installed, util-linux alone
(`Launcher`). Linux only.
"""

from __future__ import annotations

import json
import shlex
import signal
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from localpipe.core.jobspec import JobExit
from localpipe.core.names import AttemptKey
from localpipe.core.ports import CommandLine
from localpipe.errors import JobFailed, NotSupported, RunnerUnavailable
from localpipe.runners import _sandbox_process as processes
from localpipe.runners._host_network import (
    HostNetwork,
    NetworkPlan,
    can_be_made,
    carried_port,
    has_network,
    host_addresses,
    place_in,
)
from localpipe.runners._never_ran import REFUSED_BY_KERNEL, never_ran
from localpipe.runners._retractable import Retractable
from localpipe.runners._sandbox_check import find_ability
from localpipe.runners._sandbox_directory import make_directory, remove_directory
from localpipe.runners._sandbox_plan import ENTERED_BY, ROOT, SandboxPlan, enter_line, merged, plan_sandbox
from localpipe.runners._sandbox_program import not_executed
from localpipe.runners._sandbox_repeat import repeat_script
from localpipe.runners._shared_fate import FATE_GRACE_SECONDS, SharedFate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from localpipe.core.jobspec import StagedHost, StagedJob
    from localpipe.core.ports import Availability, ImageStatus, Prepared, Running
    from localpipe.runners._host_network import HostPlace
    from localpipe.runners._sandbox_check import Ability
    from localpipe.runners._sandbox_launcher import Launcher
    from localpipe.runners._sandbox_plan import SandboxImage
    from localpipe.runners._sandbox_process import Begun, FirstProcess, ProcessId

_LOOPBACK = "127.0.0.1"
_SANDBOX, _REPEAT, _SHELL, _HOST = "sandbox", "repeat", "shell-", "host-"
_REPEAT_SCRIPT, _OOM_FILE, _LOG_LINK, _KEY_FILE = "repeat.sh", "oom-kills", "log", "attempt"
_KILLED = 128 + signal.SIGKILL
_NOT_RUN = 126
_PERHAPS_NOT_EXECUTED = (None, 126, 127)
_NOT_EXECUTED = ("bwrap: execvp ", "setpriv: failed to execute ")
"""How a launcher's last words begin when the kernel refuses the program, and the exit codes that it may have then."""


class SandboxImages(Protocol):
    """What jobs stand on: the images that a runner has, or environments in their place; and which runner that is."""

    runner: ClassVar[str]
    are_images: ClassVar[bool]

    def usable(self, tried: Callable[[], Ability]) -> Availability:
        """Whether images can be had, where sandboxes can do as much as a trial shows that goes on meanwhile."""
        ...

    def status(self, image_uri: str) -> ImageStatus:
        """What would serve the image; makes nothing."""
        ...

    def image(self, image_uri: str) -> SandboxImage:
        """The image, made first if need be. Raises ImageMissing, RunnerUnavailable."""
        ...

    def program(self, job: StagedJob) -> tuple[str, ...]:
        """The program that the job runs and its arguments. Raises JobFailed, ImageMissing."""
        ...

    def clean(self, in_use: Collection[Path]) -> None:
        """Remove what is kept of images that are gone, but for root file systems that running jobs stand on."""
        ...

    def close(self) -> None:
        """Let go of what is held open; it is opened again at need."""
        ...


class SandboxRunner:
    """Runs jobs as sandboxed processes.

    `work_dir`: a directory on the file system of the attempts, where sandboxes are tried. `attempt_dir_of`: the attempt
    directory of a key, whether or not it exists. `search_path`: the PATH on which bubblewrap or, in its place, `unshare` is
    looked for; None: the caller's own. `grace_seconds`: how long the other hosts of a job have to end when one has failed.
    """

    prepares_ahead: ClassVar[bool] = True
    keeps_limits: ClassVar[bool] = False
    one_user: ClassVar[bool] = True
    shields_machine: ClassVar[bool] = True

    def __init__(
        self,
        images: SandboxImages,
        *,
        attempt_dir_of: Callable[[AttemptKey], Path],
        work_dir: Path,
        search_path: str | None = None,
        grace_seconds: float = FATE_GRACE_SECONDS,
    ) -> None:
        self._images = images
        self._attempt_dir_of = attempt_dir_of
        self._work_dir = work_dir
        self._search_path = search_path
        self._grace_seconds = grace_seconds
        self._ability: Ability | None = None
        self._trial = threading.Lock()

    @property
    def name(self) -> str:
        """The name by which users choose it."""
        return self._images.runner

    @property
    def runs_images(self) -> bool:
        """Whether jobs stand on images, or on environments over this machine's root."""
        return self._images.are_images

    @cached_property
    def several_hosts(self) -> bool:
        """Whether this kernel lets the user make a network for them: tried when first asked."""
        return can_be_made()

    @property
    def overlays(self) -> bool:
        """Whether this kernel lets the user mount overlays on the attempts' file system."""
        return self._tried().overlays

    def check(self) -> Availability:
        """Whether a sandbox starts here, which is tried once and then remembered, and whether images can be had."""
        with ThreadPoolExecutor(1, thread_name_prefix="trial") as aside:
            return self._images.usable(aside.submit(self._tried).result)

    def image(self, image_uri: str) -> ImageStatus:
        """What would serve the image, made or not."""
        return self._images.status(image_uri)

    def ensure_image(self, image_uri: str) -> None:
        """Make what serves the image if it is not there. Raises ImageMissing, RunnerUnavailable."""
        self._images.image(image_uri)

    def endpoint_host(self) -> str:
        """Loopback: jobs share the machine's network unless they are isolated."""
        return _LOOPBACK

    def endpoint_url_host(self) -> str:
        """The same: jobs know it by its address."""
        return _LOOPBACK

    def prepare(self, job: StagedJob, *, ahead: bool = False) -> Prepared:
        """Make the sandboxes' directories. Raises JobFailed, ImageMissing or RunnerUnavailable.

        Ahead of its inputs a sandbox that has no others beside it is begun, too, and waits before it mounts them.
        """
        remove_directory(job.attempt_dir / _SANDBOX)
        prepared = tuple(self._prepared(job, host) for host in job.hosts)
        if not has_network(job):
            return Retractable(prepared[0].begun_ahead() if ahead and self._launcher().can_wait else prepared[0])
        network = NetworkPlan(addresses=host_addresses(job), carried=carried_port(job), served=job.port or 0)
        return Retractable(PreparedHosts(prepared, network, job.attempt_dir / _SANDBOX, self._grace_seconds))

    def find(self, key: AttemptKey) -> Running | None:
        """The job as it runs or ended unseen; None if it never started, not every host did, or it died with the machine."""
        directory = self._attempt_dir_of(key) / _SANDBOX
        places = _host_directories(directory)
        found = [host for host in map(_found, places) if host]
        if len(found) == len(places):
            if places == [directory]:
                return found[0]
            return SharedFate(found, partial(remove_directory, directory), grace_seconds=self._grace_seconds)
        for host in found:
            host.remove()
        return None

    def enter(
        self,
        key: AttemptKey,
        command: Sequence[str],
        *,
        terminal: bool,  # noqa: ARG002 - the port's signature
        host: int = 0,
    ) -> Sequence[str] | None:
        """`nsenter` into the namespaces of one of the job's hosts, with or without a terminal."""
        directories = _host_directories(self._attempt_dir_of(key) / _SANDBOX)
        if host >= len(directories):
            return None
        directory = directories[host]
        monitor = processes.monitor_of(directory)
        first, exit_code = processes.status_of(directory)
        if monitor is None or first is None or exit_code is not None or not processes.alive(monitor):
            return None
        _refuse_without_programs(first.pid)
        place = place_in(directory)
        return (*(place.words() if place else ()), *enter_line(first.pid, command, own_network=first.own_network))

    def sweep(self, keep: Callable[[AttemptKey], bool]) -> int:
        """Kill the sandboxes of this home that run on and whose attempt is not to be kept; how many there were."""
        running = processes.directories_of_monitors(self._work_dir.resolve())
        swept = [directory for directory in running if (key := _key_in(directory)) and not keep(key)]
        for directory in swept:
            if found := _found(directory):
                found.remove()
            else:
                remove_directory(directory)
        return len(swept)

    def tidy(self) -> None:
        """Remove what is kept of images that are gone."""
        running = processes.directories_of_monitors(Path("/"))
        self._images.clean([root for directory in running if (root := _stood_on(directory))])

    def job_command(self, job: StagedJob) -> Sequence[str]:
        """The job's command; raises JobFailed if it needs an ENTRYPOINT that is not there."""
        return self._images.program(job)

    def shell(self, job: StagedJob, command: Sequence[str], *, terminal: bool) -> CommandLine:  # noqa: ARG002
        """A sandbox like the job's, with or without a terminal. It works while this process or its heir lives.

        Of several hosts it is the first alone.
        """
        directory = Path(tempfile.mkdtemp(prefix=_SHELL, dir=job.attempt_dir))
        plan = self._plan(_first_alone(job), job.hosts[0], tuple(command), directory)
        plan = replace(plan, environment={"TERM": "xterm", **plan.environment})
        make_directory(plan)
        launcher = self._launcher()
        instructions = processes.open_instructions(launcher.shell_instructions(plan))
        return CommandLine(argv=launcher.shell_line(plan, instructions))

    def reclaim(self, directory: Path, image_uri: str) -> None:
        """Everything belongs to the user."""

    def repeat_command(self, job: StagedJob) -> str:
        """A line that runs a script of the attempt, which is written now, for the user alone and without credentials.

        It runs the job again on the terminal; of several hosts the first alone.
        """
        plan = self._plan(_first_alone(job), job.hosts[0], self._images.program(job), job.attempt_dir / _REPEAT)
        script = job.attempt_dir / _REPEAT_SCRIPT
        script.touch(mode=0o600)
        script.write_bytes(repeat_script(plan, self._launcher().repeat_line(plan)))
        return shlex.join(("sh", str(script)))

    def close(self) -> None:
        """Let go of what the images hold open."""
        self._images.close()

    def _prepared(self, job: StagedJob, host: StagedHost) -> PreparedSandbox:
        directory = job.attempt_dir / _SANDBOX
        directory = directory / f"{_HOST}{host.name}" if has_network(job) else directory
        plan = self._plan(job, host, self._images.program(job), directory)
        make_directory(plan)
        (directory / _KEY_FILE).write_text(json.dumps(asdict(job.key)))
        return PreparedSandbox(plan=plan, launcher=self._launcher(), log_file=host.log_file)

    def _plan(self, job: StagedJob, host: StagedHost, command: tuple[str, ...], directory: Path) -> SandboxPlan:
        return plan_sandbox(
            job,
            host,
            command,
            directory=directory,
            image=self._images.image(job.image_uri),
            overlays=self._tried().overlays,
            addresses=host_addresses(job),
        )

    def _launcher(self) -> Launcher:
        ability = self._tried()
        if ability.launcher is None:
            raise RunnerUnavailable(ability.availability.reason, ability.availability.remedy)
        return ability.launcher

    def _tried(self) -> Ability:
        with self._trial:
            if self._ability is None:
                self._ability = find_ability(self._work_dir, self._search_path)
            return self._ability


@dataclass(frozen=True, kw_only=True)
class PreparedSandbox:
    """A sandbox whose directory is made and whose job does not run yet. `place`: where several hosts have it run.

    `begun`: its monitor waits already.
    """

    plan: SandboxPlan
    launcher: Launcher
    log_file: Path
    place: HostPlace | None = None
    begun: Begun | None = None

    def begun_ahead(self) -> PreparedSandbox:
        """The same, begun. Raises JobFailed for an environment that cannot be handed on."""
        return replace(self, begun=processes.begin(self.plan, self.launcher, self.log_file, waits=True))

    def start(self) -> Running:
        """Start it. Raises JobFailed, naming what is missing, if no sandbox can be made."""
        self._refuse_what_is_missing()
        directory = self.plan.directory
        if why := not_executed(self.plan):
            return never_ran(why, self.log_file, self.remove)
        (directory / _LOG_LINK).symlink_to(self.log_file)
        (directory / _OOM_FILE).write_text(str(_oom_kills()))
        if self.place:
            self.place.write(directory)
        within = self.place.words() if self.place else ()
        begun = self.begun or processes.begin(self.plan, self.launcher, self.log_file, within)
        first = begun.finish()
        if first is None:
            raise JobFailed(f"The sandbox could not be made: {_last_line(self.log_file)}")
        return SandboxedJob(directory, begun.monitor, first)

    def remove(self) -> None:
        """End what was begun and remove the sandbox's directory."""
        if self.begun:
            self.begun.end()
        remove_directory(self.plan.directory)

    def _refuse_what_is_missing(self) -> None:
        lowers = {merged(self.plan.directory, layer): layer.lower for layer in self.plan.layers}
        for bind in self.plan.binds:
            source = lowers.get(bind.source, bind.source)
            if not source.exists():
                raise JobFailed(f"{source}, to be mounted at {bind.target}, does not exist.")


@dataclass(frozen=True)
class PreparedHosts:
    """The sandboxes of a job whose hosts have a network, in one directory."""

    hosts: Sequence[PreparedSandbox]
    network: NetworkPlan
    directory: Path
    grace_seconds: float

    def start(self) -> Running:
        """Start all of them in a network. Raises JobFailed if one cannot be started; then none is left."""
        network = HostNetwork(self.network)
        with closing(network), ThreadPoolExecutor(len(self.hosts)) as threads:
            placed = [replace(host, place=network.places[host.plan.host_name]) for host in self.hosts]
            starting = [threads.submit(host.start) for host in placed]
            started = [start.result() for start in starting if start.exception() is None]
            for host in placed:
                if monitor := processes.monitor_of(host.plan.directory):
                    network.keep_for(monitor.pid)
        if failure := next(filter(None, (start.exception() for start in starting)), None):
            for running in started:
                running.remove()
            network.reap()
            raise failure

        def take_away() -> None:
            network.reap()
            self.remove()

        return SharedFate(started, take_away, grace_seconds=self.grace_seconds)

    def remove(self) -> None:
        """Remove the sandboxes' directories."""
        remove_directory(self.directory)


def _first_alone(job: StagedJob) -> StagedJob:
    """The job without the hosts, and so without the network, that the first of several has beside it."""
    return replace(job, hosts=job.hosts[:1], port=None)


def _host_directories(directory: Path) -> list[Path]:
    """The directories of an attempt's sandboxes: of several hosts one each, in the job's order, else the one itself."""
    return sorted(directory.glob(f"{_HOST}*")) or [directory]


def _refuse_without_programs(pid: int) -> None:
    """Raises NotSupported for a sandbox whose root has not what entering takes; an image need not have it."""
    root = Path(f"/proc/{pid}/root")
    for name in ENTERED_BY:
        if not any((root / place / name).exists() for place in ("usr/bin", "bin")):
            raise NotSupported(f"Entering a running job whose image has no `{name}`", "Use the Docker runner.")


def _key_in(directory: Path) -> AttemptKey | None:
    """The attempt whose job a sandbox is; None for one that is no job's, or that is being removed."""
    try:
        return AttemptKey(**json.loads((directory / _KEY_FILE).read_text()))
    except FileNotFoundError:
        return None


def _stood_on(directory: Path) -> Path | None:
    """The root file system that a sandbox stands on; None for one that is being removed."""
    try:
        return (directory / ROOT / "lower").readlink()
    except FileNotFoundError:
        return None


def _found(directory: Path) -> SandboxedJob | None:
    monitor = processes.monitor_of(directory)
    if monitor is None:
        return None
    first, exit_code = processes.status_of(directory)
    if first is None:
        processes.end_monitor(monitor)
        return None
    if exit_code is None and not processes.alive(monitor):
        processes.kill_first(first)
        return None
    return SandboxedJob(directory, monitor, first)


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
        """The port on loopback, out of reach if the job is isolated; or where the port at which it serves is carried to."""
        place = place_in(self._directory)
        return _LOOPBACK, place.reached_at if place and place.reached_at else port

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

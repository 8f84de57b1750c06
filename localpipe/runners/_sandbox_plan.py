"""What a sandboxed job sees, as values, and bubblewrap's command lines that make it so. Pure: no effect on the machine.

A sandbox is a directory of its own as `/` (writable, private), read-only binds of a root file system into it, layers
(directories that the job may change without changing them), the job's mounts, and one command as the first process.
bubblewrap makes the namespaces and drops every capability; a few lines of `sh` before it write down the process and mount
the layers.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from localpipe.core.jobspec import Access
from localpipe.errors import JobFailed
from localpipe.runners._lines import on_one_line, without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from localpipe.core.jobspec import StagedJob

HOME = "/root"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LAUNCH_ENVIRONMENT = {"PATH": SYSTEM_PATH}
"""What the programs that make a sandbox see of the caller's environment: nothing."""

PROCESS_FILE, STATUS_FILE, FILTER_FILE, ROOT_DIR = "process", "status", "filter", "root"
"""Names in a sandbox's directory: who runs it, what came of it, its system call filter, the job's `/`."""

LAUNCH_SCRIPT = (
    'umask 022; read -r line </proc/self/stat && echo "$line" >process || exit 125; '
    "for layer in $1; do "
    "options=userxattr,lowerdir=$layer/lower,upperdir=$layer/upper,workdir=$layer/work; "
    'mount -t overlay overlay -o "$options" "$layer/merged" || exit 125; '
    'done; shift; exec "$@"'
)
"""Runs in the sandbox's directory; its paths are relative so that no character of a path can be mistaken for an option."""

SHELL_SCRIPT = 'cd "$1" && shift && "$@" 3<"$0" 4<filter; status=$?; chmod -R u+rwX . ; rm -rf "$PWD"; exit $status'
"""Runs its words in a directory, with what their launcher reads on 3 and 4, and removes the directory after them."""

ENTER_SCRIPT = 'while IFS= read -r -d "" pair; do export -- "$pair"; done </proc/1/environ 2>/dev/null; exec "$@"'
"""bash: takes over the environment of the sandbox's first process, so that no value of it is in a command line."""


KERNEL_SETTINGS = tuple(f"/proc/{name}" for name in ("sys", "sysrq-trigger", "fs", "acpi", "scsi", "mtrr", "pressure"))
"""The machine's own settings: their files belong to root, and the job of a real root is that root though it has no
capability. bubblewrap 0.8 leaves `/proc/sys` writable then, for it looks at the directory's mode alone."""


@dataclass(frozen=True)
class Bind:
    """A host file or directory that appears in the sandbox."""

    source: Path
    target: PurePosixPath
    writable: bool = False


@dataclass(frozen=True)
class Layer:
    """A host directory that the job sees and may change at `target`; the changes go to `<sandbox>/<name>/upper`."""

    name: str
    lower: Path
    target: PurePosixPath


@dataclass(frozen=True, kw_only=True)
class RootFileSystem:
    """What a job finds under `/` besides its mounts.

    `binds` are read-only. `directories` (path → mode, parents first), `links` (path → absolute target) and `files`
    (path → content) are made anew for each sandbox. Binds are few on purpose: bubblewrap takes a third of a millisecond
    for each.
    """

    binds: tuple[Bind, ...]
    links: Mapping[PurePosixPath, PurePosixPath]
    directories: Mapping[str, int]
    files: Mapping[PurePosixPath, bytes] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """The Python of a job: the virtual environment, and what its interpreter needs outside of it.

    `links` (path → absolute target) are made beside those of the root.
    """

    venv: Path
    binds: tuple[Bind, ...]
    links: Mapping[PurePosixPath, PurePosixPath] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Tools:
    """Absolute paths of the programs that make a sandbox."""

    bwrap: str
    unshare: str


@dataclass(frozen=True, kw_only=True)
class SandboxPlan:
    """One sandbox. `directory` is its own directory on the host. `binds` are mounted in order, after the root's."""

    directory: Path
    host_name: str
    root: RootFileSystem
    layers: tuple[Layer, ...]
    binds: tuple[Bind, ...]
    environment: Mapping[str, str] = field(repr=False)
    command: tuple[str, ...]
    network_isolated: bool

    @property
    def files(self) -> Mapping[PurePosixPath, bytes]:
        """The files that are written for this sandbox, path → content."""
        hosts = f"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\t{self.host_name}\n"
        etc = PurePosixPath("/etc")
        return {**self.root.files, etc / "hostname": f"{self.host_name}\n".encode(), etc / "hosts": hosts.encode()}


def plan_sandbox(
    job: StagedJob,
    command: tuple[str, ...],
    *,
    directory: Path,
    root: RootFileSystem,
    interpreter: Interpreter,
    image_environment: Mapping[str, str],
    overlays: bool,
) -> SandboxPlan:
    """The sandbox of a job's only host, running `command`. `image_environment` is what an image would set.

    The virtual environment is a layer where overlays work, so that a job can `pip install` into it, else read-only; a
    Python that is part of the root is seen there, and never changed.
    """
    host = job.hosts[0]
    venv = Layer("venv", interpreter.venv, PurePosixPath(interpreter.venv))
    shown = any(bind.target in (venv.target, *venv.target.parents) for bind in root.binds)
    layered = {
        mount.container_dir: Layer(f"mount-{number}", mount.host_dir, mount.container_dir)
        for number, mount in enumerate(host.mounts)
        if mount.access is Access.OVERLAY
    }
    return SandboxPlan(
        directory=directory,
        host_name=host.name,
        root=replace(root, links={**root.links, **interpreter.links}),
        layers=(*((venv,) if overlays and not shown else ()), *layered.values()),
        binds=(
            *interpreter.binds,
            *(() if shown else (_layer_bind(directory, venv) if overlays else Bind(venv.lower, venv.target),)),
            *(
                _layer_bind(directory, layered[mount.container_dir])
                if mount.container_dir in layered
                else Bind(mount.host_dir, mount.container_dir, writable=mount.access is Access.WRITABLE)
                for mount in host.mounts
            ),
        ),
        environment=job_environment({**image_environment, **job.environment}, host_name=host.name, venv=venv.target),
        command=command,
        network_isolated=job.network_isolated,
    )


def _layer_bind(directory: Path, layer: Layer) -> Bind:
    return Bind(merged(directory, layer), layer.target, writable=True)


def merged(directory: Path, layer: Layer) -> Path:
    """Where a layer is mounted on the host, in the sandbox's private mount namespace."""
    return directory / layer.name / "merged"


def program_of(job: StagedJob) -> tuple[str, ...]:
    """The program and its arguments. A virtual environment has no ENTRYPOINT, only the `train` that AWS's images have.

    Raises JobFailed if the image's ENTRYPOINT would be needed. Follows: containers.md 1.2, 2.2.
    """
    if job.entrypoint is not None:
        return (*job.entrypoint, *(job.arguments or ()))
    if job.arguments == ("train",):
        return job.arguments
    raise JobFailed(
        f"The job runs the ENTRYPOINT of image {job.image_uri}, and a local environment has none. "
        "Give the job an entry point (ContainerEntrypoint), or use the Docker runner."
    )


def job_environment(given: Mapping[str, str], *, host_name: str, venv: PurePosixPath) -> dict[str, str]:
    """The whole environment: what a container engine would set, then what is given. The environment's programs come first
    on PATH.
    """
    path = f"{venv}/bin:{given.get('PATH', SYSTEM_PATH)}"
    return {"HOME": HOME, "HOSTNAME": host_name, **given, "PATH": path}


def bwrap_options(plan: SandboxPlan, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The options of bubblewrap for a plan, without the command and the inherited files."""
    return (
        *("--unshare-user", "--uid", "0", "--gid", "0", "--cap-drop", "ALL"),
        *("--unshare-pid", "--as-pid-1", "--unshare-ipc", "--unshare-uts", "--hostname", plan.host_name),
        *(("--unshare-net",) if plan.network_isolated else ()),
        *("--bind", str(plan.directory / ROOT_DIR), "/"),
        *_bind_options(plan.root.binds),
        *("--proc", "/proc", "--dev", "/dev"),
        *(word for path in KERNEL_SETTINGS for word in ("--ro-bind-try", path, path)),
        *_bind_options(plan.binds),
        *("--chdir", "/", "--clearenv"),
        *(word for name, value in environment.items() for word in ("--setenv", name, value)),
    )


def _bind_options(binds: Iterable[Bind]) -> Iterable[str]:
    for bind in binds:
        yield from ("--bind" if bind.writable else "--ro-bind", str(bind.source), str(bind.target))


def launch_line(tools: Tools, layers: Sequence[Layer], bwrap_arguments: Sequence[str]) -> tuple[str, ...]:
    """The command, run in the sandbox's directory, that becomes bubblewrap; every program on the way execs the next.

    Layers need a mount namespace around bubblewrap's own, since bubblewrap 0.8 cannot mount them itself.
    """
    around = (tools.unshare, "--user", "--map-root-user", "--mount", "--") if layers else ()
    names = " ".join(layer.name for layer in layers)
    return (*around, "/bin/sh", "-c", LAUNCH_SCRIPT, "sh", names, tools.bwrap, *bwrap_arguments)


def options_file(options: Iterable[str]) -> bytes:
    """Options as bubblewrap's `--args` reads them."""
    return b"".join(option.encode(errors="surrogateescape") + b"\0" for option in options)


def pasteable_line(plan: SandboxPlan, tools: Tools) -> str:
    """One shell line that runs the plan's command again, without credentials. The sandbox's directory must be made."""
    shown = without_credentials(plan.environment)
    words = launch_line(tools, plan.layers, ("--seccomp", "4", *bwrap_options(plan, shown), "--", *plan.command))
    return f"cd {shlex.quote(str(plan.directory))} && {on_one_line(words)} 4<{FILTER_FILE}"


def shell_line(plan: SandboxPlan, tools: Tools, options_path: str) -> tuple[str, ...]:
    """The command that opens the plan's command on the caller's terminal and removes the sandbox's directory after it.

    `options_path` is read for bubblewrap's options. No new session is made, so that job control works; a program in the
    shell could then type into the terminal where the kernel still allows it (`dev.tty.legacy_tiocsti`).
    """
    words = launch_line(tools, plan.layers, ("--args", "3", "--seccomp", "4", "--", *plan.command))
    return ("/bin/sh", "-c", SHELL_SCRIPT, options_path, str(plan.directory), *words)


def enter_line(pid: int, command: Sequence[str], *, own_network: bool) -> tuple[str, ...]:
    """The command that runs a program beside a sandbox's first process (`pid` on the host), as weak as that one."""
    spaces = ("--user", "--preserve-credentials", "--mount", "--uts", "--ipc", "--pid", *(("--net",) if own_network else ()))
    weak = ("setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all")
    target = ("nsenter", "--target", str(pid), *spaces, "--root", "--wd", "--")
    return (*target, *weak, "env", "-i", "bash", "-c", ENTER_SCRIPT, "bash", *command)

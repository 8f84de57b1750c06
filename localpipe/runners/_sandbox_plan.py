"""What a sandboxed job sees, as values, and bubblewrap's command lines that make it so. Pure: no effect on the machine.

A sandbox is a root file system as `/` (the job's changes to it are its own), layers (directories that the job may change
without changing them), the job's mounts, and one command as the first process.
bubblewrap makes the namespaces and drops every capability; a few lines of `sh` before it write down the process and mount
the layers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from localpipe.core.jobspec import Access

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from localpipe.core.jobspec import StagedHost, StagedJob

HOME = "/root"
TOP = PurePosixPath("/")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LAUNCH_ENVIRONMENT = {"PATH": SYSTEM_PATH}
"""What the programs that make a sandbox see of the caller's environment: nothing."""

PROCESS_FILE, STATUS_FILE, FILTER_FILE = "process", "status", "filter"
"""Names in a sandbox's directory: who runs it, what came of it, its system call filter."""

ROOT = "root"
ROOT_DIR = f"{ROOT}/merged"
"""The layer of the job's `/`, and where in a sandbox's directory it is mounted, or copied to where there are no overlays."""

_WAIT = "wait"
_LAUNCH_SCRIPT = (
    'umask 022; read -r line </proc/self/stat && echo "$line" >process || exit 125; '
    "for layer in $1; do "
    f"if [ $layer = {_WAIT} ]; then read -r go || exit 125; exec </dev/null; continue; fi; "
    "options=userxattr,lowerdir=$layer/lower,upperdir=$layer/upper,workdir=$layer/work; "
    'mount -t overlay overlay -o "$options" "$layer/merged" || exit 125; '
    'done; shift; exec "$@"'
)
"""Runs in the sandbox's directory; its paths are relative so that no character of a path can be mistaken for an option.

Where `wait` stands among the layers it reads a line from the standard input; it ends if nobody is left to write one.
"""

AND_REMOVE = 'status=$?; chmod -R u+rwX . ; rm -rf "$PWD"; exit $status'
SHELL_SCRIPT = f'cd "$1" && shift && "$@" 3<"$0" 4<{FILTER_FILE}; {AND_REMOVE}'
"""Runs its words in a directory, with what their launcher reads on 3 and 4, and removes the directory after them."""

ENTER_SCRIPT = 'while IFS= read -r -d "" pair; do export -- "$pair"; done </proc/1/environ 2>/dev/null; exec "$@"'
"""bash: takes over the environment of the sandbox's first process, so that no value of it is in a command line."""

ENTERED_BY = ("bash", "setpriv")
"""Programs that `enter_line` finds in the sandbox's root."""


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
    """A host directory that the job sees and may change at `target`; the changes go to `<sandbox>/<name>/upper`.

    `is_input`: it is one of the job's mounts, which are filled last.
    """

    name: str
    lower: Path
    target: PurePosixPath
    is_input: bool = False


@dataclass(frozen=True, kw_only=True)
class RootFileSystem:
    """What a job finds under `/` besides its mounts: a host directory that no job changes, and read-only binds above it.

    Binds are few on purpose: bubblewrap takes a third of a millisecond for each.
    """

    below: Path
    binds: tuple[Bind, ...] = ()


@dataclass(frozen=True, kw_only=True)
class User:
    """Who a job is. Whoever it is, every file is theirs: a sandbox has one user."""

    uid: int = 0
    gid: int = 0
    home: str = HOME


ROOT_USER = User()


@dataclass(frozen=True, kw_only=True)
class SandboxImage:
    """What an image, or an environment in place of one, gives to its jobs.

    `binds` come before the job's mounts; `layer` is a directory beside the root that the job may change where overlays work,
    else it is read-only. `files` (path → content) are written for each job. `environment` is below the job's own, `programs`
    the directory that comes first on any PATH.
    """

    root: RootFileSystem
    binds: tuple[Bind, ...] = ()
    layer: Layer | None = None
    files: Mapping[PurePosixPath, bytes] = field(default_factory=dict, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict)
    programs: PurePosixPath | None = None
    working_dir: PurePosixPath = TOP
    user: User = ROOT_USER


@dataclass(frozen=True, kw_only=True)
class Tools:
    """Absolute paths of the programs that make a sandbox."""

    bwrap: str
    unshare: str


@dataclass(frozen=True, kw_only=True)
class SandboxPlan:
    """One sandbox. `directory` is its own directory on the host. `binds` are mounted in order, after the root's.

    `files` (path → content) are written into the job's `/`. `working_dir` is made if it is not there.
    """

    directory: Path
    host_name: str
    root: RootFileSystem
    layers: tuple[Layer, ...]
    binds: tuple[Bind, ...]
    files: Mapping[PurePosixPath, bytes] = field(default_factory=dict, repr=False)
    environment: Mapping[str, str] = field(repr=False)
    command: tuple[str, ...]
    working_dir: PurePosixPath = TOP
    user: User = ROOT_USER
    network_isolated: bool

    @property
    def root_layered(self) -> bool:
        """Whether the job's `/` is an overlay of the root file system, or else a copy."""
        return any(layer.name == ROOT for layer in self.layers)

    @property
    def own_dir(self) -> PurePosixPath:
        """Where in the sandbox's directory the files lie that are written into the job's `/` before the start."""
        return PurePosixPath(ROOT, "upper") if self.root_layered else PurePosixPath(ROOT_DIR)


def plan_sandbox(
    job: StagedJob,
    host: StagedHost,
    command: tuple[str, ...],
    *,
    directory: Path,
    image: SandboxImage,
    overlays: bool,
    addresses: Mapping[str, str],
) -> SandboxPlan:
    """The sandbox of one of a job's hosts, running `command`. `overlays`: whether the kernel makes them.

    `addresses`: those of all hosts of a job of several, which is entered from its network and so gets none of its own.
    """
    beside = (image.layer,) if image.layer else ()
    layered = {
        mount.container_dir: Layer(f"mount-{number}", mount.host_dir, mount.container_dir, is_input=True)
        for number, mount in enumerate(host.mounts)
        if mount.access is Access.OVERLAY
    }
    root = Layer(ROOT, image.root.below, TOP)
    return SandboxPlan(
        directory=directory,
        host_name=host.name,
        root=image.root,
        layers=(*((root, *beside) if overlays else ()), *layered.values()),
        binds=(
            *image.binds,
            *(_layer_bind(directory, layer) if overlays else Bind(layer.lower, layer.target) for layer in beside),
            *(
                _layer_bind(directory, layered[mount.container_dir])
                if mount.container_dir in layered
                else Bind(mount.host_dir, mount.container_dir, writable=mount.access is Access.WRITABLE)
                for mount in host.mounts
            ),
        ),
        files={**image.files, **_files_of(host.name, addresses or {host.name: "127.0.0.1"})},
        environment=_environment(image, job.environment_of(host), host.name),
        command=command,
        working_dir=image.working_dir,
        user=image.user,
        network_isolated=job.network_isolated and not addresses,
    )


def _files_of(host_name: str, addresses: Mapping[str, str]) -> Mapping[PurePosixPath, bytes]:
    """What a container engine writes for each container."""
    local = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
    hosts = local + "".join(f"{address}\t{name}\n" for name, address in addresses.items())
    etc = PurePosixPath("/etc")
    return {etc / "hostname": f"{host_name}\n".encode(), etc / "hosts": hosts.encode()}


def _environment(image: SandboxImage, given: Mapping[str, str], host_name: str) -> dict[str, str]:
    """The whole environment: what a container engine would set, what the image sets, what is given."""
    made = {"HOME": image.user.home, "HOSTNAME": host_name, "PATH": SYSTEM_PATH, **image.environment, **given}
    return {**made, "PATH": f"{image.programs}:{made['PATH']}"} if image.programs else made


def _layer_bind(directory: Path, layer: Layer) -> Bind:
    return Bind(merged(directory, layer), layer.target, writable=True)


LAYER_PARTS = ("upper", "work", "merged")
"""The directories of a layer in the sandbox's own: what is written, the kernel's, where the layer is mounted."""


def merged(directory: Path, layer: Layer) -> Path:
    """Where a layer is mounted on the host, in the sandbox's private mount namespace."""
    return directory / layer.name / "merged"


def bwrap_options(plan: SandboxPlan, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The options of bubblewrap for a plan, without the command and the inherited files."""
    return (
        *("--unshare-user", "--uid", str(plan.user.uid), "--gid", str(plan.user.gid), "--cap-drop", "ALL"),
        *("--unshare-pid", "--as-pid-1", "--unshare-ipc", "--unshare-uts", "--hostname", plan.host_name),
        *(("--unshare-net",) if plan.network_isolated else ()),
        *("--bind", str(plan.directory / ROOT_DIR), "/"),
        *_bind_options(plan.root.binds),
        *("--proc", "/proc", "--dev", "/dev"),
        *(word for path in KERNEL_SETTINGS for word in ("--ro-bind-try", path, path)),
        *_bind_options(plan.binds),
        *("--dir", str(plan.working_dir), "--chdir", str(plan.working_dir), "--clearenv"),
        *(word for name, value in environment.items() for word in ("--setenv", name, value)),
    )


def _bind_options(binds: Iterable[Bind]) -> Iterable[str]:
    for bind in binds:
        yield from ("--bind" if bind.writable else "--ro-bind", str(bind.source), str(bind.target))


def launch_line(
    tools: Tools, layers: Sequence[Layer], bwrap_arguments: Sequence[str], *, waits: bool = False
) -> tuple[str, ...]:
    """The command, run in the sandbox's directory, that becomes bubblewrap; every program on the way execs the next.

    Layers need a mount namespace around bubblewrap's own, since bubblewrap 0.8 cannot mount them itself.
    `waits`: it mounts the inputs, and goes on, only when a line comes on its standard input.
    """
    around = (tools.unshare, "--user", "--map-root-user", "--mount", "--") if layers else ()
    own, inputs = [[layer.name for layer in layers if layer.is_input is is_input] for is_input in (False, True)]
    names = " ".join((*own, *((_WAIT,) if waits else ()), *inputs))
    return (*around, "/bin/sh", "-c", _LAUNCH_SCRIPT, "sh", names, tools.bwrap, *bwrap_arguments)


def options_file(options: Iterable[str]) -> bytes:
    """Options as bubblewrap's `--args` reads them."""
    return b"".join(option.encode(errors="surrogateescape") + b"\0" for option in options)


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

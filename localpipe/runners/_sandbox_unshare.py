"""A sandbox made by util-linux alone, where there is no bubblewrap: the shell program that does it. Pure: text as values.

The program runs as root of a user namespace of its own (`namespaces_line`). The shell stays outside of the new pid namespace
as the monitor; its only child is the namespace's first process, which makes the mounts, goes into them, drops every
capability and becomes the job. Nothing may be forked before that child, hence builtins alone in the monitor.

It needs sh, util-linux, coreutils, grep and hostname of the machine, and setpriv, setsid and umount also inside of the
sandbox's root, which this machine's own root has. None of these loads a system call filter, so this Python does before them
(`FILTERED`).
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from localpipe.errors import JobFailed
from localpipe.runners._sandbox_plan import FILTER_FILE, KERNEL_SETTINGS, PROCESS_FILE, ROOT_DIR, STATUS_FILE
from localpipe.runners._sandbox_signals import BECOME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from localpipe.runners._sandbox_plan import Bind, SandboxPlan

STARTED = f"session=yes; exec 7>&1 8>>{STATUS_FILE} 9>&2 1>&2 </dev/null"
"""How a program in the background begins: it answers on its standard output, its error output is the log of the job, which
leads a session of its own."""

BY_HAND = "session=; exec 3<&- 4<&- 7>/dev/null 8>/dev/null 9>&2"
"""How a program on somebody's terminal begins; 3 and 4 are what it was read from."""

FILTERED = f"""\
import ctypes, struct, sys
filter = open({FILTER_FILE!r}, 'rb').read()
held = ctypes.create_string_buffer(filter, len(filter))
program = struct.pack('HP', len(filter) // 8, ctypes.addressof(held))
prctl, zero, one, two = ctypes.CDLL(None).prctl, *map(ctypes.c_ulong, range(3))
if prctl(38, one, zero, zero, zero) or prctl(22, two, program):
    sys.exit('sandbox: the kernel takes no system call filter')
{BECOME}"""
"""Python: gives itself, in a sandbox's directory, its system call filter, then becomes its arguments. The numbers are
PR_SET_NO_NEW_PRIVS, without which only root may have a filter, and PR_SET_SECCOMP with SECCOMP_MODE_FILTER."""

_ENVIRONMENT = {"PWD": "/"}
"""What a job finds besides its own variables."""

# bubblewrap covers the second two itself
_COVERED = (*KERNEL_SETTINGS, "/proc/irq", "/proc/bus")

_EXPORTABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SHELLS_OWN = frozenset({"BASHOPTS", "BASH_VERSINFO", "EUID", "OPTIND", "PPID", "SHELLOPTS", "UID"})

# The monitor's traps let it outlive a signal to its whole process group; the child has the default handling again.
_MONITOR = """\
umask 022
{begin}
read -r line </proc/self/stat && echo "$line" >{process} || exit 125
trap : HUP INT QUIT TERM
exec 2>/dev/null
(
set -e
exec 2>&9 9>&-
{first_process}
)
code=$?
echo "{{ \\"exit-code\\": $code }}" >&8
exit $code
"""

_FUNCTIONS = """\
answer() {
    set -- $(readlink /proc/self/ns/pid /proc/self/ns/net | tr -dc '0-9\\n')
    [ "$2" ]
    said="{ \\"child-pid\\": $first, \\"pid-namespace\\": $1"
    if [ "$own_network" ]; then said="$said, \\"net-namespace\\": $2"; fi
    said="$said }"
}
loopback() {
    own_network=yes
    mkdir -p network
    { mount -n -t sysfs sysfs network && echo 0x9 >network/class/net/lo/flags; } 2>/dev/null || ip link set lo up
    echo 0 2>/dev/null >/proc/sys/net/ipv4/ip_unprivileged_port_start || :
}
layer() {
    mount -n -t overlay overlay -o "userxattr,lowerdir=$1/lower,upperdir=$1/upper,workdir=$1/work" "./$1/merged"
}
find_place() {
    place=$(realpath -m -- "$root$2")
    case $place in "$root"/*) ;; *) echo "sandbox: $2 leads out of it" >&2; exit 125 ;; esac
    if [ -e "$place" ]; then return; fi
    if [ -d "$1" ]; then mkdir -p -- "$place"; else mkdir -p -- "${place%/*}"; : >"$place"; fi
}
limit() {
    grep -F -- "$mark" /proc/self/mountinfo | {
        found=
        while read -r _ _ _ _ point options _; do
            case $point in *\\\\*) point=$(printf %b "$point") ;; esac
            case $point in "$1" | "$1"/*) ;; *) continue ;; esac
            mount -n -o "remount,bind,$options,nosuid,nodev${2:+,$2}" -- "$point" </dev/null || exit 125
            found=yes
        done
        [ "$found" ] || { echo "sandbox: $1 is not mounted" >&2; exit 125; }
    }
}
bind() {
    find_place "$1" "$2"
    mount -n --rbind -- "$1" "$place"
    limit "$place" "$3"
}
cover() {
    if [ -e "$root$1" ]; then mount -n --bind -o ro,nosuid,nodev,noexec "$root$1" "$root$1"; fi
}
processes() {
    mkdir -p "$root/proc"
    mount -n -t proc -o nosuid,nodev,noexec proc "$root/proc"
}
devices() {
    mkdir -p "$root/dev"
    mount -n -t tmpfs -o nosuid,nodev,mode=0755 tmpfs "$root/dev"
    mkdir "$root/dev/pts"
    mkdir -m 0755 "$root/dev/shm"
    for name in null zero full random urandom tty; do
        : >"$root/dev/$name"
        mount -n --bind "/dev/$name" "$root/dev/$name"
    done
    mount -n -t devpts -o newinstance,nosuid,noexec,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
    ln -s /proc/self/fd pts/ptmx "$root/dev"
    ln -s /proc/kcore "$root/dev/core"
    ln -s /proc/self/fd/0 "$root/dev/stdin"
    ln -s /proc/self/fd/1 "$root/dev/stdout"
    ln -s /proc/self/fd/2 "$root/dev/stderr"
}
"""

_INSIDE = """\
cd "$root"
pivot_root . .
umount -n -l .
cd /
set -- ${session:+"$(command -v setsid)"} "$(command -v setpriv)" --no-new-privs --bounding-set=-all --inh-caps=-all -- "$@"
echo "$said" >&8
echo "$said" >&7
exec 7>&- 8>&-
unset OLDPWD SHLVL
"""


def namespaces_line(unshare: str, *, own_network: bool) -> tuple[str, ...]:
    """The words before a program that runs it in namespaces of its own, its children in a pid namespace of theirs.

    The user namespace comes first: the kernel gives the files of a network only to a root that is known when it is made.
    """
    spaces = ("--mount", "--pid", "--ipc", "--uts", *(("--net",) if own_network else ()))
    return (unshare, "--user", "--map-root-user", "--", unshare, *spaces, "--")


def sandbox_program(plan: SandboxPlan, environment: Mapping[str, str], *, begin: str) -> str:
    """The program for `/bin/sh`, run in the plan's directory with the plan's command as its arguments.

    `begin` is STARTED or BY_HAND. It ends as the command does: with its exit code, or 128 and the number of the signal.
    Raises JobFailed for a variable that no shell hands on.
    """
    lines = (*_mounts(plan), _INSIDE.rstrip(), *_exports({**_ENVIRONMENT, **environment}), 'exec "$@"')
    return _MONITOR.format(begin=begin, process=PROCESS_FILE, first_process=_FUNCTIONS + "\n".join(lines))


def _mounts(plan: SandboxPlan) -> Iterator[str]:
    """Every mount in its order, and what only the new namespaces' root may do besides.

    `mark` finds the sandbox's own mounts among the machine's; the directory's name is ours and has nothing to escape there.
    """
    yield "read -r first _ </proc/self/stat; cd -P .; root=$PWD/" + ROOT_DIR
    yield f"mark={shlex.quote(f'/{plan.directory.name}/{ROOT_DIR}')}; own_network="
    yield f"hostname {shlex.quote(plan.host_name)}"
    if plan.network_isolated:
        yield "loopback"
    yield "answer"
    yield from (f"layer {layer.name}" for layer in plan.layers)
    yield 'mount -n --bind "$root" "$root"; limit "$root"'
    yield from (_bind(bind) for bind in plan.root.binds)
    yield "processes"
    yield from (f"cover {path}" for path in _COVERED)
    yield "devices"
    yield from (_bind(bind) for bind in plan.binds)


def _bind(bind: Bind) -> str:
    return shlex.join(("bind", str(bind.source), str(bind.target), "" if bind.writable else "ro"))


def _exports(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        if not _EXPORTABLE.fullmatch(name) or name in _SHELLS_OWN:
            raise JobFailed(f"No shell hands on the environment variable {name!r}. Rename it, or install bubblewrap.")
        yield f"export {name}={shlex.quote(value)}"

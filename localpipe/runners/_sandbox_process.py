"""The processes of a sandbox: start them detached, know them again after a crash, wait for them and end them.

The launcher's own process (the monitor) stays outside, waits for the job and writes its exit code; the job is its child and
the first process of a pid namespace. Both outlive localpipe.
"""

from __future__ import annotations

import json
import os
import select
import signal
import stat
import subprocess
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.runners._sandbox_launcher import Descriptors
from localpipe.runners._sandbox_plan import FILTER_FILE, LAUNCH_ENVIRONMENT, PROCESS_FILE, STATUS_FILE
from localpipe.runners._sandbox_signals import with_default_signals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO, TextIO

    from localpipe.core import JSON
    from localpipe.runners._sandbox_launcher import Launcher, Start
    from localpipe.runners._sandbox_plan import SandboxPlan

_START_TIME_FIELD = 22  # proc(5), counted from 1
_STATE_FIELD = 3
_LONGEST_STAT = 4096  # such a line has some 300 bytes


@dataclass(frozen=True)
class ProcessId:
    """A process of this boot, told apart from a later one with the same number by its start time in clock ticks."""

    pid: int
    start_time: int


@dataclass(frozen=True)
class FirstProcess:
    """The job's first process by its number on the host; the pid namespace (an inode) tells it from a later namesake."""

    pid: int
    pid_namespace: int
    own_network: bool


def parse_stat(line: str) -> ProcessId:
    """The process that a line of `/proc/<pid>/stat` is about. The name in it may hold spaces and parentheses."""
    head, _, tail = line.rpartition(")")
    return ProcessId(int(head.split(" ", 1)[0]), int(tail.split()[_START_TIME_FIELD - _STATE_FIELD]))


def parse_status(text: str) -> tuple[FirstProcess | None, int | None]:
    """The first process and the exit code, as far as the monitor has written them; a line that is not whole is not there."""
    first: FirstProcess | None = None
    exit_code: int | None = None
    for line in text.splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        document: JSON = json.loads(line)
        if "child-pid" in document:
            first = parse_first_process(document)
        exit_code = document.get("exit-code", exit_code)
    return first, exit_code


def parse_first_process(document: JSON) -> FirstProcess:
    """What a monitor says of a started sandbox."""
    return FirstProcess(document["child-pid"], document["pid-namespace"], own_network="net-namespace" in document)


@dataclass(frozen=True)
class Begun:
    """A sandbox that is being made by its monitor, which waits for a line on `go` if that is a pipe. Finish or end it, once.

    `info`: the pipe on which the first process is told; one that is told by one line stays open after it.
    """

    monitor: ProcessId
    info: TextIO
    one_line: bool
    go: BinaryIO | None

    def finish(self) -> FirstProcess | None:
        """Have it go on; the first process, or None if it could not be made.

        The log says why then. Whenever it does not return one, nothing of the sandbox is left running.
        """
        with ExitStack() as undone:
            undone.callback(self.end)
            if self.go is not None:
                with suppress(BrokenPipeError):  # it is gone, and will tell nothing
                    self.go.write(b"\n")
            text = self.info.readline() if self.one_line else self.info.read()
            if not text.strip():
                return None
            first = parse_first_process(json.loads(text))
            undone.pop_all()
        self._close()
        return first

    def end(self) -> None:
        """Kill it and wait for its end; again is no error."""
        end_monitor(self.monitor)
        self._close()

    def _close(self) -> None:
        self.info.close()
        if self.go is not None:
            self.go.close()


def begin(
    plan: SandboxPlan, launcher: Launcher, log_file: Path, within: Sequence[str] = (), *, waits: bool = False
) -> Begun:
    """Begin to make a sandbox, in a session of its own.

    `within`: the words before a command that run it in the network of several hosts. `waits`: to go on only when it is
    finished; for a launcher that can.

    The log file is the job's output and error; the environment goes by way of memory, so that no command line shows it.
    Raises JobFailed for an environment that cannot be handed on.
    """
    with ExitStack() as on_failure:
        info_read, info_write = os.pipe()
        info = on_failure.enter_context(os.fdopen(info_read, encoding="utf-8"))
        with ExitStack() as opened:
            opened.callback(os.close, info_write)
            go_read, go = None, None
            if waits:
                go_read, go_write = os.pipe()
                opened.callback(os.close, go_read)
                go = on_failure.enter_context(os.fdopen(go_write, "wb", buffering=0))
            start, monitor = _launch(plan, launcher, log_file, within, info=info_write, go=go_read)
        on_failure.pop_all()
        return Begun(monitor, info, start.one_line, go)


def _launch(
    plan: SandboxPlan, launcher: Launcher, log_file: Path, within: Sequence[str], *, info: int, go: int | None
) -> tuple[Start, ProcessId]:
    """Start a monitor, which writes to the descriptor `info` what it has made."""
    with ExitStack() as opened:

        def kept(descriptor: int) -> int:
            opened.callback(os.close, descriptor)
            return descriptor

        appending = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        descriptors = Descriptors(
            memory=kept(_memory_file(launcher.instructions(plan))),
            info=info,
            status=kept(os.open(plan.directory / STATUS_FILE, appending, 0o644)),
            seccomp=kept(os.open(plan.directory / FILTER_FILE, os.O_RDONLY)),
            log=kept(os.open(log_file, appending, 0o644)),
            go=go,
        )
        start = launcher.start(plan, descriptors)
        process = subprocess.Popen(
            with_default_signals((*within, *start.argv)),
            cwd=plan.directory,
            env=LAUNCH_ENVIRONMENT,
            stdin=subprocess.DEVNULL if start.stdin is None else start.stdin,
            stdout=start.stdout,
            stderr=start.stderr,
            pass_fds=start.kept,
            start_new_session=True,
        )
        process.returncode = 0  # it is to outlive this process and its Popen; `reap` takes its end
        return start, _child(process.pid)


def _child(pid: int) -> ProcessId:
    """A child that was just started; one that the kernel has forgotten by now (SIGCHLD is ignored) is like no process."""
    return _stat_of(pid) or ProcessId(pid, start_time=-1)


def end_monitor(monitor: ProcessId) -> None:
    """Kill a monitor, and what it started in its own session, and wait for the end of it."""
    kill_group(monitor)
    wait_for(monitor, None)


def _memory_file(content: bytes) -> int:
    descriptor = os.memfd_create("sandbox-options")
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def open_instructions(content: bytes) -> str:
    """A path under which this process shows a launcher's instructions for as long as it lives, and only to its own user.

    The file is meant to stay open: whoever runs the shell may replace this process by it.
    """
    descriptor = _memory_file(content)
    os.set_inheritable(descriptor, True)
    return f"/proc/{os.getpid()}/fd/{descriptor}"


def monitor_of(directory: Path) -> ProcessId | None:
    """The monitor that was started in a sandbox's directory, whether or not it still runs; None: none was.

    The directory may be anybody's, and what has the file's name there anything: a FIFO is not waited for.
    """
    try:
        descriptor = os.open(directory / PROCESS_FILE, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return parse_stat(os.read(descriptor, _LONGEST_STAT).decode())
    except (ValueError, IndexError):
        pass
    finally:
        os.close(descriptor)
    return None


def directories_of_monitors(below: Path) -> Iterator[Path]:
    """The sandboxes' directories below a directory whose monitor runs: each works in its sandbox's."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            directory = (process / "cwd").readlink()
        except OSError:  # ended, or somebody else's
            continue
        if below in directory.parents and (monitor := monitor_of(directory)) and monitor == _stat_of(int(process.name)):
            yield directory


def status_of(directory: Path) -> tuple[FirstProcess | None, int | None]:
    """See `parse_status`; nothing is known where there is no file."""
    try:
        return parse_status((directory / STATUS_FILE).read_text())
    except FileNotFoundError:
        return None, None


def alive(process: ProcessId) -> bool:
    """Whether the process runs; one that has ended and waits to be reaped does not."""
    descriptor = _open(process)
    if descriptor is None:
        return False
    try:
        return not _ended(descriptor, timeout_seconds=0)
    finally:
        os.close(descriptor)


def wait_for(process: ProcessId, timeout_seconds: float | None) -> bool:
    """Block until the process has ended; False if the timeout came first. A child of ours is reaped."""
    descriptor = _open(process)
    if descriptor is None:
        return True
    try:
        if not _ended(descriptor, timeout_seconds):
            return False
    finally:
        os.close(descriptor)
    reap(process)
    return True


def _ended(descriptor: int, timeout_seconds: float | None) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if timeout_seconds is None else max(0, timeout_seconds * 1000)))


def reap(process: ProcessId) -> None:
    """Take the end of a child of ours from the kernel; another process's child is left to its parent."""
    if _stat_of(process.pid) == process:
        with suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)


def _open(process: ProcessId) -> int | None:
    """A pidfd for exactly this process, or None if it is gone."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    if _stat_of(process.pid) == process:
        return descriptor
    os.close(descriptor)
    return None


def _stat_of(pid: int) -> ProcessId | None:
    try:
        return parse_stat(Path(f"/proc/{pid}/stat").read_text(errors="replace"))
    except (FileNotFoundError, ProcessLookupError):
        return None


def signal_first(first: FirstProcess, signum: int) -> None:
    """Send a signal to a sandbox's first process; one that is gone is no error.

    As in any pid namespace, the kernel drops a signal that the process has no handler for, but for SIGKILL.
    """
    with _opened_first(first) as descriptor:
        if descriptor is not None:
            signal.pidfd_send_signal(descriptor, signum)


def kill_first(first: FirstProcess) -> None:
    """Kill a sandbox's first process, and every other one with it, and wait until it is dead."""
    with _opened_first(first) as descriptor:
        if descriptor is not None:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            _ended(descriptor, timeout_seconds=None)


@contextmanager
def _opened_first(first: FirstProcess) -> Iterator[int | None]:
    """A pidfd of exactly this first process, None if it is gone; that it goes in between is no error."""
    try:
        descriptor = os.pidfd_open(first.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        same = _pid_namespace(first.pid) == first.pid_namespace
        with suppress(ProcessLookupError):
            yield descriptor if same else None
    finally:
        os.close(descriptor)


def _pid_namespace(pid: int) -> int | None:
    """The inode of a process's pid namespace; None if it has ended or is somebody else's."""
    try:
        return Path(f"/proc/{pid}/ns/pid").stat().st_ino
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def kill_group(process: ProcessId) -> None:
    """Kill a monitor and what it started in its own session."""
    if _stat_of(process.pid) == process:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

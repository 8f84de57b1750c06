"""What makes sandboxes: one interface over bubblewrap and over util-linux alone. Pure: command lines and texts as values."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from localpipe.runners._lines import without_credentials
from localpipe.runners._sandbox_plan import (
    LAUNCH_ENVIRONMENT,
    SHELL_SCRIPT,
    bwrap_options,
    launch_line,
    options_file,
    shell_line,
)
from localpipe.runners._sandbox_unshare import BY_HAND, FILTERED, STARTED, namespaces_line, sandbox_program

if TYPE_CHECKING:
    from localpipe.runners._sandbox_plan import SandboxPlan, Tools

_PROGRAM_ON_INPUT, _PROGRAM_ON_THREE = ". /proc/self/fd/0", ". /proc/self/fd/3"
_CLEAN = ("/usr/bin/env", "-i", *(f"{name}={value}" for name, value in LAUNCH_ENVIRONMENT.items()))


@dataclass(frozen=True, kw_only=True)
class Descriptors:
    """What is opened for a sandbox in the background, by its number.

    `memory` holds the launcher's instructions; `info` is the pipe on which it tells of the first process, `status` the file
    in which it tells that and the end; `seccomp` is the system call filter, `log` the log. `go`: the pipe on which a line
    comes when it is to go on; None: at once.
    """

    memory: int
    info: int
    status: int
    seccomp: int
    log: int
    go: int | None


@dataclass(frozen=True, kw_only=True)
class Start:
    """The command that becomes a sandbox's monitor, and what it inherits: its standard streams and the descriptors `kept`.

    `stdin` None: nothing. `one_line`: the answer on `info` is one line, after which the pipe stays open.
    """

    argv: tuple[str, ...]
    stdin: int | None
    stdout: int
    stderr: int
    kept: tuple[int, ...]
    one_line: bool


class Launcher(Protocol):
    """A way to carry out a sandbox's plan. All of its commands run in the plan's directory, which is made before."""

    @property
    def means(self) -> str:
        """What it makes sandboxes with, for people."""
        ...

    @property
    def any_root(self) -> bool:
        """Whether it needs no program of the sandbox's own root, and makes a job any user."""
        ...

    @property
    def can_wait(self) -> bool:
        """Whether it can begin a sandbox and wait, before it mounts the inputs, until it is told to go on."""
        ...

    @property
    def if_it_fails(self) -> str:
        """What helps where it makes none though no known kernel setting forbids it."""
        ...

    def instructions(self, plan: SandboxPlan) -> bytes:
        """What it reads from memory to start a sandbox, environment and all, so that no command line shows it."""
        ...

    def start(self, plan: SandboxPlan, opened: Descriptors) -> Start:
        """What starts the plan's command in the background."""
        ...

    def trial_line(self, plan: SandboxPlan) -> tuple[str, ...]:
        """The command that runs the plan's command to its end; the instructions are its standard input."""
        ...

    def shell_instructions(self, plan: SandboxPlan) -> bytes:
        """What it reads to open a sandbox on a terminal."""
        ...

    def shell_line(self, plan: SandboxPlan, instructions_path: str) -> tuple[str, ...]:
        """What opens the plan's command on the caller's terminal and removes the sandbox's directory after it."""
        ...

    def repeat_line(self, plan: SandboxPlan) -> tuple[str, ...]:
        """What runs the plan's command again on somebody's terminal: all in its words, but for credentials."""
        ...


@dataclass(frozen=True)
class Bubblewrap:
    """Sandboxes by bubblewrap."""

    tools: Tools
    means: ClassVar[str] = "sandboxes by bubblewrap"
    any_root: ClassVar[bool] = True
    can_wait: ClassVar[bool] = True
    if_it_fails: ClassVar[str] = "In a container, start that one with --privileged; else use the Docker runner."

    def instructions(self, plan: SandboxPlan) -> bytes:
        """Its options."""
        return options_file(bwrap_options(plan, plan.environment))

    def start(self, plan: SandboxPlan, opened: Descriptors) -> Start:
        """It inherits what it reads and writes besides the streams, which are the job's; the job leads its own session."""
        files = {
            "--seccomp": opened.seccomp,
            "--args": opened.memory,
            "--json-status-fd": opened.status,
            "--info-fd": opened.info,
        }
        options = (word for option, descriptor in files.items() for word in (option, str(descriptor)))
        words = (*options, "--new-session", "--", *plan.command)
        return Start(
            argv=launch_line(self.tools, plan.layers, words, waits=opened.go is not None),
            stdin=opened.go,
            stdout=opened.log,
            stderr=opened.log,
            kept=tuple(files.values()),
            one_line=False,
        )

    def trial_line(self, plan: SandboxPlan) -> tuple[str, ...]:
        """Without the filter."""
        return launch_line(self.tools, plan.layers, ("--args", "0", "--", *plan.command))

    def shell_instructions(self, plan: SandboxPlan) -> bytes:
        """The same options."""
        return self.instructions(plan)

    def shell_line(self, plan: SandboxPlan, instructions_path: str) -> tuple[str, ...]:
        """See the function of this name."""
        return shell_line(plan, self.tools, instructions_path)

    def repeat_line(self, plan: SandboxPlan) -> tuple[str, ...]:
        """Its options are arguments."""
        options = bwrap_options(plan, without_credentials(plan.environment))
        return launch_line(self.tools, plan.layers, ("--seccomp", "4", *options, "--", *plan.command))


@dataclass(frozen=True)
class UtilLinux:
    """Sandboxes by util-linux alone, whose `unshare` is at this path."""

    unshare: str
    means: ClassVar[str] = "sandboxes by util-linux alone (with bubblewrap they start faster)"
    any_root: ClassVar[bool] = False
    can_wait: ClassVar[bool] = False
    if_it_fails: ClassVar[str] = f"Install bubblewrap; {Bubblewrap.if_it_fails[0].lower()}{Bubblewrap.if_it_fails[1:]}"

    def instructions(self, plan: SandboxPlan) -> bytes:
        """The program that makes the sandbox."""
        return sandbox_program(plan, plan.environment, begin=STARTED).encode(errors="surrogateescape")

    def start(self, plan: SandboxPlan, opened: Descriptors) -> Start:
        """Its streams alone are inherited, for a shell cannot name a descriptor above 9."""
        return Start(
            argv=self.trial_line(plan),
            stdin=opened.memory,
            stdout=opened.info,
            stderr=opened.log,
            kept=(),
            one_line=True,
        )

    def trial_line(self, plan: SandboxPlan) -> tuple[str, ...]:
        """The program on the standard input."""
        return self._words(plan, _PROGRAM_ON_INPUT)

    def shell_instructions(self, plan: SandboxPlan) -> bytes:
        """The program that leaves the streams as they are."""
        return sandbox_program(plan, plan.environment, begin=BY_HAND).encode(errors="surrogateescape")

    def shell_line(self, plan: SandboxPlan, instructions_path: str) -> tuple[str, ...]:
        """No new session is made, so that job control works."""
        words = (*_CLEAN, *self._words(plan, _PROGRAM_ON_THREE))
        return ("/bin/sh", "-c", SHELL_SCRIPT, instructions_path, str(plan.directory), *words)

    def repeat_line(self, plan: SandboxPlan) -> tuple[str, ...]:
        """The whole program is in it."""
        program = sandbox_program(plan, without_credentials(plan.environment), begin=BY_HAND)
        return (*_CLEAN, *self._words(plan, program))

    def _words(self, plan: SandboxPlan, program: str) -> tuple[str, ...]:
        line = namespaces_line(self.unshare, own_network=plan.network_isolated)
        return (sys.executable, "-I", "-S", "-c", FILTERED, *line, "/bin/sh", "-c", program, "sh", *plan.command)

"""The command lines of `docker` that people use on a job. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.ports import CommandLine
from localpipe.runners._docker_mounts import option_mounts
from localpipe.runners._lines import CREDENTIALS, on_one_line, without_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from localpipe.core.jobspec import Limits, StagedJob
    from localpipe.runners._docker_home import LocalImage


def exec_line(container: str, command: Sequence[str], *, terminal: bool) -> list[str]:
    """Run a program in a container that runs."""
    return ["docker", "exec", _interactive(terminal=terminal), container, *command]


def shell_line(job: StagedJob, image: LocalImage, command: Sequence[str], scratch: Path, *, terminal: bool) -> CommandLine:
    """Run a program in a new container of the job, in place of its own."""
    environment = job.environment_of(job.hosts[0])
    options = _run_options(job, image, environment, scratch)
    argv = ("docker", "run", "--rm", _interactive(terminal=terminal), *options, "--entrypoint", command[0], image.name)
    secrets = {name: value for name, value in environment.items() if name in CREDENTIALS}
    return CommandLine(argv=(*argv, *command[1:]), environment=secrets)


def _interactive(*, terminal: bool) -> str:
    """`docker` refuses `-t` where standard input is no terminal."""
    return "-it" if terminal else "-i"


def repeat_line(job: StagedJob, image: LocalImage, scratch: Path) -> str:
    """Run the job's first container again, by hand. Credentials are left out: they were of that run alone."""
    options = _run_options(job, image, without_credentials(job.environment_of(job.hosts[0])), scratch)
    return on_one_line(["docker", "run", "--rm", *options, *_entrypoint(job, image.name)])


def _run_options(job: StagedJob, image: LocalImage, environment: Mapping[str, str], scratch: Path) -> list[str]:
    """Credentials are named only: `docker` takes their values from its own environment."""
    host = job.hosts[0]
    options = ["--hostname", host.name, *_limits(host.limits)]
    if image.platform:
        options += ["--platform", image.platform]
    if job.network_isolated:
        options += ["--network", "none", "--add-host", f"{host.name}:127.0.0.1"]
    for value in option_mounts(host.mounts, scratch):
        options += ["--mount", value]
    for name, value in sorted(environment.items()):
        options += ["--env", name if name in CREDENTIALS else f"{name}={value}"]
    return options


def _limits(limits: Limits) -> list[str]:
    given = {"--shm-size": limits.shared_memory_bytes, "--memory": limits.memory_bytes, "--memory-swap": limits.memory_bytes}
    options = [word for option, size in given.items() if size is not None for word in (option, str(size))]
    options += [] if limits.cpus is None else ["--cpus", f"{limits.cpus:g}"]
    return [*options, "--gpus", "all"] if limits.gpus else options


def _entrypoint(job: StagedJob, image: str) -> list[str]:
    """The image and what it runs: the command line takes one word of an entrypoint, the others go before the arguments."""
    if not job.entrypoint:
        return [image, *(job.arguments or ())]
    return ["--entrypoint", job.entrypoint[0], image, *job.entrypoint[1:], *(job.arguments or ())]

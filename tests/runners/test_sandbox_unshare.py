from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from localpipe.errors import JobFailed
from localpipe.runners._sandbox_launcher import Descriptors, UtilLinux
from localpipe.runners._sandbox_plan import Bind, Layer, RootFileSystem, SandboxPlan
from localpipe.runners._sandbox_unshare import BY_HAND, STARTED, namespaces_line, sandbox_program

VENV = PurePosixPath("/home/me/venv")
PLAN = SandboxPlan(
    directory=Path("/home/me/attempt/sandbox"),
    host_name="algo-1",
    root=RootFileSystem(below=Path("/home/me/roots/1"), binds=(Bind(Path("/usr"), PurePosixPath("/usr")),)),
    layers=(Layer("venv", Path(VENV), VENV),),
    binds=(
        Bind(Path("/home/me/attempt/sandbox/venv/merged"), VENV, writable=True),
        Bind(Path("/a/in put"), PurePosixPath("/opt/ml/in put")),
    ),
    environment={"SEED": "7"},
    command=("train", "it's"),
    network_isolated=False,
)


def lines_of(plan: SandboxPlan, *, begin: str = STARTED) -> list[str]:
    return sandbox_program(plan, plan.environment, begin=begin).splitlines()


def between(lines: list[str], first: str, last: str) -> list[str]:
    return lines[lines.index(first) : lines.index(last) + 1]


def test_mounts_follow_each_other_as_bubblewrap_makes_them() -> None:
    assert between(lines_of(PLAN), "hostname algo-1", 'cd "$root"') == [
        "hostname algo-1",
        "answer",
        "layer venv",
        'mount -n --bind "$root" "$root"; limit "$root"',
        "bind /usr /usr ro",
        "processes",
        *(
            f"cover /proc/{name}"
            for name in ("sys", "sysrq-trigger", "fs", "acpi", "scsi", "mtrr", "pressure", "irq", "bus")
        ),
        "devices",
        "bind /home/me/attempt/sandbox/venv/merged /home/me/venv ''",
        "bind '/a/in put' '/opt/ml/in put' ro",
        'cd "$root"',
    ]


def test_the_environment_is_the_last_thing_before_the_job() -> None:
    environment = {"SEED": "it's 7", "PWD": "/tmp"}  # noqa: S108 - a job's own
    assert between(lines_of(replace(PLAN, environment=environment)), "unset OLDPWD SHLVL", 'exec "$@"') == [
        "unset OLDPWD SHLVL",
        "export PWD=/tmp",
        "export SEED='it'\"'\"'s 7'",
        'exec "$@"',
    ]


@pytest.mark.parametrize("name", ["a.b", "1A", "", "UID", "OPTIND", "GRÜN"])
def test_a_variable_that_no_shell_hands_on_is_refused(name: str) -> None:
    with pytest.raises(JobFailed, match=r"^No shell hands on the environment variable"):
        lines_of(replace(PLAN, environment={name: "1"}))


def test_an_isolated_job_has_a_network_of_its_own() -> None:
    isolated = replace(PLAN, network_isolated=True)
    assert between(lines_of(isolated), "hostname algo-1", "answer") == ["hostname algo-1", "loopback", "answer"]
    assert "--net" in namespaces_line("unshare", own_network=True)
    assert "--net" not in namespaces_line("unshare", own_network=False)


@pytest.mark.parametrize("begin", [STARTED, BY_HAND])
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_program_is_one_for_any_shell(shell: str, begin: str) -> None:
    program = sandbox_program(replace(PLAN, network_isolated=True), PLAN.environment, begin=begin)
    subprocess.run([shell, "-n"], input=program, text=True, check=True)


def test_a_sandbox_in_the_background_inherits_its_streams_alone() -> None:
    opened = Descriptors(memory=11, info=12, status=13, seccomp=14, log=15, go=None)
    start = UtilLinux("/usr/bin/unshare").start(PLAN, opened)
    assert (start.stdin, start.stdout, start.stderr, start.kept) == (11, 12, 15, ())
    assert start.argv[-6:] == ("/bin/sh", "-c", ". /proc/self/fd/0", "sh", "train", "it's")
    assert "SEED" not in " ".join(start.argv)

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from localpipe.core.jobspec import JobExit
from localpipe.runners._never_ran import NotExecuted, not_executable, not_found
from localpipe.runners._sandbox_plan import Bind, Layer, RootFileSystem, SandboxPlan
from localpipe.runners._sandbox_program import host_path, not_executed

OPT = PurePosixPath("/opt")


def a_plan(tmp_path: Path, *command: str, path: str = "/usr/bin:/bin") -> SandboxPlan:
    """A sandbox over a small machine: programs in `/usr/bin`, a layer in `/opt/venv`, an input in `/opt/in`."""
    directory = tmp_path / "sandbox"
    for folder in (tmp_path / "usr/bin", tmp_path / "venv/bin", tmp_path / "input", tmp_path / "below"):
        folder.mkdir(parents=True, exist_ok=True)
    (tmp_path / "below/bin").symlink_to("usr/bin")
    (directory / "root/upper/etc").mkdir(parents=True)
    (directory / "root/upper/etc/hosts").touch()
    a_file(tmp_path / "usr/bin/sh", b"\x7fELF")
    a_file(tmp_path / "venv/bin/train", b"#!/opt/venv/bin/python -s\n")
    (tmp_path / "venv/bin/python").symlink_to("/bin/sh")
    return SandboxPlan(
        directory=directory,
        host_name="algo-1",
        root=RootFileSystem(below=tmp_path / "below", binds=(Bind(tmp_path / "usr", PurePosixPath("/usr")),)),
        layers=(Layer("root", tmp_path / "below", PurePosixPath("/")), Layer("venv", tmp_path / "venv", OPT / "venv")),
        binds=(Bind(directory / "venv/merged", OPT / "venv", writable=True), Bind(tmp_path / "input", OPT / "in")),
        environment={"PATH": path},
        command=command,
        network_isolated=False,
    )


def a_file(path: Path, content: bytes, mode: int = 0o755) -> None:
    path.write_bytes(content)
    path.chmod(mode)


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ("/usr/bin/env", "usr/bin/env"),
        ("/bin/sh", "usr/bin/sh"),
        ("//bin/../bin/./sh", "usr/bin/sh"),
        ("usr/env", "usr/env"),
        ("/opt/venv/bin/train", "venv/bin/train"),
        ("/opt/venv/bin/python", "usr/bin/sh"),
        ("/opt/in/run", "input/run"),
        ("/opt/in/../run", "below/opt/run"),
        ("/etc/hosts", "sandbox/root/upper/etc/hosts"),
        ("/proc/self/exe", None),
    ],
)
def test_where_a_path_of_the_sandbox_is_on_the_host(tmp_path: Path, inside: str, outside: str | None) -> None:
    found = host_path(a_plan(tmp_path, "x"), PurePosixPath(inside))
    assert found == (tmp_path / outside if outside else None)


@pytest.mark.parametrize("program", ["sh", "/bin/sh", "bin/sh", "/opt/venv/bin/train", "/proc/self/exe"])
def test_what_can_be_executed_is_not_refused(tmp_path: Path, program: str) -> None:
    assert not_executed(a_plan(tmp_path, program)) is None


def test_a_program_is_looked_for_on_the_path_past_what_is_not_executable(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, "train", path="/opt/in:/opt/venv/bin")
    a_file(tmp_path / "input/train", b"", 0o644)
    assert not_executed(plan) is None
    (tmp_path / "venv/bin/train").unlink()
    assert not_executed(plan) == not_found("train")


@pytest.mark.parametrize("program", ["/opt/in/none", "/bin/sh/none", "/opt/in/loop", "/opt/in/dangling"])
def test_a_path_that_leads_nowhere_is_not_found(tmp_path: Path, program: str) -> None:
    plan = a_plan(tmp_path, program)
    (tmp_path / "input/loop").symlink_to("loop")
    (tmp_path / "input/dangling").symlink_to("/usr/none")
    assert not_executed(plan) == not_found(program)


@pytest.mark.parametrize("program", ["/usr", "/opt/in/plain"])
def test_a_directory_or_a_plain_file_is_not_executable(tmp_path: Path, program: str) -> None:
    plan = a_plan(tmp_path, program)
    a_file(tmp_path / "input/plain", b"#!/bin/sh\n", 0o644)
    assert not_executed(plan) == not_executable(program)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "exec format error"),
        (b"echo hello\n", "exec format error"),
        (b"#!\n", "exec format error"),
        (b"#!/bin/sh\r\n", "no such file or directory"),
        (b"#! /opt/none -x\n", "no such file or directory"),
        (b"#!/usr/bin\n", "permission denied"),
        (b"#!/opt/in/run\n", "too many levels of symbolic links"),
    ],
)
def test_a_script_is_refused_as_the_kernel_does(tmp_path: Path, content: bytes, why: str) -> None:
    plan = a_plan(tmp_path, "run", path="/opt/in")
    a_file(tmp_path / "input/run", content)
    assert not_executed(plan) == NotExecuted(exit=JobExit(exit_code=1), log_line=f"exec /opt/in/run: {why}")

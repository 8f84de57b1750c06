"""What a sandbox reads from the machine and how it explains a machine that allows none."""

from __future__ import annotations

import struct
from pathlib import Path, PurePosixPath

import pytest

from localpipe.core.ports import Availability
from localpipe.runners._sandbox_check import launcher_or_refusal, refusal
from localpipe.runners._sandbox_directory import remove_directory
from localpipe.runners._sandbox_filter import filter_program
from localpipe.runners._sandbox_interpreter import Interpreter, interpreter_of
from localpipe.runners._sandbox_launcher import Bubblewrap, Launcher, UtilLinux
from localpipe.runners._sandbox_plan import Bind, Tools
from localpipe.runners._sandbox_process import FirstProcess, ProcessId, parse_stat, parse_status
from localpipe.runners.machine_root import machine_root

ALLOW, SUCCEED = 0x7FFF0000, 0x00050000
X86_64, AARCH64 = 0xC000003E, 0xC00000B7


def verdict(program: bytes, architecture: int, call: int) -> int:
    """What a filter answers: a tiny machine for the four instructions that it is made of."""
    loaded, position = 0, 0
    instructions = list(struct.iter_unpack("=HBBI", program))
    while True:
        code, if_equal, if_not, value = instructions[position]
        position += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            loaded = (call, architecture)[value // 4]
        else:
            position += if_equal if loaded == value else if_not


@pytest.mark.parametrize(
    ("call", "answer"), [(92, SUCCEED), (93, SUCCEED), (94, SUCCEED), (260, SUCCEED), (91, ALLOW), (0, ALLOW)]
)
def test_changing_an_owner_succeeds_without_being_done(call: int, answer: int) -> None:
    assert verdict(filter_program("x86_64"), X86_64, call) == answer


def test_the_calls_of_another_architecture_are_not_mistaken() -> None:
    assert verdict(filter_program("x86_64"), AARCH64, 92) == ALLOW
    assert verdict(filter_program("aarch64"), AARCH64, 54) == SUCCEED
    assert verdict(filter_program("riscv64"), 0, 54) == ALLOW


def test_a_process_is_read_from_its_stat_line_whatever_its_name() -> None:
    fields = " ".join(str(n) for n in range(4, 53))
    assert parse_stat(f"812 (a) b (c) S {fields}") == ProcessId(pid=812, start_time=22)


def test_status_is_read_as_far_as_it_is_written() -> None:
    first = '{ "child-pid": 12, "net-namespace": 5, "pid-namespace": 77 }\n'
    assert parse_status("") == (None, None)
    assert parse_status(first[:-9]) == (None, None)
    assert parse_status(first) == (FirstProcess(12, 77, own_network=True), None)
    assert parse_status(first + '{ "exit-code": 1') == (FirstProcess(12, 77, own_network=True), None)
    assert parse_status(first + '{ "exit-code": 0 }\n') == (FirstProcess(12, 77, own_network=True), 0)


ALL_PROGRAMS = {
    name: f"/usr/bin/{name}"
    for name in ("bwrap", "unshare", "setpriv", "setsid", "pivot_root", "mount", "umount", "hostname")
}


@pytest.mark.parametrize(
    ("missing", "launcher"),
    [
        ((), Bubblewrap(Tools(bwrap="/usr/bin/bwrap", unshare="/usr/bin/unshare"))),
        (("setpriv", "hostname"), Bubblewrap(Tools(bwrap="/usr/bin/bwrap", unshare="/usr/bin/unshare"))),
        (("bwrap",), UtilLinux("/usr/bin/unshare")),
    ],
)
def test_bubblewrap_comes_first_and_util_linux_stands_in_for_it(missing: tuple[str, ...], launcher: Launcher) -> None:
    assert launcher_or_refusal({**ALL_PROGRAMS, **dict.fromkeys(missing)}) == launcher


@pytest.mark.parametrize(
    ("missing", "needed", "packages"),
    [
        (("unshare",), "`unshare` of util-linux, which is not installed", "util-linux"),
        (
            ("bwrap", "hostname"),
            "`bwrap` of bubblewrap or, without it, `hostname` of hostname; neither is installed",
            "bubblewrap util-linux",
        ),
        (
            ("bwrap", "unshare", "setpriv"),
            "`bwrap` of bubblewrap or, without it, `unshare` of util-linux; neither is installed",
            "bubblewrap util-linux",
        ),
    ],
)
def test_a_missing_program_comes_with_the_command_that_installs_it(
    missing: tuple[str, ...], needed: str, packages: str
) -> None:
    assert launcher_or_refusal({**ALL_PROGRAMS, **dict.fromkeys(missing)}) == Availability(
        usable=False,
        reason=f"The process runner needs {needed}.",
        remedy=f"Install it: apt install {packages} (Debian, Ubuntu) or dnf install {packages} (Fedora, RHEL).",
    )


@pytest.mark.parametrize(
    ("settings", "reason", "remedy"),
    [
        (
            {"kernel.unprivileged_userns_clone": "0"},
            "This machine forbids user namespaces (kernel.unprivileged_userns_clone=0): no",
            "Allow them: sudo sysctl -w kernel.unprivileged_userns_clone=1, or use the Docker runner.",
        ),
        (
            {"user.max_user_namespaces": "15000", "kernel.apparmor_restrict_unprivileged_userns": "1"},
            "This machine forbids user namespaces (kernel.apparmor_restrict_unprivileged_userns=1): no",
            "Allow them: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or use the Docker runner.",
        ),
        (
            {},
            "A trial sandbox did not start: no",
            "In a container, start that one with --privileged; else use the Docker runner.",
        ),
    ],
)
def test_a_refusal_names_the_setting_that_forbids(settings: dict[str, str], reason: str, remedy: str) -> None:
    assert refusal("no", settings, Bubblewrap.if_it_fails) == Availability(usable=False, reason=reason, remedy=remedy)


def test_without_bubblewrap_a_refusal_names_it() -> None:
    assert refusal("no", {}, UtilLinux.if_it_fails).remedy == (
        "Install bubblewrap; in a container, start that one with --privileged; else use the Docker runner."
    )


def test_of_a_root_programs_are_shown_and_secrets_are_not(tmp_path: Path) -> None:
    for directory in (
        "usr/bin",
        "usr/lib",
        "etc/ssl/certs",
        "etc/ssl/private",
        "etc/ssh",
        "lib32",
        "root/.aws",
        "sys/devices/system",
    ):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "etc/shadow").write_text("root:hash")
    (tmp_path / "etc/services").write_text("http 80/tcp\n")
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/UTC")
    root = machine_root(tmp_path)
    assert root.binds == tuple(
        Bind(tmp_path / name, PurePosixPath("/") / name) for name in ("usr", "lib32", "sys/devices/system", "etc/ssl/certs")
    )
    assert {str(link): str(target) for link, target in root.links.items()} == {
        "/bin": "/usr/bin",
        "/etc/localtime": "/usr/share/zoneinfo/UTC",
        "/var/run": "/run",
    }
    assert sorted(map(str, root.files)) == ["/etc/group", "/etc/passwd", "/etc/services"]


def test_an_environment_is_followed_to_its_base_installation(tmp_path: Path) -> None:
    """As uv makes it: the environment names a link, the link the installation."""
    real, linked, venv = tmp_path / "python-3.11.7", tmp_path / "python-3.11", tmp_path / "venv"
    an_installation(real)
    linked.symlink_to(real)
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(linked / "bin" / "python3.11")
    assert interpreter_of(venv).binds == (Bind(real, PurePosixPath(linked)), Bind(real, PurePosixPath(real)))


def an_installation(prefix: Path) -> None:
    for file in (prefix / "bin" / "python3.11", prefix / "lib" / "python3.11" / "os.py"):
        file.parent.mkdir(parents=True)
        file.touch()


def test_of_a_directory_that_only_links_to_an_installation_the_link_alone_is_shown(tmp_path: Path) -> None:
    """`~/.local/bin`, where uv and people put such links, lies beside what is nobody's business."""
    real, local, venv = tmp_path / "python-3.11.7", tmp_path / ".local", tmp_path / "venv"
    an_installation(real)
    link = local / "bin" / "python3.11"
    for directory in (link.parent, venv / "bin", local / "lib" / "python3.11" / "site-packages"):
        directory.mkdir(parents=True)
    link.symlink_to("../../python-3.11.7/bin/python3.11")
    (venv / "bin" / "python").symlink_to(link)
    assert interpreter_of(venv) == Interpreter(
        venv=venv,
        binds=(Bind(real, PurePosixPath(real)),),
        links={PurePosixPath(link): PurePosixPath(real / "bin" / "python3.11")},
    )


def test_the_systems_python_needs_nothing_more(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("/usr/bin/python3.99")
    assert interpreter_of(tmp_path).binds == ()


def test_a_locked_directory_is_removed(tmp_path: Path) -> None:
    (tmp_path / "sandbox" / "locked" / "in").mkdir(parents=True)
    (tmp_path / "sandbox" / "locked" / "in" / "file").touch()
    (tmp_path / "sandbox" / "link").symlink_to("/")
    (tmp_path / "sandbox" / "locked" / "in").chmod(0)
    (tmp_path / "sandbox" / "locked").chmod(0)
    remove_directory(tmp_path / "sandbox")
    remove_directory(tmp_path / "sandbox")
    assert not (tmp_path / "sandbox").exists()


def test_the_machines_pip_settings_are_not_shown(tmp_path: Path) -> None:
    """They may hold a login, and would go past the index that jobs are served."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/pip.conf").write_text("[global]\nindex-url = https://me:secret@packages.example/simple\n")
    assert b"secret" not in b"".join(machine_root(tmp_path).files.values())

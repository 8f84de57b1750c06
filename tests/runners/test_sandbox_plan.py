from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from localpipe.core.jobspec import Access, Mount, StagedHost, StagedJob
from localpipe.core.names import AttemptKey
from localpipe.errors import JobFailed
from localpipe.runners._sandbox_plan import (
    Bind,
    Interpreter,
    Layer,
    RootFileSystem,
    SandboxPlan,
    Tools,
    bwrap_options,
    enter_line,
    launch_line,
    options_file,
    pasteable_line,
    plan_sandbox,
    program_of,
)

TOOLS = Tools(bwrap="/usr/bin/bwrap", unshare="/usr/bin/unshare")
VENV = Path("/home/me/.cache/localpipe/venv")
ROOT = RootFileSystem(
    binds=(Bind(Path("/usr"), PurePosixPath("/usr")),),
    links={PurePosixPath("/bin"): PurePosixPath("/usr/bin")},
    directories={"/tmp": 0o1777},  # noqa: S108 - the sandbox's own
    files={},
)
PYTHON = Bind(Path("/opt/python"), PurePosixPath("/opt/python"))
DIRECTORY = Path("/home/me/attempt/sandbox")


def a_mount(host_dir: str, container_dir: str, access: Access = Access.WRITABLE) -> Mount:
    return Mount(host_dir=Path(host_dir), container_dir=PurePosixPath(container_dir), access=access)


def a_job(*mounts: Mount, **changes: object) -> StagedJob:
    job = StagedJob(
        key=AttemptKey(execution_id="abc", step="Train", attempt=1),
        job_name="train-1",
        image_uri="repo/image:1",
        entrypoint=("python3", "run.py"),
        arguments=("--depth", "3"),
        environment={"SEED": "7"},
        hosts=(StagedHost(name="algo-1", mounts=mounts, log_file=Path("/home/me/attempt/log")),),
        network_isolated=False,
        attempt_dir=Path("/home/me/attempt"),
    )
    return replace(job, **changes)  # type: ignore[arg-type]  # fields by name


def a_plan(
    job: StagedJob | None = None, *, overlays: bool = False, links: dict[PurePosixPath, PurePosixPath] | None = None
) -> SandboxPlan:
    return plan_sandbox(
        job or a_job(),
        ("python3", "run.py"),
        directory=DIRECTORY,
        root=ROOT,
        interpreter=Interpreter(venv=VENV, binds=(PYTHON,), links=links or {}),
        image_environment={"LANG": "C.UTF-8"},
        overlays=overlays,
    )


def test_mounts_follow_the_environment_in_their_order() -> None:
    plan = a_plan(a_job(a_mount("/a/ml", "/opt/ml"), a_mount("/a/train", "/opt/ml/train", Access.READ_ONLY)))
    assert plan.layers == ()
    assert plan.binds == (
        PYTHON,
        Bind(VENV, PurePosixPath(VENV)),
        Bind(Path("/a/ml"), PurePosixPath("/opt/ml"), writable=True),
        Bind(Path("/a/train"), PurePosixPath("/opt/ml/train"), writable=False),
    )


def test_what_may_be_changed_but_must_not_change_is_a_layer() -> None:
    plan = a_plan(a_job(a_mount("/a/ml", "/opt/ml"), a_mount("/a/in", "/opt/ml/in", Access.OVERLAY)), overlays=True)
    assert plan.layers == (
        Layer("venv", VENV, PurePosixPath(VENV)),
        Layer("mount-1", Path("/a/in"), PurePosixPath("/opt/ml/in")),
    )
    assert plan.binds[1] == Bind(DIRECTORY / "venv" / "merged", PurePosixPath(VENV), writable=True)
    assert plan.binds[3] == Bind(DIRECTORY / "mount-1" / "merged", PurePosixPath("/opt/ml/in"), writable=True)


def test_a_python_of_the_system_is_no_layer() -> None:
    plan = plan_sandbox(
        a_job(),
        ("python3",),
        directory=DIRECTORY,
        root=ROOT,
        interpreter=Interpreter(venv=Path("/usr"), binds=()),
        image_environment={},
        overlays=True,
    )
    assert (plan.layers, plan.binds) == ((), ())
    assert plan.environment["PATH"].startswith("/usr/bin:")


def test_links_of_the_interpreter_stand_beside_those_of_the_root() -> None:
    link, target = PurePosixPath("/home/me/.local/bin/python3"), PurePosixPath("/opt/python/bin/python3")
    assert a_plan(links={link: target}).root.links == {**ROOT.links, link: target}


def test_the_environments_programs_come_first_on_any_path() -> None:
    system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert a_plan().environment == {
        "HOME": "/root",
        "HOSTNAME": "algo-1",
        "LANG": "C.UTF-8",
        "SEED": "7",
        "PATH": f"{VENV}/bin:{system}",
    }
    given = a_plan(a_job(environment={"PATH": "/mine", "LANG": "de"})).environment
    assert (given["PATH"], given["LANG"]) == (f"{VENV}/bin:/mine", "de")


@pytest.mark.parametrize(
    ("entrypoint", "arguments", "command"),
    [
        (("python3", "a.py"), ("-x",), ("python3", "a.py", "-x")),
        (("python3", "a.py"), None, ("python3", "a.py")),
        (None, ("train",), ("train",)),
    ],
)
def test_the_command(
    entrypoint: tuple[str, ...] | None, arguments: tuple[str, ...] | None, command: tuple[str, ...]
) -> None:
    assert program_of(a_job(entrypoint=entrypoint, arguments=arguments)) == command


@pytest.mark.parametrize("arguments", [None, (), ("--depth", "3"), ("train", "now")])
def test_an_images_own_entry_point_is_refused(arguments: tuple[str, ...] | None) -> None:
    with pytest.raises(JobFailed) as failed:
        program_of(a_job(entrypoint=None, arguments=arguments))
    assert str(failed.value) == (
        "The job runs the ENTRYPOINT of image repo/image:1, and a local environment has none. "
        "Give the job an entry point (ContainerEntrypoint), or use the Docker runner."
    )


def test_bubblewraps_options() -> None:
    options = " ".join(bwrap_options(a_plan(a_job(a_mount("/a/ml", "/opt/ml"))), {"SEED": "7"}))
    assert options == (
        "--unshare-user --uid 0 --gid 0 --cap-drop ALL --unshare-pid --as-pid-1 --unshare-ipc --unshare-uts "
        "--hostname algo-1 --bind /home/me/attempt/sandbox/root / --ro-bind /usr /usr --proc /proc --dev /dev "
        "--ro-bind-try /proc/sys /proc/sys --ro-bind-try /proc/sysrq-trigger /proc/sysrq-trigger "
        "--ro-bind-try /proc/fs /proc/fs --ro-bind-try /proc/acpi /proc/acpi --ro-bind-try /proc/scsi /proc/scsi "
        "--ro-bind-try /proc/mtrr /proc/mtrr --ro-bind-try /proc/pressure /proc/pressure "
        "--ro-bind /opt/python /opt/python --ro-bind /home/me/.cache/localpipe/venv /home/me/.cache/localpipe/venv "
        "--bind /a/ml /opt/ml --chdir / --clearenv --setenv SEED 7"
    )


def test_an_isolated_job_has_a_network_of_its_own() -> None:
    assert "--unshare-net" not in bwrap_options(a_plan(), {})
    assert "--unshare-net" in bwrap_options(a_plan(a_job(network_isolated=True)), {})


def test_only_layers_need_a_mount_namespace_around() -> None:
    layer = Layer("venv", VENV, PurePosixPath(VENV))
    assert launch_line(TOOLS, (), ("--", "true"))[0] == "/bin/sh"
    assert launch_line(TOOLS, (layer,), ("--", "true"))[:5] == (
        *("/usr/bin/unshare", "--user", "--map-root-user", "--mount", "--"),
    )
    assert launch_line(TOOLS, (layer,), ("--", "true"))[-5:] == ("sh", "venv", "/usr/bin/bwrap", "--", "true")


def test_options_are_separated_by_zero_bytes() -> None:
    assert options_file(["--setenv", "A", "x\ny", ""]) == b"--setenv\0A\0x\ny\0\0"


def test_the_line_to_paste_keeps_words_and_leaves_credentials_out() -> None:
    environment = {"AWS_SECRET_ACCESS_KEY": "hush", "TEXT": "it's\n\\n 100%"}
    plan = replace(a_plan(), environment=environment, command=("python3", "-c", "print(1)\nprint('\\t')"))
    line = pasteable_line(plan, Tools(bwrap="printf", unshare="unshare"))
    assert "\n" not in line
    assert "hush" not in line
    words = subprocess.run(
        ["/bin/sh", "-c", line.split("&& ", 1)[1].replace("/bin/sh -c", "printf '%s\\0' sh", 1).replace(" 4<filter", "")],
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert words.split("\0")[-7:-1] == ["TEXT", "it's\n\\n 100%", "--", *plan.command]


def test_a_program_beside_the_job_is_as_weak_as_the_job() -> None:
    line = shlex.join(enter_line(12, ["sh", "-c", "ls"], own_network=True))
    assert line.startswith(
        "nsenter --target 12 --user --preserve-credentials --mount --uts --ipc --pid --net --root --wd -- "
        "setpriv --no-new-privs --bounding-set=-all --inh-caps=-all env -i bash -c "
    )
    assert line.endswith(" bash sh -c ls")
    assert "--net" not in enter_line(12, ["ls"], own_network=False)

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path, PurePosixPath

from localpipe.core.jobspec import Access, Mount, StagedHost, StagedJob
from localpipe.core.names import AttemptKey
from localpipe.runners._sandbox_plan import (
    Bind,
    Layer,
    RootFileSystem,
    SandboxImage,
    SandboxPlan,
    Tools,
    User,
    bwrap_options,
    enter_line,
    launch_line,
    options_file,
    plan_sandbox,
)

TOOLS = Tools(bwrap="/usr/bin/bwrap", unshare="/usr/bin/unshare")
VENV = Path("/home/me/.cache/localpipe/venv")
PYTHON = Bind(Path("/opt/python"), PurePosixPath("/opt/python"))
BELOW = Path("/home/me/roots/1")
IMAGE = SandboxImage(
    root=RootFileSystem(below=BELOW, binds=(Bind(Path("/usr"), PurePosixPath("/usr")),)),
    binds=(PYTHON,),
    layer=Layer("venv", VENV, PurePosixPath(VENV)),
    environment={"LANG": "C.UTF-8"},
    programs=PurePosixPath(VENV, "bin"),
)
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


def a_plan(job: StagedJob | None = None, *, image: SandboxImage = IMAGE, overlays: bool = False) -> SandboxPlan:
    job, command = job or a_job(), ("python3", "run.py")
    return plan_sandbox(job, job.hosts[0], command, directory=DIRECTORY, image=image, overlays=overlays, addresses={})


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
        Layer("root", BELOW, PurePosixPath("/")),
        Layer("venv", VENV, PurePosixPath(VENV)),
        Layer("mount-1", Path("/a/in"), PurePosixPath("/opt/ml/in"), is_input=True),
    )
    assert plan.binds[1] == Bind(DIRECTORY / "venv" / "merged", PurePosixPath(VENV), writable=True)
    assert plan.binds[3] == Bind(DIRECTORY / "mount-1" / "merged", PurePosixPath("/opt/ml/in"), writable=True)


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


def test_an_image_says_who_its_jobs_are_and_where_they_begin() -> None:
    image = SandboxImage(
        root=RootFileSystem(below=BELOW),
        environment={"PATH": "/opt/conda/bin", "SEED": "1"},
        working_dir=PurePosixPath("/app"),
        user=User(uid=1000, gid=50, home="/home/app"),
    )
    plan = a_plan(image=image, overlays=True)
    assert plan.environment == {"HOME": "/home/app", "HOSTNAME": "algo-1", "PATH": "/opt/conda/bin", "SEED": "7"}
    options = " ".join(bwrap_options(plan, {}))
    assert options.startswith("--unshare-user --uid 1000 --gid 50 --cap-drop ALL ")
    assert options.endswith(" --dir /app --chdir /app --clearenv")


def test_bubblewraps_options() -> None:
    options = " ".join(bwrap_options(a_plan(a_job(a_mount("/a/ml", "/opt/ml"))), {"SEED": "7"}))
    assert options == (
        "--unshare-user --uid 0 --gid 0 --cap-drop ALL --unshare-pid --as-pid-1 --unshare-ipc --unshare-uts "
        "--hostname algo-1 --bind /home/me/attempt/sandbox/root/merged / --ro-bind /usr /usr --proc /proc --dev /dev "
        "--ro-bind-try /proc/sys /proc/sys --ro-bind-try /proc/sysrq-trigger /proc/sysrq-trigger "
        "--ro-bind-try /proc/fs /proc/fs --ro-bind-try /proc/acpi /proc/acpi --ro-bind-try /proc/scsi /proc/scsi "
        "--ro-bind-try /proc/mtrr /proc/mtrr --ro-bind-try /proc/pressure /proc/pressure "
        "--ro-bind /opt/python /opt/python --ro-bind /home/me/.cache/localpipe/venv /home/me/.cache/localpipe/venv "
        "--bind /a/ml /opt/ml --dir / --chdir / --clearenv --setenv SEED 7"
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


def test_a_launcher_that_waits_does_so_before_it_mounts_the_inputs() -> None:
    plan = a_plan(a_job(a_mount("/a/in", "/opt/ml/in", Access.OVERLAY)), overlays=True)
    names = [launch_line(TOOLS, plan.layers, ("--", "true"), waits=waits)[-4] for waits in (False, True)]
    assert names == ["root venv mount-0", "root venv wait mount-0"]


def test_options_are_separated_by_zero_bytes() -> None:
    assert options_file(["--setenv", "A", "x\ny", ""]) == b"--setenv\0A\0x\ny\0\0"


def test_a_program_beside_the_job_is_as_weak_as_the_job() -> None:
    line = shlex.join(enter_line(12, ["sh", "-c", "ls"], own_network=True))
    assert line.startswith(
        "nsenter --target 12 --user --preserve-credentials --mount --uts --ipc --pid --net --root --wd -- "
        "setpriv --no-new-privs --bounding-set=-all --inh-caps=-all env -i bash -c "
    )
    assert line.endswith(" bash sh -c ls")
    assert "--net" not in enter_line(12, ["ls"], own_network=False)

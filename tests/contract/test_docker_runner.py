from __future__ import annotations

import grp
import http.server
import io
import json
import os
import shutil
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import docker
import pytest
from runner_contract import GRACE_SECONDS, OPT_ML, Ahead, AheadContract, RunnerContract, SeveralHostsContract, Workplace, run

from localpipe.core.jobspec import Access, JobExit, Limits, Mount
from localpipe.errors import ImageMissing, JobFailed, NotSupported
from localpipe.runners import _docker_container as containers
from localpipe.runners._docker_engine import connect
from localpipe.runners._docker_errors import engine_errors
from localpipe.runners._docker_home import DockerEngine, LocalImage
from localpipe.runners._docker_reclaim import ReclaimHelper
from localpipe.runners._docker_stream import AttachedStream, mended_lines, whole_lines
from localpipe.runners.docker import DockerRunner, ImageNames, image_platform
from localpipe.runners.engine_address import engine_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpipe.core.jobspec import StagedJob
    from localpipe.core.ports import Runner

BASE_IMAGE = os.environ.get("LOCALPIPE_TEST_BASE_IMAGE", "localpipe-base:bookworm")
FAMILY = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/family:1"
MADE_IMAGES = "localpipe-test"
ORDINARY_USER = 12345


@dataclass(frozen=True)
class NoStandIn:
    reason: str = "localpipe has no stand-in for it."
    remedy: str = "Map it in localpipe.toml."


IMAGES = ImageNames(
    candidates=lambda uri: [uri, *([BASE_IMAGE] if uri == FAMILY else [])],
    notes=lambda uri, local: (f"{local} stands for {uri}",) if uri != local else (),
    absence=lambda _: NoStandIn(),
)


def docker_runner(home: Path) -> DockerRunner:
    return DockerRunner(home, IMAGES, os.environ, grace_seconds=GRACE_SECONDS)


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[DockerRunner]:
    runner = docker_runner(tmp_path)
    availability = runner.check()
    if not availability.usable:
        pytest.skip(availability.reason)
    yield runner
    runner.sweep(lambda key: False)
    runner.close()


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path, BASE_IMAGE)


@pytest.fixture(scope="module")
def api() -> Iterator[docker.APIClient]:
    with closing(docker.APIClient(version="auto")) as api:
        yield api


def built_image(api: docker.APIClient, name: str, *lines: str) -> str:
    """An image over the base image, made from lines of a Dockerfile."""
    tag = f"{MADE_IMAGES}/{name}"
    recipe = "\n".join([f"FROM {BASE_IMAGE}", *lines])
    for message in api.build(fileobj=io.BytesIO(recipe.encode()), tag=tag, rm=True, decode=True):
        assert "error" not in message, message
    return tag


@pytest.mark.docker
class TestDockerRunner(RunnerContract, SeveralHostsContract):
    isolated_serving_reaches_machine = True  # see docs/decisions/0026

    @pytest.fixture
    def runner(self, runner: DockerRunner) -> Runner:
        return runner

    @pytest.fixture
    def later_runner(self, tmp_path: Path) -> Iterator[Runner]:
        runner = docker_runner(tmp_path)
        yield runner
        runner.close()

    @pytest.fixture
    def image(self) -> str:
        return BASE_IMAGE


@pytest.mark.docker
class TestAhead(AheadContract):
    isolated_serving_reaches_machine = True  # see docs/decisions/0026

    @pytest.fixture
    def runner(self, runner: DockerRunner) -> Runner:
        return Ahead(runner)  # type: ignore[return-value]  # the runner for all but `prepare`

    @pytest.fixture
    def later_runner(self, tmp_path: Path) -> Iterator[Runner]:
        runner = docker_runner(tmp_path)
        yield runner
        runner.close()

    @pytest.fixture
    def image(self) -> str:
        return BASE_IMAGE


# As an ordinary user


@dataclass(frozen=True)
class OrdinaryUser:
    """A Python that a user without rights can run, and a directory of theirs; pytest's own they cannot enter."""

    python: str
    directory: Path

    def run(self, *arguments: str, groups: tuple[int, ...] = ()) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, *arguments],
            user=ORDINARY_USER,
            group=ORDINARY_USER,
            extra_groups=groups,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.directory),
                "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)]),
                "PYTHONDONTWRITEBYTECODE": "1",
                "LOCALPIPE_TEST_BASE_IMAGE": BASE_IMAGE,
            },
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def ordinary_user() -> Iterator[OrdinaryUser]:
    if os.getuid() != 0:
        pytest.skip("needs root to become another user")
    with tempfile.TemporaryDirectory() as directory:
        os.chown(directory, ORDINARY_USER, ORDINARY_USER)
        for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
            user = OrdinaryUser(python, Path(directory))
            with suppress(OSError):
                if user.run("-c", "import docker, pytest, localpipe").returncode == 0:
                    yield user
                    return
        pytest.skip("an ordinary user can run no Python here that has the packages")


@pytest.mark.docker
def test_an_ordinary_user_gets_what_root_wrote(runner: DockerRunner, ordinary_user: OrdinaryUser) -> None:
    wanted = "test_written_files or test_an_overlay or test_remove_kills or test_a_job_that_ended_unseen or without_a_shell"
    options = ("-p", "no:cacheprovider", "-q", f"--basetemp={ordinary_user.directory}/t", __file__, "-k", wanted)
    done = ordinary_user.run("-m", "pytest", *options, groups=(Path("/var/run/docker.sock").stat().st_gid,))
    assert "11 passed" in done.stdout, done.stdout + done.stderr


def test_a_socket_that_one_may_not_use_names_the_group(ordinary_user: OrdinaryUser, tmp_path: Path) -> None:
    script = (
        "import sys\nfrom localpipe.runners.docker import DockerRunner\nfrom pathlib import Path\n"
        "found = DockerRunner(Path('/'), None, {'DOCKER_HOST': f'unix://{sys.argv[1]}'}).check()\n"
        "print(found.reason, found.remedy, sep='\\n')"
    )
    path = ordinary_user.directory / "docker.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        path.chmod(0o660)
        done = ordinary_user.run("-c", script, str(path))
    group = grp.getgrgid(path.stat().st_gid).gr_name
    assert done.stdout == (
        f"You may not use the Docker engine at unix://{path}: its socket belongs to group {group!r}.\n"
        f'Join the group (`sudo usermod -aG {group} "$USER"`, then log in again).\n'
    ), done.stderr


@pytest.mark.docker
def test_an_images_own_user_may_add_and_remove_files_of_an_input_and_not_change_them(
    runner: DockerRunner, place: Workplace, api: docker.APIClient
) -> None:
    image = built_image(api, "own-user", "USER 12345:12345")
    view = place.attempt_dir / "views" / "train"
    view.mkdir(parents=True)
    for name in ("changed", "removed"):
        (view / name).write_text("original")
    (place.opt_ml / "train").mkdir()
    mount = Mount(host_dir=view, container_dir=OPT_ML / "train", access=Access.OVERLAY)
    script = "cd /opt/ml/train && echo new > added && rm removed && cat added && ! echo new > changed && ls"
    assert run(runner, replace(place.shell_job(script, mounts=[mount]), image_uri=image)).exit_code == 0
    written, *_, added, changed = place.log().splitlines()
    assert (written, added, changed) == ("new", "added", "changed")
    note = "its user 12345 may add and remove files of an input, but not change those that came"
    assert runner.image(image).notes == (note,)
    assert runner.image(place.image).notes == ()


@pytest.mark.docker
def test_a_directory_of_an_input_may_be_renamed(runner: DockerRunner, place: Workplace) -> None:
    view = place.attempt_dir / "views" / "train"
    (view / "came" / "inner").mkdir(parents=True)
    (view / "came" / "inner" / "file").write_text("original\n")
    (place.opt_ml / "train").mkdir()
    mount = Mount(host_dir=view, container_dir=OPT_ML / "train", access=Access.OVERLAY)
    program = (
        "import os; os.chdir('/opt/ml/train'); os.rename('came', 'went'); os.rename('went/inner', 'inner'); "
        "print(open('inner/file').read(), sorted(os.listdir()), os.listdir('went'))"
    )
    job = place.shell_job(f'python3 -c "{program}"', mounts=[mount])
    assert run(runner, job).exit_code == 0
    assert place.log() == "original\n ['inner', 'went'] []\n"
    assert (view / "came" / "inner" / "file").read_text() == "original\n"


@pytest.mark.docker
def test_files_are_given_back_without_a_shell_in_the_image(
    runner: DockerRunner, place: Workplace, api: docker.APIClient
) -> None:
    remove = "import os; [os.remove(p) for p in ('/bin/sh', '/bin/chown', '/bin/bash', '/bin/dash')]"
    image = built_image(api, "no-shell", f"RUN {json.dumps(['python3', '-c', remove])}")
    program = (
        "import os; os.makedirs('/opt/ml/output/d/e'); open('/opt/ml/output/d/e/f', 'w').write('x'); os.umask(0o77)\n"
        "open('/opt/ml/output/d/mine', 'w').write('y'); os.symlink('/etc/passwd', '/opt/ml/output/d/link')"
    )
    assert run(runner, place.job("python3", "-c", program, image_uri=image)).exit_code == 0
    written = list(place.output.rglob("*"))
    assert sorted(path.name for path in written) == ["d", "e", "f", "link", "mine"]
    assert {path.lstat().st_uid for path in written} == {os.getuid()}
    assert (place.output / "d" / "mine").read_text() == "y"
    shutil.rmtree(place.output)


# Images and commands


@pytest.mark.docker
def test_a_stand_in_is_taken_where_the_true_image_is_not_there(runner: DockerRunner, place: Workplace) -> None:
    status = runner.image(FAMILY)
    assert (status.local, status.notes) == (BASE_IMAGE, (f"{BASE_IMAGE} stands for {FAMILY}",))
    assert run(runner, place.shell_job("exit 3", image_uri=FAMILY)).exit_code == 3


@pytest.mark.docker
def test_a_name_that_no_image_can_have_is_not_there(runner: DockerRunner) -> None:
    assert runner.image("NOT a name").reason == "localpipe has no stand-in for it."


@pytest.mark.docker
@pytest.mark.parametrize(
    ("entrypoint", "arguments", "printed"),
    [
        (None, None, "image-entrypoint image-command"),
        (None, ("given",), "image-entrypoint given"),
        (("echo", "own"), None, "own"),
        (("echo", "own"), ("given",), "own given"),
    ],
)
def test_entrypoint_and_arguments_follow_the_service(
    runner: DockerRunner,
    place: Workplace,
    api: docker.APIClient,
    *,
    entrypoint: tuple[str, ...] | None,
    arguments: tuple[str, ...] | None,
    printed: str,
) -> None:
    image = built_image(api, "entrypoint", 'ENTRYPOINT ["echo", "image-entrypoint"]', 'CMD ["image-command"]')
    job = replace(place.job("x", image_uri=image), entrypoint=entrypoint, arguments=arguments)
    run(runner, job)
    assert place.log() == f"{printed}\n"
    again = subprocess.run(runner.repeat_command(job), shell=True, capture_output=True, text=True, check=True)
    assert again.stdout == f"{printed}\n"
    assert list(runner.job_command(job)) == ["echo", *printed.split()]


@pytest.mark.docker
def test_user_and_working_directory_are_the_images(runner: DockerRunner, place: Workplace, api: docker.APIClient) -> None:
    place.output.chmod(0o777)
    image = built_image(api, "user", "RUN useradd -m app", "USER app", "WORKDIR /home/app")
    run(runner, place.shell_job("whoami; pwd; echo x > /opt/ml/output/file", image_uri=image))
    assert place.log() == "app\n/home/app\n"
    assert (place.output / "file").stat().st_uid == os.getuid()


@pytest.mark.docker
def test_an_image_without_a_train_program_is_said_plainly(runner: DockerRunner, place: Workplace) -> None:
    ended = run(runner, replace(place.job("x"), entrypoint=None, arguments=("train",)))
    assert ended == JobExit(exit_code=127, message="The image has no executable 'train'")


@pytest.mark.docker
def test_shared_memory_is_half_of_the_machines_and_no_init_process_is_added(
    runner: DockerRunner, place: Workplace, api: docker.APIClient
) -> None:
    run(runner, place.shell_job("df --output=size -B1 /dev/shm | tail -1; cat /proc/1/comm"))
    size, first_process = place.log().split()
    assert abs(int(size) - api.info()["MemTotal"] / 2) < 1 << 20
    assert first_process == "sh"


def limited(job: StagedJob, limits: Limits) -> StagedJob:
    return replace(job, hosts=tuple(replace(host, limits=limits) for host in job.hosts))


LIMITS = Limits(memory_bytes=64 << 20, cpus=0.5, shared_memory_bytes=8 << 20)
SEEN_LIMITS = (
    "cd /sys/fs/cgroup; cat memory.max cpu.max 2>/dev/null || cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us"
)


@pytest.mark.docker
def test_limits_are_kept(runner: DockerRunner, place: Workplace) -> None:
    job = limited(place.shell_job(f"{SEEN_LIMITS}; df --output=size -B1 /dev/shm | tail -1"), LIMITS)
    assert run(runner, job).exit_code == 0
    seen = place.log().split()
    assert (seen[0], seen[1], seen[-1]) == (str(64 << 20), "50000", str(8 << 20))


@pytest.mark.docker
def test_each_host_has_its_own_limits_and_variables(runner: DockerRunner, place: Workplace) -> None:
    job = place.hosts_job(f'{SEEN_LIMITS} | head -1; echo "$WHO"')
    first, second = job.hosts
    larger = replace(second, limits=Limits(memory_bytes=128 << 20), environment={"WHO": "second"})
    assert run(runner, replace(job, hosts=(replace(first, limits=LIMITS), larger))).exit_code == 0
    assert place.log_of("algo-1").read_text() == f"{64 << 20}\n\n"
    assert place.log_of("algo-2").read_text() == f"{128 << 20}\nsecond\n"


@pytest.mark.docker
def test_the_repeat_command_keeps_the_limits(runner: DockerRunner, place: Workplace) -> None:
    line = runner.repeat_command(limited(place.shell_job(SEEN_LIMITS), LIMITS))
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.split()[:2] == [str(64 << 20), "50000"]


@pytest.mark.docker
def test_limits_beyond_the_machine_are_those_of_the_machine(runner: DockerRunner, place: Workplace) -> None:
    job = limited(place.shell_job("exit 0"), Limits(cpus=4096, memory_bytes=1 << 50, gpus=8))
    assert run(runner, job).exit_code == 0


@pytest.mark.parametrize(
    ("image", "engine", "platform"), [("amd64", "amd64", None), ("amd64", "arm64", "linux/amd64"), ("arm64", "arm64", None)]
)
def test_an_image_of_another_architecture_is_asked_for_by_its_platform(
    image: str, engine: str, platform: str | None
) -> None:
    assert image_platform({"Os": "linux", "Architecture": image}, engine) == platform


@pytest.mark.docker
@pytest.mark.parametrize("network_isolated", [True, False])
def test_the_host_name_resolves(runner: DockerRunner, place: Workplace, *, network_isolated: bool) -> None:
    program = "import socket; socket.gethostbyname('algo-1')"
    assert run(runner, place.job("python3", "-c", program, network_isolated=network_isolated)).exit_code == 0


@pytest.mark.docker
def test_where_containers_have_no_address_a_port_is_published_on_loopback(place: Workplace) -> None:
    api, facts = connect(engine_address(os.environ))
    helper = ReclaimHelper(api, place.attempt_dir)
    engine = DockerEngine(api, replace(facts, native=False), place.attempt_dir, helper, GRACE_SECONDS)
    job = replace(place.shell_job("read x < /opt/ml/output/go"), port=8080)
    go = place.fifo("go")
    running = containers.prepare(engine, job, LocalImage(BASE_IMAGE, None)).start()
    try:
        assert running.address(8080)[0] == "127.0.0.1"
        with pytest.raises(NotSupported, match="Serving an isolated model on Docker Desktop"):
            containers.prepare(engine, replace(job, network_isolated=True), LocalImage(BASE_IMAGE, None))
    finally:
        go.write_text("x\n")
        running.remove()
        engine.helper.close()
        api.close()


@pytest.mark.docker
def test_an_isolated_job_has_no_address(runner: DockerRunner, place: Workplace) -> None:
    go = place.fifo("go")
    running = runner.prepare(place.shell_job("read x < /opt/ml/output/go", network_isolated=True)).start()
    try:
        with pytest.raises(NotSupported, match="Reaching port 8080 of a job without a network"):
            running.address(8080)
    finally:
        go.write_text("x\n")
        running.remove()


@pytest.mark.docker
def test_a_job_that_runs_out_of_memory_says_so(runner: DockerRunner, place: Workplace, api: docker.APIClient) -> None:
    ready = place.fifo("ready")
    program = "open('/opt/ml/output/ready', 'w').write('x'); b = bytearray(200 << 20); print('not killed')"
    go = place.fifo("go")
    running = runner.prepare(place.job("python3", "-c", f"open('/opt/ml/output/go').read(); {program}")).start()
    try:
        container = api.containers(filters={"label": f"localpipe.execution={place.execution_id}"})[0]["Id"]
        api.update_container(container, mem_limit="50m", memswap_limit="50m")
        go.write_text("x\n")
        ready.read_text()
        ended = running.wait()
        assert ended is not None
        assert (ended.exit_code, ended.out_of_memory) == (137, True)
    finally:
        running.remove()


# Made ahead


@pytest.mark.docker
def test_a_container_can_be_made_before_its_directories_and_these_anew_afterwards(
    runner: DockerRunner, place: Workplace
) -> None:
    mounts = [Mount(host_dir=place.attempt_dir / "views", container_dir=OPT_ML / "input", access=Access.OVERLAY)]
    job = place.shell_job("cat /opt/ml/input/data /opt/ml/given; echo x > /opt/ml/input/data", mounts=mounts)
    shutil.rmtree(place.attempt_dir)
    prepared = runner.prepare(job)
    shutil.rmtree(place.attempt_dir)
    for directory in (place.opt_ml, place.attempt_dir / "views", place.log_file.parent):
        directory.mkdir(parents=True)
    (place.attempt_dir / "views" / "data").write_text("view ")
    (place.opt_ml / "given").write_text("file")
    running = prepared.start()
    assert running.wait() == JobExit(exit_code=0)
    running.remove()
    assert place.log() == "view file"
    assert (place.attempt_dir / "views" / "data").read_text() == "view "


WAITS = """
import sys, time
from pathlib import Path
from runner_contract import Workplace
from test_docker_runner import BASE_IMAGE, docker_runner
place = Workplace(Path(sys.argv[1]), BASE_IMAGE)
prepared = docker_runner(Path(sys.argv[1])).prepare(place.shell_job("echo ran > /opt/ml/output/ran"), ahead=True)
print(place.execution_id, flush=True)
time.sleep(600)
"""


@pytest.mark.docker
def test_a_container_that_waits_ends_when_localpipe_is_killed(tmp_path: Path, api: docker.APIClient) -> None:
    tests = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "PYTHONPATH": tests}
    with subprocess.Popen(
        [sys.executable, "-c", WAITS, tmp_path], env=environment, stdout=subprocess.PIPE, text=True
    ) as one:
        assert one.stdout is not None
        execution_id = one.stdout.readline().strip()
        (container,) = api.containers(filters={"label": f"localpipe.execution={execution_id}"})
        one.kill()
    assert api.wait(container["Id"], timeout=30)["StatusCode"] != 0
    api.remove_container(container["Id"], v=True)
    assert not (tmp_path / "attempt/root/opt/ml/output/ran").exists()


@pytest.mark.docker
@pytest.mark.parametrize("end", ["kill", "remove_container"])
def test_a_job_whose_waiting_container_was_ended_by_somebody_runs_in_another(
    runner: DockerRunner, place: Workplace, api: docker.APIClient, end: str
) -> None:
    prepared = runner.prepare(place.shell_job("echo ran"), ahead=True)
    (container,) = api.containers(filters={"label": f"localpipe.execution={place.execution_id}"})
    with closing(AttachedStream(api, container["Id"])) as ending:
        api.kill(container["Id"]) if end == "kill" else api.remove_container(container["Id"], force=True)
        assert ending.has_news(30)
    running = prepared.start()
    assert (running.wait(), place.log()) == (JobExit(exit_code=0), "ran\n")
    running.remove()


@pytest.mark.docker
@pytest.mark.parametrize("variable", ["my.var", "a-b", "PWD", "SHLVL", "OLDPWD", "PPID", "IFS", "OPTIND"])
def test_a_job_prepared_ahead_has_every_variable_that_it_is_given(
    runner: DockerRunner, place: Workplace, variable: str
) -> None:
    program = "import os, sys; print(os.environ[sys.argv[1]])"
    job = place.job("python3", "-c", program, variable, environment={variable: "/given"})
    running = runner.prepare(job, ahead=True).start()
    assert (running.wait(), place.log()) == (JobExit(exit_code=0), "/given\n")
    running.remove()


@pytest.mark.docker
@pytest.mark.parametrize("lines", [("RUN ln -sf bash /bin/sh",), ("RUN rm /bin/sh",)])
def test_where_no_job_can_wait_it_is_prepared_all_the_same(
    runner: DockerRunner, place: Workplace, api: docker.APIClient, lines: tuple[str, ...]
) -> None:
    job = place.job("python3", "-c", "print('ran')", image_uri=built_image(api, "no-waiting", *lines))
    running = runner.prepare(job, ahead=True).start()
    assert (running.wait(), place.log()) == (JobExit(exit_code=0), "ran\n")
    running.remove()


@pytest.mark.docker
def test_an_image_that_was_seen_and_removed_is_missing(
    runner: DockerRunner, place: Workplace, api: docker.APIClient
) -> None:
    image = built_image(api, "short-lived", "LABEL x=y")
    job = place.shell_job("exit 0", image_uri=image)
    runner.ensure_image(image)
    api.remove_image(image)
    with pytest.raises(ImageMissing, match="the image was removed a moment ago"):
        runner.prepare(job)
    with pytest.raises(ImageMissing, match="localpipe has no stand-in for it"):
        runner.prepare(job)


# Traces


@pytest.mark.docker
def test_nothing_is_left_of_a_removed_job(runner: DockerRunner, place: Workplace, api: docker.APIClient) -> None:
    view = place.attempt_dir / "views"
    view.mkdir()
    mount = Mount(host_dir=view, container_dir=OPT_ML / "input", access=Access.OVERLAY)
    run(runner, place.shell_job("echo x > /opt/ml/input/new", mounts=[mount]))
    label = {"label": f"localpipe.execution={place.execution_id}"}
    assert api.containers(all=True, filters=label) == []
    assert api.volumes(filters=label)["Volumes"] in (None, [])
    assert not list(view.iterdir())


@pytest.mark.docker
def test_sweep_removes_jobs_that_are_not_to_be_kept(runner: DockerRunner, place: Workplace, tmp_path: Path) -> None:
    ready = place.fifo("ready")
    runner.prepare(place.shell_job("exit 0", step="Prepared"))
    runner.prepare(place.shell_job("echo x > /opt/ml/output/ready; sleep 600", step="Running")).start()
    ready.read_text()
    other_home = docker_runner(tmp_path / "elsewhere")
    with closing(other_home):
        assert other_home.sweep(lambda key: False) == 0
    assert runner.sweep(lambda key: key.execution_id == place.execution_id) == 0
    assert runner.sweep(lambda key: False) == 2
    assert runner.find(place.key("Running")) is None


@pytest.mark.docker
def test_a_log_is_written_again_to_the_byte(runner: DockerRunner, place: Workplace) -> None:
    program = r"import os; os.write(1, b'\xff\xfe\t\n' + b'x' * 100000 + b'\nshort\n' + b'y' * 16384 + b'\nend')"
    runner.prepare(place.job("python3", "-c", program)).start().wait()
    log = place.log_file.read_bytes()
    place.log_file.write_bytes(b"half of a li")
    found = runner.find(place.key())
    assert found is not None
    found.wait()
    found.remove()
    assert place.log_file.read_bytes() == log == b"\xff\xfe\t\n" + b"x" * 100000 + b"\nshort\n" + b"y" * 16384 + b"\nend"


def test_line_breaks_that_the_engine_loses_are_put_back_stream_by_stream() -> None:
    messages = [(1, b"t1 long"), (2, b"t2 error\n"), (1, b"t1 line"), (1, b"t3 next\n"), (1, b"t4 "), (1, b"t5 end")]
    assert b"".join(whole_lines(mended_lines(messages))) == b"error\nlongline\nnext\n\nend"


def test_a_line_that_comes_in_pieces_is_not_cut_by_the_other_stream() -> None:
    assert list(whole_lines([(1, b"a\nSEE"), (2, b"error\n"), (1, b"N 1\n")])) == [b"a\n", b"error\n", b"SEEN 1\n"]


def test_a_progress_bar_is_written_as_it_grows() -> None:
    bar = [(2, b"\r10%"), (1, b"loss 1\n"), (2, b"\r20%"), (2, b"\r30%\n")]
    assert list(whole_lines(bar)) == [b"\r", b"loss 1\n", b"10%\r", b"20%\r30%\n"]


def test_a_line_without_an_end_is_written_in_a_pause_when_it_is_too_long_and_last() -> None:
    dots = b"." * 200_000
    pieces = [(1, b"wait"), (2, b"and"), None, None, (1, dots), (1, dots), (1, b"!")]
    assert list(whole_lines(pieces)) == [b"wait", b"and", dots + dots, b"!"]


@pytest.mark.docker
def test_a_line_that_is_longer_than_a_write_is_whole(runner: DockerRunner, place: Workplace) -> None:
    program = (
        "import os, time; os.write(1, b'SEEN ' + b'x' * 9000); time.sleep(0.05); os.write(2, b'error\\n');"
        "time.sleep(0.05); os.write(1, b' 1\\n')"
    )
    run(runner, place.job("python3", "-c", program))
    assert place.log() == f"error\nSEEN {'x' * 9000} 1\n"


@pytest.mark.docker
def test_a_question_without_a_line_break_is_seen_while_the_job_waits(runner: DockerRunner, place: Workplace) -> None:
    os.mkfifo(place.log_file)
    go = place.fifo("go")
    running = runner.prepare(place.shell_job("printf 'Go on? '; read x < /opt/ml/output/go")).start()
    with place.log_file.open() as log:
        assert log.read(7) == "Go on? "
        go.write_text("yes\n")
        assert log.read() == ""
    running.remove()


@pytest.mark.docker
def test_the_network_of_several_hosts_goes_with_the_job(
    runner: DockerRunner, place: Workplace, api: docker.APIClient
) -> None:
    networks = {"label": f"localpipe.execution={place.execution_id}"}
    running = runner.prepare(place.hosts_job("exit 0")).start()
    assert len(api.networks(filters=networks)) == 1
    running.remove()
    runner.prepare(place.hosts_job("exit 0")).remove()
    assert api.networks(filters=networks) == []


@pytest.mark.docker
def test_sweep_removes_several_hosts_and_their_network(
    runner: DockerRunner, place: Workplace, api: docker.APIClient
) -> None:
    runner.prepare(place.hosts_job("exit 0", step="Prepared"))
    runner.prepare(place.hosts_job("sleep 600", step="Running")).start()
    assert runner.sweep(lambda key: key.step == "Prepared") == 1
    assert runner.sweep(lambda key: False) == 1
    label = {"label": f"localpipe.execution={place.execution_id}"}
    assert api.containers(all=True, filters=label) == []
    assert api.networks(filters=label) == []


@pytest.mark.docker
def test_several_hosts_of_which_one_never_started_are_not_found(
    runner: DockerRunner, place: Workplace, api: docker.APIClient
) -> None:
    runner.prepare(place.hosts_job("sleep 600"))
    label = {"label": [f"localpipe.execution={place.execution_id}", "localpipe.host=0"]}
    api.start(api.containers(all=True, filters=label)[0]["Id"])
    assert runner.find(place.key()) is None
    assert runner.sweep(lambda key: False) == 0


# Engines


def test_docker_host_comes_first() -> None:
    assert engine_address({"DOCKER_HOST": "unix:///x", "DOCKER_CONTEXT": "c"}).url == "unix:///x"


def test_a_chosen_context_is_taken(tmp_path: Path) -> None:
    name = "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4"  # sha256 of `hi`
    meta = tmp_path / ".docker" / "contexts" / "meta" / name / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": "hi", "Endpoints": {"docker": {"Host": "unix:///run/hi.sock"}}}))
    home = {"HOME": str(tmp_path)}
    assert engine_address(home).url == "unix:///var/run/docker.sock"
    assert engine_address({**home, "DOCKER_CONTEXT": "hi"}).url == "unix:///run/hi.sock"
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"currentContext": "hi"}))
    assert engine_address(home).url == "unix:///run/hi.sock"
    assert engine_address({**home, "DOCKER_CONTEXT": "default"}).url == "unix:///var/run/docker.sock"


def test_a_context_that_is_not_there_is_refused(tmp_path: Path) -> None:
    found = DockerRunner(tmp_path, IMAGES, {"HOME": str(tmp_path), "DOCKER_CONTEXT": "gone"}).check()
    assert found.reason == f"Docker context 'gone' is chosen, but {tmp_path}/.docker has no such context."
    assert "docker context use NAME" in found.remedy


def test_an_engine_that_does_not_run_is_said_with_what_to_type(tmp_path: Path) -> None:
    found = DockerRunner(tmp_path, IMAGES, {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}).check()
    assert found.reason == f"No Docker engine answers at unix://{tmp_path}/none.sock (DOCKER_HOST)."
    assert found.remedy == ("Start it (on Linux: `sudo systemctl start docker`, elsewhere: start Docker Desktop).")


@pytest.mark.parametrize("url", ["tcp://build-host:2375", "ssh://me@build-host"])
def test_an_engine_of_another_machine_is_refused(tmp_path: Path, url: str) -> None:
    found = DockerRunner(tmp_path, IMAGES, {"DOCKER_HOST": url}).check()
    assert (
        found.reason == f"The Docker engine at {url} (DOCKER_HOST) is not on this machine, so it cannot see a job's files."
    )


def test_a_port_where_nothing_listens_has_no_engine(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    found = DockerRunner(tmp_path, IMAGES, {"DOCKER_HOST": url}).check()
    assert found.reason == f"No Docker engine answers at {url} (DOCKER_HOST)."


def test_what_is_no_engine_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        threading.Thread(target=_answer_nonsense, args=(server,), daemon=True).start()
        found = DockerRunner(tmp_path, IMAGES, {"DOCKER_HOST": f"unix://{tmp_path}/s"}).check()
    assert not found.usable
    assert found.reason.startswith(f"What answers at unix://{tmp_path}/s is no Docker engine: ")


def _answer_nonsense(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:  # it is closed in the end
            return
        with connection, suppress(OSError):  # who only looks whether somebody listens is gone already
            connection.sendall(b"220 ready\r\n")


class _Answers(http.server.BaseHTTPRequestHandler):
    """An engine that only says what it is."""

    said: ClassVar[dict[str, object]]

    def do_GET(self) -> None:
        body = json.dumps(self.said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        request, _ = super().get_request()
        return request, ("client", 0)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ({"Components": [{"Name": "Podman Engine"}]}, "is Podman, which is not supported."),
        (
            {"SecurityOptions": ["name=seccomp", "name=rootless"]},
            "is rootless, which is not supported: its containers cannot reach the local S3.",
        ),
        ({"OSType": "windows"}, "runs Windows containers."),
        ({"IPAM": {"Config": []}}, "has no default bridge network, through which jobs reach the local S3."),
        ({"IPAM": {"Config": None}}, "has no default bridge network, through which jobs reach the local S3."),
    ],
)
def test_engines_that_jobs_cannot_run_on_are_refused_by_name(tmp_path: Path, kind: dict[str, object], reason: str) -> None:
    answers = type("Answers", (_Answers,), {"said": {"ApiVersion": "1.41", "OSType": "linux", **kind}})
    with _Server(str(tmp_path / "s"), answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        found = DockerRunner(tmp_path, IMAGES, {"DOCKER_HOST": f"unix://{tmp_path}/s"}).check()
        server.shutdown()
    assert not found.usable
    assert found.reason.endswith(f"at unix://{tmp_path}/s (DOCKER_HOST) {reason}")
    assert found.remedy


@pytest.mark.parametrize(
    ("told", "reason", "exception_type"),
    [
        ("write /x: no space left on device", "no space is left on the disk.", "SageMaker.CAPACITY_ERROR"),
        ("fork/exec: cannot allocate memory", "not enough memory is free.", "SageMaker.CAPACITY_ERROR"),
        ("fork: resource temporarily unavailable", "the machine is out of processes.", "SageMaker.CAPACITY_ERROR"),
        ("open /x: too many open files", "the machine is out of processes.", "SageMaker.CAPACITY_ERROR"),
        ("toomanyrequests: slow down", "the engine takes no more requests for now.", "Step.THROTTLING"),
    ],
)
def test_trouble_of_the_engine_counts_as_the_services(told: str, reason: str, exception_type: str | None) -> None:
    with pytest.raises(JobFailed) as failed, engine_errors("image", "started"):
        raise docker.errors.APIError(told)
    assert str(failed.value) == f"The container could not be started: {reason}"
    assert failed.value.exception_type == exception_type


def test_an_engine_that_is_gone_is_an_internal_error() -> None:
    with pytest.raises(JobFailed) as failed, engine_errors("image", "followed"):
        raise ConnectionResetError("reset by peer")
    assert str(failed.value) == (
        "The container could not be followed: the Docker engine does not answer any more (reset by peer)."
    )
    assert failed.value.exception_type == "SageMaker.JOB_INTERNAL_ERROR"


def test_trouble_with_a_file_is_not_called_trouble_of_the_engine() -> None:
    with pytest.raises(JobFailed) as failed, engine_errors("image", "followed"):
        raise PermissionError(13, "Permission denied", "/home/me/attempt/log")
    assert str(failed.value) == (
        "The container could not be followed: [Errno 13] Permission denied: '/home/me/attempt/log'."
    )


@pytest.mark.docker
def test_a_log_that_cannot_be_written_is_no_end_of_the_time(runner: DockerRunner, place: Workplace) -> None:
    place.log_file.mkdir()
    running = runner.prepare(place.shell_job("exit 0")).start()
    try:
        with pytest.raises(JobFailed, match=f"The container could not be followed: .* Is a directory: '{place.log_file}'"):
            running.wait(60)
    finally:
        running.remove()


@pytest.mark.docker
def test_a_bug_in_the_follower_is_raised_where_the_job_is_waited_for(runner: DockerRunner, place: Workplace) -> None:
    job = place.shell_job("exit 0")
    running = runner.prepare(replace(job, hosts=(replace(job.hosts[0], log_file=NoLog(place.log_file)),))).start()
    try:
        with pytest.raises(ZeroDivisionError):
            running.wait(60)
    finally:
        running.remove()


class NoLog(type(Path())):  # type: ignore[misc]  # the class of this system's paths
    """A log file whose opening fails as only a mistake of ours can."""

    def open(self, *_: object, **__: object) -> object:
        return 1 // 0

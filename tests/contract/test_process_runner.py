from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from runner_contract import GRACE_SECONDS, OPT_ML, RunnerContract, SeveralHostsContract, Workplace, run

from localpipe.core.jobspec import Access, JobExit, Mount
from localpipe.core.names import AttemptKey
from localpipe.errors import JobFailed
from localpipe.runners.environment_images import EnvironmentImages
from localpipe.runners.machine_root import machine_root
from localpipe.runners.sandbox import SandboxRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localpipe.core.ports import Runner, Running

IMAGE = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/this-python:1"
ORDINARY_USER = 54321
SYSTEM_PYTHON = "/usr/bin/python3"

FIND_WRITABLE = """
import os
def can_be_opened(path):
    try: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    except OSError: return False
    return True
tops = ['/proc/' + name for name in os.listdir('/proc') if not name.isdecimal() and not os.path.islink('/proc/' + name)]
walked = [os.path.join(path, name) for top in [*tops, '/sys'] for path, _, names in os.walk(top) for name in names]
print([path for path in [*tops, *walked] if os.path.isfile(path) and can_be_opened(path)])
"""

REACH_ITSELF = """
import socket
server = socket.create_server(('127.0.0.1', 0))
socket.create_connection(server.getsockname(), timeout=5).close()
print(socket.gethostbyname('algo-1'))
"""

pytestmark = pytest.mark.sandbox


@dataclass(frozen=True)
class Environment:
    path: Path | None
    ready: bool = True
    reason: str = ""
    remedy: str = ""
    python: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class OneEnvironment:
    """One Python serves one image; by default the one that runs the tests."""

    path: Path = Path(sys.prefix)

    def environment(self, image_uri: str) -> Environment:
        if image_uri == IMAGE:
            return Environment(self.path)
        return Environment(None, ready=False, reason="no stand-in.", remedy="Use the Docker runner.")

    def ensure(self, image_uri: str, say: Callable[[str], None]) -> Path:
        raise NotImplementedError

    def used(self, environment: Path) -> None:
        """It is of no cache."""

    def clean(self) -> None:
        """It is kept."""


LAUNCHERS = ("bubblewrap", "util-linux")


def a_search_path(home: Path, launcher: str) -> str | None:
    """A PATH without bubblewrap, made in `home`; None, the caller's own, for bubblewrap."""
    if launcher == "bubblewrap":
        return None
    unshare = home / "programs" / "unshare"
    if not unshare.exists():
        unshare.parent.mkdir()
        unshare.symlink_to(str(shutil.which("unshare")))
    return str(unshare.parent)


def attempt_dirs(home: Path) -> Callable[[AttemptKey], Path]:
    """Where the attempts of a workplace lie, and others that are not there."""
    ours = hashlib.sha256(str(home).encode()).hexdigest()[:12]

    def attempt_dir_of(key: AttemptKey) -> Path:
        first = key == AttemptKey(execution_id=ours, step="Step", attempt=1)
        return home / "attempt" if first else home / f"{key.execution_id}-{key.step}-{key.attempt}"

    return attempt_dir_of


def a_runner(
    home: Path, environments: OneEnvironment = OneEnvironment(), *, launcher: str, programs: Path | None = None
) -> SandboxRunner:
    images = EnvironmentImages(
        machine=machine_root(),
        roots_dir=home / "roots",
        environments=environments,
        environment={"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"},
        say=print,
    )
    return SandboxRunner(
        images,
        attempt_dir_of=attempt_dirs(home),
        work_dir=home,
        search_path=a_search_path(programs or home, launcher),
        grace_seconds=GRACE_SECONDS,
    )


@pytest.fixture(params=LAUNCHERS)
def launcher(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def runner(tmp_path: Path, launcher: str) -> SandboxRunner:
    return a_runner(tmp_path, launcher=launcher)


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path, IMAGE)


@pytest.fixture
def ignoring_signals() -> Iterator[None]:
    """This process ignores some signals and blocks others, which programs that it starts inherit."""
    ignored, blocked = (signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD), {signal.SIGUSR1, signal.SIGUSR2}
    before = [signal.signal(signum, signal.SIG_IGN) for signum in ignored]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    for signum, handler in zip(ignored, before, strict=True):
        signal.signal(signum, handler)


class TestProcessRunner(RunnerContract):
    @pytest.fixture
    def runner(self, tmp_path: Path, launcher: str) -> Runner:
        return a_runner(tmp_path, launcher=launcher)

    @pytest.fixture
    def later_runner(self, tmp_path: Path, launcher: str) -> Runner:
        return a_runner(tmp_path, launcher=launcher)

    @pytest.fixture
    def image(self) -> str:
        return IMAGE


class TestSeveralHosts(SeveralHostsContract):
    @pytest.fixture
    def runner(self, tmp_path: Path, launcher: str) -> Runner:
        return a_runner(tmp_path, launcher=launcher)

    @pytest.fixture
    def later_runner(self, tmp_path: Path, launcher: str) -> Runner:
        return a_runner(tmp_path, launcher=launcher)

    @pytest.fixture
    def image(self) -> str:
        return IMAGE


class TestWhatAJobSees:
    def test_it_is_root_without_any_capability_or_way_to_get_one(self, runner: SandboxRunner, place: Workplace) -> None:
        run(runner, place.shell_job("id -u; id -un; grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs)' /proc/self/status"))
        none = "0000000000000000"
        assert place.log().split() == [
            *("0", "root", "CapInh:", none, "CapPrm:", none, "CapEff:", none, "CapBnd:", none, "CapAmb:", none),
            *("NoNewPrivs:", "1"),
        ]

    def test_the_machines_files_cannot_be_changed(self, runner: SandboxRunner, place: Workplace) -> None:
        before = Path("/etc/hosts").read_bytes()
        script = """
            echo 6.6.6.6 evil >> /etc/hosts; echo x > /etc/localpipe-evil; mkdir -p /opt/ml /opt/evil /var/lib/evil
            for path in /usr/evil /bin/evil /etc/ssl/certs/evil /sys/devices/system/evil; do
                (echo evil > $path) 2>/dev/null && echo wrote $path
            done
            mount -t tmpfs none /usr 2>/dev/null && echo mounted; umount /usr 2>/dev/null && echo unmounted
            mknod /tmp/disk b 8 0 2>/dev/null && echo made a device; exit 0"""
        assert run(runner, place.shell_job(script)) == JobExit(exit_code=0)
        assert place.log() == ""
        assert Path("/etc/hosts").read_bytes() == before
        for path in ("/etc/localpipe-evil", "/opt/evil", "/var/lib/evil"):
            assert not Path(path).exists()

    def test_no_setting_of_the_kernel_can_be_opened_for_writing(self, runner: SandboxRunner, place: Workplace) -> None:
        """Opened, never written: a hole would otherwise change this machine."""
        run(runner, place.job("python3", "-c", FIND_WRITABLE))
        assert place.log() == "[]\n"

    def test_what_covers_kernel_settings_cannot_be_taken_away(self, runner: SandboxRunner, place: Workplace) -> None:
        script = """
            unshare --user --mount umount /proc/sys 2>/dev/null && echo uncovered
            unshare --user --mount --pid --fork mount -t proc proc /mnt 2>/dev/null && echo mounted a new one; exit 0"""
        run(runner, place.shell_job(script))
        assert place.log() == ""

    def test_the_machines_own_opt_ml_is_neither_seen_nor_touched(self, runner: SandboxRunner, place: Workplace) -> None:
        before = Path("/opt/ml").exists()
        run(runner, place.shell_job("ls /opt /opt/ml; echo x > /opt/ml/marker"))
        assert place.log() == "/opt:\nml\n\n/opt/ml:\noutput\n"
        assert (place.opt_ml / "marker").exists()
        assert Path("/opt/ml").exists() == before
        assert not Path("/opt/ml/marker").exists()

    def test_nothing_of_the_users_home_or_the_machines_secrets_is_seen(
        self, runner: SandboxRunner, place: Workplace, tmp_path: Path
    ) -> None:
        (tmp_path / "secret").write_text("secret")
        home = Path.home()
        private = [str(path) for path in home.iterdir() if path.is_file()] if home.is_dir() else []
        secrets = [*private, *(str(home / name) for name in (".aws", ".ssh", ".docker", ".netrc")), str(tmp_path / "secret")]
        system = ["/etc/shadow", "/etc/ssh", "/etc/sudoers", "/etc/ssl/private", "/run/docker.sock", "/var/run/docker.sock"]
        program = "import os, sys; print([path for path in sys.argv[1:] if os.path.lexists(path)])"
        run(runner, place.job("python3", "-c", program, *secrets, *system))
        assert place.log() == "[]\n"

    def test_it_sees_only_its_own_processes(self, runner: SandboxRunner, place: Workplace) -> None:
        program = "import os; print([int(name) for name in os.listdir('/proc') if name.isdecimal()])"
        run(runner, place.job("python3", "-c", program))
        assert place.log() == "[1]\n"

    def test_no_file_of_localpipe_is_open_in_it(self, runner: SandboxRunner, place: Workplace, tmp_path: Path) -> None:
        leak = os.open(tmp_path / "leak", os.O_CREAT | os.O_RDWR)
        os.set_inheritable(leak, True)
        try:
            run(runner, place.job("python3", "-c", "import os; print(sorted(map(int, os.listdir('/proc/self/fd'))))"))
        finally:
            os.close(leak)
        assert place.log() == "[0, 1, 2, 3]\n"  # 3 is the listing itself

    def test_its_environment_is_in_no_command_line(self, runner: SandboxRunner, place: Workplace) -> None:
        ready, go = place.fifo("ready"), place.fifo("go")
        script = "echo $TOKEN > /opt/ml/output/ready; read x < /opt/ml/output/go"
        running = runner.prepare(place.shell_job(script, environment={"TOKEN": "hush-hush"})).start()
        try:
            assert ready.read_text() == "hush-hush\n"
            assert b"hush-hush" not in b"".join(_command_lines())
            assert not [path for path in place.attempt_dir.rglob("*") if path.is_file() and b"hush" in path.read_bytes()]
            go.write_text("now\n")
            running.wait()
        finally:
            running.remove()

    def test_root_can_unpack_an_archive_of_another_user_and_give_files_away(
        self, runner: SandboxRunner, place: Workplace
    ) -> None:
        with tarfile.open(place.output / "source.tar", "w") as archive:
            member = tarfile.TarInfo("code/run.py")
            member.uid, member.gid = 1234, 1234
            archive.addfile(member)
        script = "cd /opt/ml/output && tar -xf source.tar && chown -R 5:5 code"
        assert run(runner, place.shell_job(script)) == JobExit(exit_code=0)
        assert (place.output / "code" / "run.py").stat().st_uid == os.getuid()

    def test_a_package_installed_by_a_job_is_gone_with_it(self, runner: SandboxRunner, place: Workplace) -> None:
        if not runner.overlays or Path(sys.prefix) == Path("/usr"):
            pytest.skip("without overlays, or as part of the system, the environment is read-only")
        where = "import sysconfig; print(sysconfig.get_path('purelib'))"
        script = (
            f'echo "it = 42" > "$(python3 -c "{where}")/only_here.py" && python3 -c "import only_here; print(only_here.it)"'
        )
        assert run(runner, place.shell_job(script)) == JobExit(exit_code=0)
        assert place.log() == "42\n"
        assert not list(Path(sys.prefix).rglob("only_here.py"))

    def test_of_a_directory_that_links_to_its_python_nothing_else_is_seen(
        self, place: Workplace, tmp_path: Path, launcher: str
    ) -> None:
        local, venv = tmp_path / "local", tmp_path / "venv"
        for directory in (local / "bin", local / "share", venv / "bin"):
            directory.mkdir(parents=True)
        (local / "bin" / "python3").symlink_to(Path(sys.executable).resolve())
        (venv / "bin" / "python").symlink_to(local / "bin" / "python3")
        (venv / "pyvenv.cfg").write_text(f"home = {local / 'bin'}\n")
        program = f"import os, sys; print(sys.prefix, os.listdir({str(local)!r}))"
        runner = a_runner(tmp_path, OneEnvironment(venv), launcher=launcher)
        assert run(runner, place.job("python", "-c", program)) == JobExit(exit_code=0), place.log()
        assert place.log() == f"{venv} ['bin']\n"

    def test_it_has_the_variables_of_images_below_its_own(self, runner: SandboxRunner, place: Workplace) -> None:
        run(runner, place.shell_job("echo $LANG $PYTHONUNBUFFERED", environment={"LANG": "de_DE"}))
        assert place.log() == "de_DE 1\n"

    def test_its_files_get_the_mode_of_a_containers(self, runner: SandboxRunner, place: Workplace) -> None:
        run(runner, place.shell_job("umask; cd /tmp && stat -c '%a %U' . /root /var/tmp; pwd -P; getent hosts algo-1"))
        assert place.log().split("\n")[:5] == ["0022", "1777 root", "700 root", "1777 root", "/tmp"]  # noqa: S108
        assert place.log().split()[-2:] == ["127.0.0.1", "algo-1"]

    def test_an_isolated_job_reaches_itself(self, runner: SandboxRunner, place: Workplace) -> None:
        assert run(runner, place.job("python3", "-c", REACH_ITSELF, network_isolated=True)) == JobExit(exit_code=0)
        assert place.log() == "127.0.0.1\n"

    @pytest.mark.parametrize("launcher", ["util-linux"])
    def test_an_isolated_job_may_listen_at_any_port(self, runner: SandboxRunner, place: Workplace) -> None:
        program = "import socket; socket.create_server(('127.0.0.1', 80))"
        assert run(runner, place.job("python3", "-c", program, network_isolated=True)) == JobExit(exit_code=0), place.log()

    def test_it_ignores_no_signal_though_this_process_does(
        self, runner: SandboxRunner, place: Workplace, ignoring_signals: None
    ) -> None:
        """As localpipe does under `nohup`, or in the background of a script."""
        run(runner, place.shell_job("grep -E '^Sig(Ign|Blk)' /proc/self/status"))
        _, blocked, _, ignored = place.log().split()
        assert (int(blocked, 16), int(ignored, 16) & ~(0b11 << 31)) == (0, 0)

    def test_its_directory_may_have_any_name(self, tmp_path: Path, launcher: str) -> None:
        home = tmp_path / "a b'c\\d,e %x"
        home.mkdir()
        runner, place = a_runner(home, launcher=launcher, programs=tmp_path), Workplace(home, IMAGE)
        assert run(runner, place.shell_job("echo x > /opt/ml/output/file; ! echo x > /usr/file")) == JobExit(exit_code=0)
        assert (place.output / "file").read_text() == "x\n"

    def test_what_is_mounted_below_a_read_only_mount_is_read_only(self, tmp_path: Path, launcher: str) -> None:
        """In namespaces of their own, so that this machine's mounts stay as they are; what is mounted in them is locked."""
        become = ["unshare", "--user", "--map-root-user", "--mount"]
        done = subprocess.run(
            [*become, sys.executable, __file__, "mount-below", tmp_path, launcher],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "0 there\n"), done.stderr


class TestEnds:
    def test_a_daemon_ends_with_the_job(self, runner: SandboxRunner, place: Workplace) -> None:
        alive, go = place.fifo("alive"), place.fifo("go")
        script = "(setsid sh -c 'exec > /opt/ml/output/alive; exec sleep 600' &) ; read x < /opt/ml/output/go"
        running = runner.prepare(place.shell_job(script)).start()
        try:
            with alive.open() as held_by_daemon:
                go.write_text("now\n")
                assert running.wait() == JobExit(exit_code=0)
                assert held_by_daemon.read() == ""
        finally:
            running.remove()

    def test_removal_leaves_no_process_mount_or_file(self, runner: SandboxRunner, place: Workplace) -> None:
        ready = place.fifo("ready")
        script = "mkdir -p /tmp/locked/in; chmod 000 /tmp/locked/in /tmp/locked; echo x > /opt/ml/output/ready; sleep 600"
        running = runner.prepare(place.shell_job(script)).start()
        ready.read_text()
        running.remove()
        assert not (place.attempt_dir / "sandbox").exists()
        assert str(place.attempt_dir) not in Path("/proc/self/mounts").read_text()
        assert str(place.attempt_dir).encode() not in b"".join(_command_lines())

    @pytest.mark.parametrize("hosts", [1, 2])
    @pytest.mark.parametrize("sign", ["log", "process", "status"])
    def test_nothing_lives_of_a_job_that_is_taken_back_while_it_starts(
        self, runner: SandboxRunner, place: Workplace, sign: str, hosts: int
    ) -> None:
        """`sign`: what is there of the sandbox when it is taken back."""
        prepared = runner.prepare(place.hosts_job(_sleeping(place), hosts=hosts))
        with ThreadPoolExecutor(1) as threads:
            starting = threads.submit(prepared.start)
            while not list((place.attempt_dir / "sandbox").glob(sign if hosts == 1 else f"host-*/{sign}")):
                os.sched_yield()
            prepared.remove()
            running = starting.result()
        ended = running.wait()
        assert ended is not None
        assert ended.exit_code == 137
        assert _of_the_job(place) == []
        assert not (place.attempt_dir / "sandbox").exists()

    def test_nothing_lives_of_a_job_whose_directory_goes_while_it_starts(
        self, runner: SandboxRunner, place: Workplace
    ) -> None:
        prepared = runner.prepare(place.shell_job(_sleeping(place)))
        with ThreadPoolExecutor(1) as threads:
            starting = threads.submit(prepared.start)
            while not (place.attempt_dir / "sandbox" / "process").exists():
                os.sched_yield()
            shutil.rmtree(place.attempt_dir / "sandbox", ignore_errors=True)
            failure = starting.exception()
        if failure is None:
            starting.result().remove()
        assert _of_the_job(place) == []

    def test_a_job_that_was_taken_back_does_not_start(self, runner: SandboxRunner, place: Workplace) -> None:
        prepared = runner.prepare(place.shell_job("exit 0"))
        prepared.remove()
        with pytest.raises(JobFailed, match=r"^It was taken back before it started\.$"):
            prepared.start()

    def test_a_program_that_only_the_kernel_refuses_ends_as_in_a_container(
        self, runner: SandboxRunner, place: Workplace
    ) -> None:
        """One whose dynamic linker is not there; nothing is read of a program that far."""
        program = Path("/bin/true").read_bytes().replace(b"/ld-linux", b"/no-linux")
        (place.output / "program").write_bytes(program)
        (place.output / "program").chmod(0o755)
        assert run(runner, place.job("/opt/ml/output/program")) == JobExit(exit_code=1)
        assert place.log().endswith(" /opt/ml/output/program: No such file or directory\n")

    def test_a_mount_that_is_not_there_is_named(self, runner: SandboxRunner, place: Workplace) -> None:
        job = place.shell_job("exit 0")
        shutil.rmtree(place.opt_ml)
        prepared = runner.prepare(job)
        with pytest.raises(JobFailed, match=f"^{place.opt_ml}, to be mounted at /opt/ml, does not exist.$"):
            prepared.start()

    @pytest.mark.parametrize("launcher", ["util-linux"])
    def test_a_link_in_a_mount_does_not_lead_another_mount_out(
        self, runner: SandboxRunner, place: Workplace, tmp_path: Path
    ) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (place.opt_ml / "input").symlink_to(outside)
        mount = Mount(host_dir=outside, container_dir=OPT_ML / "input" / "data", access=Access.READ_ONLY)
        prepared = runner.prepare(place.shell_job("exit 0", mounts=[mount]))
        with pytest.raises(JobFailed, match=r"^The sandbox could not be made: sandbox: /opt/ml/input/data leads out of it$"):
            prepared.start()
        assert list(outside.iterdir()) == []

    @pytest.mark.parametrize("launcher", ["util-linux"])
    @pytest.mark.parametrize("name", ["a.b", "UID"])
    def test_a_variable_that_no_shell_hands_on_is_refused(self, runner: SandboxRunner, place: Workplace, name: str) -> None:
        prepared = runner.prepare(place.shell_job("exit 0", environment={name: "1"}))
        with pytest.raises(JobFailed) as failed:
            prepared.start()
        assert str(failed.value) == (
            f"No shell hands on the environment variable {name!r}. Rename it, or install bubblewrap."
        )

    def test_a_killed_monitor_takes_the_job_with_it(self, runner: SandboxRunner, place: Workplace) -> None:
        alive = place.fifo("alive")
        running = runner.prepare(place.shell_job("exec > /opt/ml/output/alive; exec sleep 600")).start()
        try:
            with alive.open() as held_by_job:
                os.kill(_monitor(place), signal.SIGKILL)
                assert running.wait() == JobExit(exit_code=137, message="The sandbox was killed from outside.")
                assert held_by_job.read() == ""
        finally:
            running.remove()


class TestRecovery:
    def test_a_job_outlives_a_killed_localpipe_and_is_found(
        self, runner: SandboxRunner, place: Workplace, tmp_path: Path, launcher: str
    ) -> None:
        ready, go = place.fifo("ready"), place.fifo("go")
        victim = subprocess.Popen([sys.executable, __file__, "start-and-die", tmp_path, launcher])
        assert victim.wait() == -signal.SIGKILL
        assert ready.read_text() == "x\n"
        found = _found(runner, place.key())
        go.write_text("now\n")
        assert found.wait() == JobExit(exit_code=5)
        assert place.log() == "after\n"
        found.remove()

    def test_a_sweep_kills_what_runs_of_this_home_and_is_not_to_be_kept(
        self, runner: SandboxRunner, place: Workplace, tmp_path: Path, launcher: str
    ) -> None:
        running = runner.prepare(place.hosts_job(_sleeping(place))).start()
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        assert a_runner(elsewhere, launcher=launcher).sweep(lambda key: False) == 0
        assert runner.sweep(lambda key: key == place.key()) == 0
        assert runner.sweep(lambda key: False) == 2
        assert _of_the_job(place) == []
        running.remove()

    def test_a_job_that_died_with_the_machine_is_not_found(self, runner: SandboxRunner, place: Workplace) -> None:
        running = runner.prepare(place.shell_job("exit 0")).start()
        running.wait()
        status = place.attempt_dir / "sandbox" / "status"
        status.write_text(status.read_text().splitlines(keepends=True)[0])
        assert runner.find(place.key()) is None

    def test_the_number_of_an_ended_process_may_be_anybodys(self, runner: SandboxRunner, place: Workplace) -> None:
        sandbox = place.attempt_dir / "sandbox"
        sandbox.mkdir()
        own_stat = Path("/proc/self/stat").read_text()
        ticks = own_stat.rpartition(")")[2].split()[19]
        (sandbox / "process").write_text(own_stat.replace(f" {ticks} ", " 1 "))
        (sandbox / "status").write_text(json.dumps({"child-pid": os.getpid(), "pid-namespace": 1}) + "\n")
        assert runner.find(place.key()) is None


class TestRefusals:
    def test_the_entry_point_of_an_image(self, runner: SandboxRunner, place: Workplace) -> None:
        job = replace(place.shell_job("exit 0"), entrypoint=None, arguments=None)
        with pytest.raises(
            JobFailed, match=f"^The job runs the ENTRYPOINT of image {IMAGE}, and a local environment has none"
        ):
            runner.prepare(job)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user; the tests above run as this one")
@pytest.mark.skipif(not Path(SYSTEM_PYTHON).exists(), reason=f"no {SYSTEM_PYTHON}, which other users can run")
def test_an_ordinary_user_can_do_all_of_it(launcher: str) -> None:
    """In a directory of the system's, since other users cannot enter pytest's."""
    home = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    os.chown(home, ORDINARY_USER, ORDINARY_USER)
    try:
        become = ["setpriv", "--reuid", str(ORDINARY_USER), "--regid", str(ORDINARY_USER), "--clear-groups"]
        done = subprocess.run(
            [*become, SYSTEM_PYTHON, __file__, "ordinary", home, launcher],
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(sys.path[1:])},
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == "0 ['1'] 3 ['lo', 'eth0']\n"
    finally:
        shutil.rmtree(home)


def _as_ordinary_user(home: Path, launcher: str) -> None:
    """Run a job that writes who it is, then look at what it left."""
    runner, place = a_runner(home, launcher=launcher), Workplace(home, IMAGE)
    assert run(runner, place.job("python3", "-c", REACH_ITSELF, network_isolated=True)) == JobExit(exit_code=0), place.log()
    script = "id -u > /opt/ml/output/who; chown 5:5 /opt/ml/output/who; mkdir -m 000 /tmp/locked; echo ~ > /root/x; exit 3"
    ended = run(runner, place.shell_job(script))
    owners = {path.stat().st_uid for path in (place.output / "who", place.log_file)}
    program = "import socket; print([name for _, name in socket.if_nameindex()])"
    run(runner, place.hosts_job(f'exec python3 -c "{program}"'))
    interfaces = place.log_of("algo-2").read_text().strip()
    print((place.output / "who").read_text().strip(), [str(len(owners))], ended.exit_code, interfaces)


def _mount_below(home: Path, launcher: str) -> None:
    """Run a job over a read-only mount with another one below, then look at what it left."""
    place = Workplace(home, IMAGE)
    below = home / "input" / "be low"
    below.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nosuid,nodev,noexec", "tmpfs", below], check=True)
    (below / "file").write_text("there\n")
    mount = Mount(host_dir=below.parent, container_dir=OPT_ML / "input", access=Access.READ_ONLY)
    script = 'cat "/opt/ml/input/be low/file"; ! echo x > "/opt/ml/input/be low/file"'
    ended = run(a_runner(home, launcher=launcher), place.shell_job(script, mounts=[mount]))
    print(ended.exit_code, (below / "file").read_text().strip())


def _start_and_die(home: Path, launcher: str) -> None:
    """Start a job as a localpipe that is killed at once."""
    place = object.__new__(Workplace)
    place.image, place.attempt_dir = IMAGE, home / "attempt"
    place.opt_ml, place.log_file = place.attempt_dir / "root/opt/ml", place.attempt_dir / "logs/algo-1.log"
    place.execution_id = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    script = "echo x > /opt/ml/output/ready; read x < /opt/ml/output/go; echo after; exit 5"
    a_runner(home, launcher=launcher).prepare(place.shell_job(script)).start()
    os.kill(os.getpid(), signal.SIGKILL)


def _sleeping(place: Workplace) -> str:
    """A script that never ends, by which `_of_the_job` knows it."""
    return f"while sleep 600; do : {place.execution_id}; done"


def _of_the_job(place: Workplace) -> list[bytes]:
    """The command lines of what is left of a job that runs `_sleeping`."""
    return [line for line in _command_lines() if place.execution_id.encode() in line]


def _command_lines() -> list[bytes]:
    """The command lines of all processes of this machine."""
    return [line for path in Path("/proc").glob("[0-9]*/cmdline") if (line := _read_if_there(path))]


def _read_if_there(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _monitor(place: Workplace) -> int:
    return int((place.attempt_dir / "sandbox" / "process").read_text().split()[0])


def _found(runner: Runner, key: AttemptKey) -> Running:
    found = runner.find(key)
    assert found is not None
    return found


if __name__ == "__main__":
    {"ordinary": _as_ordinary_user, "start-and-die": _start_and_die, "mount-below": _mount_below}[sys.argv[1]](
        Path(sys.argv[2]), sys.argv[3]
    )

"""What every runner does the same: subclass `RunnerContract`, give it a runner and an image; what fails is no runner.

Rules: containers.md sections 0, 1.2, 1.8, 1.9 and the docstrings of `localpipe.core.ports`. The jobs need `/bin/sh` and
`python3` in the image. Test and job meet through FIFOs in a mount, so nothing waits for a clock.
"""

from __future__ import annotations

import hashlib
import json
import os
import pty
import signal
import socket
import subprocess
import threading
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar

import pytest

from localpipe.core.jobspec import Access, JobExit, Mount, StagedHost, StagedJob
from localpipe.core.names import AttemptKey
from localpipe.errors import ImageMissing, JobFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from localpipe.core.ports import Prepared, Runner, Running

OPT_ML = PurePosixPath("/opt/ml")
OUTPUT = OPT_ML / "output"
PROGRAM = OUTPUT / "program"
EXEC_NOT_FOUND = 'exec: "no-such": executable file not found in $PATH'
EXEC_DENIED = f'exec: "{PROGRAM}": permission denied'
GRACE_SECONDS = 0.5
"""How long a runner under contract lets the other hosts of a job end when one has failed."""
UNKNOWN_IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/no-such-family:0"


class Workplace:
    """The directory of one test, standing for an attempt: makes staged jobs and the FIFOs by which test and job meet."""

    def __init__(self, directory: Path, image: str) -> None:
        self.image = image
        self.attempt_dir = directory / "attempt"
        self.opt_ml = self.attempt_dir / "root" / "opt" / "ml"
        self.output = self.opt_ml / "output"
        self.output.mkdir(parents=True)
        self.log_file = self.attempt_dir / "logs" / "algo-1.log"
        self.log_file.parent.mkdir()
        self.execution_id = hashlib.sha256(str(directory).encode()).hexdigest()[:12]

    def key(self, step: str = "Step", attempt: int = 1) -> AttemptKey:
        return AttemptKey(execution_id=self.execution_id, step=step, attempt=attempt)

    def job(
        self,
        *command: str,
        mounts: Sequence[Mount] = (),
        environment: Mapping[str, str] | None = None,
        network_isolated: bool = False,
        step: str = "Step",
        image_uri: str = "",
    ) -> StagedJob:
        """A job that runs `command` with `/opt/ml` mounted writable, before the other `mounts`."""
        root = Mount(host_dir=self.opt_ml, container_dir=OPT_ML, access=Access.WRITABLE)
        return StagedJob(
            key=self.key(step),
            job_name=f"job-{step}",
            image_uri=image_uri or self.image,
            entrypoint=(command[0],),
            arguments=command[1:],
            environment=environment or {},
            hosts=(StagedHost(name="algo-1", mounts=(root, *mounts), log_file=self.log_file),),
            network_isolated=network_isolated,
            attempt_dir=self.attempt_dir,
        )

    def hosts_job(self, script: str, *, hosts: int = 2, network_isolated: bool = False, step: str = "Step") -> StagedJob:
        """A job of several hosts that run one shell script, share `/opt/ml`, and have a log each."""
        job = self.shell_job(script, network_isolated=network_isolated, step=step)
        names = [f"algo-{number}" for number in range(1, hosts + 1)]
        return replace(job, hosts=tuple(replace(job.hosts[0], name=name, log_file=self.log_of(name)) for name in names))

    def log_of(self, host: str) -> Path:
        return self.log_file.with_name(f"{host}.log")

    def shell_job(self, script: str, **options: object) -> StagedJob:
        """A job that runs a shell script; see `job` for the options."""
        return self.job("/bin/sh", "-c", script, **options)  # type: ignore[arg-type]  # passed on unchanged

    def fifo(self, name: str) -> Path:
        """A FIFO that the job sees as `/opt/ml/output/<name>`."""
        path = self.output / name
        os.mkfifo(path)
        path.chmod(0o666)
        return path

    def log(self) -> str:
        return self.log_file.read_text()


def run(runner: Runner, job: StagedJob) -> JobExit:
    """Prepare, start, wait, remove."""
    running = runner.prepare(job).start()
    try:
        ended = running.wait()
        assert ended is not None
        return ended
    finally:
        running.remove()


class Ahead:
    """A runner that prepares every job ahead of its inputs, which here are there already: all holds for those as well."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def __getattr__(self, name: str) -> object:
        return getattr(self._runner, name)

    def prepare(self, job: StagedJob) -> Prepared:
        return self._runner.prepare(job, ahead=True)


def in_terminal(command: Sequence[str], typed: str = "") -> tuple[int, str]:
    """Run a command attached to a terminal of its own, type into it; its exit status and what the terminal showed."""
    master, slave = pty.openpty()
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    os.write(master, typed.encode())
    shown = b"".join(_read_terminal(master))
    os.close(master)
    return process.wait(), shown.decode(errors="replace")


def piped(command: Sequence[str], typed: str = "", environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a command that reads what is typed from a pipe; its exit status and what it printed."""
    done = subprocess.run(
        command, input=typed, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def _read_terminal(master: int) -> Iterator[bytes]:
    """Chunks until the other side has closed, which Linux tells by EIO."""
    while True:
        try:
            chunk = os.read(master, 4096)
        except OSError:
            return
        if not chunk:
            return
        yield chunk


class LifecycleContract:
    """From prepare to remove, and recovery: what every runner keeps, whatever its jobs are."""

    @pytest.fixture
    def runner(self, tmp_path: Path) -> Runner:
        """A runner as wiring would make it for a home below `tmp_path`."""
        raise NotImplementedError

    @pytest.fixture
    def image(self) -> str:
        """An image URI that the runner has, with `/bin/sh` and `python3`."""
        raise NotImplementedError

    @pytest.fixture
    def later_runner(self, runner: Runner) -> Runner:
        """A second runner for the same home, as a later process would make it."""
        return runner

    @pytest.fixture
    def place(self, tmp_path: Path, image: str) -> Workplace:
        return Workplace(tmp_path, image)

    def test_exit_zero(self, runner: Runner, place: Workplace) -> None:
        assert run(runner, place.shell_job("exit 0")) == JobExit(exit_code=0)

    def test_exit_code_is_the_programs(self, runner: Runner, place: Workplace) -> None:
        assert run(runner, place.shell_job("exit 3")).exit_code == 3

    def test_written_files_are_on_the_host(self, runner: Runner, place: Workplace) -> None:
        run(runner, place.shell_job("mkdir -p /opt/ml/output/a && echo hello > /opt/ml/output/a/b"))
        assert (place.output / "a" / "b").read_text() == "hello\n"

    def test_the_log_is_written_while_the_job_runs(self, runner: Runner, place: Workplace) -> None:
        go = place.fifo("go")
        os.mkfifo(place.log_file)
        lines: list[str] = []
        seen = threading.Event()
        reader = threading.Thread(target=_read_log, args=(place.log_file, lines, seen))
        reader.start()
        running = runner.prepare(place.shell_job("echo first; read x < /opt/ml/output/go; echo second")).start()
        try:
            assert seen.wait(60)
            assert lines == ["first\n"]
            go.write_text("now\n")
            assert running.wait() == JobExit(exit_code=0)
        finally:
            running.remove()
            reader.join()
        assert lines == ["first\n", "second\n"]

    def test_wait_gives_none_when_the_time_is_over(self, runner: Runner, place: Workplace) -> None:
        go = place.fifo("go")
        running = runner.prepare(place.shell_job("read x < /opt/ml/output/go; exit 4")).start()
        try:
            assert running.wait(0.02) is None
            go.write_text("now\n")
            ended = running.wait(60)
            assert ended is not None
            assert ended.exit_code == 4
            assert running.wait(0) == ended
        finally:
            running.remove()

    def test_several_threads_may_wait(self, runner: Runner, place: Workplace) -> None:
        go = place.fifo("go")
        running = runner.prepare(place.shell_job("read x < /opt/ml/output/go; exit 4")).start()
        codes: list[JobExit | None] = []
        waiters = [threading.Thread(target=lambda: codes.append(running.wait())) for _ in range(3)]
        try:
            for waiter in waiters:
                waiter.start()
            go.write_text("now\n")
        finally:
            for waiter in waiters:
                waiter.join()
            running.remove()
        assert [ended.exit_code for ended in codes if ended] == [4, 4, 4]

    def test_a_signal_reaches_the_programs_handler(self, runner: Runner, place: Workplace) -> None:
        ready = place.fifo("ready")
        script = "trap 'echo stopping; exit 7' TERM; echo x > /opt/ml/output/ready; sleep 600 & wait"
        running = runner.prepare(place.shell_job(script)).start()
        try:
            ready.read_text()
            running.signal(signal.SIGTERM)
            ended = running.wait()
            assert ended is not None
            assert ended.exit_code == 7
            assert place.log() == "stopping\n"
        finally:
            running.remove()

    def test_a_first_process_without_handler_ignores_sigterm_but_not_sigkill(self, runner: Runner, place: Workplace) -> None:
        ready, answer = place.fifo("ready"), place.fifo("answer")
        script = "cd /opt/ml/output; echo x > ready; read x < answer; echo x > ready; sleep 600"
        running = runner.prepare(place.shell_job(script)).start()
        try:
            ready.read_text()
            running.signal(signal.SIGTERM)
            answer.write_text("still there?\n")
            assert ready.read_text() == "x\n"
            running.signal(signal.SIGKILL)
            ended = running.wait()
            assert ended is not None
            assert ended.exit_code == 128 + signal.SIGKILL
            assert not ended.out_of_memory
        finally:
            running.remove()

    def test_a_signal_to_an_ended_job_is_no_error(self, runner: Runner, place: Workplace) -> None:
        running = runner.prepare(place.shell_job("exit 0")).start()
        try:
            running.wait()
            running.signal(signal.SIGTERM)
        finally:
            running.remove()
        running.signal(signal.SIGKILL)

    def test_remove_twice_is_no_error(self, runner: Runner, place: Workplace) -> None:
        running = runner.prepare(place.shell_job("exit 0")).start()
        running.wait()
        running.remove()
        running.remove()

    def test_a_prepared_job_can_be_taken_back(self, runner: Runner, place: Workplace) -> None:
        runner.prepare(place.shell_job("echo never > /opt/ml/output/never")).remove()
        assert runner.find(place.key()) is None
        assert not (place.output / "never").exists()

    def test_an_attempt_can_be_prepared_again_after_removal(self, runner: Runner, place: Workplace) -> None:
        runner.prepare(place.shell_job("exit 1")).remove()
        assert run(runner, place.shell_job("exit 0")).exit_code == 0
        assert run(runner, place.shell_job("exit 2")).exit_code == 2

    def test_find_gives_nothing_for_an_attempt_that_never_started(self, runner: Runner, place: Workplace) -> None:
        assert runner.find(place.key("Never")) is None

    def test_find_gives_nothing_for_a_job_that_was_only_prepared(
        self, runner: Runner, later_runner: Runner, place: Workplace
    ) -> None:
        prepared = runner.prepare(place.shell_job("exit 0"))
        assert later_runner.find(place.key()) is None
        prepared.remove()
        assert run(later_runner, place.shell_job("exit 6")).exit_code == 6

    def test_a_running_job_is_found_again(self, runner: Runner, later_runner: Runner, place: Workplace) -> None:
        ready, go = place.fifo("ready"), place.fifo("go")
        script = "echo before; echo x > /opt/ml/output/ready; read x < /opt/ml/output/go; echo after; exit 5"
        left_alone = runner.prepare(place.shell_job(script)).start()
        ready.read_text()
        found = _found(later_runner, place.key())
        try:
            go.write_text("now\n")
            ended = found.wait()
            assert ended is not None
            assert ended.exit_code == 5
            assert place.log() == "before\nafter\n"
        finally:
            left_alone.wait()
            found.remove()
        assert later_runner.find(place.key()) is None

    def test_a_job_that_ended_unseen_is_found_with_its_exit_and_log(
        self, runner: Runner, later_runner: Runner, place: Workplace
    ) -> None:
        runner.prepare(place.shell_job("echo done; exit 5")).start().wait()
        found = _found(later_runner, place.key())
        try:
            ended = found.wait()
            assert ended is not None
            assert ended.exit_code == 5
            assert place.log() == "done\n"
        finally:
            found.remove()

    def test_find_tells_attempts_apart(self, runner: Runner, place: Workplace) -> None:
        running = runner.prepare(place.shell_job("exit 0")).start()
        try:
            assert runner.find(place.key(attempt=2)) is None
            assert runner.find(AttemptKey(execution_id="other", step="Step", attempt=1)) is None
        finally:
            running.wait()
            running.remove()

    def test_a_running_job_can_be_entered_and_only_while_it_runs(
        self, runner: Runner, later_runner: Runner, place: Workplace
    ) -> None:
        ready, go = place.fifo("ready"), place.fifo("go")
        script = "echo before; echo x > /opt/ml/output/ready; read x < /opt/ml/output/go; echo after; exit 5"
        prepared = runner.prepare(place.shell_job(script))
        assert later_runner.enter(place.key(), ["true"], terminal=False) is None
        running = prepared.start()
        try:
            ready.read_text()
            assert later_runner.enter(place.key(), ["true"], terminal=False) is not None
            go.write_text("now\n")
            running.wait()
            assert later_runner.enter(place.key(), ["true"], terminal=False) is None
        finally:
            running.remove()
        assert place.log() == "before\nafter\n"

    def test_a_closed_runner_can_be_used_again(self, runner: Runner, place: Workplace) -> None:
        run(runner, place.shell_job("exit 0"))
        runner.close()
        assert run(runner, place.shell_job("exit 3")).exit_code == 3
        runner.close()

    def test_the_jobs_command_is_told(self, runner: Runner, place: Workplace) -> None:
        assert list(runner.job_command(place.shell_job("exit 0"))) == ["/bin/sh", "-c", "exit 0"]

    def test_check_says_usable(self, runner: Runner) -> None:
        availability = runner.check()
        assert availability.usable, availability.reason

    def test_an_image_that_is_there_has_a_local_name(self, runner: Runner, image: str) -> None:
        status = runner.image(image)
        assert status.image_uri == image
        assert status.local
        runner.ensure_image(image)

    def test_an_image_that_is_not_there_is_refused_with_a_remedy(self, runner: Runner, place: Workplace) -> None:
        status = runner.image(UNKNOWN_IMAGE)
        assert status.local is None
        assert status.reason
        assert status.remedy
        with pytest.raises(ImageMissing, match="no-such-family"):
            runner.prepare(place.shell_job("exit 0", image_uri=UNKNOWN_IMAGE))


class RunnerContract(LifecycleContract):
    """The whole contract. Subclass it as `Test...` and override the fixtures `runner` and `image`."""

    isolated_serving_reaches_machine: ClassVar[bool] = False
    """Whether a job that is isolated and serves reaches what listens on this machine."""

    # What is run

    def test_arguments_reach_the_program_unchanged(self, runner: Runner, place: Workplace) -> None:
        arguments = ["two words", "$HOME", "'quoted'", '"double"', "", "a\nb", "*", "--flag=x", "übung", "\\"]
        program = "import json, sys; json.dump(sys.argv[1:], open('/opt/ml/output/argv', 'w'))"
        run(runner, place.job("python3", "-c", program, *arguments))
        assert json.loads((place.output / "argv").read_text()) == arguments

    def test_environment_reaches_the_program_unchanged(self, runner: Runner, place: Workplace) -> None:
        given = {
            "PLAIN": "1",
            "SPACED": "a b  c",
            "QUOTES": "'\"`$X\\",
            "LINES": "a\nb",
            "EMPTY": "",
            "UNICODE": "grün",
            "EQ": "a=b",
        }
        program = "import json, os; json.dump(dict(os.environ), open('/opt/ml/output/env', 'w'))"
        run(runner, place.job("python3", "-c", program, environment=given))
        seen = json.loads((place.output / "env").read_text())
        assert {name: seen.get(name) for name in given} == given

    def test_environment_of_this_machine_stays_out(
        self, runner: Runner, place: Workplace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOCALPIPE_TEST_ONLY_HERE", "secret")
        run(runner, place.shell_job("env"))
        assert "LOCALPIPE_TEST_ONLY_HERE" not in place.log()

    def test_the_program_is_the_first_process(self, runner: Runner, place: Workplace) -> None:
        run(runner, place.shell_job("echo pid $$"))
        assert place.log() == "pid 1\n"

    def test_host_name_is_algo_1(self, runner: Runner, place: Workplace) -> None:
        run(runner, place.job("python3", "-c", "import socket; print(socket.gethostname())"))
        assert place.log() == "algo-1\n"

    @pytest.mark.parametrize(
        ("program", "made", "exit_code", "message", "log"),
        [
            ("no-such", None, 127, "The image has no executable 'no-such'", EXEC_NOT_FOUND),
            ("/no/such", None, 127, "The image has no executable '/no/such'", 'exec: "/no/such": stat /no/such: {missing}'),
            ("/etc/passwd/x", None, 127, "The image has no executable '/etc/passwd/x'", None),
            (f"{PROGRAM}", ("#!/bin/sh\n", 0o644), 126, f"'{PROGRAM}' in the image is not executable", EXEC_DENIED),
            ("/opt/ml", None, 126, "'/opt/ml' in the image is not executable", 'exec: "/opt/ml": permission denied'),
            (f"{PROGRAM}", ("#!/no/such\n", 0o755), 1, "", f"exec {PROGRAM}: {{missing}}"),
            (f"{PROGRAM}", ("#!/bin/sh\r\necho\n", 0o755), 1, "", f"exec {PROGRAM}: {{missing}}"),
            (f"{PROGRAM}", ("#!/etc/passwd\n", 0o755), 1, "", f"exec {PROGRAM}: permission denied"),
            (f"{PROGRAM}", ("echo no first line\n", 0o755), 1, "", f"exec {PROGRAM}: exec format error"),
            (f"{PROGRAM}", ("", 0o755), 1, "", f"exec {PROGRAM}: exec format error"),
        ],
    )
    def test_a_program_that_cannot_be_executed_fails_its_job(
        self,
        runner: Runner,
        place: Workplace,
        *,
        program: str,
        made: tuple[str, int] | None,
        exit_code: int,
        message: str,
        log: str | None,
    ) -> None:
        if made:
            (place.output / PROGRAM.name).write_text(made[0])
            (place.output / PROGRAM.name).chmod(made[1])
        ended = run(runner, place.job(program, "x"))
        assert ended in [JobExit(exit_code=code, message=message) for code in ({1, 255} if exit_code == 1 else {exit_code})]
        assert log is None or place.log() == log.format(missing="no such file or directory") + "\n"
        assert runner.find(place.key()) is None

    def test_what_cannot_be_executed_does_not_count_on_the_path(self, runner: Runner, place: Workplace) -> None:
        (place.output / "sh").mkdir()
        (place.output / "env").write_text("#!/no/such\n")
        path = {"PATH": "/opt/ml/output:/usr/bin:/bin"}
        assert run(runner, place.job("sh", "-c", "exec env true", environment=path)) == JobExit(exit_code=0)

    # How it runs

    def test_it_starts_with_no_signal_ignored_or_blocked(self, runner: Runner, place: Workplace) -> None:
        """The C library keeps signals 32 and 33 for itself."""
        run(runner, place.shell_job("grep -E '^Sig(Blk|Ign)' /proc/self/status"))
        _, blocked, _, ignored = place.log().split()
        assert (int(blocked, 16), int(ignored, 16) & ~(0b11 << 31)) == (0, 0)

    def test_the_program_leads_a_session_of_its_own(self, runner: Runner, place: Workplace) -> None:
        run(runner, place.job("python3", "-c", "import os; print(os.getpid(), os.getpgid(0), os.getsid(0))"))
        assert place.log() == "1 1 1\n"

    @pytest.mark.parametrize("signum", ["TERM", "KILL"])
    def test_a_signal_to_its_whole_group_stays_inside(self, runner: Runner, place: Workplace, signum: str) -> None:
        """As `trap 'kill 0' EXIT` sends it, which many scripts have."""
        assert run(runner, place.shell_job(f"(kill -{signum} 0); exit 3")).exit_code == 3

    def test_a_program_that_dies_of_a_signal_ends_with_128_and_its_number(self, runner: Runner, place: Workplace) -> None:
        ended = run(runner, place.job("python3", "-c", "import ctypes; ctypes.string_at(0)"))
        assert ended == JobExit(exit_code=128 + signal.SIGSEGV)

    def test_a_job_that_closes_its_output_runs_on(self, runner: Runner, place: Workplace) -> None:
        go = place.fifo("go")
        running = runner.prepare(place.shell_job("exec >&- 2>&-; read x < /opt/ml/output/go; exit 4")).start()
        try:
            assert running.wait(0.05) is None
            go.write_text("now\n")
            assert running.wait() == JobExit(exit_code=4)
        finally:
            running.remove()

    # Files

    def test_written_files_belong_to_the_user_after_removal(self, runner: Runner, place: Workplace) -> None:
        run(
            runner,
            place.shell_job("umask 077; mkdir -p /opt/ml/output/d && echo x > /opt/ml/output/d/f && echo y > /opt/ml/top"),
        )
        for path in (place.output / "d", place.output / "d" / "f", place.opt_ml / "top"):
            assert path.stat().st_uid == os.getuid(), path
        (place.output / "d" / "f").rename(place.output / "moved")
        assert (place.output / "moved").read_text() == "x\n"

    def test_a_read_only_mount_cannot_be_written(self, runner: Runner, place: Workplace) -> None:
        view = place.attempt_dir / "views" / "train"
        view.mkdir(parents=True)
        (view / "data").write_text("original")
        (place.opt_ml / "train").mkdir()
        mount = Mount(host_dir=view, container_dir=OPT_ML / "train", access=Access.READ_ONLY)
        script = "cat /opt/ml/train/data; echo new > /opt/ml/train/data || exit 9"
        assert run(runner, place.shell_job(script, mounts=[mount])).exit_code != 0
        assert (view / "data").read_text() == "original"
        assert "original" in place.log()

    def test_an_overlay_mount_can_be_written_and_the_host_directory_does_not_change(
        self, runner: Runner, place: Workplace
    ) -> None:
        if not runner.overlays:
            pytest.skip(f"runner {runner.name} takes no overlay mounts")
        view = place.attempt_dir / "views" / "train"
        view.mkdir(parents=True)
        (view / "data").write_text("original")
        (place.opt_ml / "train").mkdir()
        mount = Mount(host_dir=view, container_dir=OPT_ML / "train", access=Access.OVERLAY)
        script = "cd /opt/ml/train && echo new > data && echo more > other && cat data other"
        assert run(runner, place.shell_job(script, mounts=[mount])).exit_code == 0
        assert place.log() == "new\nmore\n"
        assert {path.name: path.read_text() for path in view.iterdir()} == {"data": "original"}

    def test_a_mount_below_a_mount_hides_what_is_there(self, runner: Runner, place: Workplace) -> None:
        inner = place.attempt_dir / "inner"
        inner.mkdir()
        (inner / "file").write_text("inner")
        (place.opt_ml / "sub").mkdir()
        (place.opt_ml / "sub" / "file").write_text("outer")
        mount = Mount(host_dir=inner, container_dir=OPT_ML / "sub", access=Access.WRITABLE)
        run(runner, place.shell_job("cat /opt/ml/sub/file", mounts=[mount]))
        assert place.log() == "inner"

    def test_tmp_home_and_working_directory_are_writable(self, runner: Runner, place: Workplace) -> None:
        script = (
            'echo 1 > /tmp/file && echo 2 > "$HOME/file" && echo 3 > ./file-here && cat /tmp/file "$HOME/file" ./file-here'
        )
        assert run(runner, place.shell_job(script)).exit_code == 0
        assert place.log() == "1\n2\n3\n"

    # Logs

    def test_output_and_errors_are_in_the_log_in_order(self, runner: Runner, place: Workplace) -> None:
        run(runner, place.job("python3", "-uc", "import os\nfor n in range(6): os.write(1 + n % 2, b'line %d\\n' % n)"))
        assert sorted(place.log().splitlines()) == [f"line {n}" for n in range(6)]
        assert [line for line in place.log().splitlines() if line[-1] in "024"] == ["line 0", "line 2", "line 4"]

    def test_the_log_is_complete_when_wait_returns(self, runner: Runner, place: Workplace) -> None:
        running = runner.prepare(place.job("python3", "-c", "for n in range(20000): print('line', n)")).start()
        try:
            running.wait()
            assert place.log() == "".join(f"line {n}\n" for n in range(20000))
        finally:
            running.remove()

    def test_a_line_without_end_is_kept_whole(self, runner: Runner, place: Workplace) -> None:
        run(runner, place.job("python3", "-c", "print('x' * 10_000_000, end='')"))
        assert place.log_file.read_bytes() == b"x" * 10_000_000

    def test_log_bytes_are_kept(self, runner: Runner, place: Workplace) -> None:
        run(runner, place.job("python3", "-c", "import os; os.write(1, b'tab\\tcr\\rbad \\xff\\xfe no newline')"))
        assert place.log_file.read_bytes() == b"tab\tcr\rbad \xff\xfe no newline"

    # While it runs

    def test_children_of_the_first_process_end_with_it(self, runner: Runner, place: Workplace) -> None:
        alive, go = place.fifo("alive"), place.fifo("go")
        running = runner.prepare(place.shell_job("sleep 600 > /opt/ml/output/alive & read x < /opt/ml/output/go")).start()
        try:
            with alive.open() as held_by_child:
                go.write_text("now\n")
                running.wait()
                assert held_by_child.read() == ""
        finally:
            running.remove()

    def test_a_port_of_the_job_is_reached_at_its_address(self, runner: Runner, place: Workplace) -> None:
        ready = place.fifo("ready")
        program = (
            "import socket\ns = socket.create_server(('0.0.0.0', 18080))\nopen('/opt/ml/output/ready', 'w').write('x')\n"
            "c, _ = s.accept()\nc.sendall(b'pong')\nc.close()"
        )
        running = runner.prepare(place.job("python3", "-c", program)).start()
        try:
            ready.read_text()
            with socket.create_connection(running.address(18080), timeout=10) as connection:
                assert connection.recv(10) == b"pong"
            assert running.wait() == JobExit(exit_code=0)
        finally:
            running.remove()

    @pytest.mark.parametrize("isolated", [False, True])
    def test_a_job_that_serves_has_its_port_to_itself(self, runner: Runner, place: Workplace, *, isolated: bool) -> None:
        program = (
            "import socket, sys\nours, host, theirs = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])\n"
            "s = socket.create_server(('0.0.0.0', ours))\nopen('/opt/ml/output/ready', 'w').write('x')\n"
            "try: socket.create_connection((host, theirs), 5).close(); said = b'reaches it'\n"
            "except OSError: said = b'reaches nothing'\n"
            "c, _ = s.accept()\nc.sendall(said)\nc.recv(1)\nc.close()"  # it goes on until the other side has read
        )
        ready, host = place.fifo("ready"), runner.endpoint_host()
        with socket.create_server((host, 0)) as endpoint, socket.create_server(("127.0.0.1", 0)) as taken:
            port, theirs = taken.getsockname()[1], endpoint.getsockname()[1]
            words = ("python3", "-c", program, str(port), runner.endpoint_url_host(), str(theirs))
            environment = {"AWS_ENDPOINT_URL": f"http://{host}:{theirs}"}
            job = place.job(*words, network_isolated=isolated, environment=environment)
            running = runner.prepare(replace(job, port=port)).start()
            try:
                ready.read_text()
                with socket.create_connection(running.address(port), timeout=60) as connection:
                    reaches_nothing = isolated and not self.isolated_serving_reaches_machine
                    assert connection.recv(20) == (b"reaches nothing" if reaches_nothing else b"reaches it")
                assert running.wait() == JobExit(exit_code=0)
            finally:
                running.remove()

    @pytest.mark.parametrize("terminal", [True, False])
    def test_a_running_job_is_entered(self, runner: Runner, place: Workplace, *, terminal: bool) -> None:
        ready = place.fifo("ready")
        script = "echo x > /opt/ml/output/ready; sleep 600"
        running = runner.prepare(place.shell_job(script, environment={"GREETING": "hello"})).start()
        try:
            ready.read_text()
            script = "echo $GREETING from $(cat /etc/hostname | wc -l); ls -d /opt/ml/output"
            command = runner.enter(place.key(), ["sh", "-c", script], terminal=terminal)
            assert command is not None
            status, shown = in_terminal(command) if terminal else piped(command)
            assert (status, shown.replace("\r", "")) == (0, "hello from 1\n/opt/ml/output\n")
        finally:
            running.remove()

    # Network

    def test_a_job_reaches_the_endpoint(self, runner: Runner, place: Workplace) -> None:
        with socket.create_server((runner.endpoint_host(), 0)) as server:
            port = server.getsockname()[1]
            assert (
                run(runner, _connecting_job(place, runner.endpoint_url_host(), port, network_isolated=False)).exit_code == 0
            )

    def test_an_isolated_job_does_not_reach_the_endpoint(self, runner: Runner, place: Workplace) -> None:
        with socket.create_server((runner.endpoint_host(), 0)) as server:
            port = server.getsockname()[1]
            assert (
                run(runner, _connecting_job(place, runner.endpoint_url_host(), port, network_isolated=True)).exit_code == 5
            )

    def test_endpoint_host_is_one_address(self, runner: Runner) -> None:
        assert runner.endpoint_host() not in {"", "0.0.0.0", "::"}  # noqa: S104 - the address that it must not be

    # Removal

    def test_remove_kills_what_runs(self, runner: Runner, place: Workplace) -> None:
        alive = place.fifo("alive")
        running = runner.prepare(place.shell_job("exec > /opt/ml/output/alive; sleep 600")).start()
        with alive.open() as held_by_job:
            running.remove()
            assert held_by_job.read() == ""
        assert runner.find(place.key()) is None

    # For people

    def test_shell_opens_in_the_jobs_image_with_mounts_and_environment(self, runner: Runner, place: Workplace) -> None:
        (place.output / "file").write_text("content of file")
        job = place.shell_job("exit 1", environment={"GREETING": "hello world"})
        line = runner.shell(job, ["bash"], terminal=True)
        _, shown = in_terminal(line.argv, typed='echo "<$GREETING>"; cat /opt/ml/output/file; exit 0\n')
        assert "<hello world>" in shown
        assert "content of file" in shown

    def test_shell_takes_commands_from_a_pipe_and_no_command_line_shows_the_secret(
        self, runner: Runner, place: Workplace
    ) -> None:
        job = place.shell_job("exit 1", environment={"AWS_SECRET_ACCESS_KEY": "secret-of-this-run"})
        line = runner.shell(job, ["sh"], terminal=False)
        assert "of-this-run" not in " ".join(line.argv)
        assert piped(line.argv, 'echo "<$AWS_SECRET_ACCESS_KEY>"; exit 7\n', line.environment) == (
            7,
            "<secret-of-this-run>\n",
        )

    def test_what_was_written_can_be_reclaimed(self, runner: Runner, place: Workplace) -> None:
        line = runner.shell(place.shell_job("exit 1"), ["sh", "-c", "echo x > /opt/ml/output/file"], terminal=False)
        piped(line.argv, environment=line.environment)
        runner.reclaim(place.attempt_dir, place.image)
        assert (place.output / "file").stat().st_uid == os.getuid()

    def test_repeat_command_can_be_pasted(self, runner: Runner, place: Workplace) -> None:
        script = 'echo "$GREETING" \'and\' "$(ls /opt/ml)"; exit 3'
        line = runner.repeat_command(place.shell_job(script, environment={"GREETING": "it's $5"}))
        assert "\n" not in line
        done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        assert (done.returncode, done.stdout) == (3, "it's $5 and output\n"), done.stderr

    def test_repeat_command_keeps_line_breaks(self, runner: Runner, place: Workplace) -> None:
        line = runner.repeat_command(place.job("python3", "-c", "print('a\\nb')\nprint('\\\\')"))
        done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        assert (done.returncode, done.stdout) == (0, "a\nb\n\\\n"), done.stderr

    def test_repeat_command_shows_no_credential(self, runner: Runner, place: Workplace) -> None:
        secret = {
            "AWS_ACCESS_KEY_ID": "key-of-this-run",
            "AWS_SECRET_ACCESS_KEY": "secret-of-this-run",
            "AWS_REGION": "eu-west-1",
        }
        line = runner.repeat_command(place.shell_job("env", environment=secret))
        done = subprocess.run(line, shell=True, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
        assert "of-this-run" not in line + done.stdout
        assert "AWS_REGION=eu-west-1" in done.stdout.splitlines()


class AheadContract(RunnerContract):
    """What a runner that prepares jobs ahead of their inputs does besides: its `runner` is an `Ahead`."""

    def test_a_job_sees_the_inputs_that_came_after_it_was_prepared(self, runner: Runner, place: Workplace) -> None:
        view = place.attempt_dir / "views" / "train"
        view.mkdir(parents=True)
        (place.opt_ml / "train").mkdir()
        access = Access.OVERLAY if runner.overlays else Access.READ_ONLY
        mount = Mount(host_dir=view, container_dir=OPT_ML / "train", access=access)
        prepared = runner.prepare(place.shell_job("cd /opt/ml/train && cat data inner/data ../given; ls", mounts=[mount]))
        (view / "inner").mkdir()
        for path in (view / "data", view / "inner" / "data", place.opt_ml / "given"):
            path.write_text(f"{path.name}\n")
        running = prepared.start()
        assert running.wait() == JobExit(exit_code=0)
        running.remove()
        assert place.log() == "data\ndata\ngiven\ndata\ninner\n"

    def test_it_can_be_taken_back_twice_and_not_started_then(self, runner: Runner, place: Workplace) -> None:
        prepared = runner.prepare(place.shell_job("echo ran >/opt/ml/output/ran"))
        prepared.remove()
        prepared.remove()
        with pytest.raises(JobFailed):
            prepared.start()
        assert not (place.output / "ran").exists()

    def test_nothing_of_the_job_runs_before_its_start(self, runner: Runner, place: Workplace) -> None:
        prepared = runner.prepare(place.shell_job("echo ran >/opt/ml/output/ran"))
        prepared.remove()
        assert not (place.output / "ran").exists()
        assert not place.log_file.exists() or not place.log()

    def test_it_has_the_environment_and_the_standard_input_of_any_job(
        self, runner: Runner, later_runner: Runner, place: Workplace
    ) -> None:
        seen = []
        for each in (runner, later_runner):
            run(
                each,
                place.shell_job("env -0 | sort -z; pwd; readlink /proc/self/fd/0; ls /proc/self/fd; umask"),
            )
            seen.append(place.log())
            place.log_file.unlink()
        assert seen[0] == seen[1]


class SeveralHostsContract:
    """Jobs of several hosts, for runners that can have them: see `LifecycleContract` for the fixtures.

    Follows: containers.md 1.9, 2.14.
    """

    @pytest.fixture
    def place(self, tmp_path: Path, image: str) -> Workplace:
        return Workplace(tmp_path, image)

    def test_hosts_have_their_names_and_resolve_one_another_at_once(self, runner: Runner, place: Workplace) -> None:
        program = (
            "import socket; names = ['algo-1', 'algo-2', 'algo-3']\n"
            "addresses = [socket.gethostbyname(name) for name in names]\n"
            "print(socket.gethostname(), len({*addresses, '127.0.0.1'}), [name for _, name in socket.if_nameindex()])"
        )
        (place.output / "program.py").write_text(program)
        assert run(runner, place.hosts_job("exec python3 /opt/ml/output/program.py", hosts=3)) == JobExit(exit_code=0)
        for name in ("algo-1", "algo-2", "algo-3"):
            assert place.log_of(name).read_text() == f"{name} 4 ['lo', 'eth0']\n"

    @pytest.mark.parametrize(("port", "network_isolated"), [(23456, True), (23456, False), (80, False)])
    def test_any_port_is_open_between_hosts(
        self, runner: Runner, place: Workplace, port: int, *, network_isolated: bool
    ) -> None:
        place.fifo("listening")
        server = (
            f"import socket\ns = socket.create_server(('', {port})); open('/opt/ml/output/listening', 'w').write('x')\n"
            "c, _ = s.accept(); c.sendall(b'pong')"
        )
        client = (
            "import socket\nopen('/opt/ml/output/listening').read()\n"
            f"print(socket.create_connection(('algo-2', {port}), timeout=20).recv(10))"
        )
        (place.output / "algo-2.py").write_text(server)
        (place.output / "algo-1.py").write_text(client)
        job = place.hosts_job("exec python3 /opt/ml/output/$(hostname).py", network_isolated=network_isolated)
        assert run(runner, job) == JobExit(exit_code=0)
        assert place.log_of("algo-1").read_text() == "b'pong'\n"

    @pytest.mark.parametrize(("network_isolated", "exit_code"), [(True, 5), (False, 0)])
    def test_hosts_reach_the_endpoint_unless_isolated(
        self, runner: Runner, place: Workplace, *, network_isolated: bool, exit_code: int
    ) -> None:
        with socket.create_server((runner.endpoint_host(), 0)) as server:
            port = server.getsockname()[1]
            one = _connecting_job(place, runner.endpoint_url_host(), port, network_isolated=network_isolated)
            several = replace(place.hosts_job("", network_isolated=network_isolated), arguments=one.arguments)
            job = replace(several, entrypoint=one.entrypoint, environment=one.environment)
            assert run(runner, job).exit_code == exit_code

    def test_the_job_ends_with_its_last_host(self, runner: Runner, place: Workplace) -> None:
        go = place.fifo("go")
        script = 'echo here; test "$(hostname)" = algo-1 || read x < /opt/ml/output/go; echo there'
        running = runner.prepare(place.hosts_job(script)).start()
        try:
            assert running.wait(0.05) is None
            go.write_text("now\n")
            assert running.wait() == JobExit(exit_code=0)
            assert [place.log_of(name).read_text() for name in ("algo-1", "algo-2")] == ["here\nthere\n"] * 2
        finally:
            running.remove()

    def test_a_host_that_fails_ends_the_others_with_grace(self, runner: Runner, place: Workplace) -> None:
        alive, go = place.fifo("alive"), place.fifo("go")
        script = (
            "cd /opt/ml/output\n"
            "case $(hostname) in\n"
            "algo-1) trap 'echo > saved; exit 0' TERM;;\n"
            "algo-2) read x < go; exit 3;;\n"
            "esac\n"
            "exec > alive; echo ready; sleep 600 & wait"
        )
        running = runner.prepare(place.hosts_job(script, hosts=3)).start()
        try:
            with alive.open() as held_by_others:
                assert [held_by_others.readline() for _ in range(2)] == ["ready\n"] * 2
                go.write_text("now\n")
                ended = running.wait()
                assert ended == JobExit(exit_code=3)
                assert ended.host == 1
                assert held_by_others.read() == ""
                assert (place.output / "saved").exists()
        finally:
            running.remove()

    def test_a_program_that_cannot_be_executed_fails_the_job(self, runner: Runner, place: Workplace) -> None:
        job = replace(place.hosts_job(""), entrypoint=("no-such",), arguments=())
        assert run(runner, job) == JobExit(exit_code=127, message="The image has no executable 'no-such'")

    def test_a_signal_reaches_every_host(self, runner: Runner, place: Workplace) -> None:
        ready = place.fifo("ready")
        script = "trap 'echo stopping; exit 0' TERM; echo x > /opt/ml/output/ready; sleep 600 & wait"
        running = runner.prepare(place.hosts_job(script)).start()
        try:
            assert _first_lines(ready, 2) == ["x\n"] * 2
            running.signal(signal.SIGTERM)
            assert running.wait() == JobExit(exit_code=0)
            assert [place.log_of(name).read_text() for name in ("algo-1", "algo-2")] == ["stopping\n"] * 2
        finally:
            running.remove()

    def test_a_running_job_is_found_whole_and_entered_at_any_host(
        self, runner: Runner, later_runner: Runner, place: Workplace
    ) -> None:
        ready, go = place.fifo("ready"), place.fifo("go")
        script = "echo x > /opt/ml/output/ready; read x < /opt/ml/output/go; echo after; exit 5"
        left_alone = runner.prepare(place.hosts_job(script)).start()
        assert _first_lines(ready, 2) == ["x\n"] * 2
        for host, name in enumerate(("algo-1", "algo-2")):
            command = later_runner.enter(place.key(), ["hostname"], terminal=False, host=host)
            assert command is not None
            assert piped(command) == (0, f"{name}\n")
        found = _found(later_runner, place.key())
        try:
            go.write_text("now\n")
            ended = found.wait()
            assert ended is not None
            assert ended.exit_code == 5
        finally:
            left_alone.wait()
            found.remove()
        assert later_runner.find(place.key()) is None

    def test_a_job_that_was_only_prepared_is_not_found_and_can_be_prepared_again(
        self, runner: Runner, later_runner: Runner, place: Workplace
    ) -> None:
        runner.prepare(place.hosts_job("exit 0"))
        assert later_runner.find(place.key()) is None
        assert run(later_runner, place.hosts_job("exit 6")).exit_code == 6

    def test_the_repeat_command_runs_the_first_host_without_the_others(self, runner: Runner, place: Workplace) -> None:
        script = 'hostname; getent hosts "$(hostname)" >/dev/null && echo itself; getent hosts algo-2 || echo alone'
        line = runner.repeat_command(place.hosts_job(script, network_isolated=True))
        done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        assert (done.returncode, done.stdout) == (0, "algo-1\nitself\nalone\n"), done.stderr

    def test_jobs_at_once_keep_their_names_apart(self, runner: Runner, place: Workplace) -> None:
        ready, go = place.fifo("ready"), place.fifo("go")
        script = "echo x > /opt/ml/output/ready; read x < /opt/ml/output/go; hostname"
        first = runner.prepare(place.hosts_job(script, step="One")).start()
        try:
            assert _first_lines(ready, 2) == ["x\n"] * 2
            program = "import socket; print(socket.gethostbyname('algo-1') == socket.gethostbyname(socket.gethostname()))"
            job = place.hosts_job(f'exec python3 -c "{program}"', step="Two")
            assert run(runner, job) == JobExit(exit_code=0)
            assert [place.log_of(name).read_text() for name in ("algo-1", "algo-2")] == ["True\n", "False\n"]
            go.write_text("now\n")
        finally:
            first.remove()


def _first_lines(fifo: Path, count: int) -> list[str]:
    """Lines from a FIFO as they come. It is held open for writing too, so that it does not end between two writers."""
    with os.fdopen(os.open(fifo, os.O_RDWR)) as stream:
        return [stream.readline() for _ in range(count)]


def _read_log(fifo: Path, lines: list[str], seen: threading.Event) -> None:
    """Read lines from a FIFO until its writer closes it; `seen` is set after the first."""
    with fifo.open() as stream:
        for line in stream:
            lines.append(line)
            seen.set()


def _connecting_job(place: Workplace, host: str, port: int, *, network_isolated: bool) -> StagedJob:
    """A job that connects to an address; exit code 5 when it cannot."""
    program = (
        "import socket, sys\n"
        f"try: socket.create_connection(({host!r}, {port}), timeout=5).close()\n"
        "except OSError: sys.exit(5)"
    )
    environment = {} if network_isolated else {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    return place.job("python3", "-c", program, network_isolated=network_isolated, environment=environment)


def _found(runner: Runner, key: AttemptKey) -> Running:
    found = runner.find(key)
    assert found is not None
    return found

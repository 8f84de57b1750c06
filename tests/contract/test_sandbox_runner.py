"""The sandbox runner: the contract over the root file system of an image, and what only such a root has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest
from runner_contract import GRACE_SECONDS, Ahead, AheadContract, RunnerContract, SeveralHostsContract, Workplace, run
from test_docker_runner import BASE_IMAGE, IMAGES, built_image
from test_process_runner import ORDINARY_USER, SYSTEM_PYTHON, a_search_path, attempt_dirs

from localpipe.core.jobspec import JobExit
from localpipe.errors import ImageMissing, JobFailed, NotSupported
from localpipe.runners.exported_images import ExportedImages
from localpipe.runners.root_cache import KnownImage, RootCache
from localpipe.runners.sandbox import SandboxRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from localpipe.core.ports import Runner
    from localpipe.runners.docker import ImageNames

NO_ENGINE = {"DOCKER_HOST": "unix:///no/such/engine.sock"}
WHO = "id -u; id -g; echo $HOME $PWD; touch /made-here ~/made-there; stat -c %u:%g /made-here /etc/passwd"

pytestmark = [pytest.mark.docker, pytest.mark.sandbox]


def a_runner(
    home: Path,
    cache: Path,
    environment: Mapping[str, str] = os.environ,
    *,
    names: ImageNames = IMAGES,
    archives: bool = False,
    say: Callable[[str], None] = print,
    search_path: str | None = None,
) -> SandboxRunner:
    images = ExportedImages(cache=cache, names=names, archives=archives, environment=environment, say=say)
    return SandboxRunner(
        images,
        attempt_dir_of=attempt_dirs(home),
        work_dir=home,
        search_path=search_path,
        grace_seconds=GRACE_SECONDS,
    )


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.APIClient]:
    try:
        api = docker.APIClient(version="auto")
    except docker.errors.DockerException as error:
        pytest.skip(f"no engine: {error}")
    yield api
    api.close()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, engine: docker.APIClient) -> Path:
    """Shared by the tests of this file: each image is exported once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def runner(tmp_path: Path, cache: Path) -> SandboxRunner:
    return a_runner(tmp_path, cache)


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path, BASE_IMAGE)


class TestSandboxRunner(RunnerContract):
    @pytest.fixture
    def runner(self, runner: SandboxRunner) -> Runner:
        return runner

    @pytest.fixture
    def later_runner(self, tmp_path: Path, cache: Path) -> Runner:
        return a_runner(tmp_path, cache)

    @pytest.fixture
    def image(self) -> str:
        return BASE_IMAGE


class TestAhead(AheadContract):
    @pytest.fixture
    def runner(self, runner: SandboxRunner) -> Runner:
        return Ahead(runner)  # type: ignore[return-value]  # the runner for all but `prepare`

    @pytest.fixture
    def later_runner(self, tmp_path: Path, cache: Path) -> Runner:
        return a_runner(tmp_path, cache)

    @pytest.fixture
    def image(self) -> str:
        return BASE_IMAGE


class TestSeveralHosts(SeveralHostsContract):
    @pytest.fixture
    def runner(self, runner: SandboxRunner) -> Runner:
        return runner

    @pytest.fixture
    def later_runner(self, tmp_path: Path, cache: Path) -> Runner:
        return a_runner(tmp_path, cache)

    @pytest.fixture
    def image(self) -> str:
        return BASE_IMAGE


class TestWhatAnImageGives:
    def test_its_files_are_seen_and_what_a_job_changes_is_gone_with_it(
        self, runner: SandboxRunner, place: Workplace
    ) -> None:
        script = """
            . /etc/os-release && echo $VERSION_CODENAME; rm /usr/bin/env; echo changed >/etc/os-release; mkdir /new /opt/new
            rm -r /usr/share/doc; test ! -e /usr/bin/env -a ! -e /usr/share/doc && cat /etc/os-release"""
        assert run(runner, place.shell_job(script)) == JobExit(exit_code=0)
        assert run(runner, place.shell_job("test -e /usr/bin/env -a -e /usr/share/doc -a ! -e /new")).exit_code == 0
        assert place.log() == "bookworm\nchanged\n"

    def test_nothing_of_this_machine_is_seen(self, runner: SandboxRunner, place: Workplace, tmp_path: Path) -> None:
        paths = [tmp_path, Path(sys.prefix), Path(__file__), Path("/var/run/docker.sock"), *Path.home().glob(".[a-z]*rc.*")]
        program = "import os, sys; print([path for path in sys.argv[1:] if os.path.lexists(path)])"
        run(runner, place.job("python3", "-c", program, *map(str, paths)))
        assert place.log() == "[]\n"

    def test_environment_entry_point_arguments_and_working_directory(
        self, runner: SandboxRunner, place: Workplace, engine: docker.APIClient
    ) -> None:
        lines = ('ENTRYPOINT ["sh", "-c", "echo $COLOR $SHAPE $(pwd) $0 $*"]', 'CMD ["one", "two"]', "WORKDIR /deep/down")
        place.image = built_image(engine, "sandbox-config", *lines, "ENV COLOR=red SHAPE=round")
        job = replace(place.shell_job("", environment={"SHAPE": "square"}), entrypoint=None, arguments=None)
        run(runner, job)
        assert place.log() == "red square /deep/down one two\n"
        place.log_file.unlink()
        run(runner, replace(job, arguments=("train",)))
        assert place.log() == "red square /deep/down train\n"
        assert runner.job_command(job)[-2:] == ("one", "two")

    def test_a_relative_program_is_found_from_the_working_directory(
        self, runner: SandboxRunner, place: Workplace, engine: docker.APIClient
    ) -> None:
        lines = ("WORKDIR /app", "RUN printf '#!/bin/sh\\necho it runs' >run.sh && chmod +x run.sh")
        place.image = built_image(engine, "sandbox-relative", *lines)
        assert run(runner, place.job("./run.sh")) == JobExit(exit_code=0)
        assert place.log() == "it runs\n"

    def test_its_user_owns_everything(self, runner: SandboxRunner, place: Workplace, engine: docker.APIClient) -> None:
        lines = ("RUN useradd --uid 1234 --create-home --gid users ann", "USER ann", "WORKDIR /home/ann")
        place.image = built_image(engine, "sandbox-user", *lines)
        assert run(runner, place.shell_job(WHO)) == JobExit(exit_code=0)
        assert place.log().splitlines() == ["1234", "100", "/home/ann /home/ann", "1234:100", "1234:100"]
        written = place.output / "file"
        run(runner, place.shell_job("echo x >/opt/ml/output/file"))
        assert written.stat().st_uid == os.getuid()

    def test_a_running_job_without_bash_is_not_entered(
        self, runner: SandboxRunner, place: Workplace, engine: docker.APIClient
    ) -> None:
        place.image = built_image(engine, "sandbox-no-bash", "RUN rm /bin/bash")
        ready = place.fifo("ready")
        running = runner.prepare(place.shell_job("echo x > /opt/ml/output/ready; sleep 600")).start()
        try:
            ready.read_text()
            with pytest.raises(NotSupported, match=r"^Entering a running job whose image has no `bash` is not supported\."):
                runner.enter(place.key(), ["true"], terminal=False)
        finally:
            running.remove()

    def test_a_user_that_the_image_does_not_have_is_named(
        self, runner: SandboxRunner, place: Workplace, engine: docker.APIClient
    ) -> None:
        place.image = built_image(engine, "sandbox-no-user", "USER nobody-here")
        with pytest.raises(JobFailed, match=r"^The image runs as user 'nobody-here', which its /etc/passwd does not have.$"):
            runner.prepare(place.shell_job("exit 0"))

    def test_an_image_that_says_nothing_to_run_is_refused(self, runner: SandboxRunner, place: Workplace) -> None:
        place.image = BASE_IMAGE
        job = replace(place.shell_job(""), entrypoint=None, arguments=())
        with pytest.raises(JobFailed, match=r"neither the job nor the image says what to run \(ENTRYPOINT, CMD\)\.$"):
            runner.prepare(job)


class TestExport:
    def test_an_image_is_exported_once_and_then_needs_no_engine(self, place: Workplace, tmp_path: Path, cache: Path) -> None:
        run(a_runner(tmp_path, cache), place.shell_job("exit 0"))
        said: list[str] = []
        assert run(a_runner(tmp_path, cache, say=said.append), place.shell_job("exit 3")).exit_code == 3
        without = a_runner(tmp_path, cache, NO_ENGINE, say=said.append)
        assert without.check().usable
        assert without.image(BASE_IMAGE).local == BASE_IMAGE
        assert run(without, place.shell_job("exit 4")).exit_code == 4
        assert said == []

    def test_without_engine_an_image_that_was_never_exported_is_missing(
        self, place: Workplace, tmp_path: Path, cache: Path
    ) -> None:
        run(a_runner(tmp_path, cache), place.shell_job("exit 0"))
        with pytest.raises(ImageMissing, match="never-seen:1"):
            a_runner(tmp_path, cache, NO_ENGINE).prepare(place.shell_job("exit 0", image_uri="never-seen:1"))

    def test_tidying_removes_what_is_unused_and_of_an_image_that_is_gone(
        self, tmp_path: Path, engine: docker.APIClient
    ) -> None:
        cache = RootCache(tmp_path / "cache")
        there, gone, fresh = engine.inspect_image(BASE_IMAGE)["Id"], f"sha256:{'0' * 64}", f"sha256:{'1' * 64}"
        for image_id in (there, gone, fresh):
            cache.add(KnownImage(name="some:1", image_id=image_id, config={}), [[bytes(1024)]])
        for image_id in (there, gone):
            os.utime(cache.directory / image_id.removeprefix("sha256:"), (0, 0))
        a_runner(tmp_path, cache.directory, NO_ENGINE).tidy()
        assert len([path for path in cache.directory.iterdir() if path.is_dir()]) == 3
        a_runner(tmp_path, cache.directory).tidy()
        assert {f"sha256:{path.name}" for path in cache.directory.iterdir() if path.is_dir()} == {there, fresh}

    @pytest.mark.parametrize("ends_it", ["tidy", "ensure_image"])
    def test_a_container_that_a_killed_export_left_is_removed(
        self, tmp_path: Path, engine: docker.APIClient, ends_it: str
    ) -> None:
        cache = tmp_path / "cache"
        cache.mkdir()
        left = engine.create_container(BASE_IMAGE, ["x"], labels={"localpipe.export": str(cache)})["Id"]
        runner = a_runner(tmp_path, cache)
        with RootCache(cache).alone():
            runner.tidy()  # one that is at it is left alone
        assert engine.inspect_container(left)
        runner.tidy() if ends_it == "tidy" else runner.ensure_image(BASE_IMAGE)
        assert engine.containers(all=True, filters={"label": f"localpipe.export={cache}"}) == []

    def test_tidying_leaves_the_root_that_a_running_job_stands_on(
        self, place: Workplace, tmp_path: Path, engine: docker.APIClient
    ) -> None:
        cache, name = tmp_path / "cache", built_image(engine, "sandbox-gone", "RUN echo x >/made")
        runner, ready, go = a_runner(tmp_path, cache), place.fifo("ready"), place.fifo("go")
        script = "echo x > /opt/ml/output/ready; read x < /opt/ml/output/go; cat /made"
        running = runner.prepare(place.shell_job(script, image_uri=name)).start()
        ready.read_text()
        runner.close()  # as its process ends
        engine.remove_image(name, force=True)
        (root,) = (path for path in cache.iterdir() if path.is_dir())
        os.utime(root, (0, 0))
        runner.tidy()
        go.write_text("now\n")
        assert (running.wait(), place.log()) == (JobExit(exit_code=0), "x\n")
        running.remove()
        runner.tidy()
        assert not root.exists()

    def test_tidying_removes_at_once_what_was_built_anew_unless_a_process_holds_it(
        self, place: Workplace, tmp_path: Path, engine: docker.APIClient
    ) -> None:
        cache, name = tmp_path / "cache", built_image(engine, "sandbox-anew", "RUN echo one >/made")
        with_one, tidying = a_runner(tmp_path, cache), a_runner(tmp_path, cache)
        with_one.ensure_image(name)
        (old,) = (path for path in cache.iterdir() if path.is_dir())
        built_image(engine, "sandbox-anew", f"RUN echo {tmp_path} >/made")
        tidying.tidy()
        assert run(with_one, place.shell_job("cat /made", image_uri=name)) == JobExit(exit_code=0)
        assert place.log() == "one\n"
        with_one.close()
        tidying.ensure_image(name)
        tidying.tidy()
        assert not old.exists()
        assert len([path for path in cache.iterdir() if path.is_dir()]) == 1

    def test_without_engine_and_image_it_cannot_be_used(self, tmp_path: Path) -> None:
        found = a_runner(tmp_path, tmp_path / "empty", NO_ENGINE).check()
        assert not found.usable
        assert found.reason.startswith("No image has been exported, and no engine answers that has one. ")
        assert found.remedy

    def test_without_bubblewrap_it_cannot_be_used(self, tmp_path: Path, cache: Path) -> None:
        runner = a_runner(tmp_path, cache, search_path=a_search_path(tmp_path, "util-linux"))
        assert runner.check().reason == "The sandbox runner needs `bwrap` of bubblewrap, which is not installed."


class TestArchive:
    """An image that an engine saved, without the engine."""

    @pytest.fixture
    def archive(self, tmp_path: Path, engine: docker.APIClient) -> Path:
        lines = ("RUN echo one >/first; echo one >/second", "RUN rm /first; echo two >/second", 'CMD ["cat", "/second"]')
        name = built_image(engine, "sandbox-archive", *lines, "ENV COLOR=red")
        path = tmp_path / "image.tar"
        with path.open("wb") as file:
            file.writelines(engine.get_image(name))
        return path

    @pytest.fixture
    def of_archive(self, tmp_path: Path, archive: Path) -> SandboxRunner:
        names = replace(IMAGES, candidates=lambda uri: (f"oci:{archive}",))
        return a_runner(tmp_path, tmp_path / "cache", NO_ENGINE, names=names, archives=True)

    def test_a_job_runs_in_an_archives_image(self, of_archive: SandboxRunner, place: Workplace, archive: Path) -> None:
        assert of_archive.check().usable
        assert of_archive.image("mine:1").local == f"oci:{archive}"
        job = replace(place.shell_job("", image_uri="mine:1"), entrypoint=None, arguments=None)
        assert run(of_archive, job) == JobExit(exit_code=0)
        assert run(of_archive, place.shell_job("echo $COLOR; test ! -e /first", image_uri="mine:1")) == JobExit(exit_code=0)
        assert place.log() == "two\nred\n"

    def test_tidying_removes_it_once_the_archive_is_gone(
        self, of_archive: SandboxRunner, archive: Path, tmp_path: Path
    ) -> None:
        of_archive.ensure_image("mine:1")
        (unpacked,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
        os.utime(unpacked, (0, 0))
        of_archive.tidy()
        assert unpacked.exists()
        of_archive.close()
        archive.unlink()
        of_archive.tidy()
        assert not unpacked.exists()

    def test_an_archive_that_is_not_there_is_missing(self, of_archive: SandboxRunner, archive: Path) -> None:
        archive.unlink()
        status = of_archive.image("mine:1")
        where = f"[images] in localpipe.toml maps it to the archive {archive}"
        assert (status.local, status.reason) == (None, f"{where}, and it cannot be read: No such file or directory.")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user; the tests above run as this one")
@pytest.mark.skipif(not Path(SYSTEM_PYTHON).exists(), reason=f"no {SYSTEM_PYTHON}, which other users can run")
def test_an_ordinary_user_can_do_all_of_it(engine: docker.APIClient) -> None:
    """In a directory of the system's, since other users cannot enter pytest's."""
    home = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    os.chown(home, ORDINARY_USER, ORDINARY_USER)
    group = Path("/var/run/docker.sock").stat().st_gid
    try:
        become = ["setpriv", "--reuid", str(ORDINARY_USER), "--regid", str(ORDINARY_USER), "--groups", str(group)]
        done = subprocess.run(
            [*become, SYSTEM_PYTHON, __file__, home],
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(sys.path[1:])},
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == f"0 0:0 {ORDINARY_USER} 3"
    finally:
        shutil.rmtree(home)


def _as_ordinary_user(home: Path) -> None:
    """Run a job that changes files of the image's root, then look at what it left."""
    runner, place = a_runner(home, home / "cache"), Workplace(home, BASE_IMAGE)
    script = "cd /opt/ml/output; id -u >who; stat -c %u:%g /bin/env >owner; echo x >/etc/shadow && rm -r /srv && exit 3"
    ended = run(runner, place.shell_job(script))
    who, owner = ((place.output / name).read_text().strip() for name in ("who", "owner"))
    print(who, owner, (place.output / "who").stat().st_uid, ended.exit_code)


if __name__ == "__main__":
    _as_ordinary_user(Path(sys.argv[1]))

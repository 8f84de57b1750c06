from __future__ import annotations

import importlib
import mmap
import os
import resource
import shutil
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

import pytest
from staging_bench import SPEC, TWO_HOSTS, an_output, files

from localpipe.core.jobspec import JobEnd
from localpipe.core.names import S3Uri
from localpipe.errors import JobFailed
from localpipe.staging.files import open_below
from localpipe.staging.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from staging_bench import Bench

    from localpipe.core.jobspec import HostSpec, JobSpec, OutputSpec, StagedJob
    from localpipe.core.ports import ObjectInfo
    from localpipe.store import LocalStore

_PATIENCE_SECONDS = 5.0
NO_WAY = r"Not a directory|Too many levels of symbolic links"


class Watched:
    """A store that tells when an object is put or deleted."""

    def __init__(self, store: LocalStore) -> None:
        self._store, self._changed = store, threading.Condition()

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def put(self, *args: object, **options: object) -> ObjectInfo:
        with self._telling():
            return self._store.put(*args, **options)  # type: ignore[arg-type]  # passed on unchanged

    def delete(self, uri: S3Uri) -> None:
        with self._telling():
            self._store.delete(uri)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        with self._changed:
            yield
            self._changed.notify_all()

    def becomes(self, wanted: Mapping[str, str], prefix: str = "out/") -> bool:
        """Block until the objects below a prefix of bucket `b` are the wanted ones; False if they are not in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._objects(prefix) == wanted, _PATIENCE_SECONDS)

    def _objects(self, prefix: str) -> dict[str, str]:
        found = self._store.list(S3Uri("b", prefix))
        return {info.uri.key.removeprefix(prefix): info.path.read_text() for info in found}


@dataclass(frozen=True)
class RunningJob:
    """A job between its start and its end."""

    bench: Bench
    store: Watched
    spec: JobSpec
    staged: StagedJob
    uploads: Uploads

    def path(self, name: str, host: str = "algo-1") -> Path:
        return self.bench.root_of(host) / str(self.spec.outputs[0].container_dir)[1:] / name

    def write(self, name: str, text: str, host: str = "algo-1") -> None:
        path = self.path(name, host)
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)

    def finish(self) -> None:
        self.uploads.finish(self.spec.outputs[0])


@contextmanager
def running(
    bench: Bench, output: OutputSpec, *, anew: bool = True, hosts: tuple[HostSpec, ...] = SPEC.hosts
) -> Iterator[RunningJob]:
    """A job with one output, that writes from this test; localpipe's side of it is over when the block is left."""
    spec = replace(SPEC, outputs=(output,), hosts=hosts)
    store = Watched(bench.store)
    staged = bench.stage(spec, anew=anew)
    stager = replace(bench.stager, store=store)  # type: ignore[arg-type]  # the rest is the inner store's
    with stager.serving(spec, staged, lambda: None) as serving:
        yield RunningJob(bench, store, spec, staged, serving.uploads)


def continuous(**more: object) -> OutputSpec:
    return an_output("/opt/ml/out", "s3://b/out", continuous=True, published_on=frozenset(JobEnd), **more)


def mirrored() -> OutputSpec:
    return an_output("/opt/ml/out", "s3://b/out", continuous=True, mirrored=True, published_on=frozenset(JobEnd))


@pytest.mark.documented
def test_a_file_goes_up_when_it_is_closed_and_again_when_it_changes(bench: Bench) -> None:
    with running(bench, continuous()) as job:
        with job.path("log").open("w") as stream:
            stream.write("half")
            stream.flush()
            job.write("other", "closed")
            assert job.store.becomes({"other": "closed"})
            stream.write(" whole")
        assert job.store.becomes({"other": "closed", "log": "half whole"})
        job.write("other", "changed")
        assert job.store.becomes({"other": "changed", "log": "half whole"})
        assert job.path("other").read_text() == "changed"


def test_files_in_new_and_moved_directories_go_up(bench: Bench) -> None:
    with running(bench, continuous()) as job:
        job.write("new/deep/a", "A")
        assert job.store.becomes({"new/deep/a": "A"})
        job.path("new").rename(job.path("old"))
        job.write("old/deep/b", "B")
        assert job.store.becomes({"new/deep/a": "A", "old/deep/a": "A", "old/deep/b": "B"})


@pytest.mark.documented
def test_what_was_written_last_goes_up_at_the_end_and_what_was_deleted_stays(bench: Bench) -> None:
    with running(bench, continuous()) as job:
        job.write("early", "E")
        assert job.store.becomes({"early": "E"})
        job.path("early").unlink()
    job.write("late", "L")
    job.write("empty", "")
    job.finish()
    assert bench.objects() == {"out/early": "E", "out/late": "L", "out/empty": ""}


@pytest.mark.parametrize("output", [continuous(), mirrored()], ids=["continuous", "mirrored"])
def test_what_is_stored_into_a_mapped_file_after_it_went_up_goes_up_at_the_end(bench: Bench, output: OutputSpec) -> None:
    with running(bench, output) as job:
        job.write("array", "....." * 1000)
        with job.path("array").open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as mapped:
            mapped[:5] = b"first"
            job.path("array").open("r+b").close()
            assert job.store.becomes({"array": "first" + "....." * 999})
            before = job.path("array").stat()
            mapped[:5] = b"final"
        os.utime(job.path("array"), ns=(before.st_atime_ns, before.st_mtime_ns))  # as it is where nothing was written back
    job.finish()
    assert bench.objects() == {"out/array": "final" + "....." * 999}


def test_what_went_up_early_and_is_the_same_is_not_written_again(bench: Bench) -> None:
    with running(bench, continuous()) as job:
        job.write("same", "S")
        job.write("gone", "G")
        assert job.store.becomes({"same": "S", "gone": "G"})
    before = bench.store.head(S3Uri("b", "out/same"))
    bench.store.delete(S3Uri("b", "out/gone"))
    job.finish()
    assert bench.store.head(S3Uri("b", "out/same")) == before
    assert bench.objects() == {"out/same": "S", "out/gone": "G"}


@pytest.mark.parametrize("end", [JobEnd.COMPLETED, JobEnd.FAILED, JobEnd.STOPPED, JobEnd.TIMED_OUT])
def test_the_end_is_published_however_the_job_ended(bench: Bench, end: JobEnd) -> None:
    output = continuous()
    bench.stage(outputs=(output,))
    bench.write("/opt/ml/out/a", "A")
    bench.collect(replace(SPEC, outputs=(output,)), end)
    assert bench.objects() == {"out/a": "A"}


def test_links_are_not_followed_out_of_the_directory(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("S")
    with running(bench, continuous()) as job:
        job.path("file").symlink_to(secret / "key")
        job.path("directory").symlink_to(secret)
        (secret / "more").write_text("S")
        job.write("plain", "P")
        assert job.store.becomes({"plain": "P"})
        job.finish()
    assert bench.objects() == {"out/plain": "P"}


def test_a_link_above_the_directory_is_not_followed_either(bench: Bench, tmp_path: Path) -> None:
    with running(bench, continuous()) as job:
        elsewhere = tmp_path / "elsewhere"
        job.path("").parent.rename(elsewhere)
        job.path("").parent.symlink_to(elsewhere)
        job.write("secret", "S")
    job.finish()
    assert bench.objects() == {}


class Swapping:
    """A store; while the first object is put, the job puts a link where a directory was."""

    def __init__(self, store: LocalStore, directory: Path, elsewhere: Path) -> None:
        self._store, self._directory, self._elsewhere = store, directory, elsewhere

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def put(self, uri: S3Uri, source: BinaryIO) -> ObjectInfo:
        if not self._directory.is_symlink():
            shutil.rmtree(self._directory)
            self._directory.symlink_to(self._elsewhere)
        return self._store.put(uri, source)


def test_a_link_that_takes_a_directory_s_place_under_way_is_not_followed(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_text("S")
    spec = replace(SPEC, outputs=(continuous(),))
    staged = bench.stage(spec)
    bench.write("/opt/ml/out/a", "A")
    directory = bench.write("/opt/ml/out/b/key", "B").parent
    store = Swapping(bench.store, directory, tmp_path / "secret")
    uploads = Uploads(spec, staged, store)  # type: ignore[arg-type]  # the rest is the inner store's
    with pytest.raises(OSError, match=NO_WAY):
        uploads.finish(spec.outputs[0])
    assert bench.objects() == {"out/a": "A"}


@pytest.mark.parametrize("path", ["link", "linked/file", "directory/linked/file"])
def test_nothing_is_opened_through_a_link(tmp_path: Path, path: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").write_text("S")
    root = tmp_path / "root"
    (root / "directory").mkdir(parents=True)
    (root / "link").symlink_to(tmp_path / "elsewhere/file")
    for directory in (root, root / "directory"):
        (directory / "linked").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=NO_WAY):
        open_below(root, root / path)


def test_a_job_whose_directories_cannot_be_watched_has_all_uploaded_at_its_end(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    importlib.import_module("localpipe.staging.watch")  # which takes descriptors
    spec = replace(SPEC, outputs=(continuous(),))
    uploads = Uploads(spec, bench.stage(spec), bench.store)
    most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as watching:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            watching.enter_context(uploads.following())
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        bench.write("/opt/ml/out/a", "A")
    assert "nothing is uploaded before the job ends: " in caplog.text
    uploads.finish(spec.outputs[0])
    assert bench.objects() == {"out/a": "A"}


def test_a_job_found_again_without_its_directory_goes_on(bench: Bench) -> None:
    with running(bench, continuous()) as job:
        pass
    job.path("").rmdir()
    with running(bench, continuous(), anew=False) as job:
        job.finish()
    assert bench.objects() == {}


def test_what_cannot_be_read_yet_is_left_for_the_end(bench: Bench) -> None:
    name = os.fsdecode(b"\xff")
    with running(bench, continuous()) as job:
        job.write(name, "no text")
        job.write("plain", "P")
        assert job.store.becomes({"plain": "P"})
    with pytest.raises(JobFailed, match="is not UTF-8, so no object can have it"):
        job.finish()


def test_nothing_of_the_watching_is_left(bench: Bench) -> None:
    before = set(threading.enumerate())
    with running(bench, continuous()) as job:
        job.write("a", "A")
        assert job.store.becomes({"a": "A"})
    assert set(threading.enumerate()) == before


@pytest.mark.documented
def test_checkpoints_are_there_before_the_start_and_nothing_is_copied_back(bench: Bench) -> None:
    bench.put({"out/epoch-1/weights": "W1", "out/state": "1", "out-of-it/x": "X"})
    (state,) = bench.store.list(S3Uri("b", "out/state"))
    with running(bench, mirrored()) as job:
        assert files(job.path("")) == {"epoch-1/weights": "W1", "state": "1"}
        job.write("epoch-2", "W2")
        assert job.store.becomes({"epoch-1/weights": "W1", "state": "1", "epoch-2": "W2"})
    job.finish()
    assert bench.store.head(state.uri) == state


@pytest.mark.documented
def test_deleted_checkpoints_are_deleted_in_s3(bench: Bench) -> None:
    bench.put({"out/1/a": "1a", "out/1/b": "1b", "out/2": "2", "out/3": "3", "out-of-it/x": "X"})
    with running(bench, mirrored()) as job:
        shutil.rmtree(job.path("1"))
        job.path("2").unlink()
        job.path("3").rename(job.path("4"))
        assert job.store.becomes({"4": "3"})
        job.write("5", "5")
        assert job.store.becomes({"4": "3", "5": "5"})
    job.path("5").unlink()
    job.finish()
    assert bench.objects() == {"out-of-it/x": "X", "out/4": "3"}


def test_objects_that_stand_for_directories_stay(bench: Bench) -> None:
    bench.put({"out/": "", "out/1/": "", "out/1/a": "A"})
    with running(bench, mirrored()) as job:
        job.path("1/a").unlink()
        assert job.store.becomes({"": "", "1/": ""})
    job.finish()
    assert bench.objects() == {"out/": "", "out/1/": ""}


def test_a_checkpoint_that_one_of_two_hosts_deletes_is_gone(bench: Bench) -> None:
    bench.put({"out/1": "1", "out/2": "2"})
    with running(bench, mirrored(), hosts=TWO_HOSTS) as job:
        job.path("1", "algo-1").unlink()
        job.write("3", "3", "algo-2")
        assert job.store.becomes({"2": "2", "3": "3"})
    job.finish()
    assert bench.objects() == {"out/2": "2", "out/3": "3"}


def test_a_job_found_again_brings_up_what_happened_meanwhile(bench: Bench) -> None:
    bench.put({"out/1": "1", "out/2": "2"})
    with running(bench, mirrored(), hosts=TWO_HOSTS) as job:
        pass
    for host in ("algo-1", "algo-2"):
        job.path("1", host).unlink()
    job.write("2", "changed")
    job.write("3", "3")
    with running(bench, mirrored(), anew=False, hosts=TWO_HOSTS) as job:
        job.finish()
    assert bench.objects() == {"out/2": "changed", "out/3": "3"}


def test_checkpoints_begin_in_a_bucket_that_is_not_there_yet(bench: Bench) -> None:
    output = replace(mirrored(), uri=S3Uri("new-bucket", "ckpt"))
    with running(bench, output) as job:
        job.write("1", "1")
    job.finish()
    assert bench.store.head(S3Uri("new-bucket", "ckpt/1"))

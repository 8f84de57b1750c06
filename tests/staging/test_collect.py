from __future__ import annotations

import gzip
import io
import os
import tarfile
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest
from staging_bench import KEY, SPEC, TWO_HOSTS, a_channel, an_output, files

from localpipe.core.jobspec import HostSpec, JobEnd, MetricDatum, MetricDefinition, OutputForm, PropertyFileSpec
from localpipe.core.names import S3Uri
from localpipe.errors import JobFailed
from localpipe.staging.uploads import Uploads

if TYPE_CHECKING:
    from pathlib import Path

    from staging_bench import Bench

    from localpipe.core.jobspec import JobSpec, OutputSpec
    from localpipe.core.ports import ObjectInfo, ObjectStore

COMPLETED, FAILED, STOPPED = JobEnd.COMPLETED, JobEnd.FAILED, JobEnd.STOPPED


def staged_spec(bench: Bench, *outputs: OutputSpec, **changes: object) -> JobSpec:
    spec = replace(SPEC, outputs=outputs, **changes)  # type: ignore[arg-type]  # names of members
    bench.stage(spec)
    return spec


def members(bench: Bench, key: str) -> dict[str, str | None]:
    """An archive's members with their text; a link as `-> target`, a directory as None."""
    info = bench.store.head(S3Uri("b", key))
    assert info is not None
    found: dict[str, str | None] = {}
    with tarfile.open(info.path, "r:gz") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            found[member.name] = content.read().decode() if content else f"-> {member.linkname}" if member.issym() else None
    return found


# Trees


def test_each_file_below_an_output_becomes_an_object(bench: Bench) -> None:
    spec = staged_spec(bench, an_output("/opt/ml/out", "s3://b/run/out"))
    bench.write("/opt/ml/out/a.csv", "A")
    bench.write("/opt/ml/out/sub/dir/b ü.csv", "B")
    bench.collect(spec, COMPLETED)
    assert bench.objects() == {"run/out/a.csv": "A", "run/out/sub/dir/b ü.csv": "B"}


def test_an_output_that_is_collected_is_an_empty_directory_afterwards(bench: Bench) -> None:
    """A shell over what the job left mounts it."""
    spec = staged_spec(bench, an_output("/opt/ml/out", "s3://b/run/out"))
    bench.write("/opt/ml/out/sub/a.csv", "A")
    bench.collect(spec, COMPLETED)
    assert list((bench.root / "opt/ml/out").iterdir()) == []
    bench.collect(spec, COMPLETED)
    assert bench.objects() == {"run/out/sub/a.csv": "A"}


def test_an_output_joins_the_objects_that_lie_under_its_prefix(bench: Bench) -> None:
    bench.put({"run/out/a.csv": "before", "run/out/b.csv": "before"})
    spec = staged_spec(bench, an_output("/opt/ml/out", "s3://b/run/out"))
    bench.write("/opt/ml/out/a.csv", "A")
    bench.write("/opt/ml/out/sub/c.csv", "C")
    bench.collect(spec, COMPLETED)
    assert bench.objects() == {"run/out/a.csv": "A", "run/out/b.csv": "before", "run/out/sub/c.csv": "C"}


def test_what_a_job_has_shut_is_opened_before_it_is_collected(bench: Bench) -> None:
    archive = an_output("/opt/ml/model", "s3://b/model.tar.gz", form=OutputForm.TAR_GZ)
    failure = PurePosixPath("/opt/ml/output/failure")
    spec = staged_spec(bench, an_output("/opt/ml/out", "s3://b/out"), archive, failure_file=failure)
    for path in ("/opt/ml/out/p/q", "/opt/ml/model/d/f", str(failure)):
        shut = bench.write(path, path)
        shut.chmod(0)
        shut.parent.chmod(0)
    (bench.root / "opt/ml").chmod(0)
    collected = bench.collect(spec, COMPLETED)
    assert collected.failure == str(failure)
    assert bench.objects("out") == {"out/p/q": "/opt/ml/out/p/q"}
    assert members(bench, "model.tar.gz") == {"d": None, "d/f": "/opt/ml/model/d/f"}
    assert (bench.root / "opt/ml").stat().st_mode & 0o777 == 0o700
    assert (bench.root / "opt/ml/model/d/f").stat().st_mode & 0o777 == 0o400


def test_a_prefix_with_a_trailing_slash_does_not_double_it(bench: Bench) -> None:
    spec = staged_spec(bench, an_output("/opt/ml/out", "s3://b/out/"))
    bench.write("/opt/ml/out/a", "A")
    bench.collect(spec, COMPLETED)
    assert bench.objects() == {"out/a": "A"}


def test_an_empty_directory_writes_nothing(bench: Bench) -> None:
    spec = staged_spec(bench, an_output("/opt/ml/out", "s3://b/out", even_if_empty=True))
    bench.write("/opt/ml/out/sub/a", "A").unlink()
    bench.collect(spec, COMPLETED)
    assert bench.objects() == {}


def test_objects_that_are_there_already_stay(bench: Bench) -> None:
    bench.put({"out/old": "old", "out/a": "old"})
    spec = staged_spec(bench, an_output("/opt/ml/out", "s3://b/out"))
    bench.write("/opt/ml/out/a", "new")
    bench.collect(spec, COMPLETED)
    assert bench.objects() == {"out/old": "old", "out/a": "new"}


def test_outputs_of_a_failed_job_stay_in_its_directory(bench: Bench) -> None:
    always = frozenset({COMPLETED, FAILED})
    spec = staged_spec(
        bench,
        an_output("/opt/ml/model", "s3://b/model"),
        an_output("/opt/ml/data", "s3://b/data", published_on=always),
    )
    bench.write("/opt/ml/model/a", "A")
    bench.write("/opt/ml/data/b", "B")
    bench.collect(spec, FAILED)
    assert bench.objects() == {"data/b": "B"}
    assert files(bench.root / "opt/ml/model") == {"a": "A"}


def test_links_and_special_files_are_not_uploaded(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of this machine")
    spec = staged_spec(bench, an_output("/opt/ml/out", "s3://b/out"))
    out = bench.write("/opt/ml/out/a", "A").parent
    (out / "link").symlink_to(tmp_path / "secret")
    (out / "folder").symlink_to(tmp_path)
    os.mkfifo(out / "fifo")
    bench.collect(spec, COMPLETED)
    assert bench.objects() == {"out/a": "A"}


def test_a_directory_that_became_a_link_is_not_followed(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "failure").write_text("of this machine")
    spec = staged_spec(
        bench,
        an_output("/opt/ml/output/out", "s3://b/out"),
        an_output("/opt/ml/output/tar", "s3://b/out.tar.gz", form=OutputForm.TAR_GZ),
        failure_file=PurePosixPath("/opt/ml/output/failure"),
    )
    for directory in ("out", "tar"):
        (bench.root / "opt/ml/output" / directory).rmdir()
    (bench.root / "opt/ml/output").rmdir()
    (bench.root / "opt/ml/output").symlink_to(tmp_path / "secrets")
    assert bench.collect(spec, COMPLETED).failure is None
    assert bench.objects() == {}


def test_an_output_that_turned_out_to_be_a_file_is_one_object(bench: Bench) -> None:
    spec = staged_spec(
        bench,
        an_output("/opt/ml/attributes.json", "s3://b/out"),
        property_files=(PropertyFileSpec(name="P", output_name="attributes.json", file_path="attributes.json"),),
    )
    (bench.root / "opt/ml/attributes.json").rmdir()
    bench.write("/opt/ml/attributes.json", "{}")
    assert bench.collect(spec, COMPLETED).property_files == {"P": "{}"}
    assert bench.objects() == {"out/attributes.json": "{}"}


def test_an_output_whose_directory_was_removed_writes_nothing(bench: Bench) -> None:
    spec = staged_spec(bench, an_output("/opt/ml/out", "s3://b/out"))
    (bench.root / "opt/ml/out").rmdir()
    bench.collect(spec, COMPLETED)
    assert bench.objects() == {}


def test_outputs_that_share_a_directory_both_have_its_files(bench: Bench) -> None:
    spec = staged_spec(bench, an_output("/opt/ml/out/sub", "s3://b/inner"), an_output("/opt/ml/out", "s3://b/outer"))
    bench.write("/opt/ml/out/sub/a", "A")
    bench.collect(spec, COMPLETED)
    assert bench.objects() == {"inner/a": "A", "outer/sub/a": "A"}


def test_what_was_downloaded_into_an_output_is_uploaded_with_it(bench: Bench) -> None:
    bench.put({"data/a": "A"})
    spec = staged_spec(
        bench, an_output("/opt/ml/io", "s3://b/out"), channels=(a_channel("s3://b/data", directory="/opt/ml/io"),)
    )
    bench.write("/opt/ml/io/a", "changed")
    bench.collect(spec, COMPLETED)
    assert bench.objects() == {"data/a": "A", "out/a": "changed"}


def test_a_file_name_that_is_no_text_fails_the_job_by_name(bench: Bench) -> None:
    spec = staged_spec(bench, an_output("/opt/ml/out", "s3://b/out"))
    bench.write("/opt/ml/out/bad\udcff", "A")
    with pytest.raises(JobFailed, match=r"Output 'out': the file name 'bad\\udcff' is not UTF-8, so no object can have it"):
        bench.collect(spec, COMPLETED)


# Archives


def test_an_archive_holds_the_contents_of_the_directory(bench: Bench) -> None:
    spec = staged_spec(bench, an_output("/opt/ml/model", "s3://b/job/model.tar.gz", form=OutputForm.TAR_GZ))
    bench.write("/opt/ml/model/weights", "W")
    bench.write("/opt/ml/model/code/inference.py", "I")
    (bench.root / "opt/ml/model/latest").symlink_to("weights")
    os.mkfifo(bench.root / "opt/ml/model/fifo")
    bench.collect(spec, COMPLETED)
    assert members(bench, "job/model.tar.gz") == {
        "code": None,
        "code/inference.py": "I",
        "latest": "-> weights",
        "weights": "W",
    }
    assert files(bench.root / "opt/ml/model")["weights"] == "W"


def test_archives_of_the_same_files_are_the_same_bytes(bench: Bench) -> None:
    spec = staged_spec(bench, an_output("/opt/ml/model", "s3://b/model.tar.gz", form=OutputForm.TAR_GZ))
    archives = []
    for mode in (0o600, 0o666):
        path = bench.write("/opt/ml/model/weights", "W" * 1000)
        path.chmod(mode)
        os.utime(path, (1_700_000_000.5, 1_700_000_000.5))
        bench.collect(spec, COMPLETED)
        info = bench.store.head(S3Uri("b", "model.tar.gz"))
        assert info is not None
        archives.append(info.path.read_bytes())
    assert archives[0] == archives[1]
    header = tarfile.open(fileobj=io.BytesIO(gzip.decompress(archives[0]))).getmembers()[0]  # noqa: SIM115 - in memory
    assert (header.uid, header.gid, header.uname, header.gname, header.mtime, header.mode) == (
        0,
        0,
        "root",
        "root",
        1_700_000_000,
        0o644,
    )


@pytest.mark.parametrize(("changed", "told"), [(1_700_000_000.9, 1_700_000_000), (-5, 0), (1 << 33, (1 << 33) - 1)])
def test_members_of_an_archive_keep_their_times_as_far_as_tar_can_tell_them(bench: Bench, changed: float, told: int) -> None:
    spec = staged_spec(bench, an_output("/opt/ml/model", "s3://b/model.tar.gz", form=OutputForm.TAR_GZ))
    bench.write("/opt/ml/model/code/weights", "W")
    (bench.root / "opt/ml/model/latest").symlink_to("code")
    for name in ("code/weights", "code", "latest"):
        os.utime(bench.root / "opt/ml/model" / name, (changed, changed), follow_symlinks=False)
    bench.collect(spec, COMPLETED)
    info = bench.store.head(S3Uri("b", "model.tar.gz"))
    assert info is not None
    with tarfile.open(info.path) as archive:
        assert {member.name: member.mtime for member in archive} == {"code": told, "code/weights": told, "latest": told}


@pytest.mark.parametrize(("even_if_empty", "written"), [(True, {}), (False, None)])
def test_an_empty_archive_is_written_where_the_output_says_so(
    bench: Bench, *, even_if_empty: bool, written: dict[str, str] | None
) -> None:
    output = an_output("/opt/ml/model", "s3://b/model.tar.gz", form=OutputForm.TAR_GZ, even_if_empty=even_if_empty)
    bench.collect(staged_spec(bench, output), COMPLETED)
    there = bench.store.head(S3Uri("b", "model.tar.gz")) is not None
    assert (members(bench, "model.tar.gz") if there else None) == written


# What the job's description needs


def test_property_files_are_read_from_the_published_objects(bench: Bench) -> None:
    spec = staged_spec(
        bench,
        an_output("/opt/ml/out", "s3://b/out", name="evaluation"),
        property_files=(
            PropertyFileSpec(name="Report", output_name="evaluation", file_path="sub/evaluation.json"),
            PropertyFileSpec(name="Missing", output_name="evaluation", file_path="nothing.json"),
        ),
    )
    bench.write("/opt/ml/out/sub/evaluation.json", '{"mse": 1}')
    assert bench.collect(spec, COMPLETED).property_files == {"Report": '{"mse": 1}'}


def test_an_output_that_is_not_published_gives_no_property_file(bench: Bench) -> None:
    bench.put({"out/r.json": "of an earlier run"})
    spec = staged_spec(
        bench,
        an_output("/opt/ml/out", "s3://b/out"),
        property_files=(PropertyFileSpec(name="R", output_name="out", file_path="r.json"),),
    )
    assert bench.collect(spec, FAILED).property_files == {}


def test_metrics_come_from_the_log(bench: Bench) -> None:
    spec = staged_spec(bench, metrics=(MetricDefinition(name="loss", regex=r"loss=(\S+)$"),))
    bench.write("../../logs/algo-1.log", b"loss=2\r\n\xff\xfe loss=1.5\nno newline loss=0.5")
    assert bench.collect(spec, COMPLETED, now=7.0).metrics.data == (MetricDatum(name="loss", value=0.5, at=7.0),)


def test_a_job_without_a_log_has_no_metrics(bench: Bench) -> None:
    spec = staged_spec(bench, metrics=(MetricDefinition(name="loss", regex="loss=(.*)"),))
    assert bench.collect(spec, COMPLETED).metrics.data == ()


def test_the_failure_file_is_cut_at_1024_characters(bench: Bench) -> None:
    spec = staged_spec(bench, failure_file=PurePosixPath("/opt/ml/output/failure"))
    assert bench.collect(spec, FAILED).failure is None
    bench.write("/opt/ml/output/failure", "ü" * 5000)
    assert bench.collect(spec, FAILED).failure == "ü" * 1024
    bench.write("/opt/ml/output/failure", b"bad \xff")
    assert bench.collect(spec, FAILED).failure == "bad \ufffd"


@pytest.mark.parametrize(
    ("written", "message", "undecodable"),
    [
        (b"all fine", "all fine", False),
        (b"", "", False),
        (b"a" * 5000, "a" * 1024, False),
        (b"a" * 1023 + "ü".encode() + b"more", "a" * 1023, False),
        (b"bad \xff", None, True),
        (b"cut \xc3", None, True),
    ],
)
def test_the_message_file_is_cut_at_1024_bytes(
    bench: Bench, written: bytes, message: str | None, *, undecodable: bool
) -> None:
    spec = staged_spec(bench, message_file=PurePosixPath("/opt/ml/output/message"))
    bench.write("/opt/ml/output/message", written)
    collected = bench.collect(spec, COMPLETED)
    assert (collected.exit_message, collected.message_undecodable) == (message, undecodable)


def test_a_message_that_is_no_file_is_none(bench: Bench) -> None:
    spec = staged_spec(bench, message_file=PurePosixPath("/opt/ml/output/message"))
    (bench.root / "opt/ml/output").mkdir()
    os.mkfifo(bench.root / "opt/ml/output/message")
    collected = bench.collect(spec, COMPLETED)
    assert (collected.exit_message, collected.message_undecodable) == (None, False)


# Several hosts


def test_trees_of_all_hosts_go_to_one_prefix_and_the_last_host_s_file_wins(bench: Bench) -> None:
    spec = staged_spec(bench, an_output("/opt/ml/out", "s3://b/out"), hosts=TWO_HOSTS)
    for host in ("algo-2", "algo-1"):
        bench.write("/opt/ml/out/same", host, host)
        bench.write(f"/opt/ml/out/{host}/own", host, host)
    bench.collect(spec, COMPLETED)
    assert bench.objects() == {"out/algo-1/own": "algo-1", "out/algo-2/own": "algo-2", "out/same": "algo-2"}


@pytest.mark.documented
def test_archives_of_all_hosts_are_merged(bench: Bench) -> None:
    spec = staged_spec(bench, an_output("/opt/ml/model", "s3://b/m", form=OutputForm.TAR_GZ), hosts=TWO_HOSTS)
    for host in ("algo-2", "algo-1"):
        bench.write("/opt/ml/model/same", host, host)
        bench.write(f"/opt/ml/model/shards/{host}", host, host)
    bench.write("/opt/ml/model/was-a-directory/file", "1", "algo-1")
    bench.write("/opt/ml/model/was-a-directory", "2", "algo-2")
    bench.write("/opt/ml/model/was-a-file", "1", "algo-1")
    bench.write("/opt/ml/model/was-a-file/file", "2", "algo-2")
    bench.collect(spec, COMPLETED)
    assert members(bench, "m") == {
        "same": "algo-2",
        "shards": None,
        "shards/algo-1": "algo-1",
        "shards/algo-2": "algo-2",
        "was-a-directory": "2",
        "was-a-file": None,
        "was-a-file/file": "2",
    }


def test_an_archive_is_written_if_any_host_has_something(bench: Bench) -> None:
    spec = staged_spec(bench, an_output("/opt/ml/model", "s3://b/m", form=OutputForm.TAR_GZ), hosts=TWO_HOSTS)
    bench.collect(spec, COMPLETED)
    assert bench.objects() == {}
    bench.write("/opt/ml/model/weights", "W", "algo-2")
    bench.collect(spec, COMPLETED)
    assert members(bench, "m") == {"weights": "W"}


@pytest.mark.documented
def test_the_host_that_failed_first_is_heard_before_others_and_messages_are_put_together(bench: Bench) -> None:
    spec = staged_spec(
        bench,
        hosts=(*TWO_HOSTS, HostSpec(name="algo-3", files=())),
        failure_file=PurePosixPath("/opt/ml/output/failure"),
        message_file=PurePosixPath("/opt/ml/output/message"),
    )
    for host in ("algo-3", "algo-2"):
        bench.write("/opt/ml/output/failure", f"{host} failed", host)
        bench.write("/opt/ml/output/message", f"{host} says {'x' * 600}", host)
    collected = bench.collect(spec, FAILED)
    assert collected.failure == "algo-2 failed"
    assert collected.exit_message == f"algo-2 says {'x' * 600}algo-3 says {'x' * 600}"[:1024]
    assert bench.collect(spec, FAILED, failed_host="algo-3").failure == "algo-3 failed"
    assert bench.collect(spec, FAILED, failed_host="algo-1").failure == "algo-2 failed", "it left no text"


def test_metrics_are_read_from_the_logs_of_all_hosts(bench: Bench) -> None:
    definitions = (MetricDefinition(name="loss", regex=r"loss=(\S+)"), MetricDefinition(name="acc", regex=r"acc=(\S+)"))
    spec = staged_spec(bench, metrics=definitions, hosts=TWO_HOSTS)
    bench.write("../../logs/algo-1.log", "loss=1\nacc=2\n")
    bench.write("../../logs/algo-2.log", "loss=3\n")
    assert {metric.name: metric.value for metric in bench.collect(spec, COMPLETED).metrics.data} == {"loss": 3.0, "acc": 2.0}


# Again after a crash


class Crash(BaseException):
    """The process is killed."""


class CrashingStore:
    """A store whose process is killed before its nth put."""

    def __init__(self, store: ObjectStore, puts: int) -> None:
        self._store, self._puts = store, puts

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def put(self, *args: object, **options: object) -> ObjectInfo:
        self._count()
        return self._store.put(*args, **options)  # type: ignore[arg-type]  # passed on unchanged

    def put_directory(self, prefix: S3Uri, directory: Path) -> bool:
        self._count()
        return self._store.put_directory(prefix, directory)

    def _count(self) -> None:
        if not self._puts:
            raise Crash
        self._puts -= 1


@pytest.mark.parametrize("puts", range(8))
def test_collecting_again_after_a_crash_between_puts_ends_the_same(bench: Bench, puts: int) -> None:
    spec = staged_spec(
        bench,
        an_output("/opt/ml/whole", "s3://b/whole"),
        an_output("/opt/ml/out", "s3://b/out"),
        an_output("/opt/ml/model", "s3://b/model.tar.gz", form=OutputForm.TAR_GZ),
        an_output("/opt/ml/more/inner", "s3://b/inner"),
        an_output("/opt/ml/more", "s3://b/more"),
        property_files=(PropertyFileSpec(name="R", output_name="out", file_path="r.json"),),
    )
    bench.put({"out/before": "keeps the directory from being moved as a whole"})
    for path in ("whole/a", "whole/b", "out/r.json", "out/z", "model/weights", "more/inner/x"):
        bench.write(f"/opt/ml/{path}", path)
    crashing = CrashingStore(bench.store, puts)
    stager = replace(bench.stager, store=crashing)  # type: ignore[arg-type]  # the rest is the inner store's
    staged = stager.describe(spec, KEY, {}, overlays=False)
    if puts < 7:
        with pytest.raises(Crash):
            stager.collect(spec, staged, COMPLETED, Uploads(spec, staged, bench.store), now=1.0)
    assert bench.collect(spec, COMPLETED).property_files == {"R": "out/r.json"}
    assert members(bench, "model.tar.gz") == {"weights": "model/weights"}
    for key in ("model.tar.gz", "out/before"):
        bench.store.delete(S3Uri("b", key))
    assert bench.objects() == {
        "inner/x": "more/inner/x",
        "more/inner/x": "more/inner/x",
        "out/r.json": "out/r.json",
        "out/z": "out/z",
        "whole/a": "whole/a",
        "whole/b": "whole/b",
    }

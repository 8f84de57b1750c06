"""Pipe mode: what a reader finds in the FIFOs, and that nothing is left of them."""

from __future__ import annotations

import gzip
import os
import stat
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pytest
from staging_bench import SPEC, Bench, a_channel

from localpipe.core.jobspec import Channel, DataType, HostSpec, InputMode, JobSpec
from localpipe.core.names import S3Uri
from localpipe.errors import InputNotFound, JobFailed, NotSupported
from localpipe.staging.pipes import hold_fifo, refuse_pipes_elsewhere

pytestmark = pytest.mark.skipif(os.uname().sysname != "Linux", reason="Pipe mode is for Linux")
DATA = "opt/ml/input/data"
MAGIC = 0xCED7230A


def piped(uri: str = "s3://b/data", name: str = "train", **changes: object) -> Channel:
    return replace(a_channel(uri, name, mode=InputMode.PIPE), **changes)  # type: ignore[arg-type]  # names of members


def records(stream: bytes) -> Iterator[bytes]:
    """What a reader of RecordIO makes of a stream."""
    while stream:
        magic, length = struct.unpack_from("<II", stream)
        assert (magic, length >> 29) == (MAGIC, 0)
        yield stream[8 : 8 + length]
        padded = length + -length % 4
        assert stream[8 + length : 8 + padded] == bytes(padded - length)
        stream = stream[8 + padded :]


@dataclass
class Job:
    """A staged job that is being served. `failed`: set when it cannot be served on; `trouble` tells afterwards why."""

    bench: Bench
    trouble: Callable[[], JobFailed | None]
    failed: threading.Event

    def fifo(self, epoch: int, name: str = "train", host: str = "algo-1") -> Path:
        return self.bench.root_of(host) / DATA / f"{name}_{epoch}"

    def read(self, epoch: int, name: str = "train", host: str = "algo-1") -> bytes:
        return self.fifo(epoch, name, host).read_bytes()


Serve = Callable[..., AbstractContextManager[Job]]


@pytest.fixture
def serve(bench: Bench) -> Iterator[Serve]:
    """Serve a job with these channels; afterwards nothing may be left of it."""

    @contextmanager
    def serving(*channels: Channel, hosts: tuple[str, ...] = ("algo-1",)) -> Iterator[Job]:
        spec: JobSpec = replace(SPEC, channels=channels, hosts=tuple(HostSpec(name=host, files=()) for host in hosts))
        failed = threading.Event()
        with bench.stager.serving(spec, bench.stage(spec), failed.set) as served:
            yield Job(bench, served.trouble, failed)

    descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted, not walked
    yield serving
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("pipe ")] == []
    assert [path for path in bench.attempt_dir.rglob("*") if path.is_fifo()] == []
    assert len(os.listdir("/proc/self/fd")) <= descriptors  # noqa: PTH208 - the same


def trouble_of(serving: AbstractContextManager[Job], use: Callable[[Job], object]) -> str:
    """What is told of a job whose service failed, after `use` of it."""
    with serving as job:
        use(job)
    return str(job.trouble())


def must_not_start(_: Job) -> None:
    pytest.fail("the job must not start")


def until_it_fails(job: Job) -> None:
    job.read(0)
    assert job.failed.wait(10)


def put(bench: Bench, objects: Mapping[str, bytes]) -> None:
    for key, content in objects.items():
        bench.store.put(S3Uri("b", key), content)


@pytest.mark.documented
def test_each_epoch_carries_all_objects_in_order(bench: Bench, serve: Serve) -> None:
    put(bench, {"data/b": b"two\n", "data/a": b"one\n", "data/": b"", "data/c/d": b"three\n"})
    with serve(piped()) as job:
        for epoch in range(3):
            assert job.read(epoch) == b"one\ntwo\nthree\n"


@pytest.mark.documented
def test_the_next_fifo_is_there_while_this_one_is_read_and_a_read_one_is_gone(bench: Bench, serve: Serve) -> None:
    put(bench, {"data/a": b"x" * (1 << 20)})
    with serve(piped()) as job:
        assert not job.fifo(1).exists()
        with job.fifo(0).open("rb") as reader:
            assert reader.read(1) == b"x"
            assert job.fifo(1).is_fifo()
            assert len(reader.read()) == (1 << 20) - 1
            assert not job.fifo(0).exists()


def test_the_container_s_user_may_read_whoever_that_is(bench: Bench, serve: Serve) -> None:
    put(bench, {"data/a": b"x"})
    with serve(piped()) as job:
        assert stat.S_IMODE(job.fifo(0).stat().st_mode) == 0o666
        assert not (bench.root / DATA / "train").exists()


@pytest.mark.documented
def test_a_reader_that_stops_early_gets_the_next_epoch_from_its_start(bench: Bench, serve: Serve) -> None:
    put(bench, {"data/a": b"start", "data/b": b"x" * (1 << 20)})
    with serve(piped()) as job:
        for epoch in range(3):
            with job.fifo(epoch).open("rb") as reader:
                assert reader.read(5) == b"start"
    assert not job.failed.is_set()


@pytest.mark.parametrize("reads", [0, 1])
def test_a_job_that_ends_without_reading_on_leaves_nothing(bench: Bench, serve: Serve, reads: int) -> None:
    put(bench, {"data/a": b"x"})
    with serve(piped(), piped(name="validation")) as job:
        for epoch in range(reads):
            job.read(epoch)


def test_a_reader_that_outlives_the_job_does_not_keep_it(bench: Bench, serve: Serve) -> None:
    put(bench, {"data/a": b"x" * (1 << 20)})
    with serve(piped()) as job:
        reader = job.fifo(0).open("rb")
        reader.read(1)
    reader.close()


@pytest.mark.documented
@pytest.mark.parametrize("content", [b"", b"1", b"1234", b"12345", struct.pack("<I", MAGIC) * 3])
def test_record_io_makes_each_object_a_record(bench: Bench, serve: Serve, content: bytes) -> None:
    put(bench, {"data/a": content, "data/b": b"last"})
    with serve(piped(record_io=True)) as job:
        assert list(records(job.read(0))) == [content, b"last"]


def test_the_bytes_of_a_record_are_those_of_mxnet_s_format(bench: Bench, serve: Serve) -> None:
    put(bench, {"data/a": b"hello"})
    with serve(piped(record_io=True)) as job:
        assert job.read(0) == b"\x0a\x23\xd7\xce\x05\0\0\0hello\0\0\0"


@pytest.mark.documented
def test_gzip_is_unpacked_on_the_way(bench: Bench, serve: Serve) -> None:
    put(
        bench,
        {"data/a.gz": gzip.compress(b"one\n") + gzip.compress(b"more\n"), "data/b.gz": gzip.compress(b"x" * (3 << 20))},
    )
    with serve(piped(gunzip=True), piped(name="wrapped", gunzip=True, record_io=True)) as job:
        assert job.read(0) == b"one\nmore\n" + b"x" * (3 << 20)
        assert list(records(job.read(0, "wrapped"))) == [b"one\nmore\n", b"x" * (3 << 20)]


@pytest.mark.parametrize("content", [b"plain text", gzip.compress(b"x" * 100)[:-9], b"\x1f\x8b\x08" + b"\0" * 20])
def test_an_object_that_is_not_gzip_fails_the_job_by_its_name(bench: Bench, serve: Serve, content: bytes) -> None:
    put(bench, {"data/a": content})
    trouble = trouble_of(serve(piped(gunzip=True)), until_it_fails)
    assert trouble.startswith("Input 'train': object s3://b/data/a cannot be unpacked as gzip: ")


def test_an_object_that_is_removed_before_it_is_read_fails_the_job(bench: Bench, serve: Serve) -> None:
    def remove_and_read(job: Job) -> None:
        bench.store.delete(S3Uri("b", "data/b"))
        until_it_fails(job)

    put(bench, {"data/a": b"a", "data/b": b"b"})
    assert trouble_of(serve(piped()), remove_and_read) == "Input 'train': There is no object s3://b/data/b."


@pytest.mark.documented
def test_a_seed_gives_every_epoch_its_order_and_every_run_the_same(bench: Bench, serve: Serve) -> None:
    put(bench, {f"data/{number}": str(number).encode() for number in range(9)})
    orders = []
    for _ in range(2):
        with serve(piped(shuffle_seed=7)) as job:
            orders.append([job.read(epoch) for epoch in range(4)])
    assert orders[0] == orders[1]
    assert len({b"012345678", *orders[0]}) == 5
    assert {bytes(sorted(order)) for order in orders[0]} == {b"012345678"}


@pytest.mark.documented
def test_a_sharded_channel_is_dealt_out_to_its_hosts(bench: Bench, serve: Serve) -> None:
    put(bench, {f"data/{number}": str(number).encode() for number in range(5)})
    hosts = ("algo-1", "algo-2", "algo-3")
    some = piped(name="some", sharded=True, hosts=frozenset({"algo-1", "algo-3"}))
    with serve(piped(sharded=True), some, piped(name="all"), hosts=hosts) as job:
        assert [job.read(0, "train", host) for host in hosts] == [b"03", b"14", b"2"]
        assert [job.read(0, "all", host) for host in hosts] == [b"01234"] * 3
        assert [job.read(0, "some", host) for host in ("algo-1", "algo-3")] == [b"024", b"13"]
        assert not job.fifo(0, "some", "algo-2").exists()


@pytest.mark.documented
def test_shards_are_dealt_out_anew_in_each_epoch_of_a_shuffled_channel(bench: Bench, serve: Serve) -> None:
    put(bench, {f"data/{number}": str(number).encode() for number in range(6)})
    hosts = ("algo-1", "algo-2")
    dealt = set()
    with serve(piped(sharded=True, shuffle_seed=1), hosts=hosts) as job:
        for epoch in range(4):
            one, two = (job.read(epoch, host=host) for host in hosts)
            assert (len(one), bytes(sorted(one + two))) == (3, b"012345")
            dealt.add(bytes(sorted(one)))
    assert len(dealt) > 1


@pytest.mark.documented
def test_a_manifest_is_streamed_in_its_order(bench: Bench, serve: Serve) -> None:
    put(bench, {"x/a": b"A", "x/b": b"B", "m": b'[{"prefix": "s3://b/x/"}, "b", "a", "b"]'})
    with serve(piped("s3://b/m", data_type=DataType.MANIFEST_FILE)) as job:
        assert job.read(0) == b"BAB"


@pytest.mark.documented
def test_an_augmented_manifest_streams_objects_and_values(bench: Bench, serve: Serve) -> None:
    lines = b'{"image-ref": "s3://b/1.jpg", "cat": 1, "x": 2}\n{"cat": 0, "image-ref": "s3://b/2.jpg"}\n'
    put(bench, {"1.jpg": b"JPG1", "2.jpg": b"JPG2", "m": lines})
    augmented = {"data_type": DataType.AUGMENTED_MANIFEST_FILE, "attribute_names": ("image-ref", "cat")}
    with serve(piped("s3://b/m", **augmented), piped("s3://b/m", "wrapped", record_io=True, **augmented)) as job:
        assert job.read(0) == b"JPG11JPG20"
        assert list(records(job.read(0, "wrapped"))) == [b"JPG1", b"1", b"JPG2", b"0"]


def test_a_channel_without_objects_is_told_before_the_job_starts(serve: Serve) -> None:
    with pytest.raises(InputNotFound, match="No S3 objects found under S3 URL 's3://b/data' given in input 'train'"):
        trouble_of(serve(piped()), must_not_start)


def test_an_object_that_a_manifest_names_and_nobody_has_is_told_by_name(bench: Bench, serve: Serve) -> None:
    put(bench, {"m": b'{"image-ref": "s3://b/gone.jpg"}'})
    channel = piped("s3://b/m", data_type=DataType.AUGMENTED_MANIFEST_FILE, attribute_names=("image-ref",))
    text = "Input 'train': the manifest s3://b/m names s3://b/gone.jpg, and there is no such object."
    with pytest.raises(JobFailed, match=text):
        trouble_of(serve(channel), must_not_start)


def test_a_fifo_that_another_channel_s_directory_stands_in_for_is_told(bench: Bench, serve: Serve) -> None:
    put(bench, {"data/a": b"x"})
    text = "Input 'train': '/opt/ml/input/data/train_0' is there already and cannot be its FIFO"
    with pytest.raises(JobFailed, match=text):
        trouble_of(serve(a_channel("s3://b/data", "train_0"), piped()), must_not_start)


def test_no_file_is_written_that_a_container_puts_in_the_place_of_a_fifo(bench: Bench, serve: Serve) -> None:
    put(bench, {"data/a": b"x" * (1 << 20)})
    precious = bench.directory / "precious"
    precious.write_text("mine")
    with serve(piped()) as job, job.fifo(0).open("rb") as reader:
        reader.read(1)
        job.fifo(1).unlink()
        job.fifo(1).symlink_to(precious)
        reader.read()
    assert precious.read_text() == "mine"


def test_what_a_container_puts_in_the_place_of_a_fifo_is_not_held(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    (tmp_path / "file").touch()
    parent = os.open(tmp_path, os.O_RDONLY)
    try:
        os.close(hold_fifo(parent, "fifo"))
        for name in ("link", "file"):
            with pytest.raises(FileExistsError, match=name):
                hold_fifo(parent, name)
    finally:
        os.close(parent)


def test_a_processing_input_has_its_fifos_beside_its_local_path(bench: Bench) -> None:
    put(bench, {"data/a": b"x"})
    directory = PurePosixPath("/opt/ml/processing/in/stream")
    spec = replace(SPEC, mount_roots=(), channels=(piped(container_dir=directory),))
    staged = bench.stage(spec)
    assert [str(mount.container_dir) for mount in staged.hosts[0].mounts] == ["/opt/ml/processing/in"]
    with bench.stager.serving(spec, staged, lambda: None):
        assert (staged.hosts[0].mounts[0].host_dir / "stream_0").read_bytes() == b"x"


def test_a_job_with_a_pipe_cannot_be_served_from_the_middle(bench: Bench) -> None:
    assert bench.stager.can_go_on_serving(replace(SPEC, channels=(a_channel("s3://b/data"),)))
    assert not bench.stager.can_go_on_serving(replace(SPEC, channels=(a_channel("s3://b/data"), piped())))


def test_pipe_mode_is_refused_where_containers_run_in_a_virtual_machine() -> None:
    refuse_pipes_elsewhere(replace(SPEC, channels=(a_channel("s3://b/data"),)), "darwin")
    with pytest.raises(NotSupported) as refused:
        refuse_pipes_elsewhere(replace(SPEC, channels=(piped(),)), "darwin")
    assert str(refused.value) == (
        "Pipe mode on this system (darwin) is not supported. Use File mode, or run localpipe on Linux."
    )

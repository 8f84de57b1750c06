from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
from staging_bench import KEY, SPEC, TWO_HOSTS, Bench, a_channel, an_output, files, tree

from localpipe.core.jobspec import Access, HostSpec, InputMode, Limits, MetricDefinition, Mount, TextFile
from localpipe.core.names import S3Uri
from localpipe.errors import InputNotFound, JobFailed
from localpipe.staging import Stager
from localpipe.store import LocalStore

if TYPE_CHECKING:
    from localpipe.core.jobspec import StagedJob

VIEW = PurePosixPath("/opt/ml/input/data/train")


def shown(staged: StagedJob, host: int = 0) -> list[tuple[str, str, str]]:
    """The mounts of a host: container directory, host directory from the attempt's, access."""
    return [
        (str(m.container_dir), m.host_dir.relative_to(staged.attempt_dir).as_posix(), m.access.value)
        for m in staged.hosts[host].mounts
    ]


def test_the_staged_job_has_all_that_a_runner_needs(bench: Bench) -> None:
    staged = bench.stage(network_isolated=True)
    assert (staged.key, staged.job_name, staged.image_uri) == (KEY, "job", "image:1")
    assert (staged.entrypoint, staged.arguments, staged.environment) == (None, ("train",), {"A": "1"})
    assert staged.network_isolated
    assert staged.attempt_dir == bench.attempt_dir
    assert staged.hosts[0].name == "algo-1"
    assert staged.hosts[0].log_file == bench.attempt_dir / "logs" / "algo-1.log"
    assert staged.hosts[0].log_file.parent.is_dir()


def test_directories_and_outputs_are_there_empty_and_open_to_everyone(bench: Bench) -> None:
    bench.stage(
        directories=(PurePosixPath("/opt/ml/output"), PurePosixPath("/opt/ml/output/data")),
        outputs=(an_output("/opt/ml/model", "s3://b/m.tar.gz"),),
    )
    assert tree(bench.root) == {
        "opt": None,
        "opt/ml": None,
        "opt/ml/model": None,
        "opt/ml/output": None,
        "opt/ml/output/data": None,
    }
    assert (bench.root / "opt/ml/output/data").stat().st_mode & 0o777 == 0o777


def test_files_of_the_host_are_written(bench: Bench) -> None:
    text = '{"hosts": ["algo-1"], "ü": 1}\n'
    path = PurePosixPath("/opt/ml/input/config/resourceconfig.json")
    bench.stage(hosts=(HostSpec(name="algo-1", files=(TextFile(container_path=path, text=text),)),))
    written = bench.root / "opt/ml/input/config/resourceconfig.json"
    assert written.read_text(encoding="utf-8") == text
    assert written.stat().st_mode & 0o777 == 0o644


def test_a_file_channel_is_copied_where_the_runner_has_no_overlays(bench: Bench) -> None:
    bench.put({"data/a": "A", "data/x/b": "B"})
    staged = bench.stage(channels=(a_channel("s3://b/data"),))
    directory = bench.root / "opt/ml/input/data/train"
    assert tree(directory) == {"a": "A", "x": None, "x/b": "B"}
    assert shown(staged) == [("/opt/ml", "algo-1/root/opt/ml", "writable")]
    (directory / "a").write_text("changed")
    (directory / "x" / "b").unlink()
    assert bench.objects() == {"data/a": "A", "data/x/b": "B"}
    assert (directory / "a").stat().st_mode & 0o777 == 0o666


def test_a_file_channel_is_a_linked_view_where_the_runner_has_overlays(bench: Bench) -> None:
    bench.put({"data/a": "A"})
    staged = bench.stage(channels=(a_channel("s3://b/data"),), overlays=True)
    assert shown(staged) == [
        ("/opt/ml", "algo-1/root/opt/ml", "writable"),
        ("/opt/ml/input/data/train", "views/train", "overlay"),
    ]
    linked = bench.attempt_dir / "views/train/a"
    info = bench.store.head(S3Uri("b", "data/a"))
    assert info is not None
    assert linked.samefile(info.path)
    assert tree(bench.root / "opt/ml/input/data") == {"train": None}


@pytest.mark.parametrize("overlays", [True, False])
def test_a_fast_file_channel_is_a_read_only_linked_view(bench: Bench, *, overlays: bool) -> None:
    bench.put({"data/a": "A"})
    staged = bench.stage(channels=(a_channel("s3://b/data", mode=InputMode.FAST_FILE),), overlays=overlays)
    assert shown(staged)[1] == ("/opt/ml/input/data/train", "views/train", "read-only")
    assert tree(bench.attempt_dir / "views/train") == {"a": "A"}


def test_objects_of_another_file_system_are_copied_into_the_view(tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")  # noqa: S108 - wanted for being another file system
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    mounted = elsewhere / f"localpipe-test-{os.getpid()}"
    mounted.mkdir()
    try:
        (mounted / "a").write_text("A")
        assert tree(view_of_mount(tmp_path, mounted)) == {"a": "A"}
    finally:
        (mounted / "a").unlink()
        mounted.rmdir()


def test_each_host_has_the_limits_of_its_instance_type_and_its_variables(tmp_path: Path) -> None:
    types = {"ml.m5.large": Limits(cpus=2), "ml.p3.2xlarge": Limits(cpus=8, gpus=1)}
    stager = Stager(
        store=LocalStore(tmp_path / "s3", {}),
        attempt_dir=lambda _: tmp_path / "attempt",
        nearest_prefix=lambda _: None,
        limits=types.__getitem__,
    )
    hosts = (
        HostSpec(name="algo-1", files=(), instance_type="ml.m5.large", environment={"A": "host's", "GPUS": "void"}),
        HostSpec(name="algo-2", files=(), instance_type="ml.p3.2xlarge"),
    )
    staged = stager.describe(replace(SPEC, hosts=hosts), KEY, {"A": "job's"}, overlays=False)
    assert [host.limits for host in staged.hosts] == list(types.values())
    assert [staged.environment_of(host) for host in staged.hosts] == [{"A": "job's", "GPUS": "void"}, {"A": "job's"}]


def view_of_mount(tmp_path: Path, mounted: Path) -> Path:
    """The view of a FastFile channel over a mounted directory."""
    store = LocalStore(tmp_path / "s3", {S3Uri("b", "raw"): mounted})
    stager = replace(Bench(tmp_path, store).stager, attempt_dir=lambda _: tmp_path / "attempt")
    channel = a_channel("s3://b/raw", mode=InputMode.FAST_FILE)
    stager.stage(replace(SPEC, channels=(channel,)), KEY, {}, overlays=False)
    return tmp_path / "attempt/views/train"


def test_a_link_in_a_mounted_directory_is_the_file_that_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("E")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/link").symlink_to("../elsewhere")
    view = view_of_mount(tmp_path, tmp_path / "data")
    assert tree(view) == {"link": "E"}
    assert not (view / "link").is_symlink()


@pytest.mark.parametrize("owner", [(1234, os.getegid()), (os.geteuid(), 1234)], ids=["user", "group"])
def test_files_of_others_are_copied_so_that_a_sandbox_can_use_them(tmp_path: Path, owner: tuple[int, int]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/theirs").write_text("T")
    (tmp_path / "data/theirs").chmod(0o600)
    try:
        os.chown(tmp_path / "data/theirs", *owner)
    except PermissionError:
        pytest.skip("only root can give files away")
    staged = view_of_mount(tmp_path, tmp_path / "data") / "theirs"
    assert staged.read_text() == "T"
    assert (staged.stat().st_uid, staged.stat().st_gid) == (os.geteuid(), os.getegid())
    assert ((tmp_path / "data/theirs").stat().st_uid, (tmp_path / "data/theirs").stat().st_gid) == owner


def test_what_a_crashed_attempt_left_goes_also_from_directories_without_write_permission(bench: Bench) -> None:
    bench.stage()
    left = bench.write("/opt/ml/model/shut/file", "x")
    left.parent.chmod(0o555)
    left.parent.parent.chmod(0)
    bench.stage()
    assert not left.parent.parent.exists()


def test_only_outermost_directories_are_mounted_parents_first(bench: Bench) -> None:
    staged = bench.stage(
        mount_roots=(PurePosixPath("/opt/ml/processing"), PurePosixPath("/opt/ml")),
        outputs=(an_output("/data/out/deep", "s3://b/1"), an_output("/data/out", "s3://b/2")),
        directories=(PurePosixPath("/opt/ml/output"), PurePosixPath("/scratch")),
    )
    assert [directory for directory, _, _ in shown(staged)] == ["/data/out", "/opt/ml", "/scratch"]


def test_an_output_inside_an_overlaid_input_is_written_beside_the_copied_input(bench: Bench) -> None:
    bench.put({"data/a": "A", "data/out/old": "O"})
    staged = bench.stage(
        channels=(a_channel("s3://b/data"),),
        outputs=(an_output("/opt/ml/input/data/train/out", "s3://b/out"),),
        overlays=True,
    )
    assert shown(staged) == [("/opt/ml", "algo-1/root/opt/ml", "writable")]
    assert tree(bench.root / "opt/ml/input/data/train") == {"a": "A", "out": None, "out/old": "O"}


def test_an_input_inside_an_output_is_copied_into_it(bench: Bench) -> None:
    bench.put({"data/a": "A"})
    staged = bench.stage(
        channels=(a_channel("s3://b/data", directory="/opt/ml/out/in"),),
        outputs=(an_output("/opt/ml/out", "s3://b/out"),),
        overlays=True,
    )
    assert shown(staged) == [("/opt/ml", "algo-1/root/opt/ml", "writable")]
    assert tree(bench.root / "opt/ml/out") == {"in": None, "in/a": "A"}


def test_an_output_inside_a_fast_file_input_is_a_mount_on_top_of_it(bench: Bench) -> None:
    bench.put({"data/a": "A"})
    staged = bench.stage(
        channels=(a_channel("s3://b/data", mode=InputMode.FAST_FILE),),
        outputs=(an_output("/opt/ml/input/data/train/out/deep", "s3://b/out"),),
    )
    assert shown(staged) == [
        ("/opt/ml", "algo-1/root/opt/ml", "writable"),
        ("/opt/ml/input/data/train", "views/train", "read-only"),
        ("/opt/ml/input/data/train/out/deep", "algo-1/root/opt/ml/input/data/train/out/deep", "writable"),
    ]
    assert tree(bench.attempt_dir / "views/train") == {"a": "A", "out": None, "out/deep": None}


def test_a_file_where_a_mount_must_land_is_refused(bench: Bench) -> None:
    bench.put({"data/out": "a file"})
    with pytest.raises(
        JobFailed, match="cannot be put at /opt/ml/input/data/train/out: another input or output has its own there"
    ):
        bench.stage(
            channels=(a_channel("s3://b/data/", mode=InputMode.FAST_FILE),),
            outputs=(an_output("/opt/ml/input/data/train/out", "s3://b/out"),),
        )


def test_a_file_where_an_output_has_its_directory_is_refused(bench: Bench) -> None:
    bench.put({"data/out": "a file"})
    with pytest.raises(JobFailed) as failed:
        bench.stage(
            channels=(a_channel("s3://b/data/"),), outputs=(an_output("/opt/ml/input/data/train/out", "s3://b/out"),)
        )
    assert str(failed.value) == (
        "Input 'train' cannot be put at /opt/ml/input/data/train/out: another input or output has its own there."
        " Give one of them another directory."
    )


def test_objects_of_two_inputs_at_one_place_are_refused(bench: Bench) -> None:
    bench.put({"data/sub/a": "one", "more/a": "two"})
    outer = a_channel("s3://b/data/", "outer", "/opt/ml/processing/in")
    inner = a_channel("s3://b/more/", "inner", "/opt/ml/processing/in/sub")
    with pytest.raises(JobFailed, match=r"^Input 'inner' cannot be put at /opt/ml/processing/in/sub/a: another input"):
        bench.stage(channels=(outer, inner))


def test_a_folder_marker_becomes_an_empty_directory(bench: Bench) -> None:
    bench.put({"data/": "", "data/empty/": ""})
    bench.stage(channels=(a_channel("s3://b/data"),))
    assert tree(bench.root / "opt/ml/input/data/train") == {"empty": None}


def test_an_input_without_objects_says_where_it_stands_and_what_is_near(bench: Bench) -> None:
    with pytest.raises(InputNotFound) as failed:
        bench.stage(channels=(a_channel("s3://b/nothing"),))
    assert str(failed.value) == (
        "No S3 objects found under S3 URL 's3://b/nothing' given in input 'train' at $.Steps[0].Arguments. "
        "Did you mean near s3://b/nothing ?"
    )


def test_an_input_in_a_bucket_that_is_not_there_is_not_found(bench: Bench) -> None:
    with pytest.raises(InputNotFound):
        bench.stage(channels=(a_channel("s3://no-such-bucket/x"),))


@pytest.mark.parametrize("directory", ["relative", "/opt/../etc", "//opt/ml"])
def test_paths_that_are_not_absolute_are_refused(bench: Bench, directory: str) -> None:
    with pytest.raises(
        JobFailed, match=f"^Output 'out': the container path '{re.escape(directory)}' is not an absolute path"
    ):
        bench.stage(outputs=(an_output(directory, "s3://b/x", name="out"),))


@pytest.mark.parametrize("directory", ["/", "/etc", "/usr", "/proc/1", "/sys/fs"])
def test_directories_of_the_system_are_refused(bench: Bench, directory: str) -> None:
    bench.put({"data/a": "A"})
    with pytest.raises(JobFailed) as failed:
        bench.stage(channels=(a_channel("s3://b/data", directory=directory),))
    assert str(failed.value) == (
        f"Input 'train': the container path '{directory}' belongs to the system. Use a directory below /opt/ml."
    )


def test_a_metric_whose_regex_is_none_is_refused_before_the_start(bench: Bench) -> None:
    with pytest.raises(JobFailed, match=r"Metric 'loss': 'loss=\(' is not a regular expression"):
        bench.stage(metrics=(MetricDefinition(name="loss", regex="loss=("),))


def test_the_remains_of_a_crashed_attempt_are_removed(bench: Bench) -> None:
    bench.put({"data/a": "A"})
    spec = replace(SPEC, channels=(a_channel("s3://b/data"),), outputs=(an_output("/opt/ml/model", "s3://b/m"),))
    bench.stage(spec)
    before = tree(bench.attempt_dir)
    bench.write("/opt/ml/model/half", "half")
    bench.write("/opt/ml/input/data/train/a", "changed")
    bench.write("../logs/algo-1.log", "old log")
    (bench.attempt_dir / "overlays" / "0").mkdir(parents=True)
    bench.stage(spec)
    assert tree(bench.attempt_dir) == before


def test_a_job_found_again_is_described_without_touching_its_directories(bench: Bench) -> None:
    bench.put({"data/a": "A"})
    spec = replace(SPEC, channels=(a_channel("s3://b/data", mode=InputMode.FAST_FILE),))
    staged = bench.stage(spec)
    bench.write("/opt/ml/output/x", "X")
    assert bench.stage(spec, anew=False) == staged
    assert files(bench.root) == {"opt/ml/output/x": "X"}


def test_mounts_name_host_directories_that_exist(bench: Bench) -> None:
    bench.put({"data/a": "A"})
    staged = bench.stage(channels=(a_channel("s3://b/data"),), directories=(PurePosixPath("/data"),), overlays=True)
    assert staged.hosts[0].mounts[2] == Mount(
        host_dir=bench.attempt_dir / "views/train", container_dir=VIEW, access=Access.OVERLAY
    )
    assert all(mount.host_dir.is_dir() for mount in staged.hosts[0].mounts)


# Several hosts


def test_each_host_has_its_own_files_and_log_and_all_share_a_view(bench: Bench) -> None:
    bench.put({"data/a": "A"})
    path = PurePosixPath("/opt/ml/input/config/me.json")
    hosts = tuple(HostSpec(name=name, files=(TextFile(container_path=path, text=name),)) for name in ("algo-1", "algo-2"))
    staged = bench.stage(hosts=hosts, channels=(a_channel("s3://b/data"),), overlays=True)
    for index, name in enumerate(("algo-1", "algo-2")):
        assert shown(staged, index) == [
            ("/opt/ml", f"{name}/root/opt/ml", "writable"),
            (str(VIEW), "views/train", "overlay"),
        ]
        assert (bench.root_of(name) / "opt/ml/input/config/me.json").read_text() == name
        assert staged.hosts[index].log_file == bench.attempt_dir / "logs" / f"{name}.log"
    assert files(bench.attempt_dir / "views/train") == {"a": "A"}


def test_a_copied_channel_is_each_host_s_own(bench: Bench) -> None:
    bench.put({"data/a": "A"})
    bench.stage(hosts=TWO_HOSTS, channels=(a_channel("s3://b/data"),))
    bench.write(f"{VIEW}/a", "changed")
    assert [(bench.root_of(host) / "opt/ml/input/data/train/a").read_text() for host in ("algo-1", "algo-2")] == [
        "changed",
        "A",
    ]


@pytest.mark.assumed
@pytest.mark.parametrize("overlays", [True, False])
def test_a_sharded_channel_gives_each_host_its_objects_in_turn(bench: Bench, *, overlays: bool) -> None:
    bench.put({f"data/{name}": name for name in ("a", "b", "sub/c", "sub/d", "sub/e")})
    staged = bench.stage(hosts=TWO_HOSTS, channels=(a_channel("s3://b/data", sharded=True),), overlays=overlays)
    directories = [
        bench.attempt_dir / name / "views/train" if overlays else bench.root_of(name) / "opt/ml/input/data/train"
        for name in ("algo-1", "algo-2")
    ]
    assert [sorted(files(directory)) for directory in directories] == [["a", "sub/c", "sub/e"], ["b", "sub/d"]]
    assert {mount.host_dir for host in staged.hosts for mount in host.mounts} >= (set(directories) if overlays else set())


@pytest.mark.assumed
def test_a_host_without_a_share_has_an_empty_directory(bench: Bench) -> None:
    bench.put({"data/sub/a": "A"})
    bench.stage(hosts=TWO_HOSTS, channels=(a_channel("s3://b/data", sharded=True),))
    assert tree(bench.root_of("algo-2") / "opt/ml/input/data/train") == {}


def test_a_channel_of_some_hosts_is_shared_among_them_alone(bench: Bench) -> None:
    bench.put({f"data/{name}": name for name in "abc"})
    hosts = (*TWO_HOSTS, HostSpec(name="algo-3", files=()))
    channel = a_channel("s3://b/data", sharded=True, hosts=frozenset({"algo-2", "algo-3"}))
    staged = bench.stage(hosts=hosts, channels=(channel,), overlays=True)
    assert [len(host.mounts) for host in staged.hosts] == [1, 2, 2]
    assert not (bench.root / "opt/ml/input").exists()
    assert [sorted(files(bench.attempt_dir / name / "views/train")) for name in ("algo-2", "algo-3")] == [
        ["a", "c"],
        ["b"],
    ]

from __future__ import annotations

import io
import os
import resource
import shutil
import time
from pathlib import Path

import pytest

from localpipe.core.listing import grouped
from localpipe.core.names import S3Uri
from localpipe.core.ports import ObjectInfo
from localpipe.errors import HomeUnusable, StoreError, UsageError
from localpipe.store import LocalStore, nearest_prefix
from localpipe.store.spelling import merges_spellings, other_spelling

MIB = 1024 * 1024


def keys(store: LocalStore, uri: S3Uri) -> list[str]:
    return [info.uri.key for info in store.list(uri)]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "s3", {})


def test_a_plain_key_is_a_path_that_a_person_can_open(store: LocalStore, tmp_path: Path) -> None:
    store.put(S3Uri("bucket", "a/Model 1.tar.gz"), b"model")
    assert (tmp_path / "s3/bucket/a/Model 1.tar.gz").read_bytes() == b"model"
    assert [path.name for path in (tmp_path / "s3/bucket").iterdir()] == ["a"]


def test_a_file_put_by_hand_is_an_object(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "s3/bucket/my data").mkdir(parents=True)
    (tmp_path / "s3/bucket/my data/x%20y.csv").write_text("1")
    info = store.head(S3Uri("bucket", "my data/x%20y.csv"))
    assert info
    assert info.content_type == "text/csv"
    assert keys(store, S3Uri("bucket")) == ["my data/x%20y.csv"]


def test_an_object_edited_by_hand_has_a_new_etag(store: LocalStore) -> None:
    info = store.put(S3Uri("bucket", "a"), b"before")
    before = store.etag(info)
    info.path.write_text("behind")
    assert store.etag(info) != before


def test_a_copied_store_keeps_what_was_said_of_its_objects(store: LocalStore, tmp_path: Path) -> None:
    store.put(S3Uri("bucket", "a"), b"1", content_type="text/x-mine", metadata={"who": "me"})
    shutil.copytree(tmp_path / "s3", tmp_path / "copy")
    info = LocalStore(tmp_path / "copy", {}).head(S3Uri("bucket", "a"))
    assert info
    assert (info.content_type, info.metadata) == ("text/x-mine", {"who": "me"})


def test_the_etag_of_a_large_object_costs_no_reading(store: LocalStore) -> None:
    info = store.put(S3Uri("bucket", "large"), b"")
    os.truncate(info.path, 100 * MIB)
    large = store.head(S3Uri("bucket", "large"))
    assert large
    etag = store.etag(large)
    assert etag == store.etag(large)
    assert etag.endswith("-13")


def test_an_object_removed_by_another_has_an_etag_still(store: LocalStore) -> None:
    info = store.put(S3Uri("bucket", "a"), b"1")
    store.delete(S3Uri("bucket", "a"))
    assert store.etag(info).endswith("-1")


def test_directories_and_links_put_by_hand(store: LocalStore, tmp_path: Path) -> None:
    bucket = tmp_path / "s3/bucket"
    (bucket / "empty").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x").write_text("x")
    (bucket / "data").symlink_to(tmp_path / "elsewhere")
    (bucket / "circle").symlink_to(bucket)
    (bucket / "dangling").symlink_to(bucket / "absent")
    os.mkfifo(bucket / "fifo")
    assert keys(store, S3Uri("bucket")) == ["data/x"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every directory")
def test_a_narrow_prefix_reads_only_its_own_directories(store: LocalStore, tmp_path: Path) -> None:
    store.put(S3Uri("bucket", "a/b/c"), b"")
    store.put(S3Uri("bucket", "a/locked/d"), b"")
    (tmp_path / "s3/bucket/a/locked").chmod(0)
    assert keys(store, S3Uri("bucket", "a/b/")) == ["a/b/c"]
    with pytest.raises(HomeUnusable, match="a/locked: Permission denied"):
        keys(store, S3Uri("bucket", "a/"))
    (tmp_path / "s3/bucket/a/locked").chmod(0o700)


def test_left_over_scratch_files_go_after_a_day(store: LocalStore, tmp_path: Path) -> None:
    scratch = store.scratch_dir()
    for name, age in (("old", 25 * 3600), ("new", 3600)):
        (scratch / name).write_text("")
        os.utime(scratch / name, (time.time() - age,) * 2)
    (scratch / "old-dir").mkdir()
    os.utime(scratch / "old-dir", (1, 1))
    LocalStore(tmp_path / "s3", {})
    assert [path.name for path in scratch.iterdir()] == ["new"]


def test_links_that_lead_nowhere_do_not_keep_other_left_overs(store: LocalStore, tmp_path: Path) -> None:
    scratch = store.scratch_dir()
    for index in range(5):
        (scratch / f"link{index}").symlink_to("nowhere")
        (scratch / f"file{index}").write_text("")
    for item in scratch.iterdir():
        os.utime(item, (1, 1), follow_symlinks=False)
    LocalStore(tmp_path / "s3", {})
    assert list(scratch.iterdir()) == []


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "s3").write_text("a file where the store should be")
    store = LocalStore(tmp_path / "s3", {})
    with pytest.raises(HomeUnusable) as error:
        store.put(S3Uri("bucket", "a"), b"")
    assert str(error.value) == f"The local S3 cannot use {tmp_path}/s3/.meta/scratch: Not a directory."


def test_a_write_that_does_not_fit_leaves_nothing(store: LocalStore, tmp_path: Path) -> None:
    store.put(S3Uri("bucket", "a"), b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        with pytest.raises(HomeUnusable) as error:
            store.put(S3Uri("bucket", "a"), b"x" * 4096)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(error.value) == f"The local S3 cannot use {tmp_path}/s3: File too large."
    with store.open(S3Uri("bucket", "a")) as content:
        assert content.read() == b"before"
    assert list(store.scratch_dir().iterdir()) == []


def test_mounts(tmp_path: Path) -> None:
    for name, text in (("data/x.csv", "x"), ("data/sub/..y", "y"), ("inner/z", "z")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "data/deep").mkdir()
    (tmp_path / "data/deep/hidden").write_text("")
    mounts = {S3Uri("company", "raw"): tmp_path / "data", S3Uri("company", "raw/deep/"): tmp_path / "inner"}
    store = LocalStore(tmp_path / "s3", mounts)
    store.put(S3Uri("company", "raw"), b"an object of that very name")
    store.put(S3Uri("company", "other"), b"")
    assert store.buckets() == ["company"]
    assert keys(store, S3Uri("company")) == ["other", "raw", "raw/deep/z", "raw/sub/..y", "raw/x.csv"]
    assert keys(store, S3Uri("company", "ra")) == ["raw", "raw/deep/z", "raw/sub/..y", "raw/x.csv"]
    assert keys(store, S3Uri("company", "raw/s")) == ["raw/sub/..y"]
    after = store.list(S3Uri("company"), start_after="raw/deep/z")
    assert [info.uri.key for info in after] == ["raw/sub/..y", "raw/x.csv"]
    with store.open(S3Uri("company", "raw/deep/z")) as content:
        assert content.read() == b"z"
    assert store.head(S3Uri("company", "raw/../data/x.csv")) is None
    assert store.head(S3Uri("company", "raw//x.csv")) is None
    for change in (
        lambda: store.put(S3Uri("company", "raw/new"), b""),
        lambda: store.delete(S3Uri("company", "raw/x.csv")),
    ):
        with pytest.raises(StoreError) as error:
            change()
        assert error.value.s3_code == "AccessDenied"
    assert str(error.value) == (
        f"s3://company/raw/x.csv cannot be changed: [s3.mounts] shows {tmp_path}/data there, "
        'read-only ("s3://company/raw"). '
        "Write to another prefix, or take the mount out of localpipe.toml."
    )
    with pytest.raises(StoreError, match=r"^s3://company cannot be changed"):
        store.delete_bucket("company")


def test_a_mounted_directory_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        LocalStore(tmp_path / "s3", {S3Uri("company", "raw"): tmp_path / "dat"})
    assert str(error.value) == (
        f'[s3.mounts] "s3://company/raw": there is no directory {tmp_path}/dat. '
        "Make it, or correct the path in localpipe.toml."
    )


def test_grouping_passes_over_many_keys_of_a_prefix(store: LocalStore) -> None:
    for key in [*(f"a/{n:03d}" for n in range(250)), "a/\U0010ffff\U0010ffff", "b", "c/1"]:
        store.put(S3Uri("bucket", key), b"")
    items = list(grouped(store, S3Uri("bucket"), "/"))
    names = [item.uri if isinstance(item, ObjectInfo) else item for item in items]
    assert names == [S3Uri("bucket", "a/"), S3Uri("bucket", "b"), S3Uri("bucket", "c/")]
    rest = list(grouped(store, S3Uri("bucket"), "/", start_after="a/"))
    assert len(rest) == 2


@pytest.mark.parametrize(
    ("absent", "near"),
    [
        ("s3://bucket/run/val/", "s3://bucket/run/validation/"),
        ("s3://bucket/run/vlidation", "s3://bucket/run/validation/"),
        ("s3://bucket/rum/validation/x.csv", "s3://bucket/run/validation/x.csv"),
        ("s3://bucket/run/zzz", "s3://bucket/run/"),
        ("s3://buckets/run/validation/", "s3://bucket/run/validation/"),
        ("s3://bucket/nothing-like-it", None),
        ("s3://elsewhere/run", None),
        ("s3://bukcet", "s3://bucket"),
    ],
)
def test_the_nearest_prefix(store: LocalStore, absent: str, near: str | None) -> None:
    for key in ("run/validation/x.csv", "run/train/x.csv"):
        store.put(S3Uri("bucket", key), b"")
    found = nearest_prefix(store, S3Uri.parse(absent))
    assert (str(found) if found else None) == near


def test_this_file_system_tells_spellings_apart(tmp_path: Path) -> None:
    """Else the suite runs on one that does not, and some of its keys cannot be kept together."""
    (tmp_path / "name").write_text("")
    assert merges_spellings(tmp_path / "name") == (tmp_path / "NAME").exists()


def test_another_spelling_on_the_way_is_found(tmp_path: Path) -> None:
    (tmp_path / "Data").mkdir()
    (tmp_path / "Data/caf\u00e9").write_text("")
    directory = str(tmp_path)
    assert other_spelling(directory, f"{directory}/data/x") == f"{directory}/Data"
    assert other_spelling(directory, f"{directory}/Data/CAFE\u0301") == f"{directory}/Data/caf\u00e9"
    assert other_spelling(directory, f"{directory}/Data/caf\u00e9") is None
    assert other_spelling(directory, f"{directory}/new/x") is None


# Directories that a pipeline writes to


def test_an_output_directory_is_made_and_written_when_something_is_put_there(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "s3", {}, {S3Uri("files", "out"): tmp_path / "mine" / "out"})
    assert keys(store, S3Uri("files")) == []
    assert not (tmp_path / "mine").exists()
    info = store.put(S3Uri("files", "out/a/b.txt"), b"1", content_type="text/x-mine")
    assert (tmp_path / "mine/out/a/b.txt").read_bytes() == b"1"
    assert info.path == tmp_path / "mine/out/a/b.txt"
    assert keys(store, S3Uri("files", "out/")) == ["out/a/b.txt"]
    found = store.head(S3Uri("files", "out/a/b.txt"))
    assert found
    assert found.content_type == "text/x-mine"
    assert store.buckets() == ["files"]


def test_a_file_moves_into_an_output_directory(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "s3", {}, {S3Uri("files", "out"): tmp_path / "out"})
    (tmp_path / "x").write_bytes(b"1")
    store.put(S3Uri("files", "out/x"), tmp_path / "x", move=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x"]
    assert not (tmp_path / "x").exists()
    (tmp_path / "tree").mkdir()
    assert store.put_directory(S3Uri("files", "out/tree/"), tmp_path / "tree") is False


def test_what_is_deleted_goes_from_an_output_directory_and_the_rest_stays(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "s3", {}, {S3Uri("files", "out"): tmp_path / "out"})
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("kept")
    store.put(S3Uri("files", "out/deep/x"), b"1")
    store.delete(S3Uri("files", "out/deep/x"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_a_half_written_file_in_an_output_directory_is_no_object_and_an_old_one_is_removed(tmp_path: Path) -> None:
    directory = tmp_path / "out"
    store = LocalStore(tmp_path / "s3", {S3Uri("read", ""): tmp_path}, {S3Uri("files", "out"): directory})
    source = HalfWay(directory)
    store.put(S3Uri("files", "out/x"), source)
    (name,) = source.seen
    (directory / name).write_bytes(b"what a killed process left")
    (directory / ".0123456789abcdef.part").write_text("somebody's own")
    for bucket, prefix in (("files", "out/"), ("read", "out/")):
        assert keys(store, S3Uri(bucket, prefix)) == [f"{prefix}.0123456789abcdef.part", f"{prefix}x"]
        assert store.head(S3Uri(bucket, prefix + name)) is None
    LocalStore(tmp_path / "s3", {}, {S3Uri("files", "out"): directory})
    assert (directory / name).exists(), "somebody may be writing it"
    os.utime(directory / name, (1, 1))
    LocalStore(tmp_path / "s3", {}, {S3Uri("files", "out"): directory})
    assert sorted(path.name for path in directory.iterdir()) == [".0123456789abcdef.part", "x"]


class HalfWay(io.BytesIO):
    """A source that looks into a directory while it is read."""

    def __init__(self, directory: Path) -> None:
        super().__init__(b"1")
        self._directory, self.seen = directory, set[str]()

    def read(self, size: int | None = -1) -> bytes:
        self.seen |= {path.name for path in self._directory.iterdir()}
        return super().read(size)


def test_of_an_output_directory_in_a_mount_the_innermost_counts(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    store = LocalStore(
        tmp_path / "s3", {S3Uri("f", "data"): tmp_path / "data"}, {S3Uri("f", "data/out"): tmp_path / "data/out"}
    )
    store.put(S3Uri("f", "data/out/x"), b"1")
    assert (tmp_path / "data/out/x").exists()
    with pytest.raises(StoreError, match="read-only"):
        store.put(S3Uri("f", "data/x"), b"1")


def test_a_local_directory_that_is_read_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    store = LocalStore(tmp_path / "s3", {S3Uri("localpipe-files", "data"): tmp_path / "data"})
    with pytest.raises(StoreError) as error:
        store.put(S3Uri("localpipe-files", "data/x"), b"1")
    assert str(error.value) == (
        f"s3://localpipe-files/data/x cannot be changed: it is in {tmp_path}/data, which the pipeline reads."
    )
    (tmp_path / "data").rmdir()
    gone = LocalStore(tmp_path / "s3", {S3Uri("localpipe-files", "data"): tmp_path / "data"})
    assert list(gone.list(S3Uri("localpipe-files", "data"))) == []


def test_an_output_directory_may_be_on_another_file_system(tmp_path: Path) -> None:
    other = Path("/dev/shm")  # noqa: S108 - the point is where it is
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    out = other / f"localpipe-test-{os.getpid()}"
    store = LocalStore(tmp_path / "s3", {}, {S3Uri("files", "out"): out})
    try:
        (tmp_path / "x").write_bytes(b"1")
        store.put(S3Uri("files", "out/x"), tmp_path / "x", move=True)
        store.put(S3Uri("files", "out/y"), b"2")
        assert sorted((path.name, path.read_bytes()) for path in out.iterdir()) == [("x", b"1"), ("y", b"2")]
        assert not (tmp_path / "x").exists()
    finally:
        shutil.rmtree(out, ignore_errors=True)

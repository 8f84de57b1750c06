"""What every `ObjectStore` does. Each class of the end is one implementation under the same tests."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import time
from pathlib import Path
from random import Random

import pytest

from localpipe.core.names import S3Uri
from localpipe.core.ports import ObjectStore
from localpipe.errors import StoreError
from localpipe.store import LocalStore

ROUNDS = 150


def uri(key: str) -> S3Uri:
    return S3Uri("bucket", key)


def keys(store: ObjectStore, prefix: str = "", start_after: str = "") -> list[str]:
    return [info.uri.key for info in store.list(uri(prefix), start_after=start_after)]


def content(store: ObjectStore, key: str) -> bytes:
    with store.open(uri(key)) as stream:
        return stream.read()


class StoreContract:
    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        raise NotImplementedError

    def test_a_put_object_is_read_back(self, store: ObjectStore) -> None:
        info = store.put(uri("a/b.csv"), b"1,2\n")
        assert content(store, "a/b.csv") == b"1,2\n"
        assert (info.uri, info.size, info.content_type, dict(info.metadata)) == (uri("a/b.csv"), 4, "text/csv", {})
        assert store.head(uri("a/b.csv")) == info
        assert info.path.read_bytes() == b"1,2\n"
        assert abs(info.modified_at - time.time()) < 60

    def test_sources_of_every_kind_are_taken(self, store: ObjectStore, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.write_bytes(b"file")
        store.put(uri("stream"), io.BytesIO(b"stream"))
        store.put(uri("file"), file)
        assert file.exists()
        store.put(uri("moved"), file, move=True)
        assert not file.exists()
        assert [content(store, key) for key in ("stream", "file", "moved")] == [b"stream", b"file", b"file"]

    def test_a_file_with_another_name_is_not_changed_by_a_move(self, store: ObjectStore, tmp_path: Path) -> None:
        file, other = tmp_path / "file", tmp_path / "other"
        file.write_bytes(b"shared")
        os.utime(file, (1, 1))
        other.hardlink_to(file)
        store.put(uri("moved"), file, move=True)
        assert content(store, "moved") == b"shared"
        assert not file.exists()
        assert other.stat().st_mtime == 1

    def test_a_directory_is_put_as_a_whole(self, store: ObjectStore, tmp_path: Path) -> None:
        directory = filled(tmp_path / "out", "a.csv", "sub/b")
        (directory / "empty/er").mkdir(parents=True)
        (directory / "a.csv").chmod(0o600)
        os.utime(directory / "a.csv", (1, 1))
        assert store.put_directory(uri("x/y//z/"), directory)
        assert not directory.exists()
        assert {key: content(store, key) for key in keys(store)} == {"x/y//z/a.csv": b"a.csv", "x/y//z/sub/b": b"sub/b"}
        for info in store.list(uri("x")):
            assert abs(info.modified_at - time.time()) < 60
            assert info.path.stat().st_mode & 0o777 == 0o644
            store.delete(info.uri)
        assert keys(store) == []

    @pytest.mark.parametrize("name", ["line\nfeed", "50%%", "b" * 200 + "/" + "c" * 200 + "/" + "d" * 200 + "/" + "e" * 200])
    def test_a_directory_with_a_name_that_is_no_key_as_it_stands_is_left(
        self, store: ObjectStore, tmp_path: Path, name: str
    ) -> None:
        directory = filled(tmp_path / "out", "a", name)
        assert not store.put_directory(uri(f"{'p' * 250}/"), directory)
        assert (directory / name).exists()
        assert keys(store) == []

    def test_a_directory_with_more_than_files_of_its_own_is_left(self, store: ObjectStore, tmp_path: Path) -> None:
        linked, shared, piped = (filled(tmp_path / name, "a") for name in ("linked", "shared", "piped"))
        (linked / "link").symlink_to("a")
        os.link(shared / "a", tmp_path / "other")
        os.mkfifo(piped / "fifo")
        assert [store.put_directory(uri("out/"), directory) for directory in (linked, shared, piped)] == [False] * 3
        assert keys(store) == []

    def test_a_directory_does_not_take_the_place_of_objects(self, store: ObjectStore, tmp_path: Path) -> None:
        for taken, prefix in (("p/before", "p/"), ("q", "q/"), ("r", "")):
            store.put(uri(taken), b"before")
            assert not store.put_directory(uri(prefix), filled(tmp_path / taken, "a"))
        assert keys(store) == ["p/before", "q", "r"]

    def test_a_directory_of_no_files_is_nothing(self, store: ObjectStore, tmp_path: Path) -> None:
        (tmp_path / "out/empty").mkdir(parents=True)
        assert store.put_directory(uri("out/"), tmp_path / "out")
        assert keys(store) == []

    def test_a_link_is_copied_as_what_it_points_to(self, store: ObjectStore, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"there")
        (tmp_path / "link").symlink_to(tmp_path / "file")
        info = store.put(uri("linked"), tmp_path / "link", move=True)
        assert not info.path.is_symlink()
        assert (tmp_path / "file").read_bytes() == b"there"

    def test_what_is_said_of_an_object_goes_with_its_content(self, store: ObjectStore) -> None:
        store.put(uri("a.csv"), b"1", content_type="text/x-mine", metadata={"who": "me"})
        info = store.head(uri("a.csv"))
        assert info
        assert (info.content_type, info.metadata) == ("text/x-mine", {"who": "me"})
        store.put(uri("a.csv"), b"2")
        info = store.head(uri("a.csv"))
        assert info
        assert (info.content_type, info.metadata) == ("text/csv", {})

    def test_the_etag_is_the_md5_and_changes_with_the_content(self, store: ObjectStore) -> None:
        for body in (b"1", b"2"):
            info = store.put(uri("a"), body, metadata={"kept": "yes"})
            for _ in range(2):
                assert store.etag(info) == hashlib.md5(body, usedforsecurity=False).hexdigest()
            assert store.head(uri("a")) == info
        known = store.put(uri("a"), b"3", etag="0123-2")
        assert store.etag(known) == "0123-2"

    def test_what_is_not_there(self, store: ObjectStore) -> None:
        assert store.head(uri("a")) is None
        assert keys(store) == []
        with pytest.raises(StoreError) as error:
            store.open(S3Uri("nowhere", "a"))
        assert error.value.s3_code == "NoSuchBucket"
        store.create_bucket("bucket")
        with pytest.raises(StoreError) as error:
            store.open(uri("a"))
        assert error.value.s3_code == "NoSuchKey"
        store.delete(uri("a"))

    def test_listing_is_by_string_prefix_in_byte_order(self, store: ObjectStore) -> None:
        names = ["a", "a-b", "a/b", "a/b/c", "a0", "b", "data/train/x", "data/tr", "Z", "é", "\U0001f600", "\uffee"]
        for name in names:
            store.put(uri(name), b"")
        assert keys(store) == sorted(names, key=str.encode)
        assert keys(store, "a/") == ["a/b", "a/b/c"]
        assert keys(store, "a") == ["a", "a-b", "a/b", "a/b/c", "a0"]
        assert keys(store, "data/tr") == ["data/tr", "data/train/x"]
        assert keys(store, "a", start_after="a-b") == ["a/b", "a/b/c", "a0"]
        assert keys(store, "a", start_after="a/a") == ["a/b", "a/b/c", "a0"]
        assert keys(store, "data/none/") == []

    def test_an_object_and_a_prefix_of_its_name_live_together(self, store: ObjectStore) -> None:
        store.put(uri("a"), b"a", metadata={"m": "1"})
        store.put(uri("a/b"), b"b")
        store.put(uri("a/b/c"), b"c")
        assert [content(store, key) for key in ("a", "a/b", "a/b/c")] == [b"a", b"b", b"c"]
        info = store.head(uri("a"))
        assert info
        assert info.metadata == {"m": "1"}
        store.put(uri("a"), b"again")
        assert keys(store) == ["a", "a/b", "a/b/c"]
        assert content(store, "a") == b"again"
        for key in ("a/b", "a/b/c"):
            store.delete(uri(key))
        store.put(uri("a"), b"last")
        assert keys(store) == ["a"]
        assert content(store, "a") == b"last"
        store.delete(uri("a"))
        assert keys(store) == []

    def test_documents_of_a_bucket_go_with_it_and_are_no_objects(self, store: ObjectStore) -> None:
        store.create_bucket("configured")
        assert store.bucket_document("configured", "tagging") is None
        store.put_bucket_document("configured", "tagging", "<é/>")
        store.put_bucket_document("configured", "policy", "{}")
        store.put_bucket_document("configured", "policy", None)
        assert store.bucket_document("configured", "tagging") == "<é/>"
        assert store.bucket_document("configured", "policy") is None
        assert list(store.list(S3Uri("configured"))) == []
        store.delete_bucket("configured")
        assert store.bucket_document("configured", "tagging") is None

    def test_only_an_empty_bucket_is_removed(self, store: ObjectStore) -> None:
        key = S3Uri("emptied", "a/b/c")
        store.put(key, b"")
        with pytest.raises(StoreError) as error:
            store.delete_bucket("emptied")
        assert error.value.s3_code == "BucketNotEmpty"
        store.delete(key)
        store.create_bucket("emptied")
        assert "emptied" in store.buckets()
        store.delete_bucket("emptied")
        assert "emptied" not in store.buckets()
        with pytest.raises(StoreError) as error:
            store.delete_bucket("emptied")
        assert error.value.s3_code == "NoSuchBucket"

    @pytest.mark.parametrize(
        ("key", "code"), [("", "InvalidArgument"), ("x" * 1025, "KeyTooLongError"), ("\ud800", "InvalidArgument")]
    )
    def test_what_s3_takes_for_no_key_is_refused(self, store: ObjectStore, key: str, code: str) -> None:
        with pytest.raises(StoreError) as error:
            store.put(uri(key), b"")
        assert error.value.s3_code == code
        assert store.head(uri(key)) is None

    @pytest.mark.parametrize("bucket", [".meta", "..", "a/b", "", "a\0b"])
    def test_what_is_no_bucket_name_is_refused(self, store: ObjectStore, bucket: str) -> None:
        with pytest.raises(StoreError) as error:
            store.create_bucket(bucket)
        assert error.value.s3_code == "InvalidBucketName"

    def test_a_source_that_fails_leaves_nothing(self, store: ObjectStore) -> None:
        class Broken(io.RawIOBase):
            def readable(self) -> bool:
                return True

            def readinto(self, _: object) -> int:
                raise ZeroDivisionError

        store.put(uri("a"), b"before")
        with pytest.raises(ZeroDivisionError):
            store.put(uri("a"), io.BufferedReader(Broken()))
        assert content(store, "a") == b"before"
        assert list(store.scratch_dir().iterdir()) == []

    def test_processes_do_not_disturb_each_other(self, store: ObjectStore) -> None:
        """One directory, emptied and filled all the time; a list sees whole objects only, and no put is lost."""
        context = multiprocessing.get_context("spawn")
        workers = [context.Process(target=put_and_delete, args=(store, f"shared/dir/{name}")) for name in "ab"]
        workers.append(context.Process(target=put_and_delete, args=(store, "shared/dir")))
        workers.append(context.Process(target=put_directory_and_delete, args=(store, "shared/dir/", "c")))
        for worker in workers:
            worker.start()
        while any(worker.is_alive() for worker in workers):
            for info in store.list(uri("shared")):
                assert info.size == len(info.uri.key)
        for worker in workers:
            worker.join()
        assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
        assert keys(store) == ["shared/dir", "shared/dir/a", "shared/dir/b"]

    def test_processes_that_need_the_same_name_for_objects_and_directories(self, store: ObjectStore) -> None:
        context = multiprocessing.get_context("spawn")
        shares = (["a", "a/"], ["a/b", "a//x"], ["a/b/c", "z"])
        workers = [
            context.Process(target=put_and_delete_at_random, args=(store, seed, mine)) for seed, mine in enumerate(shares)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert [worker.exitcode for worker in workers] == [0, 0, 0]


def filled(directory: Path, *names: str) -> Path:
    """A directory of files that hold their names."""
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(name)
    return directory


def put_directory_and_delete(store: ObjectStore, prefix: str, name: str) -> None:
    key = prefix + name
    for _ in range(ROUNDS):
        directory = store.scratch_dir() / name
        directory.mkdir()
        (directory / name).write_text(key)
        if not store.put_directory(uri(prefix), directory):
            store.put(uri(key), directory / name, move=True)
            directory.rmdir()
        assert content(store, key) == key.encode()
        store.delete(uri(key))
        assert store.head(uri(key)) is None


def put_and_delete(store: ObjectStore, key: str) -> None:
    for _ in range(ROUNDS):
        store.put(uri(key), key.encode())
        assert content(store, key) == key.encode()
        store.delete(uri(key))
        assert store.head(uri(key)) is None
    store.put(uri(key), key.encode())


def put_and_delete_at_random(store: ObjectStore, seed: int, mine: list[str]) -> None:
    """The keys are this process's alone: they must always be as it left them."""
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    there: dict[str, bytes] = {}
    for _ in range(ROUNDS * 2):
        key = random.choice(mine)
        if random.random() < 0.5:
            there[key] = random.randbytes(random.randrange(50))
            store.put(uri(key), there[key])
        else:
            there.pop(key, None)
            store.delete(uri(key))
        assert {key for key in mine if store.head(uri(key))} == set(there)
        assert {key for key in keys(store) if key in mine} == set(there)
        assert all(content(store, key) == body for key, body in there.items())


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return LocalStore(tmp_path / "s3", {})


class TestLocalStoreWithMounts(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        for name in ("inside", "whole"):
            (tmp_path / name).mkdir()
        return LocalStore(
            tmp_path / "s3", {S3Uri("bucket", "mounted"): tmp_path / "inside", S3Uri("other"): tmp_path / "whole"}
        )

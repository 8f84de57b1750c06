"""Digests of contents: what makes two prefixes the same, and that a file is read once."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import time
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from localpipe.core.names import S3Uri
from localpipe.errors import HomeUnusable, StoreError
from localpipe.store import ContentDigests, LocalStore, state_of


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "s3", {})


@pytest.fixture
def digests(store: LocalStore, tmp_path: Path) -> ContentDigests:
    return ContentDigests(store, tmp_path / "kept" / "digests.db")


def put(store: LocalStore, **objects: str) -> None:
    for key, text in objects.items():
        store.put(S3Uri("b", key.replace("__", "/")), text.encode())


def an_archive(files: Mapping[str, bytes], *, at: float, mode: int = 0o644) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(content), int(at), mode
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=at)


def test_the_same_objects_below_another_prefix_are_the_same(store: LocalStore, digests: ContentDigests) -> None:
    put(store, one__a="1", one__c__d="2", two__a="1", two__c__d="2", three__a="1")
    one = digests.under(S3Uri("b", "one"))
    assert one == digests.under(S3Uri("b", "one/")) == digests.under(S3Uri("b", "two"))
    assert one != digests.under(S3Uri("b", "three"))


def test_the_name_of_a_single_object_counts_since_it_is_that_of_its_file(store: LocalStore, digests: ContentDigests) -> None:
    put(store, x__a="1", y__a="1", y__b="1")
    assert digests.under(S3Uri("b", "x/a")) == digests.under(S3Uri("b", "y/a"))
    assert digests.under(S3Uri("b", "y/a")) != digests.under(S3Uri("b", "y/b"))


def test_nothing_has_no_digest(digests: ContentDigests) -> None:
    assert digests.under(S3Uri("b", "none")) is None


def test_an_archive_is_its_members(store: LocalStore, digests: ContentDigests) -> None:
    files = {"train.py": b"print(1)", "lib/x.py": b""}
    for name, content in {
        "one": an_archive(files, at=1.0),
        "two": an_archive(dict(reversed(files.items())), at=2.0),
        "other": an_archive({**files, "train.py": b"print(2)"}, at=1.0),
        "program": an_archive(files, at=1.0, mode=0o755),
    }.items():
        store.put(S3Uri("b", f"{name}/sourcedir.tar.gz"), content)
    found = {name: digests.under(S3Uri("b", f"{name}/sourcedir.tar.gz")) for name in ("one", "two", "other", "program")}
    assert found["one"] == found["two"]
    assert len(set(found.values())) == 3


def test_a_file_that_is_no_archive_is_its_bytes_whatever_its_name(store: LocalStore, digests: ContentDigests) -> None:
    store.put(S3Uri("b", "x/m.tar.gz"), b"no archive")
    store.put(S3Uri("b", "y/m.tar.gz"), b"no archive either")
    assert digests.under(S3Uri("b", "x")) != digests.under(S3Uri("b", "y"))


def test_a_file_that_is_replaced_by_one_of_its_size_and_time_is_read_again(
    store: LocalStore, digests: ContentDigests
) -> None:
    info = store.put(S3Uri("b", "x/a"), b"1")
    before, times = digests.under(S3Uri("b", "x")), info.path.stat()
    info.path.write_bytes(b"2")
    os.utime(info.path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert digests.under(S3Uri("b", "x")) != before


def test_a_large_file_costs_nothing_the_second_time(store: LocalStore, digests: ContentDigests) -> None:
    with (store.scratch_dir() / "big").open("wb") as file:
        file.truncate(300 << 20)
    store.put(S3Uri("b", "big"), store.scratch_dir() / "big", move=True)
    began = time.process_time()
    digests.under(S3Uri("b", "big"))
    read = time.process_time() - began
    began = time.process_time()
    digests.under(S3Uri("b", "big"))
    assert time.process_time() - began < read / 5


def test_objects_of_the_same_contents_and_names_are_the_same_whenever_written(
    store: LocalStore, digests: ContentDigests
) -> None:
    put(store, x__a="1", x__b="2")
    before = digests.of_objects(store.list(S3Uri("b", "x")))
    put(store, x__a="1")
    assert digests.of_objects(store.list(S3Uri("b", "x"))) == before
    put(store, x__a="2", x__b="1")
    assert digests.of_objects(store.list(S3Uri("b", "x"))) != before


def test_the_state_of_objects_changes_when_one_is_written_anew(store: LocalStore) -> None:
    put(store, x__a="1", x__b="2")
    before = state_of(store.list(S3Uri("b", "x")))
    assert state_of(store.list(S3Uri("b", "x"))) == before
    put(store, x__a="1")
    assert state_of(store.list(S3Uri("b", "x"))) != before


def test_kept_digests_that_are_damaged_are_begun_anew(store: LocalStore, tmp_path: Path) -> None:
    put(store, x__a="1")
    file = tmp_path / "digests.db"
    digests = ContentDigests(store, file)
    whole = digests.under(S3Uri("b", "x"))
    for damage in (b"no database, but more than a few bytes of something else" * 9, file.read_bytes()[:4096] + b"x" * 4096):
        file.write_bytes(damage)
        assert digests.under(S3Uri("b", "x")) == whole
        assert file.read_bytes() != damage


def test_a_place_for_digests_that_cannot_be_used_is_named(store: LocalStore, tmp_path: Path) -> None:
    put(store, x__a="1")
    (tmp_path / "digests.db").mkdir()
    with pytest.raises(HomeUnusable, match=r"The digests in .*digests\.db cannot be used: .*\. Remove that file\."):
        ContentDigests(store, tmp_path / "digests.db").under(S3Uri("b", "x"))
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeUnusable, match=r"/file cannot be made: File exists\."):
        ContentDigests(store, tmp_path / "file" / "digests.db").under(S3Uri("b", "x"))


@pytest.mark.parametrize(
    "compress", [partial(bz2.compress, compresslevel=1), lzma.compress, gzip.compress, zlib.compress, bytes]
)
@pytest.mark.parametrize("keep", [0.02, 0.5, 0.9])
def test_a_damaged_archive_is_its_bytes(
    store: LocalStore, digests: ContentDigests, compress: Callable[[bytes], bytes], keep: float
) -> None:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        member = tarfile.TarInfo("x")
        member.size = 200_000
        archive.addfile(member, io.BytesIO(os.urandom(member.size)))
    whole = compress(plain.getvalue())
    cut = whole[: int(len(whole) * keep)]
    for name, content in {"cut/m.tar": cut, "mixed/m.tar": cut + bytes(100) + whole[len(cut) :]}.items():
        store.put(S3Uri("b", name), content)
    assert digests.under(S3Uri("b", "cut/m.tar")) != digests.under(S3Uri("b", "mixed/m.tar"))


def test_an_object_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    memory = Path("/proc/self/mem")
    if not memory.exists():
        pytest.skip("a file that root cannot read either is needed")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.tar").symlink_to(memory)
    store = LocalStore(tmp_path / "s3", {S3Uri("b", "x"): tmp_path / "data"})
    with pytest.raises(StoreError, match=r"s3://b/x/a\.tar cannot be read: .*/data/a\.tar: Input/output error\."):
        ContentDigests(store, tmp_path / "digests.db").under(S3Uri("b", "x"))


def test_single_objects_count_in_their_order_and_when_they_are_not_there(store: LocalStore, digests: ContentDigests) -> None:
    put(store, x="1", y="2", z="1")
    x, y, z, none = (S3Uri("b", key) for key in ("x", "y", "z", "none"))
    assert digests.of_each([x, y]) == digests.of_each([z, y])
    assert len({digests.of_each(uris) for uris in ([x, y], [y, x], [x], [x, none])}) == 4

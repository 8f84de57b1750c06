from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from localpipe.core.names import S3Uri
from localpipe.errors import NotFound, UsageError
from localpipe.service.objects import Copied, cat, copy, list_objects, new_bucket_note, put_stream, remove, shown
from localpipe.store import LocalStore

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path / "s3", {})
    for key in ("run/train/a.csv", "run/train/b/c.csv", "run/training", "top"):
        store.put(S3Uri("bucket", key), key.encode(), metadata={"of": key})
    return store


def listed(store: LocalStore, uri: str, *, recursive: bool = False) -> list[str]:
    return [str(line.uri) for line in list_objects(store, uri, recursive)]


def content(store: LocalStore, uri: str) -> bytes:
    with cat(store, uri) as stream:
        return stream.read()


def test_listing_takes_a_string_prefix_and_groups_by_slash(store: LocalStore) -> None:
    assert listed(store, "s3://bucket") == ["s3://bucket/run/", "s3://bucket/top"]
    assert listed(store, "s3://bucket/run/tr") == ["s3://bucket/run/train/", "s3://bucket/run/training"]
    assert listed(store, "s3://bucket/run/train/", recursive=True) == [
        "s3://bucket/run/train/a.csv",
        "s3://bucket/run/train/b/c.csv",
    ]
    assert [(line.size, line.is_prefix) for line in list_objects(store, "s3://bucket/", recursive=False)] == [
        (0, True),
        (3, False),
    ]


def test_listing_nothing_lists_nothing(store: LocalStore) -> None:
    assert listed(store, "s3://bucket/none") == []
    assert listed(store, "s3://none/") == []
    assert listed(store, "s3://") == ["s3://bucket"]


@pytest.mark.parametrize("uri", ["bucket/run", "s3:/bucket", "s3:///key"])
def test_text_that_is_no_uri_is_refused(store: LocalStore, uri: str) -> None:
    with pytest.raises(UsageError, match="is not an S3 URI"):
        list(list_objects(store, uri, recursive=True))


def test_a_file_goes_up(store: LocalStore, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("x")
    source = str(file)
    assert copy(store, source, "s3://new/as.csv", recursive=False) == [Copied(source=source, destination="s3://new/as.csv")]
    for folder in ("s3://new", "s3://new/", "s3://new/in/"):
        copy(store, source, folder, recursive=False)
    assert listed(store, "s3://new", recursive=True) == ["s3://new/as.csv", "s3://new/in/x.csv", "s3://new/x.csv"]
    assert file.exists()


def test_a_directory_goes_up_if_asked(store: LocalStore, tmp_path: Path) -> None:
    for name in ("d/a", "d/sub/b"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    with pytest.raises(UsageError, match=r"d is a directory: add --recursive"):
        copy(store, str(tmp_path / "d"), "s3://new/to", recursive=False)
    assert "new" not in store.buckets()
    for destination in ("s3://new/to", "s3://new/slash/", "s3://new"):
        copy(store, str(tmp_path / "d"), destination, recursive=True)
    assert listed(store, "s3://new", recursive=True) == [
        *("s3://new/a", "s3://new/slash/a", "s3://new/slash/sub/b", "s3://new/sub/b", "s3://new/to/a", "s3://new/to/sub/b"),
    ]


def test_an_object_comes_down(store: LocalStore, tmp_path: Path) -> None:
    copy(store, "s3://bucket/run/train/a.csv", str(tmp_path), recursive=False)
    copy(store, "s3://bucket/run/train/a.csv", f"{tmp_path}/made/", recursive=False)
    copy(store, "s3://bucket/run/train/a.csv", str(tmp_path / "as"), recursive=False)
    for name in ("a.csv", "made/a.csv", "as"):
        assert (tmp_path / name).read_text() == "run/train/a.csv"


def test_a_prefix_comes_down_as_a_directory(store: LocalStore, tmp_path: Path) -> None:
    store.put(S3Uri("bucket", "run/train/marked/"), b"")
    copied = copy(store, "s3://bucket/run/train", str(tmp_path / "to"), recursive=True)
    assert len(copied) == 3
    assert (tmp_path / "to/b/c.csv").read_text() == "run/train/b/c.csv"
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == ["a.csv", "b", "marked"]


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/x", "a//x", ".", "a/./x"])
def test_no_file_is_written_outside_the_destination(store: LocalStore, tmp_path: Path, key: str) -> None:
    store.put(S3Uri("evil", "fine"), b"")
    store.put(S3Uri("evil", key), b"evil")
    with pytest.raises(UsageError) as error:
        copy(store, "s3://evil", str(tmp_path / "to"), recursive=True)
    assert str(error.value) == (
        f"s3://evil/{key} cannot be a file below {tmp_path}/to: {key!r} is no path there. Copy it alone, to a file."
    )
    assert not (tmp_path / "to").exists()
    assert not (tmp_path / "x").exists()


def test_a_single_object_named_like_a_directory_needs_a_file_name(store: LocalStore, tmp_path: Path) -> None:
    store.put(S3Uri("evil", "a/.."), b"evil")
    with pytest.raises(UsageError, match=r"'\.\.' is no path there"):
        copy(store, "s3://evil/a/..", str(tmp_path), recursive=False)
    copy(store, "s3://evil/a/..", str(tmp_path / "file"), recursive=False)
    assert (tmp_path / "file").read_bytes() == b"evil"


def test_a_stream_becomes_an_object_of_a_whole_key(store: LocalStore) -> None:
    assert put_stream(store, io.BytesIO(b"piped"), "s3://bucket/piped") == S3Uri("bucket", "piped")
    assert content(store, "s3://bucket/piped") == b"piped"
    for directory in ("s3://bucket", "s3://bucket/dir/"):
        with pytest.raises(UsageError, match="names no object: what comes from standard input needs a whole key"):
            put_stream(store, io.BytesIO(b""), directory)


def test_a_bucket_that_s3_would_not_make_is_made_as_a_run_makes_it_and_told(store: LocalStore) -> None:
    assert new_bucket_note(store, "s3://Bad_Bucket/x") == (
        "'Bad_Bucket' is made here, but S3 makes no new bucket of this name: "
        "3 to 63 lower-case letters, digits, dots and hyphens, the first and last a letter or digit."
    )
    copy(store, "s3://bucket/top", "s3://Bad_Bucket/x", recursive=False)
    assert content(store, "s3://Bad_Bucket/x") == b"top"
    for known in ("s3://Bad_Bucket/y", "s3://good-bucket/x", "file"):
        assert new_bucket_note(store, known) is None


def test_a_bucket_that_is_there_may_have_an_old_name(store: LocalStore) -> None:
    store.create_bucket("Old_Bucket")
    copy(store, "s3://bucket/top", "s3://Old_Bucket/top", recursive=False)
    assert content(store, "s3://Old_Bucket/top") == b"top"


def test_a_uri_is_shown_on_one_line() -> None:
    assert shown(S3Uri("bucket", "a\nb\x7f é")) == "s3://bucket/a%0Ab%7F é"


def test_links_do_not_lead_out_of_the_destination(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "to/train").symlink_to(tmp_path / "outside")
    with pytest.raises(UsageError, match="is a link that leads out of"):
        copy(store, "s3://bucket/run", str(tmp_path / "to"), recursive=True)
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_link_that_leads_out_is_seen_before_anything_is_copied(store: LocalStore, tmp_path: Path) -> None:
    store.put(S3Uri("bucket", "run/zone/last.csv"), b"")
    (tmp_path / "to").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "to/zone").symlink_to(tmp_path / "outside")
    with pytest.raises(UsageError, match="is a link that leads out of"):
        copy(store, "s3://bucket/run", str(tmp_path / "to"), recursive=True)
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["zone"]


def test_an_object_beside_a_prefix_of_its_name_cannot_both_come_down(store: LocalStore, tmp_path: Path) -> None:
    store.put(S3Uri("bucket", "run/train"), b"")
    with pytest.raises(UsageError, match=r"^s3://bucket/run/train cannot be a file below"):
        copy(store, "s3://bucket/run", str(tmp_path / "to"), recursive=True)


def test_copying_within_the_store_keeps_what_was_said(store: LocalStore) -> None:
    copy(store, "s3://bucket/top", "s3://new/", recursive=False)
    info = store.head(S3Uri("new", "top"))
    assert info
    assert info.metadata == {"of": "top"}
    copy(store, "s3://bucket/run", "s3://new/again", recursive=True)
    assert listed(store, "s3://new/again", recursive=True) == [
        *("s3://new/again/train/a.csv", "s3://new/again/train/b/c.csv", "s3://new/again/training"),
    ]
    assert content(store, "s3://new/again/train/a.csv") == b"run/train/a.csv"


def test_two_local_paths_are_no_copy(store: LocalStore) -> None:
    with pytest.raises(UsageError, match="Neither 'a' nor 'b' is an S3 URI"):
        copy(store, "a", "b", recursive=False)


def test_removing(store: LocalStore) -> None:
    with pytest.raises(UsageError) as error:
        remove(store, "s3://bucket/run/train", recursive=False)
    assert (
        str(error.value) == "s3://bucket/run/train is no object but a prefix of some: add --recursive to mean all below it."
    )
    assert remove(store, "s3://bucket/top", recursive=False) == [S3Uri("bucket", "top")]
    assert len(remove(store, "s3://bucket/run/train", recursive=True)) == 2
    assert listed(store, "s3://bucket", recursive=True) == ["s3://bucket/run/training"]


def test_what_is_not_there_is_said_with_what_is_near(store: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound) as error:
        cat(store, "s3://bucket/run/trian/a.csv")
    assert str(error.value) == (
        "There is no object 's3://bucket/run/trian/a.csv'. Did you mean 's3://bucket/run/train/a.csv'?"
    )
    with pytest.raises(NotFound):
        remove(store, "s3://bucket/none", recursive=True)
    with pytest.raises(NotFound):
        copy(store, str(tmp_path / "none"), "s3://new/x", recursive=False)
    assert "new" not in store.buckets()

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from staging_bench import a_channel

from localpipe.core.names import S3Uri
from localpipe.core.ports import ObjectInfo
from localpipe.errors import JobFailed
from localpipe.staging.keys import channel_files


def an_object(key: str, size: int = 1) -> ObjectInfo:
    return ObjectInfo(uri=S3Uri("b", key), size=size, modified_at=0, file="/store/object", content_type="", metadata={})


def placed(prefix: str, *keys: str) -> list[str]:
    content = channel_files(a_channel(f"s3://b/{prefix}"), [an_object(key, size=not key.endswith("/")) for key in keys])
    return sorted([*content.files, *(f"{path}/" for path in content.directories if path)])


def test_a_uri_of_one_object_gives_its_base_name() -> None:
    assert placed("p/file.csv", "p/file.csv") == ["file.csv"]


def test_a_prefix_with_or_without_its_slash_gives_what_is_below() -> None:
    assert placed("data", "data/a", "data/x/b") == ["a", "x/", "x/b"]
    assert placed("data/", "data/a", "data/x/b") == ["a", "x/", "x/b"]


def test_a_string_prefix_keeps_what_follows_its_directory_part() -> None:
    assert placed("data/tr", "data/train/x", "data/trial.csv") == ["train/", "train/x", "trial.csv"]


def test_a_folder_and_its_namesake_prefix_both_match() -> None:
    assert placed("data/train", "data/train/x", "data/train-old/y") == ["train-old/", "train-old/y", "x"]


def test_the_whole_bucket() -> None:
    assert placed("", "a", "x/b") == ["a", "x/", "x/b"]


def test_folder_markers_are_directories() -> None:
    assert placed("data", "data/", "data/empty/", "data/a") == ["a", "empty/"]


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("d/../x", "../x"),
        ("d/a/../../x", "a/../../x"),
        ("d//etc/passwd", "/etc/passwd"),
        ("d/a//b", "a//b"),
        ("d/./a", "./a"),
    ],
)
def test_keys_that_are_no_proper_path_are_refused_by_name(key: str, shown: str) -> None:
    with pytest.raises(JobFailed) as failed:
        placed("d", key)
    assert str(failed.value) == (
        f"Input 'train': object 's3://b/{key}' cannot be a file under '/opt/ml/input/data/train': "
        f"'{shown}' is no relative path with proper names. Rename the object or narrow the S3 URI."
    )


def test_a_file_that_others_need_as_a_directory_is_refused() -> None:
    with pytest.raises(JobFailed, match=r"object 's3://b/d/a' cannot be a file .* other objects need 'a' as a directory"):
        placed("d", "d/a", "d/a/b")


def test_two_objects_for_one_file_are_refused() -> None:
    with pytest.raises(JobFailed, match="'s3://b/p/d/dx' is the same file 'dx'"):
        placed("p/d", "p/d/dx", "p/dx")


def test_an_object_that_a_manifest_names_twice_is_one_file() -> None:
    assert placed("d/", "d/x", "d/x") == ["x"]


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(JobFailed, match="no relative path with proper names"):
        placed("d", f"d/{'x' * 256}")


@given(
    st.lists(st.text(st.sampled_from("a./\0-"), min_size=1, max_size=8), max_size=4, unique=True),
    st.sampled_from(["", "a", "a/"]),
)
def test_no_key_ever_leaves_the_directory(keys: list[str], prefix: str) -> None:
    objects = [an_object(key, size=0) for key in keys if key.startswith(prefix)]
    try:
        content = channel_files(a_channel(f"s3://b/{prefix}"), objects)
    except JobFailed:
        return
    for path in (*content.files, *content.directories):
        assert not path.startswith("/")
        assert ".." not in path.split("/")
    assert not content.files.keys() & content.directories

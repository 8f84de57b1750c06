from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from localpipe.core.names import S3Uri
from localpipe.store import LocalStore
from localpipe.store.keys import EscapedNaming

NAMING = EscapedNaming()

CHARACTERS = st.characters(exclude_categories=["Cs"])
AWKWARD = st.sampled_from(
    ["/", "//", ".", "..", "%", "%%", "%%.", "%%J", "%%+", "%%=", "\\", "\n", "\0", "\x7f", "A", "a", "é", "e\u0301", "😀"]
)
KEYS = (
    st.lists(st.one_of(AWKWARD, st.text(CHARACTERS, max_size=8)), min_size=1, max_size=12)
    .map("".join)
    .filter(lambda key: 0 < len(key.encode()) <= 1024)
)
LONG_KEYS = st.builds(
    lambda text, count: (text * count).encode()[:1024].decode(errors="ignore"), AWKWARD, st.integers(200, 1024)
)


SHORTER_KEYS = st.builds(lambda text, count: text * count, AWKWARD, st.integers(30, 200))


def key_of(path: str) -> str | None:
    """Reads a path back name by name, as listing does."""
    components: list[str] = []
    names: tuple[str, ...] = ()
    for name in path.split("/"):
        names = (*names, name)
        if NAMING.goes_on(name):
            continue
        component = NAMING.component(names)
        if component is None:
            return None
        components.append(component)
        names = ()
    return "/".join(components)


@given(st.one_of(KEYS, LONG_KEYS))
@example("%%.")
@example("x" * 255)
@example("x" * 256)
@example("%" * 255)
def test_a_key_is_read_back_from_both_its_paths(key: str) -> None:
    components = key.split("/")
    assert key_of(NAMING.path(components)) == key
    assert key_of(NAMING.beside(components)) == key
    assert NAMING.path(components) != NAMING.beside(components)


@given(st.one_of(KEYS, LONG_KEYS))
def test_every_name_of_a_path_is_one_that_file_systems_take(key: str) -> None:
    for path in (NAMING.path(key.split("/")), NAMING.beside(key.split("/"))):
        for name in path.split("/"):
            assert 0 < len(name.encode()) <= 255
            assert name not in {".", ".."}
            assert "\0" not in name


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/%"), min_size=1, max_size=60), min_size=1
    )
)
def test_a_plain_key_is_its_path(components: list[str]) -> None:
    components = [component for component in components if component not in {".", ".."}] or ["a"]
    assert NAMING.path(components) == "/".join(components)


@pytest.mark.parametrize(
    "name", ["100%.csv", "my%20file.csv", "a%2Fb", "%41", "50% %", "x" * 255, "Ünïcödé.txt", ".hidden", "a\\b", "a:b"]
)
def test_a_name_that_a_person_gives_is_its_key(name: str) -> None:
    assert NAMING.component((name,)) == name
    assert NAMING.path((name,)) == name


@given(st.lists(st.one_of(KEYS, SHORTER_KEYS), unique=True, min_size=1, max_size=6), st.data())
@settings(max_examples=60, deadline=None)
@example(["a", "a/b", "a//b", "a/", "/a", "a/b/c"], None)
@example(["%" * 1024, "\n" * 1024, "/" * 1024, "é/" * 341], None)
@example(["x" * 250, "x" * 260, "x" * 240 + "/y", "x" * 241 + "!", "x" * 255 + "/z", "x" * 255], None)
def test_any_keys_come_back_unchanged_and_in_order(keys: list[str], data: st.DataObject | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder) / "s3", {})
        for key in keys:
            store.put(S3Uri("bucket", key), key.encode())
        in_order = sorted(keys, key=str.encode)
        assert [info.uri.key for info in store.list(S3Uri("bucket"))] == in_order
        for key in keys:
            with store.open(S3Uri("bucket", key)) as content:
                assert content.read() == key.encode()
        if data:
            chosen = data.draw(st.sampled_from(keys))
            prefix = chosen[: data.draw(st.integers(0, len(chosen)))]
            after = data.draw(st.one_of(st.just(""), st.sampled_from(keys), KEYS))
            listed = [info.uri.key for info in store.list(S3Uri("bucket", prefix), start_after=after)]
            assert listed == [key for key in in_order if key.startswith(prefix) and key > after]
        for key in keys[1:]:
            store.delete(S3Uri("bucket", key))
        assert [info.uri.key for info in store.list(S3Uri("bucket"))] == keys[:1]
        store.delete(S3Uri("bucket", keys[0]))
        store.delete_bucket("bucket")

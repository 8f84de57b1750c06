from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from staging_bench import a_channel

from localpipe.core.jobspec import Channel, DataType
from localpipe.core.names import S3Uri
from localpipe.errors import JobFailed
from localpipe.staging.manifests import Manifest, parse_augmented_manifest, parse_manifest

CHANNEL = replace(a_channel("s3://b/m"), data_type=DataType.AUGMENTED_MANIFEST_FILE, attribute_names=("image-ref", "label"))


@pytest.mark.documented
def test_what_follows_the_prefix_is_appended_to_it() -> None:
    content = b'[{"prefix": "s3://other/some/prefix/"}, "relative/path/a", "b"]'
    assert parse_manifest(CHANNEL, content) == Manifest(
        prefix=S3Uri("other", "some/prefix/"),
        uris=(S3Uri("other", "some/prefix/relative/path/a"), S3Uri("other", "some/prefix/b")),
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a,b\n", "it is no JSON: Expecting value: line 1 column 1 (char 0)"),
        (b'{"prefix": "s3://b"}', 'it is no JSON list whose first element is {"prefix": "s3://..."}'),
        (b"[]", 'it is no JSON list whose first element is {"prefix": "s3://..."}'),
        (b'["s3://b/a"]', "its first element has as prefix null, which is no S3 URI"),
        (b'[{"prefix": "/tmp"}, "a"]', 'its first element has as prefix "/tmp", which is no S3 URI'),
        (b'[{"prefix": "s3://b/"}]', "it names no object after its prefix"),
        (b'[{"prefix": "s3://b/"}, "a", 3]', "element 2 is 3, not the rest of a URI"),
    ],
)
def test_a_broken_manifest_is_one_clear_error(content: bytes, reason: str) -> None:
    with pytest.raises(JobFailed) as failed:
        parse_manifest(CHANNEL, content)
    assert str(failed.value) == f"Input 'train': the manifest s3://b/m cannot be used: {reason}."


@pytest.mark.documented
def test_attributes_of_a_line_come_in_the_order_of_the_channel() -> None:
    content = b'{"label": 1, "x": 0, "image-ref": "s3://b/1.jpg"}\n\n{"image-ref": "s3://b/2.jpg", "label": 0}'
    assert parse_augmented_manifest(CHANNEL, content) == [(S3Uri("b", "1.jpg"), b"1"), (S3Uri("b", "2.jpg"), b"0")]


@pytest.mark.assumed
def test_text_is_streamed_without_quotes_and_structures_as_json() -> None:
    channel = replace(CHANNEL, attribute_names=("text", "boxes"))
    content = '{"text": "Grüße", "boxes": {"a": [1, true, null]}}'.encode()
    assert parse_augmented_manifest(channel, content) == [("Grüße".encode(), b'{"a":[1,true,null]}')]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it has no lines"),
        (b'{"image-ref": "s3://b/1", "label": 1}\n{', "line 2 is no JSON: "),
        (b"[1]", "line 1 is no JSON object"),
        (b'{"image-ref": "s3://b/1"}', "line 1 has no attribute 'label'; it has 'image-ref'"),
        (b'{"image-ref": 7, "label": 1}', "line 1 has as 'image-ref' 7, which is no S3 URI"),
    ],
)
def test_a_broken_line_is_named(content: bytes, reason: str) -> None:
    with pytest.raises(JobFailed) as failed:
        parse_augmented_manifest(CHANNEL, content)
    assert str(failed.value).startswith(f"Input 'train': the manifest s3://b/m cannot be used: {reason}")


@pytest.mark.parametrize("parse", [parse_manifest, parse_augmented_manifest])
@given(content=st.binary(max_size=60) | st.text('[]{}":,sprefix/0 \n', max_size=40).map(str.encode))
def test_no_content_is_anything_but_read_or_refused(parse: Callable[[Channel, bytes], object], content: bytes) -> None:
    with suppress(JobFailed):
        parse(CHANNEL, content)

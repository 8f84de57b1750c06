from __future__ import annotations

import asyncio
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localpipe.errors import StoreError
from localpipe.server.s3 import access_key, find_operation
from localpipe.server.s3_body import ChunkDecoder, receive_document, receive_file
from localpipe.server.s3_messages import ByteRange, S3Request, byte_range, error_answer, unmet_condition, xml_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


async def stream(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5), st.integers(1, 20), st.booleans())
def test_a_chunked_body_is_decoded_however_it_is_cut(chunks: list[bytes], step: int, signed: bool) -> None:  # noqa: FBT001 - drawn
    extension = b";chunk-signature=" + b"a" * 64 if signed else b""
    encoded = b"".join(b"%x%s\r\n%s\r\n" % (len(chunk), extension, chunk) for chunk in [*chunks])
    encoded += b"0%s\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n" % extension
    decoder = ChunkDecoder()
    decoded = b"".join(decoder.decode(encoded[start : start + step]) for start in range(0, len(encoded), step))
    assert decoded == b"".join(chunks)
    assert decoder.complete


@pytest.mark.parametrize("body", [b"hello\r\n", b"5\r\nhelloX\r\n", b"x" * 20_000])
def test_a_body_that_is_not_chunked_is_refused(body: bytes) -> None:
    with pytest.raises(StoreError) as error:
        ChunkDecoder().decode(body)
    assert error.value.s3_code == "InvalidRequest"


@pytest.mark.parametrize(
    ("pieces", "headers", "code"),
    [
        ([b"5\r\nhel"], {"content-encoding": "aws-chunked"}, "IncompleteBody"),
        ([b"0\r\n\r\n"], {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": "5"}, "IncompleteBody"),
        ([b"hello"], {"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, "BadDigest"),
    ],
)
def test_a_body_that_is_not_what_was_announced_leaves_no_file(
    tmp_path: Path, pieces: list[bytes], headers: dict[str, str], code: str
) -> None:
    with pytest.raises(StoreError) as error:
        asyncio.run(receive_file(stream(*pieces), headers, tmp_path))
    assert error.value.s3_code == code
    assert list(tmp_path.iterdir()) == []


def test_an_endless_document_is_refused() -> None:
    with pytest.raises(StoreError, match="too large"):
        asyncio.run(receive_document(stream(*[bytes(1024 * 1024)] * 9), {}))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", ByteRange(start=0, length=1)),
        ("bytes=-20", ByteRange(start=0, length=10)),
        ("bytes=9-", ByteRange(start=9, length=1)),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("lines=1-2", None),
        ("", None),
    ],
)
def test_ranges_of_ten_bytes(header: str, expected: ByteRange | None) -> None:
    assert byte_range(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-5", "bytes=-0"])
def test_ranges_outside_of_ten_bytes(header: str) -> None:
    with pytest.raises(StoreError) as error:
        byte_range(header, 10)
    assert error.value.s3_code == "InvalidRange"


def test_conditions_on_dates_count_whole_seconds() -> None:
    at = formatdate(1000, usegmt=True)
    assert unmet_condition({"if-modified-since": at}, "e", 1000.9) == 304
    assert unmet_condition({"if-modified-since": at}, "e", 1001.0) is None
    assert unmet_condition({"if-unmodified-since": at}, "e", 1000.9) is None
    assert unmet_condition({"if-unmodified-since": at}, "e", 1001.0) == 412
    assert unmet_condition({"if-modified-since": "yesterday"}, "e", 0) is None
    assert unmet_condition({"if-none-match": '"a", W/"e"'}, "e", 0) == 304
    assert unmet_condition({"if-match": '"e"', "if-unmodified-since": at}, "e", 2000) is None


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (S3Request(method="PUT", bucket="b", key="", query={"website": ""}), "PutBucketWebsite"),
        (S3Request(method="GET", bucket="b", key="k", query={"partNumber": "1"}), "GetObjectPartNumber"),
        (S3Request(method="PUT", bucket="b", key="k", query={"legal-hold": ""}), "PutObjectLegalHold"),
        (S3Request(method="PATCH", bucket="", key=""), "PatchService"),
    ],
)
def test_an_operation_that_is_not_served_is_named(request_: S3Request, name: str) -> None:
    with pytest.raises(StoreError) as error:
        find_operation(request_)
    assert (error.value.s3_code, str(error.value)) == ("NotImplemented", f"localpipe's S3 does not implement {name}.")


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"authorization": "AWS4-HMAC-SHA256 Credential=KEY/20260101/us-east-1/s3/aws4_request, SignedHeaders=host"}, {}),
        ({"authorization": "AWS KEY:signature"}, {}),
        ({}, {"X-Amz-Credential": "KEY/20260101/us-east-1/s3/aws4_request"}),
        ({}, {"AWSAccessKeyId": "KEY", "Signature": "x"}),
    ],
)
def test_the_access_key_of_every_kind_of_signature(headers: dict[str, str], query: dict[str, str]) -> None:
    assert access_key(S3Request(method="GET", bucket="b", key="k", headers=headers, query=query)) == "KEY"
    assert access_key(S3Request(method="GET", bucket="b", key="k")) == ""


def test_documents_hold_any_text() -> None:
    body = xml_answer(("Root", [("Key", "<a&\x01\r")])).body
    assert body == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<Root xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Key>&lt;a&amp;&#1;&#13;</Key></Root>'
    )
    assert error_answer("NoSuchKey", "m", "/r").status == 404
    assert error_answer("Unheard", "m", "/r").status == 400

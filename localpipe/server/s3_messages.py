"""S3's requests and answers as values, and what both are made of: XML, ranges, conditions, dates. Pure.

Follows: Amazon S3 API Reference; botocore's service model of `s3`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO, TypeAlias
from xml.sax.saxutils import escape

from localpipe.core.names import S3Uri
from localpipe.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Xml: TypeAlias = "tuple[str, str | Sequence[Xml]]"
"""An element: its name, and its text or its children."""

US_EAST_1 = "us-east-1"
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_STATUS_OF_CODE = {
    "AccessDenied": HTTPStatus.FORBIDDEN,
    "BucketNotEmpty": HTTPStatus.CONFLICT,
    "InvalidRange": HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    "NoSuchBucket": HTTPStatus.NOT_FOUND,
    "NoSuchBucketPolicy": HTTPStatus.NOT_FOUND,
    "NoSuchCORSConfiguration": HTTPStatus.NOT_FOUND,
    "NoSuchKey": HTTPStatus.NOT_FOUND,
    "NoSuchLifecycleConfiguration": HTTPStatus.NOT_FOUND,
    "NoSuchPublicAccessBlockConfiguration": HTTPStatus.NOT_FOUND,
    "NoSuchTagSet": HTTPStatus.NOT_FOUND,
    "NoSuchUpload": HTTPStatus.NOT_FOUND,
    "NoSuchVersion": HTTPStatus.NOT_FOUND,
    "OwnershipControlsNotFoundError": HTTPStatus.NOT_FOUND,
    "NotImplemented": HTTPStatus.NOT_IMPLEMENTED,
    "PreconditionFailed": HTTPStatus.PRECONDITION_FAILED,
    "ServerSideEncryptionConfigurationNotFoundError": HTTPStatus.NOT_FOUND,
    "SlowDown": HTTPStatus.SERVICE_UNAVAILABLE,
}


@dataclass(frozen=True, kw_only=True)
class Received:
    """A body that has been received into a file. `md5` in hexadecimal digits."""

    path: Path
    size: int
    md5: str


@dataclass(frozen=True, kw_only=True)
class S3Request:
    """A request. `bucket` and `key` are "" where it names none; header names are in lower case.

    `body` is a small body, `received` the body of an object or part; no request has both. `region`: the endpoint's.
    """

    method: str
    bucket: str
    key: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    received: Received | None = None
    region: str = US_EAST_1

    @property
    def uri(self) -> S3Uri:
        """What it is about."""
        return S3Uri(self.bucket, self.key)


@dataclass(frozen=True, kw_only=True)
class Content:
    """`length` bytes of a file, from where it stands. Whoever sends it closes it."""

    file: BinaryIO
    length: int


@dataclass(frozen=True, kw_only=True)
class S3Answer:
    """An answer; `headers` name the length of a Content body."""

    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Content = b""


@dataclass(frozen=True, kw_only=True)
class ByteRange:
    """`length` bytes from `start`."""

    start: int
    length: int


def xml_answer(root: Xml) -> S3Answer:
    """A document as S3 sends it."""
    name, content = root
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{_NAMESPACE}">{_inner(content)}</{name}>'
    return S3Answer(headers={"content-type": "application/xml"}, body=text.encode())


def error_answer(code: str, message: str, resource: str, status: int | None = None) -> S3Answer:
    """An error as S3 sends it; `status` None: the one of the code, 400 if it has no other."""
    content: Sequence[Xml] = [("Code", code), ("Message", message), ("Resource", resource)]
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{_inner(content)}</Error>'
    return S3Answer(
        status=status or _STATUS_OF_CODE.get(code, HTTPStatus.BAD_REQUEST),
        headers={"content-type": "application/xml"},
        body=text.encode(),
    )


def foreign_key_text(access_key: str) -> str:
    """Why a request is refused that is signed with another access key than the endpoint's; "": with none."""
    signed = f"is signed with the access key {access_key!r}, not with the one" if access_key else "lacks the access key"
    return (
        f"The request {signed} that localpipe gave. If it comes from a job, the job's own Environment or code has replaced"
        " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: leave them out."
    )


def byte_range(header: str, size: int) -> ByteRange | None:
    """The bytes that a Range header asks for; None if it asks for none that S3 knows: then all are sent.

    Raises StoreError `InvalidRange` if there are no such bytes.
    """
    match = _RANGE.fullmatch(header.replace(" ", ""))
    if not match or not (match[1] or match[2]):
        return None
    first = int(match[1]) if match[1] else max(0, size - int(match[2]))
    last = int(match[2]) if match[1] and match[2] else size - 1
    if match[1] and last < first < size:
        return None
    if first >= size or (not match[1] and int(match[2]) == 0):
        raise StoreError("InvalidRange", f"The object has {size} bytes: {header} is not in it.")
    return ByteRange(start=first, length=min(last, size - 1) - first + 1)


def unmet_condition(headers: Mapping[str, str], etag: str, modified_at: float, prefix: str = "") -> HTTPStatus | None:
    """The status to answer if the conditions do not hold: PRECONDITION_FAILED, NOT_MODIFIED, or None if they do.

    `prefix` begins the header names ("x-amz-copy-source-"); `modified_at` in epoch seconds. Follows: RFC 9110, 13.2.2.
    """
    if_match, if_none_match = headers.get(f"{prefix}if-match"), headers.get(f"{prefix}if-none-match")
    if if_match is not None:
        if not _names_etag(if_match, etag):
            return HTTPStatus.PRECONDITION_FAILED
    elif _is_before(headers.get(f"{prefix}if-unmodified-since"), modified_at):
        return HTTPStatus.PRECONDITION_FAILED
    if if_none_match is not None:
        return HTTPStatus.NOT_MODIFIED if _names_etag(if_none_match, etag) else None
    since = headers.get(f"{prefix}if-modified-since")
    return HTTPStatus.NOT_MODIFIED if _is_date(since) and not _is_before(since, modified_at) else None


def http_date(at: float) -> str:
    """Epoch seconds as a header's date."""
    return formatdate(at, usegmt=True)


def _inner(content: str | Sequence[Xml]) -> str:
    if isinstance(content, str):
        return _CONTROL.sub(lambda match: f"&#{ord(match[0])};", escape(content))
    return "".join(f"<{name}>{_inner(inner)}</{name}>" for name, inner in content)


def _names_etag(header: str, etag: str) -> bool:
    return header.strip() == "*" or etag in {name.strip().removeprefix("W/").strip('"') for name in header.split(",")}


def _is_date(header: str | None) -> bool:
    try:
        return bool(header and parsedate_to_datetime(header))
    except ValueError:
        return False


def _is_before(header: str | None, modified_at: float) -> bool:
    """Whether the header's date, of whole seconds, is before the modification. No date is not."""
    return bool(header) and _is_date(header) and parsedate_to_datetime(str(header)).timestamp() < int(modified_at)

"""S3's operations on objects. Each takes the store and a request and gives the answer.

Follows: Amazon S3 API Reference, the operation of the same name.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlencode

from localpipe.core.names import S3Uri
from localpipe.core.times import iso_time
from localpipe.errors import StoreError
from localpipe.server.s3_buckets import FULL_CONTROL, check_bucket, parse_document
from localpipe.server.s3_messages import ByteRange, Content, S3Answer, byte_range, http_date, unmet_condition, xml_answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from xml.etree.ElementTree import Element

    from localpipe.core.ports import ObjectInfo, ObjectStore
    from localpipe.server.s3_messages import Received, S3Request, Xml

_DEFAULT_CONTENT_TYPE = "binary/octet-stream"
_USER_METADATA = "x-amz-meta-"
_SYSTEM_METADATA = ("cache-control", "content-disposition", "content-encoding", "content-language", "expires")
_SYSTEM = ":"
"""Begins the name under which a system header is kept among the user's metadata: no header name can hold it."""

_OVERRIDES = {f"response-{name}": name for name in (*_SYSTEM_METADATA, "content-type")}
_TAGS_HEADER = "x-amz-tagging"
_TAGS = f"{_SYSTEM}{_TAGS_HEADER}"
"""The name under which an object's tags are kept, as the query string that came in the header."""

_CONDITIONS = ("if-match", "if-none-match")
_CONDITIONAL_PUT = threading.Lock()


def get_object(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers GetObject."""
    check_version(request)
    info = find(store, request.uri)
    file = store.open(request.uri)
    try:
        size = os.fstat(file.fileno()).st_size
        answer = _without_content(store, request, info, size)
        if answer.status == HTTPStatus.NOT_MODIFIED:
            file.close()
            return answer
        part = _part(request, size)
        file.seek(part.start)
    except BaseException:
        file.close()
        raise
    return S3Answer(status=answer.status, headers=answer.headers, body=Content(file=file, length=part.length))


def head_object(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers HeadObject."""
    check_version(request)
    info = find(store, request.uri)
    return _without_content(store, request, info, info.size)


def put_object(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers PutObject."""
    check_bucket(store, request.bucket)
    received = body_of(request)
    if "x-amz-write-offset-bytes" in request.headers:
        raise StoreError("NotImplemented", "localpipe's S3 does not append to objects (x-amz-write-offset-bytes).")
    with put_conditions(store, request):
        store.put(
            request.uri,
            received.path,
            move=True,
            content_type=content_type_of(request.headers),
            metadata={**metadata_of(request.headers), **tags_of(request.headers)},
            etag=received.md5,
        )
    return S3Answer(headers={"etag": f'"{received.md5}"'})


def copy_object(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers CopyObject."""
    check_bucket(store, request.bucket)
    refuse_conditions(request.headers)
    source = copy_source(store, request)
    replaced = request.headers.get("x-amz-metadata-directive", "COPY").upper() == "REPLACE"
    if source.uri == request.uri and not replaced:
        raise StoreError("InvalidRequest", "An object can be copied to itself only if its metadata is replaced.")
    with store.open(source.uri) as content:
        copied = store.put(
            request.uri,
            content,
            content_type=content_type_of(request.headers) if replaced else source.content_type,
            metadata=_copied_metadata(request.headers, source, replaced=replaced),
        )
    return xml_answer(
        ("CopyObjectResult", [("LastModified", iso_time(copied.modified_at)), ("ETag", f'"{store.etag(copied)}"')])
    )


def delete_object(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers DeleteObject."""
    check_bucket(store, request.bucket)
    check_version(request)
    store.delete(request.uri)
    return S3Answer(status=HTTPStatus.NO_CONTENT)


def get_object_acl(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers GetObjectAcl: the owner's."""
    find(store, request.uri)
    return xml_answer(FULL_CONTROL)


def put_object_acl(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers PutObjectAcl, without effect."""
    find(store, request.uri)
    return S3Answer()


def get_object_tagging(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers GetObjectTagging."""
    tags = parse_qsl(find(store, request.uri).metadata.get(_TAGS, ""), keep_blank_values=True)
    elements: list[Xml] = [("Tag", [("Key", key), ("Value", value)]) for key, value in tags]
    return xml_answer(("Tagging", [("TagSet", elements)]))


def put_object_tagging(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers PutObjectTagging. The object is written anew with its tags, so its time changes."""
    tags = [(tag.findtext("{*}Key") or "", tag.findtext("{*}Value") or "") for tag in _tags(request)]
    _replace_tags(store, request.uri, {_TAGS: urlencode(tags)} if tags else {})
    return S3Answer()


def delete_object_tagging(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers DeleteObjectTagging. The object is written anew, so its time changes."""
    _replace_tags(store, request.uri, {})
    return S3Answer(status=HTTPStatus.NO_CONTENT)


def find(store: ObjectStore, uri: S3Uri) -> ObjectInfo:
    """The object. Raises StoreError `NoSuchBucket`, `NoSuchKey`."""
    info = store.head(uri)
    if info is None:
        check_bucket(store, uri.bucket)
        raise StoreError("NoSuchKey", f"There is no object {uri}.")
    return info


def check_version(request: S3Request) -> None:
    """Raises StoreError `NoSuchVersion`: an object has one version, `null`."""
    version = request.query.get("versionId", "null")
    if version != "null":
        raise StoreError("NoSuchVersion", f"{request.uri} has no version {version!r}: buckets here have no versioning.")


def copy_source(store: ObjectStore, request: S3Request) -> ObjectInfo:
    """The object that is to be copied, if it fulfils the request's conditions."""
    source, _, version = request.headers["x-amz-copy-source"].partition("?versionId=")
    bucket, _, key = unquote(source).removeprefix("/").partition("/")
    if not bucket or not key or version not in {"", "null"}:
        raise StoreError("InvalidArgument", f"{source!r} names no object to copy (bucket/key, without a version).")
    info = find(store, S3Uri(bucket, key))
    if _has_condition(request.headers, "x-amz-copy-source-") and unmet_condition(
        request.headers, store.etag(info), info.modified_at, "x-amz-copy-source-"
    ):
        raise StoreError("PreconditionFailed", f"The conditions do not hold for the source, {info.uri}.")
    return info


def body_of(request: S3Request) -> Received:
    """The object or part that was sent."""
    if request.received is None:
        raise StoreError("MissingRequestBodyError", "The request has no body.")
    return request.received


def refuse_conditions(headers: Mapping[str, str]) -> None:
    """Raises StoreError `NotImplemented` for conditions on what a copy or a new multipart upload would overwrite."""
    for name in _CONDITIONS:
        if name in headers:
            raise StoreError("NotImplemented", f"localpipe's S3 does not implement the header {name!r} of this operation.")


@contextmanager
def put_conditions(store: ObjectStore, request: S3Request) -> Iterator[None]:
    """Put an object within this block: the request's `If-Match` and `If-None-Match` hold for what the put overwrites.

    Conditional puts through this process wait for one another. Raises StoreError `PreconditionFailed`, `NoSuchKey`.
    """
    if not any(name in request.headers for name in _CONDITIONS):
        yield
        return
    with _CONDITIONAL_PUT:
        _check_overwritten(store, request)
        yield


def _check_overwritten(store: ObjectStore, request: S3Request) -> None:
    there = store.head(request.uri)
    if there is None and "if-match" in request.headers:
        raise StoreError("NoSuchKey", f"There is no object {request.uri}.")
    if there and unmet_condition(request.headers, store.etag(there), there.modified_at):
        raise StoreError("PreconditionFailed", f"The conditions do not hold for {request.uri}.")


def content_type_of(headers: Mapping[str, str]) -> str:
    """The one that was sent, else S3's default."""
    return headers.get("content-type") or _DEFAULT_CONTENT_TYPE


def metadata_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The user's metadata, and the system headers under names of our own."""
    user = {name.removeprefix(_USER_METADATA): value for name, value in headers.items() if name.startswith(_USER_METADATA)}
    system = {f"{_SYSTEM}{name}": headers[name] for name in _SYSTEM_METADATA if name in headers}
    encoding = [part.strip() for part in headers.get("content-encoding", "").split(",")]
    kept = ",".join(part for part in encoding if part and part != "aws-chunked")
    system.pop(f"{_SYSTEM}content-encoding", None)
    return {**user, **system, **({f"{_SYSTEM}content-encoding": kept} if kept else {})}


def tags_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The tags that a put came with, as they are kept in an object's metadata; empty if there are none."""
    return {_TAGS: headers[_TAGS_HEADER]} if headers.get(_TAGS_HEADER) else {}


def _copied_metadata(headers: Mapping[str, str], source: ObjectInfo, *, replaced: bool) -> dict[str, str]:
    """Metadata and tags of a copy: each the source's unless its own directive says otherwise."""
    kept = metadata_of(headers) if replaced else {name: text for name, text in source.metadata.items() if name != _TAGS}
    if headers.get("x-amz-tagging-directive", "COPY").upper() == "REPLACE":
        return {**kept, **tags_of(headers)}
    return {**kept, **{name: text for name, text in source.metadata.items() if name == _TAGS}}


def _tags(request: S3Request) -> list[Element]:
    return parse_document(request.body).findall("{*}TagSet/{*}Tag")


def _replace_tags(store: ObjectStore, uri: S3Uri, tags: Mapping[str, str]) -> None:
    info = find(store, uri)
    others = {name: text for name, text in info.metadata.items() if name != _TAGS}
    with store.open(uri) as content:
        store.put(uri, content, content_type=info.content_type, metadata={**others, **tags}, etag=store.etag(info))


def _without_content(store: ObjectStore, request: S3Request, info: ObjectInfo, size: int) -> S3Answer:
    """Status and headers of GetObject and HeadObject."""
    etag = store.etag(info)
    unmet = unmet_condition(request.headers, etag, info.modified_at)
    if unmet is HTTPStatus.PRECONDITION_FAILED:
        raise StoreError("PreconditionFailed", f"The conditions do not hold for {info.uri}.")
    headers = {"etag": f'"{etag}"', "last-modified": http_date(info.modified_at), "accept-ranges": "bytes"}
    if unmet:
        return S3Answer(status=unmet, headers=headers)
    headers |= {"content-type": info.content_type, "content-length": str(size)}
    headers |= dict(_metadata_header(name, value) for name, value in info.metadata.items() if name != _TAGS)
    if _TAGS in info.metadata:
        headers["x-amz-tagging-count"] = str(len(parse_qsl(info.metadata[_TAGS], keep_blank_values=True)))
    headers |= {name: request.query[override] for override, name in _OVERRIDES.items() if override in request.query}
    part = byte_range(request.headers.get("range", ""), size)
    if part is None:
        return S3Answer(headers=headers)
    headers["content-length"] = str(part.length)
    headers["content-range"] = f"bytes {part.start}-{part.start + part.length - 1}/{size}"
    return S3Answer(status=HTTPStatus.PARTIAL_CONTENT, headers=headers)


def _part(request: S3Request, size: int) -> ByteRange:
    return byte_range(request.headers.get("range", ""), size) or ByteRange(start=0, length=size)


def _metadata_header(name: str, value: str) -> tuple[str, str]:
    return (name.removeprefix(_SYSTEM), value) if name.startswith(_SYSTEM) else (f"{_USER_METADATA}{name}", value)


def _has_condition(headers: Mapping[str, str], prefix: str) -> bool:
    return any(name.startswith(f"{prefix}if-") for name in headers)

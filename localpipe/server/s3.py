"""The S3 endpoint: boto3's calls over an `ObjectStore`, path-style, streaming both ways.

This file is the door: it finds the operation, checks the access key, receives bodies and sends answers. What the operations
mean is in `s3_buckets.py`, `s3_configurations.py`, `s3_objects.py` and `s3_uploads.py`; they block and run in threads. What
is not served is refused by name with S3's `NotImplemented`.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qsl, unquote_to_bytes

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from localpipe.core.ports import ObjectStore
from localpipe.errors import HomeUnusable, StoreError
from localpipe.server import s3_buckets, s3_configurations, s3_objects, s3_uploads
from localpipe.server.s3_body import receive_document, receive_file
from localpipe.server.s3_configurations import CONFIGURATIONS, DELETABLE
from localpipe.server.s3_messages import US_EAST_1, Content, S3Answer, S3Request, error_answer, foreign_key_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

Operation: TypeAlias = Callable[[ObjectStore, S3Request], S3Answer]

_logger = logging.getLogger(__name__)
_BLOCK_BYTES = 1024 * 1024
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/|^AWS ([^:\s]+):")
_COPY_SOURCE = "x-amz-copy-source"

_SERVICE, _BUCKET, _OBJECT = "", "Bucket", "Object"
_SUBRESOURCES = {
    _SERVICE: (),
    _BUCKET: (
        *("accelerate", "acl", "analytics", "cors", "delete", "encryption", "intelligent-tiering", "inventory", "lifecycle"),
        *("location", "logging", "metrics", "notification", "object-lock", "ownershipControls", "policy", "policyStatus"),
        *("publicAccessBlock", "replication", "requestPayment", "session", "tagging", "uploads", "versioning", "versions"),
        "website",
    ),
    _OBJECT: (
        *("acl", "attributes", "legal-hold", "restore", "retention", "select", "tagging", "torrent", "uploadId", "uploads"),
        *("partNumber", "append", "renameObject"),
    ),
}
"""The query parameters that make another operation of a request; of several, the first counts."""


_OPERATIONS: Mapping[tuple[str, str, str], Operation] = {
    ("GET", _SERVICE, ""): s3_buckets.list_buckets,
    ("PUT", _BUCKET, ""): s3_buckets.create_bucket,
    ("HEAD", _BUCKET, ""): s3_buckets.head_bucket,
    ("DELETE", _BUCKET, ""): s3_buckets.delete_bucket,
    ("GET", _BUCKET, ""): s3_buckets.list_objects,
    ("GET", _BUCKET, "list-type"): s3_buckets.list_objects_v2,
    ("POST", _BUCKET, "delete"): s3_buckets.delete_objects,
    ("GET", _BUCKET, "acl"): s3_buckets.get_bucket_acl,
    ("PUT", _BUCKET, "acl"): s3_buckets.put_bucket_acl,
    ("GET", _BUCKET, "location"): s3_buckets.get_location,
    ("GET", _BUCKET, "uploads"): s3_uploads.list_uploads,
    **{("GET", _BUCKET, name): s3_configurations.get_configuration for name in CONFIGURATIONS},
    **{("PUT", _BUCKET, name): s3_configurations.put_configuration for name in CONFIGURATIONS},
    **{("DELETE", _BUCKET, name): s3_configurations.delete_configuration for name in DELETABLE},
    ("GET", _OBJECT, ""): s3_objects.get_object,
    ("HEAD", _OBJECT, ""): s3_objects.head_object,
    ("PUT", _OBJECT, ""): s3_objects.put_object,
    ("PUT", _OBJECT, _COPY_SOURCE): s3_objects.copy_object,
    ("DELETE", _OBJECT, ""): s3_objects.delete_object,
    ("GET", _OBJECT, "acl"): s3_objects.get_object_acl,
    ("PUT", _OBJECT, "acl"): s3_objects.put_object_acl,
    ("GET", _OBJECT, "tagging"): s3_objects.get_object_tagging,
    ("PUT", _OBJECT, "tagging"): s3_objects.put_object_tagging,
    ("DELETE", _OBJECT, "tagging"): s3_objects.delete_object_tagging,
    ("POST", _OBJECT, "uploads"): s3_uploads.create_upload,
    ("PUT", _OBJECT, "uploadId"): s3_uploads.upload_part,
    ("PUT", _OBJECT, f"uploadId {_COPY_SOURCE}"): s3_uploads.copy_part,
    ("POST", _OBJECT, "uploadId"): s3_uploads.complete_upload,
    ("DELETE", _OBJECT, "uploadId"): s3_uploads.abort_upload,
    ("GET", _OBJECT, "uploadId"): s3_uploads.list_parts,
}
_TAKE_FILES = (s3_objects.put_object, s3_uploads.upload_part)
_BEGIN_OBJECTS = (s3_objects.put_object, s3_objects.copy_object, s3_uploads.create_upload)


@dataclass(frozen=True, kw_only=True)
class _Endpoint:
    store: ObjectStore
    secret: str | None
    makes_buckets: bool
    region: str


def s3_app(store: ObjectStore, *, secret: str | None, makes_buckets: bool = False, region: str = US_EAST_1) -> ASGIApp:
    """The endpoint as an ASGI application.

    `secret`: the access key id that requests must be signed with (the signature itself is not checked); None lets everyone
    in, for an endpoint that only this machine reaches. `makes_buckets`: an object that is put makes its bucket, since a
    local S3 cannot know which buckets an account has. Reading from a bucket that is not there fails in any case.
    `region`: of the buckets that were not made with another.
    """
    endpoint = _Endpoint(store=store, secret=secret, makes_buckets=makes_buckets, region=region)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            answer = await _answer(endpoint, request)
        except ClientDisconnect:
            return
        await _send(answer, request.method, scope, receive, send)

    return app


def find_operation(request: S3Request) -> Operation:
    """The operation that a request asks for. Raises StoreError `NotImplemented`, naming it."""
    level = _OBJECT if request.key else _BUCKET if request.bucket else _SERVICE
    subresource = next((name for name in _SUBRESOURCES[level] if name in request.query), "")
    variant = subresource
    if level is _BUCKET and not subresource and request.query.get("list-type") == "2":
        variant = "list-type"
    elif request.method == "PUT" and _COPY_SOURCE in request.headers:
        variant = f"{subresource} {_COPY_SOURCE}".strip()
    operation = _OPERATIONS.get((request.method, level, variant))
    if operation is None:
        words = "".join(word[:1].upper() + word[1:] for word in subresource.split("-"))
        name = f"{request.method.capitalize()}{level or 'Service'}{words}"
        raise StoreError("NotImplemented", f"localpipe's S3 does not implement {name}.")
    return operation


def access_key(request: S3Request) -> str:
    """The access key id that a request is signed with, in a header or a presigned URL; "" if it is not signed."""
    match = _CREDENTIAL.search(request.headers.get("authorization", ""))
    if match:
        return str(match[1] or match[2])
    return request.query.get("X-Amz-Credential", "").partition("/")[0] or request.query.get("AWSAccessKeyId", "")


async def _answer(endpoint: _Endpoint, request: Request) -> S3Answer:
    """The answer to a request, errors included. Raises ClientDisconnect."""
    path = request.scope["raw_path"].decode("latin-1")
    try:
        asked = _parse(request, endpoint.region)
        key = access_key(asked)
        if endpoint.secret is not None and not hmac.compare_digest(key.encode(), endpoint.secret.encode()):
            raise StoreError("AccessDenied", foreign_key_text(key))
        return await _perform(endpoint, asked, request)
    except StoreError as error:
        return error_answer(error.s3_code, str(error), path)
    except (HomeUnusable, OSError) as error:  # 507, unlike 500, is not tried again by clients
        return error_answer("InternalError", str(error), path, HTTPStatus.INSUFFICIENT_STORAGE)
    except ClientDisconnect:
        raise
    except Exception:  # the door of the endpoint: a bug of ours must not look like a broken connection
        _logger.exception("%s %s", request.method, path)
        return error_answer("InternalError", "A bug in localpipe's S3; its log has the traceback.", path, 500)


async def _perform(endpoint: _Endpoint, asked: S3Request, request: Request) -> S3Answer:
    store, operation = endpoint.store, find_operation(asked)
    if endpoint.makes_buckets and operation in _BEGIN_OBJECTS:
        await asyncio.to_thread(s3_buckets.make_bucket, store, asked.bucket)
    if operation not in _TAKE_FILES:
        body = await receive_document(request.stream(), asked.headers)
        return await asyncio.to_thread(operation, store, replace(asked, body=body))
    scratch = await asyncio.to_thread(store.scratch_dir)
    received = await receive_file(request.stream(), asked.headers, scratch)
    try:
        return await asyncio.to_thread(operation, store, replace(asked, received=received))
    finally:
        received.path.unlink(missing_ok=True)


def _parse(request: Request, region: str) -> S3Request:
    """The request without its body. The raw path counts: a normalised one would change keys."""
    try:
        path = unquote_to_bytes(request.scope["raw_path"]).decode()
        query = dict(parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError as error:
        raise StoreError("InvalidURI", "The request's path or query is not UTF-8.") from error
    bucket, _, key = path.removeprefix("/").partition("/")
    headers = dict(request.headers)
    return S3Request(method=request.method, bucket=bucket, key=key, query=query, headers=headers, region=region)


async def _send(answer: S3Answer, method: str, scope: Scope, receive: Receive, send: Send) -> None:
    if not isinstance(answer.body, Content):
        body = b"" if method == "HEAD" else answer.body
        await Response(body, answer.status, answer.headers)(scope, receive, send)
        return
    try:
        await StreamingResponse(_blocks(answer.body), answer.status, answer.headers)(scope, receive, send)
    finally:
        answer.body.file.close()


async def _blocks(content: Content) -> AsyncIterator[bytes]:
    left = content.length
    while left:
        block = await asyncio.to_thread(content.file.read, min(left, _BLOCK_BYTES))
        if not block:
            raise EOFError("an object was cut short while it was sent")
        left -= len(block)
        yield block

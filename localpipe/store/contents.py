"""What follows from an object's name and content: content types and digests."""

from __future__ import annotations

import hashlib
import mimetypes
import posixpath
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from localpipe.core.names import S3Uri

DEFAULT_CONTENT_TYPE = "binary/octet-stream"
"""S3's own. Follows: Amazon S3 API Reference, "PutObject"."""

_BLOCK_BYTES = 1024 * 1024
_TABLE = mimetypes.MimeTypes()
"""Python's own table: the machine's files would make the answer differ from one to the next."""


def content_type_of(key: str) -> str:
    """The content type that a file of this name has, S3's default if none is known."""
    suffix = posixpath.splitext(key)[1].lower()
    if suffix == ".gz":
        return "application/gzip"
    return _TABLE.types_map[True].get(suffix, DEFAULT_CONTENT_TYPE)


def md5_of(content: BinaryIO) -> str:
    """The md5 of the rest of a file, in hexadecimal digits."""
    digest = hashlib.md5(usedforsecurity=False)
    while block := content.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


def opaque_etag(uri: S3Uri, modified_at: float, size: int, part_bytes: int) -> str:
    """An ETag that changes with the content, without reading it. `-<parts>` says, as on S3, that it is no md5."""
    digest = hashlib.md5(f"{uri} {modified_at} {size}".encode(), usedforsecurity=False)
    return f"{digest.hexdigest()}-{max(1, -(-size // part_bytes))}"

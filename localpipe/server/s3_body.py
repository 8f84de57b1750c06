"""Bodies on their way in: `aws-chunked` decoding, and files that hold what came. Memory stays at a block or two.

Follows: Amazon S3 API Reference, "Signature Calculations: Transferring Payload in Multiple Chunks" and "Including trailing
headers". The checksums of chunks and trailers are not verified; Content-MD5 is.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import secrets
from enum import Enum, auto
from typing import TYPE_CHECKING

from localpipe.errors import StoreError
from localpipe.server.s3_messages import Received

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

_BLOCK_BYTES = 1024 * 1024
_LARGEST_DOCUMENT_BYTES = 8 * 1024 * 1024
_LINE_LIMIT_BYTES = 16 * 1024
_SIZE_LINE = re.compile(rb"([0-9a-fA-F]{1,16})(?:;[^\r\n]*)?")


class _Expect(Enum):
    SIZE = auto()
    DATA = auto()
    END_OF_DATA = auto()
    TRAILER = auto()


class ChunkDecoder:
    """Takes the encoded bytes in pieces of any size and gives the decoded ones. Mutable: holds an unfinished line."""

    def __init__(self) -> None:
        self._expect, self._left, self._line = _Expect.SIZE, 0, b""

    @property
    def complete(self) -> bool:
        """Whether the last chunk has come."""
        return self._expect is _Expect.TRAILER

    def decode(self, data: bytes) -> bytes:
        """What `data` adds to the body. Raises StoreError `InvalidRequest`."""
        decoded = []
        while data and not self.complete:
            if self._expect is _Expect.DATA:
                decoded.append(data[: self._left])
                data = data[len(decoded[-1]) :]
                self._left -= len(decoded[-1])
                if not self._left:
                    self._expect = _Expect.END_OF_DATA
            else:
                data = self._read_line(data)
        return b"".join(decoded)

    def _read_line(self, data: bytes) -> bytes:
        """Take a line, or what there is of it; return the rest."""
        line, newline, rest = data.partition(b"\n")
        self._line += line
        if newline:
            self._take_line(self._line.removesuffix(b"\r"))
            self._line = b""
        elif len(self._line) > _LINE_LIMIT_BYTES:
            raise StoreError("InvalidRequest", "The body is not aws-chunked: a chunk begins with an endless line.")
        return rest

    def _take_line(self, line: bytes) -> None:
        if self._expect is _Expect.END_OF_DATA and not line:
            self._expect = _Expect.SIZE
            return
        match = _SIZE_LINE.fullmatch(line)
        if self._expect is not _Expect.SIZE or not match:
            raise StoreError("InvalidRequest", f"The body is not aws-chunked: {line[:40]!r} is not the size of a chunk.")
        self._left = int(match[1], 16)
        self._expect = _Expect.DATA if self._left else _Expect.TRAILER


async def receive_document(stream: AsyncIterator[bytes], headers: Mapping[str, str]) -> bytes:
    """A small body, whole. Raises StoreError if it is not small."""
    decoder = _decoder(headers)
    body = b""
    async for piece in stream:
        body += decoder.decode(piece) if decoder else piece
        if len(body) > _LARGEST_DOCUMENT_BYTES:
            raise StoreError("MaxMessageLengthExceeded", "The request's document is too large.")
    return body


async def receive_file(stream: AsyncIterator[bytes], headers: Mapping[str, str], directory: Path) -> Received:
    """A body of any size, in a new file that the caller owns. Raises StoreError, OSError; then there is no file."""
    decoder = _decoder(headers)
    spool = _Spool(directory / secrets.token_hex(8))
    try:
        async for piece in stream:
            if spool.add(decoder.decode(piece) if decoder else piece):
                await asyncio.to_thread(spool.flush)
        received = await asyncio.to_thread(spool.finish)
        if decoder and not decoder.complete:
            raise StoreError("IncompleteBody", "The body ends before its last chunk.")
        _check(received, headers)
    except BaseException:
        spool.discard()
        raise
    return received


class _Spool:
    """Collects blocks, writes them to a file and digests them. Mutable: one request owns it."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, path.open("wb")
        self._digest = hashlib.md5(usedforsecurity=False)
        self._pieces: list[bytes] = []
        self._waiting, self._size = 0, 0

    def add(self, piece: bytes) -> bool:
        """Whether it is time to flush."""
        self._pieces.append(piece)
        self._waiting += len(piece)
        return self._waiting >= _BLOCK_BYTES

    def flush(self) -> None:
        for piece in self._pieces:
            self._file.write(piece)
            self._digest.update(piece)
        self._size += self._waiting
        self._pieces, self._waiting = [], 0

    def finish(self) -> Received:
        self.flush()
        self._file.close()
        return Received(path=self._path, size=self._size, md5=self._digest.hexdigest())

    def discard(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


def _decoder(headers: Mapping[str, str]) -> ChunkDecoder | None:
    streaming = headers.get("x-amz-content-sha256", "").startswith("STREAMING-")
    return ChunkDecoder() if streaming or "aws-chunked" in headers.get("content-encoding", "") else None


def _check(received: Received, headers: Mapping[str, str]) -> None:
    length = headers.get("x-amz-decoded-content-length")
    if length is not None and length != str(received.size):
        raise StoreError("IncompleteBody", f"The body has {received.size} bytes, but {length} were announced.")
    md5 = headers.get("content-md5")
    if md5 is not None and md5 != base64.b64encode(bytes.fromhex(received.md5)).decode():
        raise StoreError("BadDigest", "The body does not have the Content-MD5 that was announced.")

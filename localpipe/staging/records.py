"""The bytes that a Pipe channel streams: objects and values one after the other, framed as RecordIO where asked.

RecordIO is MXNet's record format (dmlc-core, `recordio.h`): a magic number, a word that holds the length in its lower 29
bits, the payload, zeros up to a multiple of 4. The upper 3 bits are 0: a whole record. Readers go by the length, so a
payload that holds the magic number is not split.
"""

from __future__ import annotations

import gzip
import io
import random
import struct
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, TypeVar, cast

from typing_extensions import assert_never

from localpipe.core.names import S3Uri
from localpipe.errors import JobFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from localpipe.core.jobspec import Channel
    from localpipe.core.ports import ObjectStore
    from localpipe.staging.manifests import Attribute

_MAGIC = 0xCED7230A
_LENGTH_LIMIT = 1 << 29
_ALIGNMENT = 4
_CHUNK_BYTES = 1 << 20
_T = TypeVar("_T")


def shuffled(lines: Sequence[_T], seed: int, epoch: int) -> Sequence[_T]:
    """The order of one epoch; the same for the same seed, on every host. Follows: containers.md 2.4."""
    order = list(lines)
    random.Random(f"{seed} {epoch}").shuffle(order)  # noqa: S311 - an order, not a secret
    return order


def stream(value: Attribute, channel: Channel, store: ObjectStore) -> Iterator[bytes]:
    """The bytes of one object, unpacked if the channel is gzip, or of one value of an augmented manifest.

    Raises JobFailed, naming the object, if it is not gzip or too long for a record; StoreError if it is gone.
    """
    match value:
        case bytes():
            yield from _framed([value], len(value)) if channel.record_io else [value]
        case S3Uri():
            with _opened(value, channel, store) as content:
                yield from _record(value, channel, content) if channel.record_io else _chunks(content)
        case _:
            assert_never(value)


@contextmanager
def _opened(uri: S3Uri, channel: Channel, store: ObjectStore) -> Iterator[BinaryIO]:
    with store.open(uri) as stored:
        if not channel.gunzip:
            yield stored
            return
        try:
            with gzip.open(stored) as unpacked:
                yield cast("BinaryIO", unpacked)  # a GzipFile is one, but is not typed as one
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise JobFailed(f"Input {channel.name!r}: object {uri} cannot be unpacked as gzip: {error}.") from error


def _record(uri: S3Uri, channel: Channel, content: BinaryIO) -> Iterator[bytes]:
    length = _length(content)
    if length >= _LENGTH_LIMIT:
        raise JobFailed(
            f"Input {channel.name!r}: object {uri} has {length} bytes; a RecordIO record holds less than {_LENGTH_LIMIT}."
        )
    yield from _framed(_chunks(content), length)


def _length(content: BinaryIO) -> int:
    """How much there is to read; a packed object is unpacked once for it, so that none need fit into memory."""
    length = content.seek(0, io.SEEK_END)
    content.seek(0)
    return length


def _chunks(content: BinaryIO) -> Iterator[bytes]:
    while chunk := content.read(_CHUNK_BYTES):
        yield chunk


def _framed(payload: Iterable[bytes], length: int) -> Iterator[bytes]:
    yield struct.pack("<II", _MAGIC, length)
    yield from payload
    yield b"\0" * (-length % _ALIGNMENT)

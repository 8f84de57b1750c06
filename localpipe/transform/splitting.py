"""From the bytes of an object to its records. Follows: containers.md 3.5."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from localpipe.core.transform import SplitType
from localpipe.errors import JobFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_RECORD_IO_MAGIC = 0xCED7230A
_RECORD_IO_HEAD = struct.Struct("<II")
_RECORD_IO_LENGTH = (1 << 29) - 1
_RECORD_IO_PARTS = {0: True, 1: False, 2: False, 3: True}
"""What the upper three bits of a length say of a part: whether the record ends with it."""
_TF_RECORD_HEAD = struct.Struct("<QI")  # length and its checksum
_TF_RECORD_TAIL_BYTES = 4

TOO_LARGE = "Too much data for max payload size"
"""In the service's words."""


def split(chunks: Iterable[bytes], kind: SplitType, limit_bytes: int | None) -> Iterator[bytes]:
    """Yield the records of an object that comes in pieces, with no more of it in memory than a record and a piece.

    Lines come without their newline; the other kinds with their framing, as containers expect them.
    Raises JobFailed for a record beyond the limit (None: there is none) and for an object that is not of that kind.
    """
    match kind:
        case SplitType.NONE:
            yield _whole(chunks, limit_bytes)
        case SplitType.LINE:
            yield from _lines(chunks, limit_bytes)
        case SplitType.RECORD_IO:
            yield from _record_io(_Reader(chunks), limit_bytes)
        case SplitType.TF_RECORD:
            yield from _tf_records(_Reader(chunks), limit_bytes)
        case _:
            assert_never(kind)


def _whole(chunks: Iterable[bytes], limit_bytes: int | None) -> bytes:
    pieces, size = [], 0
    for chunk in chunks:
        size += len(chunk)
        _check(size, limit_bytes)
        pieces.append(chunk)
    return b"".join(pieces)


def _lines(chunks: Iterable[bytes], limit_bytes: int | None) -> Iterator[bytes]:
    rest, size = list[bytes](), 0
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        rest.append(first)
        size += len(first)
        for line in others:
            _check(size, limit_bytes)
            yield b"".join(rest)
            rest, size = [line], len(line)
        _check(size, limit_bytes)
    if size:
        yield b"".join(rest)


def _record_io(reader: _Reader, limit_bytes: int | None) -> Iterator[bytes]:
    """A record may be in parts, of which each is padded to four bytes."""
    parts, size = list[bytes](), 0
    while head := reader.read(_RECORD_IO_HEAD.size, "RecordIO", at_a_start=not parts):
        magic, word = _RECORD_IO_HEAD.unpack(head)
        part, length = word >> 29, word & _RECORD_IO_LENGTH
        if magic != _RECORD_IO_MAGIC or part not in _RECORD_IO_PARTS:
            raise JobFailed("The object is not RecordIO.")
        _check(size + length, limit_bytes)
        parts += head, reader.read(length + -length % 4, "RecordIO")
        size += len(head) + len(parts[-1])
        if _RECORD_IO_PARTS[part]:
            yield b"".join(parts)
            parts, size = [], 0


def _tf_records(reader: _Reader, limit_bytes: int | None) -> Iterator[bytes]:
    while head := reader.read(_TF_RECORD_HEAD.size, "TFRecord", at_a_start=True):
        length, _ = _TF_RECORD_HEAD.unpack(head)
        _check(length, limit_bytes)
        yield head + reader.read(length + _TF_RECORD_TAIL_BYTES, "TFRecord")


def _check(size: int, limit_bytes: int | None) -> None:
    if limit_bytes is not None and size > limit_bytes:
        raise JobFailed(TOO_LARGE)


class _Reader:
    """Pieces read by length. Mutable: holds what of the last piece was not read yet."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._rest = iter(chunks), memoryview(b"")

    def read(self, length: int, kind: str, *, at_a_start: bool = False) -> bytes:
        """So many bytes; none at the end of the object, which may come `at_a_start` only. Raises JobFailed."""
        pieces, lacking = list[memoryview](), length
        while lacking and (self._rest or self._goes_on()):
            piece, self._rest = self._rest[:lacking], self._rest[lacking:]
            pieces.append(piece)
            lacking -= len(piece)
        if lacking and (pieces or not at_a_start):
            raise JobFailed(f"The object ends within a {kind} record.")
        return b"".join(pieces)

    def _goes_on(self) -> bool:
        self._rest = memoryview(next(self._chunks, b""))
        return bool(self._rest)

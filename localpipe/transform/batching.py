"""From records to the payloads of requests. Follows: containers.md 3.5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.core.transform import SplitType
from localpipe.errors import JobFailed
from localpipe.transform.splitting import TOO_LARGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


@dataclass(frozen=True)
class Record:
    """A record as it stands in its object, and what of it is sent to the model."""

    original: bytes
    sent: bytes


def separator_of(split: SplitType) -> bytes:
    """What stands between the records of a payload; framed records need nothing."""
    return b"\n" if split is SplitType.LINE else b""


def batches(
    records: Iterable[Record], *, single: bool, separator: bytes, limit_bytes: int | None
) -> Iterator[tuple[Record, ...]]:
    """Yield the records of one payload after the other: one, or as many whole ones as fit into the limit.

    Sizes are those of the bodies, in bytes. Raises JobFailed for a record that is too large alone.
    """
    waiting: list[Record] = []
    size = 0
    for record in records:
        length = len(record.sent)
        if limit_bytes is not None and length > limit_bytes:
            raise JobFailed(TOO_LARGE)
        grown = size + len(separator) + length if waiting else length
        if waiting and (single or (limit_bytes is not None and grown > limit_bytes)):
            yield tuple(waiting)
            waiting, grown = [], length
        waiting.append(record)
        size = grown
    if waiting:
        yield tuple(waiting)


def body_of(batch: Sequence[Record], separator: bytes) -> bytes:
    """The body of a payload's request: separators stand between records only."""
    return separator.join(record.sent for record in batch)

"""From the objects of a transform job to the requests that its model is sent. Follows: containers.md 3.5."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from localpipe.core.transform import BatchStrategy, SplitType
from localpipe.transform.batching import batches, body_of, separator_of
from localpipe.transform.splitting import split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from localpipe.core.names import S3Uri
    from localpipe.core.transform import TransformSpec
    from localpipe.engine.invocations import Body
    from localpipe.staging import Stager
    from localpipe.transform.batching import Record
    from localpipe.transform.outputs import Processing
    from localpipe.transform.tunables import Tunables

_PIECE_BYTES = 1 << 16


@dataclass(frozen=True)
class Payload:
    """One request to the model. `originals`: its records as they stand in their object, as often as they are asked for."""

    originals: Callable[[], Iterable[bytes]]
    body: Body


@dataclass(frozen=True)
class Payloads:
    """Makes the requests of one job."""

    spec: TransformSpec
    tunables: Tunables
    processing: Processing
    stager: Stager

    def of(self, source: S3Uri) -> Iterator[Payload]:
        """The payloads of an object, as it is read. Raises JobFailed for one that cannot be transformed."""
        spec, limit = self.spec, self.tunables.limit_bytes
        single = self.tunables.strategy is BatchStrategy.SINGLE_RECORD
        if limit is None and (spec.split is SplitType.NONE or not single):
            yield self._whole(source)
            return
        separator = separator_of(spec.split)
        records = map(self.processing.record, split(self._read(source), spec.split, limit))
        for batch in batches(records, single=single, separator=separator, limit_bytes=limit):
            yield Payload(partial(_originals, batch), body_of(batch, separator))

    def _whole(self, source: S3Uri) -> Payload:
        """An object as one body, however long: read as it is sent, and again for what is asked again."""
        if self.spec.split is SplitType.LINE:
            return Payload(lambda: split(self._read(source), SplitType.LINE, None), lambda: self._filtered(source))
        if self.processing.input_path:
            record = self.processing.record(b"".join(self._read(source)))
            return Payload(lambda: [record.original], lambda: [record.sent])
        return Payload(lambda: self._read(source), lambda: self._read(source))

    def _filtered(self, source: S3Uri) -> Iterator[bytes]:
        if not self.processing.input_path:
            yield from self._read(source)
            return
        records = map(self.processing.record, split(self._read(source), SplitType.LINE, None))
        yield from _in_pieces(records, separator_of(SplitType.LINE))

    def _read(self, source: S3Uri) -> Iterator[bytes]:
        return self.stager.read(source, self.spec.source)


def _originals(batch: Sequence[Record]) -> Iterator[bytes]:
    return (record.original for record in batch)


def _in_pieces(records: Iterable[Record], separator: bytes) -> Iterator[bytes]:
    """The body of many records, not one chunk for each."""
    piece, first = bytearray(), True
    for record in records:
        piece += record.sent if first else separator + record.sent
        first = False
        if len(piece) >= _PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)

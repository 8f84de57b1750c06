"""What is written for an input object: its name, and responses put together. Follows: containers.md 3.5, 3.6, 3.7."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from localpipe.core.transform import SplitType
from localpipe.errors import JobFailed
from localpipe.transform.batching import Record
from localpipe.transform.forms import FORM_NAMES, Form, filtered, form_of, joined
from localpipe.transform.json_paths import parse_json_path
from localpipe.transform.splitting import split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from localpipe.core.names import S3Uri
    from localpipe.core.transform import TransformSpec
    from localpipe.transform.json_paths import JsonPath

_NEWLINE = b"\n"


def output_uri(output: S3Uri, prefix: S3Uri, source: S3Uri) -> S3Uri:
    """Where the output of an object goes: its path below the input's prefix, or its own name, with `.out` added.

    UNVERIFIED: a prefix that is no folder is cut at its last slash.
    """
    key, folder = source.key, prefix.key if prefix.key.endswith("/") or not prefix.key else f"{prefix.key}/"
    if not key.startswith(folder):
        folder = prefix.key[: prefix.key.rfind("/") + 1]
    return output.child(f"{key[len(folder) :]}.out")


@dataclass(frozen=True, kw_only=True)
class Processing:
    """A job's DataProcessing, made ready. `in_form`: of the input, None if filters and joins do not understand it.

    `by_rows`: records are lines, else documents; CSV is taken by its rows in any case. `lines`: AssembleWith is Line.
    """

    input_path: JsonPath
    output_path: JsonPath
    joins: bool
    in_form: Form | None
    by_rows: bool
    lines: bool

    @classmethod
    def of(cls, spec: TransformSpec) -> Processing:
        """Raises JobFailed for a filter that is no path."""
        wanted, form = spec.processing, form_of(spec.content_type)
        try:
            input_path, output_path = map(parse_json_path, (wanted.input_filter, wanted.output_filter))
        except ValueError as error:
            raise JobFailed(str(error)) from error
        return cls(
            input_path=input_path,
            output_path=output_path,
            joins=wanted.joins_input,
            in_form=form,
            by_rows=spec.split is SplitType.LINE,
            lines=spec.assembles_lines,
        )

    def record(self, original: bytes) -> Record:
        """A record as it is sent. Raises JobFailed where the filter finds nothing in it."""
        if not self.input_path:
            return Record(original, original)
        form = _understood(self.in_form, "input")
        rows = _rows([original]) if form is Form.CSV and not self.by_rows else [original]
        return Record(original, _NEWLINE.join(filtered(row, self.input_path, form) for row in rows))

    def output(self, originals: Iterable[bytes], response: Iterable[bytes], content_type: str) -> Iterator[bytes]:
        """Yield what is written for a payload: of the response, in pieces, what the job asks for.

        UNVERIFIED: AssembleWith Line adds no second newline to a response that ends with one. `originals` are the records of
        the payload. Raises JobFailed for a response that cannot be filtered or joined.
        """
        pieces = self._processed(originals, response, content_type) if self.joins or self.output_path else response
        last = b""
        for piece in pieces:
            if piece:
                last = piece
                yield piece
        if self.lines and not last.endswith(_NEWLINE):
            yield _NEWLINE

    def _processed(self, originals: Iterable[bytes], response: Iterable[bytes], content_type: str) -> Iterator[bytes]:
        form = _understood(form_of(content_type), "output")
        if self.joins and form is not self.in_form:
            raise JobFailed(f"Input and output cannot be joined: the output is {form.name}, the input is not.")
        if not self.by_rows and form is Form.JSON:
            yield self._row(b"".join(originals), b"".join(response), form)
            return
        rows = _rows(response)
        for original, row in self._pairs(originals, rows) if self.joins else ((b"", row) for row in rows):
            yield self._row(original, row, form)
            yield _NEWLINE

    def _pairs(self, originals: Iterable[bytes], rows: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Each record with its row of the output. Raises JobFailed if they are not as many."""
        records = originals if self.by_rows else _rows(originals)
        for original, row in zip_longest(records, rows):
            if original is None or row is None:
                raise JobFailed("Input and output cannot be joined: the model's output has not one row for each record.")
            yield original, row

    def _row(self, original: bytes, output: bytes, form: Form) -> bytes:
        return filtered(joined(original, output, form) if self.joins else output, self.output_path, form)


def _rows(chunks: Iterable[bytes]) -> Iterator[bytes]:
    return split(chunks, SplitType.LINE, None)


def _understood(form: Form | None, side: str) -> Form:
    if form is None:
        raise JobFailed(f"The {side} is none of {FORM_NAMES}, so that it can be neither filtered nor joined.")
    return form

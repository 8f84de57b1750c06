"""PURE: the data formats of the built-in algorithm: content types, CSV dialects, libsvm lines, and what is wrong in them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localpipe_xgboost.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

CSV = "csv"
LIBSVM = "libsvm"
PARQUET = "parquet"
RECORDIO_PROTOBUF = "recordio-protobuf"
_CONTENT_TYPES = {
    "text/csv": CSV,
    "csv": CSV,
    "text/libsvm": LIBSVM,
    "text/x-libsvm": LIBSVM,
    "libsvm": LIBSVM,
    "application/x-parquet": PARQUET,
    "parquet": PARQUET,
}
_REQUEST_TYPES = {
    "text/csv": CSV,
    "csv": CSV,
    "text/libsvm": LIBSVM,
    "text/x-libsvm": LIBSVM,
    "libsvm": LIBSVM,
    "application/x-recordio-protobuf": RECORDIO_PROTOBUF,
    "recordio-protobuf": RECORDIO_PROTOBUF,
}
_DELIMITERS = (",", ";", "\t", "|")
_LABEL_RULE = "CSV data has no header line and holds the label in the first column."


def format_of(content_type: str | None, channel: str) -> str:
    """CSV, LIBSVM or PARQUET; a channel without content type is libsvm. Raises UserError for any other.

    `text/csv;label_size=1` says what is so anyway; another label size is refused.
    """
    if not content_type:
        return LIBSVM
    name, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if name not in _CONTENT_TYPES:
        known = ", ".join(sorted(_CONTENT_TYPES))
        raise UserError(f"Channel {channel}: content type {content_type!r} is not supported; it takes {known}.")
    if any(parameter.startswith("label_size") and parameter != "label_size=1" for parameter in parameters):
        raise UserError(f"Channel {channel}: content type {content_type!r} is not supported; label_size must be 1.")
    return _CONTENT_TYPES[name]


def request_format(content_type: str | None) -> str:
    """CSV, LIBSVM or RECORDIO_PROTOBUF; a request without content type is libsvm. Raises UserError for any other."""
    name = (content_type or LIBSVM).partition(";")[0].strip().lower()
    if name not in _REQUEST_TYPES:
        known = "text/csv, text/libsvm, application/x-recordio-protobuf"
        raise UserError(f"Content type {content_type!r} is not supported; the model takes {known}.")
    return _REQUEST_TYPES[name]


def delimiter_of(first_line: str) -> str:
    """The delimiter of a CSV line: the first of comma, semicolon, tab, bar that it holds; a comma if none."""
    return next((each for each in _DELIMITERS if each in first_line), ",")


def csv_problem(lines: Iterable[str], place: str) -> str:
    """What keeps CSV lines from being numbers: the first bad field with its line and column. `place` names the file."""
    width = 0
    delimiter = ","
    for number, line in enumerate((line.rstrip("\r\n") for line in lines), start=1):
        if not line.strip():
            continue
        if not width:
            delimiter = delimiter_of(line)
            width = line.count(delimiter) + 1
        fields = line.split(delimiter)
        if len(fields) != width:
            return f"{place} line {number}: {len(fields)} columns, where the first line has {width}."
        bad = [(column, text) for column, text in enumerate(fields, start=1) if not is_number(text)]
        if bad:
            column, text = bad[0]
            return f"{place} line {number}: {text!r} in column {column} is not a number. {_LABEL_RULE}"
    return f"{place}: there is no data in it."


def is_number(text: str) -> bool:
    """Whether a CSV field is a number; an empty field is a missing value and counts."""
    try:
        float(text.strip() or "nan")
    except ValueError:
        return False
    return True


@dataclass
class SparseRows:
    """Rows of libsvm text, in the arrays that a compressed sparse row matrix is made of; filled line by line.

    `weights` and `groups` are empty or as long as `labels`. Indexes stay as written: XGBoost counts them from 0.
    """

    labels: array[float] = field(default_factory=lambda: array("f"))
    weights: array[float] = field(default_factory=lambda: array("f"))
    groups: array[int] = field(default_factory=lambda: array("q"))
    row_starts: array[int] = field(default_factory=lambda: array("q", [0]))
    indexes: array[int] = field(default_factory=lambda: array("q"))
    feature_values: array[float] = field(default_factory=lambda: array("f"))

    def add(self, lines: Iterable[str], place: str) -> None:
        """Append the rows of a file: `label[:weight] [qid:group] index:value ...`, `#` begins a comment.

        Raises UserError naming the line and what stands there.
        """
        for number, line in enumerate(lines, start=1):
            words = line.partition("#")[0].split()
            if not words:
                continue
            try:
                self._add_row(words)
            except ValueError as error:
                raise UserError(
                    f"{place} line {number}: {line.strip()[:60]!r} is not libsvm, `label index:value ...` ({error})."
                    " CSV data needs the channel's content type text/csv."
                ) from None

    def _add_row(self, words: list[str]) -> None:
        label, _, weight = words[0].partition(":")
        self.labels.append(float(label))
        if weight:
            self.weights.append(float(weight))
        for word in words[1:]:
            index, colon, value = word.partition(":")
            if not colon:
                raise ValueError(f"{word!r} has no index")
            if index == "qid":
                self.groups.append(int(value))
            else:
                self._add_value(int(index), float(value))
        self.row_starts.append(len(self.indexes))

    def _add_value(self, index: int, value: float) -> None:
        if index < 0:
            raise ValueError(f"index {index} is below 0")
        self.indexes.append(index)
        self.feature_values.append(value)

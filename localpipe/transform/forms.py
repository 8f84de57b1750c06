"""Records as documents that filters and joins work on: a row of CSV is a list of its fields, JSON is itself.

Fields keep their text, quotes and all, so that what is not filtered away comes out as it came in.
"""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import TYPE_CHECKING

from localpipe.errors import JobFailed
from localpipe.transform.json_paths import find

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.transform.json_paths import JsonPath

_OUTPUT, _INPUT = "SageMakerOutput", "SageMakerInput"
_FIELD = re.compile(r'(?:^|,)((?:"(?:[^"]|"")*"|[^,])*)')


class Form(Enum):
    """What filters and joins understand."""

    CSV = "csv"
    JSON = "json"


_FORMS = {"text/csv": Form.CSV, "application/json": Form.JSON, "application/jsonlines": Form.JSON}
FORM_NAMES = ", ".join(_FORMS)


def form_of(content_type: str) -> Form | None:
    """The form of a media type, whatever its parameters; None for one that filters and joins do not understand."""
    return _FORMS.get(content_type.partition(";")[0].strip().lower())


def filtered(record: bytes, path: JsonPath, form: Form) -> bytes:
    """What a filter leaves of a record. Raises JobFailed if that is nothing, or if the record is not of its form."""
    if not path:
        return record
    try:
        return _text(find(path, _document(record, form)), form)
    except LookupError as error:
        raise JobFailed(str(error) or "A filter finds nothing in a record.") from None


def joined(original: bytes, output: bytes, form: Form) -> bytes:
    """A record with the model's output: further fields of the row, or the member `SageMakerOutput`.

    Both keep their text, numbers as they are written. Raises JobFailed for records that are not of their form.
    """
    if form is Form.CSV:
        return original.removesuffix(b"\r") + b"," + output
    before, after, text = _document(original, form), _document(output, form), original.strip()
    if isinstance(before, dict) and _OUTPUT in before:
        return _text({**before, _OUTPUT: after}, form)
    given = text[1:-1].strip() if isinstance(before, dict) else _named(_INPUT, text)
    return b"{" + b",".join(filter(None, (given, _named(_OUTPUT, output.strip())))) + b"}"


def _named(name: str, value: bytes) -> bytes:
    return f'"{name}":'.encode() + value


def _document(record: bytes, form: Form) -> JSON:
    try:
        text = record.decode()
        return _fields(text) if form is Form.CSV else json.loads(text)
    except ValueError as error:
        raise JobFailed(f"A record is no {form.name}: {error}") from error


def _fields(row: str) -> list[str]:
    return [match[1] for match in _FIELD.finditer(row.removesuffix("\r"))]


def _text(value: JSON, form: Form) -> bytes:
    if form is Form.CSV:
        return (value if isinstance(value, str) else ",".join(value)).encode()
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

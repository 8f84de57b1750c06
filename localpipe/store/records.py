"""What is known of objects beside their content: content type, user metadata, ETag. Kept beside the objects, not among them.
Documents of buckets lie there too.

A record belongs to one content of one key: its file is named by the key, the modification time and the size of the object's
file. So it can be written before the object is renamed into place, an object changed by hand has no record, and a store that
is copied with its times keeps its records. (An inode in the name would prove no more: puts set the time in nanoseconds.)
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localpipe.core.names import S3Uri


@dataclass(frozen=True, kw_only=True)
class Record:
    """`content_type` and `etag` are "" where none is known."""

    content_type: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    etag: str = ""


class Records:
    """The records in `directory`. `place` renames a text into place: the store's own atomic write."""

    def __init__(self, directory: Path, place: Callable[[str, Path], None]) -> None:
        self._directory, self._place = directory, place

    def reader(self, bucket: str) -> Callable[[S3Uri, os.stat_result], Record]:
        """What reads the records of a listing: most buckets have none at all, and are asked no more then."""
        return self.read if os.path.isdir(f"{self._directory}/{bucket}") else _none  # noqa: PTH112

    def read(self, uri: S3Uri, status: os.stat_result) -> Record:
        """An empty record if there is none."""
        try:
            with open(self._file(uri, status)) as text:  # noqa: PTH123 - listing reads one per object
                return Record(**json.load(text))
        except (FileNotFoundError, ValueError, TypeError):
            return Record()

    def write(self, uri: S3Uri, status: os.stat_result, record: Record) -> None:
        """Replace the record. Raises OSError."""
        text = json.dumps({"content_type": record.content_type, "metadata": dict(record.metadata), "etag": record.etag})
        self._place(text, Path(self._file(uri, status)))

    def forget(self, uri: S3Uri, status: os.stat_result) -> None:
        """Remove the record, if there is one."""
        Path(self._file(uri, status)).unlink(missing_ok=True)

    def forget_bucket(self, bucket: str) -> None:
        """Remove the records of all objects that the bucket ever had, and its documents."""
        shutil.rmtree(self._directory / bucket, ignore_errors=True)

    def document(self, bucket: str, name: str) -> str | None:
        """A document of the bucket, or None."""
        try:
            return self._document(bucket, name).read_text()
        except FileNotFoundError:
            return None

    def write_document(self, bucket: str, name: str, document: str | None) -> None:
        """Replace a document of the bucket; None removes it. Raises OSError."""
        if document is None:
            self._document(bucket, name).unlink(missing_ok=True)
        else:
            self._place(document, self._document(bucket, name))

    def _document(self, bucket: str, name: str) -> Path:
        return self._directory / bucket / "documents" / name

    def _file(self, uri: S3Uri, status: os.stat_result) -> str:
        digest = hashlib.sha256(uri.key.encode()).hexdigest()
        return f"{self._directory}/{uri.bucket}/{digest[:2]}/{digest[2:]}-{status.st_mtime_ns}-{status.st_size}.json"


_NO_RECORD = Record()


def _none(uri: S3Uri, status: os.stat_result) -> Record:
    del uri, status
    return _NO_RECORD

"""S3's multipart uploads. One lies in a directory of the store's scratch until it is completed, so any process can go on.

    upload-<id>/upload.json           the object's URI, content type and metadata
    upload-<id>/<number>-<md5>        a part

Follows: Amazon S3 API Reference, the operation of the same name.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from localpipe.core.times import iso_time
from localpipe.errors import StoreError
from localpipe.server.s3_buckets import OWNER, check_bucket, parse_document
from localpipe.server.s3_messages import ByteRange, S3Answer, byte_range, xml_answer
from localpipe.server.s3_objects import (
    body_of,
    content_type_of,
    copy_source,
    metadata_of,
    put_conditions,
    refuse_conditions,
    tags_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from localpipe.core.ports import ObjectStore
    from localpipe.server.s3_messages import S3Request, Xml

_BLOCK_BYTES = 1024 * 1024
_SMALLEST_PART_BYTES = 5 * 1024 * 1024
"""Of every part but the last. Follows: Amazon S3 User Guide, "Amazon S3 multipart upload limits"."""

_LAST_PART = 10_000
_PAGE_SIZE = 1000
_DESCRIPTION = "upload.json"
_PREFIX = "upload-"
_ID = re.compile(r"[0-9a-f]{32}")
_PART_FILE = re.compile(r"(?P<number>\d{5})-(?P<etag>[0-9a-f]{32})")


@dataclass(frozen=True, kw_only=True)
class _Upload:
    bucket: str
    key: str
    content_type: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class _Part:
    number: int
    etag: str
    file: Path


def create_upload(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers CreateMultipartUpload."""
    check_bucket(store, request.bucket)
    refuse_conditions(request.headers)
    upload = _Upload(
        bucket=request.bucket,
        key=request.key,
        content_type=content_type_of(request.headers),
        metadata={**metadata_of(request.headers), **tags_of(request.headers)},
    )
    upload_id = secrets.token_hex(16)
    directory = store.scratch_dir() / f"{_PREFIX}{upload_id}"
    directory.mkdir()
    (directory / _DESCRIPTION).write_text(json.dumps(asdict(upload)))
    named: list[Xml] = [("Bucket", request.bucket), ("Key", request.key), ("UploadId", upload_id)]
    return xml_answer(("InitiateMultipartUploadResult", named))


def upload_part(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers UploadPart. A part sent again takes the place of the first."""
    directory, _ = _upload(store, request)
    received = body_of(request)
    _keep_part(directory, _part_number(request), received.md5, received.path)
    return S3Answer(headers={"etag": f'"{received.md5}"'})


def copy_part(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers UploadPartCopy."""
    directory, _ = _upload(store, request)
    source = copy_source(store, request)
    part = byte_range(request.headers.get("x-amz-copy-source-range", ""), source.size)
    file = store.scratch_dir() / secrets.token_hex(8)
    with store.open(source.uri) as content:
        etag = _copy_range(content, part or ByteRange(start=0, length=source.size), file)
    _keep_part(directory, _part_number(request), etag, file)
    copied: list[Xml] = [("LastModified", iso_time(source.modified_at)), ("ETag", f'"{etag}"')]
    return xml_answer(("CopyPartResult", copied))


def complete_upload(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers CompleteMultipartUpload."""
    directory, upload = _upload(store, request)
    parts = _asked_parts(request, _parts(directory))
    joined = store.scratch_dir() / secrets.token_hex(8)
    etag = _etag_of(parts)
    try:
        _join(parts, joined)
        with put_conditions(store, request):
            store.put(request.uri, joined, move=True, content_type=upload.content_type, metadata=upload.metadata, etag=etag)
    finally:
        joined.unlink(missing_ok=True)
    shutil.rmtree(directory, ignore_errors=True)
    named: list[Xml] = [("Location", f"/{request.bucket}/{request.key}"), ("Bucket", request.bucket), ("Key", request.key)]
    return xml_answer(("CompleteMultipartUploadResult", [*named, ("ETag", f'"{etag}"')]))


def abort_upload(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers AbortMultipartUpload."""
    directory, _ = _upload(store, request)
    shutil.rmtree(directory, ignore_errors=True)
    return S3Answer(status=HTTPStatus.NO_CONTENT)


def list_parts(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers ListParts."""
    directory, upload = _upload(store, request)
    marker = _number(request, "part-number-marker", 0)
    size = min(_number(request, "max-parts", _PAGE_SIZE), _PAGE_SIZE)
    parts = [part for part in _parts(directory) if part.number > marker]
    page = parts[:size]
    content: list[Xml] = [
        ("Bucket", upload.bucket),
        ("Key", upload.key),
        ("UploadId", request.query["uploadId"]),
        ("PartNumberMarker", str(marker)),
        ("NextPartNumberMarker", str(page[-1].number if page else marker)),
        ("MaxParts", str(size)),
        ("IsTruncated", "true" if len(parts) > len(page) else "false"),
        *(("Part", _part_elements(part)) for part in page),
        ("Owner", OWNER),
        ("StorageClass", "STANDARD"),
    ]
    return xml_answer(("ListPartsResult", content))


def list_uploads(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers ListMultipartUploads, all on one page."""
    check_bucket(store, request.bucket)
    prefix = request.query.get("prefix", "")
    directories = [path for path in store.scratch_dir().glob(f"{_PREFIX}*") if (path / _DESCRIPTION).exists()]
    found = [(_read(directory), directory) for directory in directories]
    content: list[Xml] = [
        ("Bucket", request.bucket),
        ("Prefix", prefix),
        ("MaxUploads", str(_PAGE_SIZE)),
        ("IsTruncated", "false"),
    ]
    for upload, directory in sorted(found, key=lambda entry: (entry[0].key, entry[1].name)):
        if upload.bucket == request.bucket and upload.key.startswith(prefix):
            initiated = iso_time((directory / _DESCRIPTION).stat().st_mtime)
            identity: list[Xml] = [("Key", upload.key), ("UploadId", directory.name.removeprefix(_PREFIX))]
            content.append(("Upload", [*identity, ("StorageClass", "STANDARD"), ("Initiated", initiated)]))
    return xml_answer(("ListMultipartUploadsResult", content))


def _upload(store: ObjectStore, request: S3Request) -> tuple[Path, _Upload]:
    """The directory and description of the upload that a request names. Raises StoreError `NoSuchUpload`."""
    upload_id = request.query["uploadId"]
    directory = store.scratch_dir() / f"{_PREFIX}{upload_id}"
    if _ID.fullmatch(upload_id) and (directory / _DESCRIPTION).exists():
        upload = _read(directory)
        if (upload.bucket, upload.key) == (request.bucket, request.key):
            return directory, upload
    raise StoreError("NoSuchUpload", f"There is no multipart upload {upload_id!r} of {request.uri}.")


def _read(directory: Path) -> _Upload:
    return _Upload(**json.loads((directory / _DESCRIPTION).read_text()))


def _parts(directory: Path) -> list[_Part]:
    """The parts there are, by number."""
    matches = [(_PART_FILE.fullmatch(file.name), file) for file in sorted(directory.iterdir())]
    return [_Part(number=int(match["number"]), etag=match["etag"], file=file) for match, file in matches if match]


def _keep_part(directory: Path, number: int, etag: str, file: Path) -> None:
    target = directory / f"{number:05d}-{etag}"
    file.replace(target)
    for other in directory.glob(f"{number:05d}-*"):
        if other != target:
            other.unlink(missing_ok=True)


def _asked_parts(request: S3Request, there: Iterable[_Part]) -> Sequence[_Part]:
    """The parts that CompleteMultipartUpload names. Raises StoreError if one is not there, too small or out of order."""
    by_number = {part.number: part for part in there}
    parts: list[_Part] = []
    for element in parse_document(request.body).findall("{*}Part"):
        number, etag = element.findtext("{*}PartNumber") or "", (element.findtext("{*}ETag") or "").strip('"')
        part = by_number.get(int(number)) if number.isdecimal() else None
        if part is None or part.etag != etag:
            raise StoreError("InvalidPart", f"Part {number} with the ETag {etag!r} was not uploaded.")
        if parts and part.number <= parts[-1].number:
            raise StoreError("InvalidPartOrder", "The parts are not in ascending order.")
        parts.append(part)
    if not parts:
        raise StoreError("MalformedXML", "CompleteMultipartUpload names no part.")
    for part in parts[:-1]:
        if part.file.stat().st_size < _SMALLEST_PART_BYTES:
            raise StoreError("EntityTooSmall", f"Part {part.number} is smaller than {_SMALLEST_PART_BYTES} bytes.")
    return parts


def _etag_of(parts: Sequence[_Part]) -> str:
    """The md5 of the parts' md5s and their number. Follows: Amazon S3 API Reference, "Object"."""
    digests = b"".join(bytes.fromhex(part.etag) for part in parts)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _join(parts: Sequence[_Part], target: Path) -> None:
    with target.open("xb") as joined:
        for part in parts:
            with part.file.open("rb") as content:
                shutil.copyfileobj(content, joined, _BLOCK_BYTES)


def _copy_range(content: BinaryIO, part: ByteRange, target: Path) -> str:
    """Copy bytes into a new file; return their md5."""
    digest = hashlib.md5(usedforsecurity=False)
    left = part.length
    with target.open("xb") as copy:
        content.seek(part.start)
        while left and (block := content.read(min(left, _BLOCK_BYTES))):
            copy.write(block)
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def _part_elements(part: _Part) -> Sequence[Xml]:
    status = part.file.stat()
    return [
        ("PartNumber", str(part.number)),
        ("LastModified", iso_time(status.st_mtime)),
        ("ETag", f'"{part.etag}"'),
        ("Size", str(status.st_size)),
    ]


def _part_number(request: S3Request) -> int:
    number = _number(request, "partNumber", 0)
    if not 1 <= number <= _LAST_PART:
        raise StoreError("InvalidArgument", f"A part number is between 1 and {_LAST_PART}, not {number}.")
    return number


def _number(request: S3Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isdecimal():
        raise StoreError("InvalidArgument", f"{name} must be a number, not {text!r}.")
    return int(text)

"""S3's operations on buckets, listing included. Each takes the store and a request and gives the answer.

Follows: Amazon S3 API Reference, the operation of the same name.
"""

from __future__ import annotations

import base64
import itertools
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.etree import ElementTree as ET

from localpipe.core.listing import grouped
from localpipe.core.names import S3Uri, bucket_name_problem
from localpipe.core.ports import ObjectInfo
from localpipe.core.times import iso_time
from localpipe.errors import StoreError
from localpipe.server.s3_messages import US_EAST_1, S3Answer, xml_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localpipe.core.listing import Grouped
    from localpipe.core.ports import ObjectStore
    from localpipe.server.s3_messages import S3Request, Xml

OWNER: Sequence[Xml] = [("ID", "localpipe"), ("DisplayName", "localpipe")]
FULL_CONTROL: Xml = (
    "AccessControlPolicy",
    [("Owner", OWNER), ("AccessControlList", [("Grant", [("Grantee", OWNER), ("Permission", "FULL_CONTROL")])])],
)
_LOCATION = "location"
_PAGE_SIZE = 1000
_DELETED_AT_ONCE = 1000
_CREATED_AT = 0.0
"""Epoch seconds: the store does not know when a bucket was made."""


def check_bucket(store: ObjectStore, bucket: str) -> None:
    """Raises StoreError `NoSuchBucket`."""
    if bucket not in store.buckets():
        raise StoreError(
            "NoSuchBucket", f"There is no bucket {bucket!r}. Create it, or show a local directory there with [s3.mounts]."
        )


def make_bucket(store: ObjectStore, bucket: str) -> None:
    """Make a bucket unless it is there. Raises StoreError `InvalidBucketName` for a name that S3 would not take."""
    if bucket in store.buckets():
        return
    problem = bucket_name_problem(bucket)
    if problem:
        raise StoreError("InvalidBucketName", f"{bucket!r} cannot be the name of a bucket: {problem}.")
    store.create_bucket(bucket)


def list_buckets(store: ObjectStore, _: S3Request) -> S3Answer:
    """Answers ListBuckets."""
    buckets: list[Xml] = [("Bucket", [("Name", name), ("CreationDate", iso_time(_CREATED_AT))]) for name in store.buckets()]
    return xml_answer(("ListAllMyBucketsResult", [("Owner", OWNER), ("Buckets", buckets)]))


def create_bucket(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers CreateBucket; one that exists is the caller's own, as in us-east-1, and stays where it is."""
    region = (parse_document(request.body).findtext("{*}LocationConstraint") if request.body else None) or US_EAST_1
    if request.bucket not in store.buckets():
        make_bucket(store, request.bucket)
        store.put_bucket_document(request.bucket, _LOCATION, region)
    return S3Answer(headers={"location": f"/{request.bucket}"})


def head_bucket(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers HeadBucket."""
    check_bucket(store, request.bucket)
    return S3Answer()


def delete_bucket(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers DeleteBucket."""
    store.delete_bucket(request.bucket)
    return S3Answer(status=HTTPStatus.NO_CONTENT)


def get_location(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers GetBucketLocation: the region that CreateBucket was given, else the endpoint's; "" for us-east-1."""
    check_bucket(store, request.bucket)
    region = store.bucket_document(request.bucket, _LOCATION) or request.region
    return xml_answer(("LocationConstraint", "" if region == US_EAST_1 else region))


def get_bucket_acl(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers GetBucketAcl: the owner's."""
    check_bucket(store, request.bucket)
    return xml_answer(FULL_CONTROL)


def put_bucket_acl(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers PutBucketAcl, without effect."""
    check_bucket(store, request.bucket)
    return S3Answer()


def list_objects(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers ListObjects (version 1)."""
    marker = request.query.get("marker", "")
    page, more = _page(store, request, marker)
    encode = _encoder(request)
    content: list[Xml] = [("Marker", encode(marker)), *_listing(store, request, page, more=more)]
    if more and page and request.query.get("delimiter"):
        content.append(("NextMarker", encode(_name(page[-1]))))
    return xml_answer(("ListBucketResult", content))


def list_objects_v2(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers ListObjectsV2. A continuation token is the last name of the page before, in base64."""
    token, start_after = request.query.get("continuation-token"), request.query.get("start-after", "")
    page, more = _page(store, request, start_after if token is None else _text_of_token(token))
    content: list[Xml] = [("KeyCount", str(len(page))), *_listing(store, request, page, more=more)]
    if start_after:
        content.append(("StartAfter", _encoder(request)(start_after)))
    if token is not None:
        content.append(("ContinuationToken", token))
    if more and page:
        content.append(("NextContinuationToken", base64.urlsafe_b64encode(_name(page[-1]).encode()).decode()))
    return xml_answer(("ListBucketResult", content))


def delete_objects(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers DeleteObjects: each key for itself."""
    check_bucket(store, request.bucket)
    root = parse_document(request.body)
    keys = [element.findtext("{*}Key") or "" for element in root.findall("{*}Object")]
    if not 0 < len(keys) <= _DELETED_AT_ONCE:
        raise StoreError("MalformedXML", f"DeleteObjects takes 1 to {_DELETED_AT_ONCE} keys, not {len(keys)}.")
    quiet = root.findtext("{*}Quiet") == "true"
    results = [_delete(store, S3Uri(request.bucket, key)) for key in keys]
    return xml_answer(("DeleteResult", [result for result in results if result[0] == "Error" or not quiet]))


def parse_document(body: bytes) -> ET.Element:
    """The root of a request's document. Raises StoreError `MalformedXML`."""
    try:
        return ET.fromstring(body)  # noqa: S314 - from the user's own jobs; expat limits what entities expand to
    except ET.ParseError as error:
        raise StoreError("MalformedXML", f"The request's document is not XML: {error}.") from error


def _delete(store: ObjectStore, uri: S3Uri) -> Xml:
    try:
        store.delete(uri)
    except StoreError as error:
        return ("Error", [("Key", uri.key), ("Code", error.s3_code), ("Message", str(error))])
    return ("Deleted", [("Key", uri.key)])


def _page(store: ObjectStore, request: S3Request, start_after: str) -> tuple[Sequence[Grouped], bool]:
    """At most `max-keys` objects and common prefixes, and whether there are more."""
    check_bucket(store, request.bucket)
    size = _max_keys(request)
    prefix = S3Uri(request.bucket, request.query.get("prefix", ""))
    found = grouped(store, prefix, request.query.get("delimiter", ""), start_after=start_after)
    page = list(itertools.islice(found, size + 1))
    return page[:size], len(page) > size > 0


def _listing(store: ObjectStore, request: S3Request, page: Sequence[Grouped], *, more: bool) -> Sequence[Xml]:
    """The elements that both versions have."""
    encode = _encoder(request)
    content: list[Xml] = [
        ("Name", request.bucket),
        ("Prefix", encode(request.query.get("prefix", ""))),
        ("MaxKeys", str(_max_keys(request))),
        ("IsTruncated", "true" if more else "false"),
    ]
    if request.query.get("delimiter"):
        content.append(("Delimiter", encode(request.query["delimiter"])))
    if request.query.get("encoding-type"):
        content.append(("EncodingType", "url"))
    for item in page:
        if isinstance(item, ObjectInfo):
            content.append(("Contents", _contents(store, item, encode(item.uri.key))))
        else:
            content.append(("CommonPrefixes", [("Prefix", encode(item.key))]))
    return content


def _contents(store: ObjectStore, info: ObjectInfo, key: str) -> Sequence[Xml]:
    return [
        ("Key", key),
        ("LastModified", iso_time(info.modified_at)),
        ("ETag", f'"{store.etag(info)}"'),
        ("Size", str(info.size)),
        ("StorageClass", "STANDARD"),
    ]


def _encoder(request: S3Request) -> Callable[[str], str]:
    return quote if request.query.get("encoding-type") == "url" else str


def _max_keys(request: S3Request) -> int:
    text = request.query.get("max-keys", str(_PAGE_SIZE))
    if not text.isdecimal():
        raise StoreError("InvalidArgument", f"max-keys must be a number, not {text!r}.")
    return min(int(text), _PAGE_SIZE)


def _name(item: Grouped) -> str:
    return item.uri.key if isinstance(item, ObjectInfo) else item.key


def _text_of_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token).decode()
    except ValueError as error:
        raise StoreError("InvalidArgument", "The continuation token is none that was given.") from error

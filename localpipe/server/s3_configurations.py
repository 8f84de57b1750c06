"""What a bucket is configured with: kept with the bucket and given back as it came, without effect.

So the set-up code of a script runs as it does on AWS. Follows: Amazon S3 API Reference, the `PutBucket*` operations.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from localpipe.errors import StoreError
from localpipe.server.s3_buckets import check_bucket, parse_document
from localpipe.server.s3_messages import S3Answer, xml_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core.ports import ObjectStore
    from localpipe.server.s3_messages import S3Request, Xml

_POLICY = "policy"
_UNLESS_PUT: Mapping[str, Xml] = {
    "accelerate": ("AccelerateConfiguration", ""),
    "logging": ("BucketLoggingStatus", ""),
    "notification": ("NotificationConfiguration", ""),
    "requestPayment": ("RequestPaymentConfiguration", [("Payer", "BucketOwner")]),
    "versioning": ("VersioningConfiguration", ""),
}
"""What S3 answers for a bucket that was never configured, by the query parameter that names the configuration."""

_NONE_UNLESS_PUT: Mapping[str, str] = {
    "cors": "NoSuchCORSConfiguration",
    "encryption": "ServerSideEncryptionConfigurationNotFoundError",
    "lifecycle": "NoSuchLifecycleConfiguration",
    "ownershipControls": "OwnershipControlsNotFoundError",
    _POLICY: "NoSuchBucketPolicy",
    "publicAccessBlock": "NoSuchPublicAccessBlockConfiguration",
    "tagging": "NoSuchTagSet",
}
"""The same for configurations that there are none of: S3's error code. Only these can be deleted."""

DELETABLE = tuple(_NONE_UNLESS_PUT)
CONFIGURATIONS = (*_UNLESS_PUT, *DELETABLE)


def get_configuration(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers GetBucketVersioning, GetBucketTagging and the like."""
    check_bucket(store, request.bucket)
    name = _name(request)
    document = store.bucket_document(request.bucket, name)
    if document is not None:
        content_type = "application/json" if name == _POLICY else "application/xml"
        return S3Answer(headers={"content-type": content_type}, body=document.encode())
    if name in _UNLESS_PUT:
        return xml_answer(_UNLESS_PUT[name])
    raise StoreError(_NONE_UNLESS_PUT[name], f"The bucket {request.bucket!r} has no configuration {name!r}.")


def put_configuration(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers PutBucketVersioning, PutBucketTagging and the like."""
    check_bucket(store, request.bucket)
    name = _name(request)
    if name != _POLICY:
        parse_document(request.body)
    store.put_bucket_document(request.bucket, name, request.body.decode())
    return S3Answer(status=HTTPStatus.NO_CONTENT if name in {_POLICY, "tagging"} else HTTPStatus.OK)


def delete_configuration(store: ObjectStore, request: S3Request) -> S3Answer:
    """Answers DeleteBucketTagging and the like."""
    check_bucket(store, request.bucket)
    store.put_bucket_document(request.bucket, _name(request), None)
    return S3Answer(status=HTTPStatus.NO_CONTENT)


def _name(request: S3Request) -> str:
    return next(name for name in CONFIGURATIONS if name in request.query)

"""boto3, as users and job scripts call it, against the endpoint."""

from __future__ import annotations

import http.client
import io
import os
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localpipe.core.names import S3Uri
from localpipe.server.http import serve
from localpipe.server.s3 import s3_app
from localpipe.store import LocalStore

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning:botocore")

SECRET = "0123456789abcdef"
PART = 5 * 1024 * 1024


def client_of(url: str, key: str = SECRET, **options: Any) -> Any:
    session = boto3.session.Session(aws_access_key_id=key, aws_secret_access_key="x", region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1}, **options)
    return session.client("s3", endpoint_url=url, config=config)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def store(home: Path) -> LocalStore:
    (home / "data").mkdir()
    (home / "data" / "in.csv").write_text("1,2\n")
    return LocalStore(home / "s3", {S3Uri("company", "raw"): home / "data"})


@pytest.fixture(scope="module")
def url(store: LocalStore) -> Iterator[str]:
    with serve(s3_app(store, secret=SECRET), "127.0.0.1") as server:
        yield server.url


@pytest.fixture(scope="module")
def s3(url: str) -> Iterator[Any]:
    client = client_of(url)
    client.create_bucket(Bucket="bucket")
    yield client
    client.close()


def keys_of(answer: Any) -> list[str]:
    return [entry["Key"] for entry in answer.get("Contents", [])]


def code_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_an_object_comes_back_with_what_was_said_of_it(s3: Any) -> None:
    put = s3.put_object(
        Bucket="bucket",
        Key="said/a.bin",
        Body=b"hello",
        ContentType="text/x-mine",
        Metadata={"who": "me"},
        CacheControl="no-store",
        ContentEncoding="gzip",
    )
    got = s3.get_object(Bucket="bucket", Key="said/a.bin")
    assert got["Body"].read() == b"hello"
    assert got["ContentType"] == "text/x-mine"
    assert got["Metadata"] == {"who": "me"}
    assert (got["CacheControl"], got["ContentEncoding"]) == ("no-store", "gzip")
    assert got["ETag"] == put["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'
    head = s3.head_object(Bucket="bucket", Key="said/a.bin")
    assert (head["ContentLength"], head["ETag"], head["Metadata"]) == (5, put["ETag"], {"who": "me"})


def test_a_body_without_known_length_is_decoded(s3: Any, store: LocalStore) -> None:
    body = os.urandom(3 * 1024 * 1024 + 17)
    s3.put_object(Bucket="bucket", Key="streamed", Body=io.BytesIO(body), ChecksumAlgorithm="SHA256")
    with store.open(S3Uri("bucket", "streamed")) as content:
        assert content.read() == body


def test_an_empty_object_is_an_object(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="empty", Body=b"")
    assert s3.get_object(Bucket="bucket", Key="empty")["Body"].read() == b""
    assert s3.head_object(Bucket="bucket", Key="empty")["ContentLength"] == 0


def test_large_files_go_up_in_parts_and_come_down(s3: Any, tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    sent.write_bytes(os.urandom(20 * 1024 * 1024 + 5))
    s3.upload_file(str(sent), "bucket", "large.bin", ExtraArgs={"Metadata": {"a": "b"}})
    head = s3.head_object(Bucket="bucket", Key="large.bin")
    assert head["ETag"].endswith('-3"')
    assert head["Metadata"] == {"a": "b"}
    s3.download_file("bucket", "large.bin", str(tmp_path / "got"))
    assert (tmp_path / "got").read_bytes() == sent.read_bytes()


def test_ranges(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="ranges", Body=b"0123456789")

    def get(range_: str) -> tuple[bytes, str | None, int]:
        got = s3.get_object(Bucket="bucket", Key="ranges", Range=range_)
        return got["Body"].read(), got.get("ContentRange"), got["ResponseMetadata"]["HTTPStatusCode"]

    assert get("bytes=2-4") == (b"234", "bytes 2-4/10", 206)
    assert get("bytes=7-") == (b"789", "bytes 7-9/10", 206)
    assert get("bytes=-3") == (b"789", "bytes 7-9/10", 206)
    assert get("bytes=8-100") == (b"89", "bytes 8-9/10", 206)
    assert get("bytes=0-1,3-4") == (b"0123456789", None, 200)
    with pytest.raises(ClientError) as error:
        get("bytes=10-")
    assert code_of(error) == ("InvalidRange", 416)


def test_conditional_gets(s3: Any) -> None:
    etag = s3.put_object(Bucket="bucket", Key="conditional", Body=b"x")["ETag"]
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket="bucket", Key="conditional", IfNoneMatch=etag)
    assert code_of(error)[1] == 304
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket="bucket", Key="conditional", IfMatch='"other"')
    assert code_of(error) == ("PreconditionFailed", 412)
    assert s3.get_object(Bucket="bucket", Key="conditional", IfMatch=etag)["Body"].read() == b"x"
    with pytest.raises(ClientError) as error:
        s3.get_object(
            Bucket="bucket",
            Key="conditional",
            IfModifiedSince=s3.head_object(Bucket="bucket", Key="conditional")["LastModified"],
        )
    assert code_of(error)[1] == 304


def test_what_is_not_there_has_its_own_code(s3: Any) -> None:
    with pytest.raises(s3.exceptions.NoSuchKey) as error:
        s3.get_object(Bucket="bucket", Key="absent")
    assert code_of(error) == ("NoSuchKey", 404)
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket="bucket", Key="absent")
    assert code_of(error) == ("404", 404)
    for call in (
        lambda: s3.get_object(Bucket="no-bucket", Key="a"),
        lambda: s3.put_object(Bucket="no-bucket", Key="a", Body=b""),
        lambda: s3.list_objects_v2(Bucket="no-bucket"),
        lambda: s3.create_multipart_upload(Bucket="no-bucket", Key="a"),
    ):
        with pytest.raises(ClientError) as error:
            call()
        assert code_of(error) == ("NoSuchBucket", 404)


def test_buckets(s3: Any) -> None:
    s3.create_bucket(Bucket="made", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.create_bucket(Bucket="made")
    assert {"bucket", "company", "made"} <= {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    s3.head_bucket(Bucket="made")
    assert s3.get_bucket_location(Bucket="made")["LocationConstraint"] == "eu-west-1"
    assert s3.get_bucket_location(Bucket="bucket")["LocationConstraint"] is None
    s3.put_object(Bucket="made", Key="a/b", Body=b"")
    with pytest.raises(ClientError) as error:
        s3.delete_bucket(Bucket="made")
    assert code_of(error) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket="made", Key="a/b")
    s3.delete_bucket(Bucket="made")
    with pytest.raises(ClientError) as error:
        s3.head_bucket(Bucket="made")
    assert code_of(error)[1] == 404


def test_a_bucket_that_nobody_created_is_in_the_region_of_the_endpoint(store: LocalStore) -> None:
    store.put(S3Uri("of-a-run", "a"), b"")
    with serve(s3_app(store, secret=None, region="eu-west-1"), "127.0.0.1") as server:
        client = client_of(server.url)
        assert client.get_bucket_location(Bucket="of-a-run")["LocationConstraint"] == "eu-west-1"
        client.close()


def test_what_a_bucket_is_configured_with_is_given_back(s3: Any) -> None:
    tags = {"TagSet": [{"Key": "team", "Value": "a & b"}]}
    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
    block = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
    expiry = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 7}}
    s3.create_bucket(Bucket="configured")
    s3.put_bucket_versioning(Bucket="configured", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(Bucket="configured", Tagging=tags)
    s3.put_bucket_encryption(Bucket="configured", ServerSideEncryptionConfiguration={"Rules": rules})
    s3.put_public_access_block(Bucket="configured", PublicAccessBlockConfiguration=block)
    s3.put_bucket_policy(Bucket="configured", Policy='{"Version": "2012-10-17"}')
    s3.put_bucket_lifecycle_configuration(Bucket="configured", LifecycleConfiguration={"Rules": [expiry]})
    s3.put_bucket_acl(Bucket="configured", ACL="private")
    s3.put_object(Bucket="configured", Key="a", Body=b"")
    s3.put_object_acl(Bucket="configured", Key="a", ACL="bucket-owner-full-control")
    assert s3.get_bucket_versioning(Bucket="configured")["Status"] == "Enabled"
    assert s3.get_bucket_tagging(Bucket="configured")["TagSet"] == tags["TagSet"]
    assert s3.get_bucket_encryption(Bucket="configured")["ServerSideEncryptionConfiguration"]["Rules"] == rules
    assert s3.get_public_access_block(Bucket="configured")["PublicAccessBlockConfiguration"] == block
    assert s3.get_bucket_policy(Bucket="configured")["Policy"] == '{"Version": "2012-10-17"}'
    assert s3.get_bucket_lifecycle_configuration(Bucket="configured")["Rules"] == [expiry]
    s3.delete_bucket_tagging(Bucket="configured")
    with pytest.raises(ClientError) as error:
        s3.get_bucket_tagging(Bucket="configured")
    assert code_of(error) == ("NoSuchTagSet", 404)


def test_a_bucket_made_anew_is_configured_with_nothing(s3: Any) -> None:
    for _ in range(2):
        s3.create_bucket(Bucket="again")
        assert "Status" not in s3.get_bucket_versioning(Bucket="again")
        s3.put_bucket_versioning(Bucket="again", VersioningConfiguration={"Status": "Enabled"})
        s3.delete_bucket(Bucket="again")


@pytest.mark.documented
@pytest.mark.parametrize("name", ["Bad_Bucket", "ab", "a" * 64, "-abc", "a..b", "192.168.1.1", "xn--abc", "abc--x-s3"])
def test_no_bucket_is_made_that_s3_would_not_make(url: str, store: LocalStore, name: str) -> None:
    request = urllib.request.Request(f"{url}/{name}?AWSAccessKeyId={SECRET}", method="PUT")  # noqa: S310 - our own server
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)  # noqa: S310 - our own server
    assert (refused.value.code, b"<Code>InvalidBucketName</Code>" in refused.value.read()) == (400, True)
    refused.value.close()
    assert name not in store.buckets()


def test_a_put_makes_its_bucket_where_the_endpoint_is_told_to(store: LocalStore) -> None:
    with serve(s3_app(store, secret=SECRET, makes_buckets=True), "127.0.0.1") as server:
        s3 = client_of(server.url)
        with pytest.raises(ClientError) as error:
            s3.head_bucket(Bucket="my-team-bucket")
        assert code_of(error)[1] == 404
        s3.put_object(Bucket="my-team-bucket", Key="code/a", Body=b"a")
        s3.head_bucket(Bucket="my-team-bucket")
        s3.copy_object(Bucket="copied-into", Key="a", CopySource="my-team-bucket/code/a")
        upload = s3.create_multipart_upload(Bucket="uploaded-into", Key="a")["UploadId"]
        s3.abort_multipart_upload(Bucket="uploaded-into", Key="a", UploadId=upload)
        assert {"my-team-bucket", "copied-into", "uploaded-into"} <= set(store.buckets())
        with pytest.raises(s3.exceptions.NoSuchBucket):
            s3.get_object(Bucket="never-put-to", Key="a")
        with pytest.raises(ClientError) as error:
            s3.put_object(Bucket="Bad_Bucket", Key="a", Body=b"")
        assert code_of(error) == ("InvalidBucketName", 400)
        s3.close()


def test_tags_are_kept_with_the_object(s3: Any, tmp_path: Path) -> None:
    def tags(key: str) -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket="bucket", Key=key)["TagSet"]}

    s3.put_object(Bucket="bucket", Key="tagged", Body=b"t", Tagging="a=b&c%20d=", Metadata={"m": "1"})
    assert tags("tagged") == {"a": "b", "c d": ""}
    got = s3.head_object(Bucket="bucket", Key="tagged")
    assert (got["Metadata"], got["TagCount"]) == ({"m": "1"}, 2)
    s3.copy_object(Bucket="bucket", Key="tagged-copy", CopySource="bucket/tagged", MetadataDirective="REPLACE")
    assert tags("tagged-copy") == {"a": "b", "c d": ""}
    s3.copy_object(Bucket="bucket", Key="tagged-copy", CopySource="bucket/tagged", TaggingDirective="REPLACE", Tagging="e=f")
    assert tags("tagged-copy") == {"e": "f"}
    s3.put_object_tagging(Bucket="bucket", Key="tagged", Tagging={"TagSet": [{"Key": "x", "Value": "é &"}]})
    assert tags("tagged") == {"x": "é &"}
    got = s3.get_object(Bucket="bucket", Key="tagged")
    assert (got["Body"].read(), got["Metadata"]) == (b"t", {"m": "1"})
    s3.delete_object_tagging(Bucket="bucket", Key="tagged")
    assert tags("tagged") == {}
    (tmp_path / "large").write_bytes(b"0" * (9 * 1024 * 1024))
    s3.upload_file(str(tmp_path / "large"), "bucket", "tagged-parts", ExtraArgs={"Tagging": "a=b"})
    assert tags("tagged-parts") == {"a": "b"}


def test_conditional_puts(s3: Any) -> None:
    named = {"Bucket": "bucket", "Key": "conditional-put"}
    etag = s3.put_object(**named, Body=b"1", IfNoneMatch="*")["ETag"]
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"other"'}):
        with pytest.raises(ClientError) as error:
            s3.put_object(**named, Body=b"2", **condition)
        assert code_of(error) == ("PreconditionFailed", 412)
    s3.put_object(**named, Body=b"3", IfMatch=etag)
    assert s3.get_object(**named)["Body"].read() == b"3"
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="bucket", Key="never", Body=b"", IfMatch=etag)
    assert code_of(error) == ("NoSuchKey", 404)
    upload = s3.create_multipart_upload(**named)["UploadId"]
    part = s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=b"4")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    with pytest.raises(ClientError) as error:
        s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload=parts, IfNoneMatch="*")
    assert code_of(error) == ("PreconditionFailed", 412)
    s3.abort_multipart_upload(**named, UploadId=upload)


def test_listing_in_pages_and_by_delimiter(s3: Any) -> None:
    s3.create_bucket(Bucket="listed")
    keys = sorted([*(f"a/{n}" for n in range(5)), "a b+c&<é>", "b", "c/x/1", "c/y/2", "c/z"], key=str.encode)
    for key in keys:
        s3.put_object(Bucket="listed", Key=key, Body=b"1")
    for operation in ("list_objects", "list_objects_v2"):
        pages = list(s3.get_paginator(operation).paginate(Bucket="listed", PaginationConfig={"PageSize": 2}))
        assert [key for page in pages for key in keys_of(page)] == keys
        assert len(pages) == 5
        found: list[str] = []
        for page in s3.get_paginator(operation).paginate(Bucket="listed", Delimiter="/", PaginationConfig={"PageSize": 1}):
            found += keys_of(page) + [prefix["Prefix"] for prefix in page.get("CommonPrefixes", [])]
        assert found == ["a b+c&<é>", "a/", "b", "c/"]
    below = s3.list_objects_v2(Bucket="listed", Prefix="c/", Delimiter="/")
    assert keys_of(below) == ["c/z"]
    assert [prefix["Prefix"] for prefix in below["CommonPrefixes"]] == ["c/x/", "c/y/"]
    assert below["KeyCount"] == 3
    assert keys_of(s3.list_objects_v2(Bucket="listed", StartAfter="a/3", MaxKeys=2)) == ["a/4", "b"]
    entry = s3.list_objects_v2(Bucket="listed", Prefix="b")["Contents"][0]
    assert (entry["Size"], entry["ETag"]) == (1, s3.head_object(Bucket="listed", Key="b")["ETag"])
    assert keys_of(s3.list_objects_v2(Bucket="listed", MaxKeys=0)) == []


def test_copies(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="from é+ ?", Body=b"copied", ContentType="text/x-a", Metadata={"a": "1"})
    source = {"Bucket": "bucket", "Key": "from é+ ?"}
    s3.copy_object(Bucket="bucket", Key="to", CopySource=source)
    got = s3.get_object(Bucket="bucket", Key="to")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"copied", "text/x-a", {"a": "1"})
    s3.copy_object(Bucket="bucket", Key="to", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"})
    assert s3.head_object(Bucket="bucket", Key="to")["Metadata"] == {"b": "2"}
    with pytest.raises(ClientError) as error:
        s3.copy_object(Bucket="bucket", Key="to", CopySource={"Bucket": "bucket", "Key": "to"})
    assert code_of(error) == ("InvalidRequest", 400)
    with pytest.raises(ClientError) as error:
        s3.copy_object(Bucket="bucket", Key="to", CopySource=source, CopySourceIfMatch='"x"')
    assert code_of(error) == ("PreconditionFailed", 412)


def test_multipart_by_hand(s3: Any) -> None:
    named = {"Bucket": "bucket", "Key": "by/hand"}
    s3.put_object(Bucket="bucket", Key="source", Body=b"0123456789")
    upload = s3.create_multipart_upload(**named, ContentType="text/x-b")["UploadId"]
    first = s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=b"a" * PART)["ETag"]
    second = s3.upload_part_copy(
        **named, UploadId=upload, PartNumber=2, CopySource="bucket/source", CopySourceRange="bytes=2-4"
    )["CopyPartResult"]["ETag"]
    assert [part["Size"] for part in s3.list_parts(**named, UploadId=upload)["Parts"]] == [PART, 3]
    assert [entry["UploadId"] for entry in s3.list_multipart_uploads(Bucket="bucket")["Uploads"]] == [upload]
    with pytest.raises(ClientError) as error:
        s3.complete_multipart_upload(
            **named, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": second}]}
        )
    assert code_of(error)[0] == "InvalidPart"
    parts = [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": second}]
    done = s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload={"Parts": parts})
    got = s3.get_object(**named)
    assert got["Body"].read() == b"a" * PART + b"234"
    assert (got["ETag"], got["ContentType"]) == (done["ETag"], "text/x-b")
    with pytest.raises(s3.exceptions.NoSuchUpload):
        s3.list_parts(**named, UploadId=upload)


def test_an_aborted_upload_leaves_nothing(s3: Any, store: LocalStore) -> None:
    named = {"Bucket": "bucket", "Key": "aborted"}
    upload = s3.create_multipart_upload(**named)["UploadId"]
    s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=b"a")
    s3.abort_multipart_upload(**named, UploadId=upload)
    assert store.head(S3Uri("bucket", "aborted")) is None
    assert list(store.scratch_dir().iterdir()) == []


def test_deleting_many(s3: Any) -> None:
    keys = ["many/a", "many/é", "many/<&>", "many/x\ry"]
    for key in keys:
        s3.put_object(Bucket="bucket", Key=key, Body=b"")
    objects = [{"Key": key} for key in [*keys, "many/absent"]]
    deleted = s3.delete_objects(Bucket="bucket", Delete={"Objects": objects})
    assert sorted(entry["Key"] for entry in deleted["Deleted"]) == sorted([*keys, "many/absent"])
    assert s3.list_objects_v2(Bucket="bucket", Prefix="many/")["KeyCount"] == 0
    assert "Deleted" not in s3.delete_objects(Bucket="bucket", Delete={"Objects": objects, "Quiet": True})


def test_a_mount_is_read_only(s3: Any) -> None:
    assert s3.get_object(Bucket="company", Key="raw/in.csv")["Body"].read() == b"1,2\n"
    assert keys_of(s3.list_objects_v2(Bucket="company")) == ["raw/in.csv"]
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="company", Key="raw/new", Body=b"")
    assert code_of(error) == ("AccessDenied", 403)
    failed = s3.delete_objects(Bucket="company", Delete={"Objects": [{"Key": "raw/in.csv"}]})["Errors"]
    assert [(entry["Key"], entry["Code"]) for entry in failed] == [("raw/in.csv", "AccessDenied")]


def test_the_resource_api(s3: Any, url: str) -> None:
    session = boto3.session.Session(aws_access_key_id=SECRET, aws_secret_access_key="x", region_name="us-east-1")
    bucket = session.resource("s3", endpoint_url=url).Bucket("resource")
    bucket.create()
    bucket.put_object(Key="a/1", Body=b"one")
    bucket.Object("a/2").upload_fileobj(io.BytesIO(b"two"))
    assert [(summary.key, summary.size) for summary in bucket.objects.filter(Prefix="a/")] == [("a/1", 3), ("a/2", 3)]
    assert bucket.Object("a/2").get()["Body"].read() == b"two"
    bucket.objects.all().delete()
    assert list(bucket.objects.all()) == []
    bucket.delete()
    bucket.meta.client.close()


@pytest.mark.parametrize("signature", ["s3", "s3v4"])
def test_presigned_urls(s3: Any, url: str, signature: str) -> None:
    signer = client_of(url, signature_version=signature)
    named = {"Bucket": "bucket", "Key": "pre signed/é+"}
    put = signer.generate_presigned_url("put_object", Params=named)
    with urllib.request.urlopen(urllib.request.Request(put, data=b"signed", method="PUT")):  # noqa: S310 - our own server
        pass
    get = signer.generate_presigned_url("get_object", Params={**named, "ResponseContentType": "text/x-c"})
    with urllib.request.urlopen(get) as response:  # noqa: S310 - our own server
        assert response.read() == b"signed"
        assert response.headers["content-type"] == "text/x-c"
    signer.close()


def test_another_key_is_refused(url: str) -> None:
    stranger = client_of(url, key="AKIAIOSFODNN7EXAMPLE")
    with pytest.raises(ClientError) as error:
        stranger.list_buckets()
    assert code_of(error) == ("AccessDenied", 403)
    assert error.value.response["Error"]["Message"] == (
        "The request is signed with the access key 'AKIAIOSFODNN7EXAMPLE', not with the one that localpipe gave. If it comes"
        " from a job, the job's own Environment or code has replaced AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: leave"
        " them out."
    )
    stranger.close()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}/bucket/empty")  # noqa: S310 - our own server
    assert refused.value.code == 403
    refused.value.close()


def test_what_is_not_served_is_refused_by_name(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="plain", Body=b"")
    with pytest.raises(ClientError) as error:
        s3.put_bucket_website(Bucket="bucket", WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    assert error.value.response["Error"] == {
        "Code": "NotImplemented",
        "Message": "localpipe's S3 does not implement PutBucketWebsite.",
        "Resource": "/bucket",
    }
    with pytest.raises(ClientError) as error:
        s3.copy_object(Bucket="bucket", Key="to", CopySource="bucket/plain", IfNoneMatch="*")
    assert code_of(error) == ("NotImplemented", 501)
    with pytest.raises(ClientError) as error:
        s3.get_bucket_policy(Bucket="bucket")
    assert code_of(error) == ("NoSuchBucketPolicy", 404)
    assert s3.get_bucket_acl(Bucket="bucket")["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert "Status" not in s3.get_bucket_versioning(Bucket="bucket")


def test_a_body_cut_short_leaves_nothing(url: str, s3: Any, store: LocalStore) -> None:
    host = url.removeprefix("http://")
    presigned = s3.generate_presigned_url("put_object", Params={"Bucket": "bucket", "Key": "cut"}).removeprefix(url)
    connection = http.client.HTTPConnection(host)
    connection.putrequest("PUT", presigned)
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b"only this")
    connection.close()
    s3.put_object(Bucket="bucket", Key="after", Body=b"")
    assert store.head(S3Uri("bucket", "cut")) is None


def test_a_home_that_cannot_be_written_is_told_and_not_tried_again(tmp_path: Path) -> None:
    (tmp_path / "s3").write_text("a file where the store should be")
    with serve(s3_app(LocalStore(tmp_path / "s3", {}), secret=None), "127.0.0.1") as server:
        client = client_of(server.url)
        with pytest.raises(ClientError) as error:
            client.create_bucket(Bucket="bucket")
        assert code_of(error) == ("InternalError", 507)
        assert error.value.response["Error"]["Message"] == f"The local S3 cannot use {tmp_path}/s3: Not a directory."
        client.close()


AWKWARD = st.sampled_from(
    ["/", "//", ".", "..", "%", "%2F", "+", " ", "?", "#", "&", "\\", "\n", "\r", "\x01", "é", "e\u0301", "😀", "a"]
)
KEYS = st.lists(
    st.one_of(AWKWARD, st.text(st.characters(exclude_categories=["Cs"]), max_size=5)), min_size=1, max_size=10
).map("".join)
KEYS = KEYS.filter(bool)


@given(key=KEYS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_key_survives_the_wire(s3: Any, store: LocalStore, key: str) -> None:
    named = {"Bucket": "bucket", "Key": key}
    s3.put_object(**named, Body=key.encode())
    with store.open(S3Uri("bucket", key)) as content:
        assert content.read() == key.encode()
    assert s3.get_object(**named)["Body"].read() == key.encode()
    assert s3.head_object(**named)["ContentLength"] == len(key.encode())
    assert key in keys_of(s3.list_objects_v2(Bucket="bucket", Prefix=key))
    s3.copy_object(Bucket="bucket", Key="copied", CopySource=named)
    s3.delete_object(**named)
    assert store.head(S3Uri("bucket", key)) is None

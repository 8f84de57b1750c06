"""ARNs, S3 URIs and job names: parsed once, then typed."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace

_S3_URI = re.compile(r"s3://(?P<bucket>[^/]+)(?:/(?P<key>.*))?", re.DOTALL)
_MISSPELT = re.compile(r"(?:s3:/*|arn:aws[a-z-]*:s3:::)(?P<rest>[^/].*)", re.DOTALL | re.IGNORECASE)
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_IP_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_RESERVED_BEGINNINGS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_TOKEN_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"  # noqa: S105 - letters of a job name
_TOKEN_LENGTH = 10
_STEP_PART_LIMIT = 20
_SHORT_STEP_PART_LIMIT = 7
JOB_NAME_LIMIT = 63
TUNING_JOB_NAME_LIMIT = 32

LOCAL_FILES = "localpipe-files"
"""The bucket that shows local files where a pipeline names them: the key is their path. See docs/decisions."""


@dataclass(frozen=True, order=True)
class S3Uri:
    """An S3 bucket and key. `key` may be empty (the whole bucket) and is kept exactly: nothing is normalised."""

    bucket: str
    key: str = ""

    @classmethod
    def parse(cls, text: str) -> S3Uri:
        """Return the URI. Raises ValueError, naming the text, if it is no `s3://bucket[/key]`."""
        match = _S3_URI.fullmatch(text)
        if not match:
            meant = meant_uri(text)
            raise ValueError(f"{text!r} is not an S3 URI (s3://bucket/key){f': write {meant}' if meant else ''}")
        return cls(match["bucket"], match["key"] or "")

    def child(self, *parts: str) -> S3Uri:
        """This prefix with parts appended, joined by one slash each: a trailing slash of ours is not doubled."""
        key = "/".join([self.key.rstrip("/"), *parts]) if self.key else "/".join(parts)
        return S3Uri(self.bucket, key)

    def holds(self, other: S3Uri) -> bool:
        """Whether the other is this prefix or lies below it: `s3://b/x` holds `s3://b/x/` and `s3://b/x/y`, not `s3://b/xy`."""
        return self.bucket == other.bucket and f"{other.key}/".startswith(self.child("").key)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}" if self.key else f"s3://{self.bucket}"


def meant_uri(text: str) -> str | None:
    """The S3 URI that is meant by one with a wrong scheme (`S3://`, `s3:/`) or by an ARN; None for any other text."""
    match = _MISSPELT.fullmatch(text)
    return f"s3://{match['rest']}" if match and not text.startswith("s3://") else None


def local_path(uri: str) -> str | None:
    """The path of this machine that a URI of the bucket LOCAL_FILES shows; None for any other text."""
    prefix = f"s3://{LOCAL_FILES}"
    return uri.removeprefix(prefix) if uri.startswith(f"{prefix}/") else None


def bucket_name_problem(name: str) -> str | None:
    """Why S3 makes no new bucket of this name, None if it does. Old buckets may have other names.

    Follows: Amazon S3 User Guide, "General purpose bucket naming rules".
    """
    if not _BUCKET_NAME.fullmatch(name):
        return "3 to 63 lower-case letters, digits, dots and hyphens, the first and last a letter or digit"
    if ".." in name or _IP_ADDRESS.fullmatch(name):
        return "it must not have two dots in a row or be an IP address"
    reserved = [*filter(name.startswith, _RESERVED_BEGINNINGS), *filter(name.endswith, _RESERVED_ENDS)]
    return f"{reserved[0]!r} is reserved" if reserved else None


def new_bucket_note(name: str) -> str | None:
    """What to know of a bucket that is made here and that S3 would not make; None if it would.

    It is made all the same: an account may have old buckets with names that S3 gives no more.
    """
    problem = bucket_name_problem(name)
    return f"{name!r} is made here, but S3 makes no new bucket of this name: {problem}." if problem else None


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whose resources they are: the account (12 digits), region and role that ARNs and containers show."""

    account: str
    region: str
    role_arn: str

    def arn(self, kind: str, name: str) -> str:
        """The ARN of a SageMaker resource, e.g. `arn("processing-job", name)`. Follows: service.md section 9.2."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name}"


@dataclass(frozen=True, kw_only=True)
class ExecutionName:
    """Names one execution: the pipeline and the 12 characters `[a-z0-9]` that are the last part of the ARN."""

    pipeline_name: str
    execution_id: str
    identity: Identity

    @property
    def pipeline_arn(self) -> str:
        """`arn:aws:sagemaker:<region>:<account>:pipeline/<name>`."""
        return self.identity.arn("pipeline", self.pipeline_name)

    @property
    def arn(self) -> str:
        """`<pipeline ARN>/execution/<id>`."""
        return f"{self.pipeline_arn}/execution/{self.execution_id}"


@dataclass(frozen=True, kw_only=True, order=True)
class AttemptKey:
    """Names one attempt of one step of one execution. `attempt` counts from 1 (`AttemptCount`).

    `child`: which of the attempt's own jobs, from 1 (a training job of a tuning job, a container of a model); 0 for the
    attempt itself. See docs/decisions/0023.
    """

    execution_id: str
    step: str
    attempt: int
    child: int = 0

    @property
    def whole(self) -> AttemptKey:
        """The attempt that the job belongs to."""
        return replace(self, child=0)

    def __str__(self) -> str:
        job = f"job {self.child} of " if self.child else ""
        return f"{job}step {self.step!r}, attempt {self.attempt} of execution {self.execution_id}"


def job_name(key: AttemptKey, prefix: str | None = None, limit: int = JOB_NAME_LIMIT) -> str:
    """The name of the job that an attempt starts; the same attempt always gets the same name.

    `prefix` is the job name left in the step's arguments (`use_custom_job_prefix`), or None. The prefix is cut, not the
    rest, to keep within `limit` characters; hyphens at its end are not doubled. Where there is no room for the usual form
    (tuning jobs), the name begins with the execution.
    Follows: service.md section 1.5.
    """
    token = attempt_token(key)
    if prefix is None and limit < JOB_NAME_LIMIT:
        return f"{key.execution_id}-{key.step[:_SHORT_STEP_PART_LIMIT]}-{token}".replace("_", "-")
    if prefix is None:
        return f"pipelines-{key.execution_id}-{key.step[:_STEP_PART_LIMIT]}-{token}".replace("_", "-")
    rest = f"-{key.execution_id}-{token}-{key.attempt - 1}"
    return f"{prefix[: limit - len(rest)].rstrip('-')}{rest}"


def attempt_token(key: AttemptKey) -> str:
    """Ten alphanumerics for an attempt or one of its jobs: derived, not random, so that a replay gives the same names."""
    parts = [key.execution_id, key.step, key.attempt, *([key.child] if key.child else [])]
    digest = int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest(), "big")
    characters = []
    for _ in range(_TOKEN_LENGTH):
        digest, index = divmod(digest, len(_TOKEN_ALPHABET))
        characters.append(_TOKEN_ALPHABET[index])
    return "".join(characters)

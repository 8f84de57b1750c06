from __future__ import annotations

import re

import pytest

from localpipe.core.names import AttemptKey, S3Uri, job_name

KEY = AttemptKey(execution_id="abcdefghij12", step="Train", attempt=1)
PATTERN = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"


@pytest.mark.parametrize("text", ["S3://bkt/x", "s3:/bkt/x", "s3:bkt/x", "arn:aws:s3:::bkt/x", "arn:aws-cn:s3:::bkt/x"])
def test_an_s3_uri_with_another_beginning_is_told_as_it_is_meant(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape("is not an S3 URI (s3://bucket/key): write s3://bkt/x")):
        S3Uri.parse(text)


@pytest.mark.parametrize("text", ["http://b/x", "b/x", "s3://", "s3:///x"])
def test_what_is_meant_by_any_other_text_is_not_guessed(text: str) -> None:
    with pytest.raises(ValueError, match=r"\(s3://bucket/key\)$"):
        S3Uri.parse(text)


@pytest.mark.parametrize("prefix", [None, "mine", "mine-", "my-prefix-that-is-rather-long-and-goes-", "x" * 63])
def test_a_job_name_fits_the_services_pattern(prefix: str | None) -> None:
    name = job_name(KEY, prefix)
    assert re.fullmatch(PATTERN, name)
    assert "--" not in name


def test_a_prefix_is_cut_and_the_rest_is_not() -> None:
    assert job_name(KEY, "mine-").startswith("mine-abcdefghij12-")
    assert job_name(KEY, "mine-") == job_name(KEY, "mine")
    assert job_name(KEY, "x" * 63).startswith("x" * 37 + "-abcdefghij12-")
    assert len(job_name(KEY, "x" * 63)) == 63

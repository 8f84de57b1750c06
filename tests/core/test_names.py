from __future__ import annotations

import re

import pytest

from localpipe.core.names import AttemptKey, job_name

KEY = AttemptKey(execution_id="abcdefghij12", step="Train", attempt=1)
PATTERN = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"


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

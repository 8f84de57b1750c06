"""Where the package index is, beside the local S3. Apart from what answers there, which is slow to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = "/-/packages"
"""A path that is no bucket's."""

USER = "localpipe"


def index_environment(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The variables that lead pip and uv in a job to the index, given those that lead to the local S3."""
    host = environment["AWS_ENDPOINT_URL"].partition("://")[2]
    index = f"http://{USER}:{environment['AWS_SECRET_ACCESS_KEY']}@{host}{ROOT}/simple/"
    return {"PIP_INDEX_URL": index, "PIP_TRUSTED_HOST": host, "UV_DEFAULT_INDEX": index}

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from authoring_support import ROLE, TINY_SDK, Author

from localpipe.authoring import Asked, AuthoredDefinition, load_target
from localpipe.core import JSON
from localpipe.core.names import Identity, S3Uri
from localpipe.store import LocalStore


@pytest.fixture
def identity() -> Identity:
    return Identity(account="123456789012", region="eu-west-1", role_arn=ROLE)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "s3", {})


@pytest.fixture
def author(store: LocalStore, identity: Identity, tmp_path: Path) -> Author:
    """Runs a script, given as text, in this Python, where `sagemaker` is the tiny SDK."""

    def run(
        text: str,
        *,
        path: str = "work/script.py",
        environ: Mapping[str, str] | None = None,
        **asked: JSON,
    ) -> AuthoredDefinition:
        script = tmp_path / path
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(text)
        return load_target(
            script,
            store=store,
            identity=identity,
            environ={**os.environ, "PYTHONPATH": str(TINY_SDK), **(environ or {})},
            python=sys.executable,
            asked=Asked(**asked),
        )

    return run


@pytest.fixture
def keys(store: LocalStore) -> Callable[[str], list[str]]:
    """The keys of a bucket."""
    return lambda bucket: [info.uri.key for info in store.list(S3Uri(bucket))]

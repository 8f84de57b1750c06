from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from staging_bench import Bench

from localpipe.store import LocalStore

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    store = LocalStore(tmp_path / "s3", {})
    store.create_bucket("b")
    return Bench(tmp_path, store)

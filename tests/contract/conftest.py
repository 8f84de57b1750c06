"""The runners under contract, each with a home of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from real_jobs import Bench
from rules import RUNNERS

UNDER_CONTRACT = [
    pytest.param(name, marks=[getattr(pytest.mark, mark) for mark in sorted(marks)]) for name, marks in RUNNERS.items()
]


@pytest.fixture(scope="session", params=UNDER_CONTRACT)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(request.param, tmp_path_factory.mktemp(request.param))
    yield bench
    bench.home.close()

"""The algorithm's package on the path, and the places that a stand-in runs in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from stand_in_places import Image, OptMl, Place, VirtualEnvironment

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "containers" / "xgboost" / "algorithm"))


@pytest.fixture
def opt_ml(tmp_path: Path) -> OptMl:
    return OptMl(tmp_path / "ml")


@pytest.fixture(
    params=[pytest.param(Image, marks=pytest.mark.docker), pytest.param(VirtualEnvironment, marks=pytest.mark.sandbox)]
)
def place_kind(request: pytest.FixtureRequest) -> type[Place]:
    return request.param

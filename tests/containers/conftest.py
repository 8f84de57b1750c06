"""The programs' packages on the path, and the places that a stand-in runs in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from stand_in_places import Image, OptMl, Place, VirtualEnvironment

_CONTAINERS = Path(__file__).resolve().parents[2] / "containers"
sys.path[:0] = [str(_CONTAINERS / "xgboost" / "algorithm"), str(_CONTAINERS / "spark" / "program")]


@pytest.fixture
def opt_ml(tmp_path: Path) -> OptMl:
    return OptMl(tmp_path / "ml")


@pytest.fixture(
    params=[pytest.param(Image, marks=pytest.mark.docker), pytest.param(VirtualEnvironment, marks=pytest.mark.sandbox)]
)
def place_kind(request: pytest.FixtureRequest) -> type[Place]:
    return request.param

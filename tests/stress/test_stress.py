"""Many steps at once on Docker leave nothing behind. `benchmarks/stress.py` runs 200 of a second; this is a smaller one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from localpipe.core import JSON

STRESS = Path(__file__).resolve().parents[2] / "benchmarks" / "stress.py"
BASE_IMAGE = os.environ.get("LOCALPIPE_TEST_BASE_IMAGE", "localpipe-base:bookworm")
STEPS, SECONDS, AT_ONCE = 60, 0.2, 16
pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture(autouse=True)
def _the_image_is_there() -> None:
    if subprocess.run(["docker", "image", "inspect", BASE_IMAGE], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no image {BASE_IMAGE}")


def stressed(*more: str) -> JSON:
    size = ("--steps", str(STEPS), "--seconds", str(SECONDS), "--at-once", str(AT_ONCE), "--image", BASE_IMAGE)
    ended = subprocess.run([sys.executable, STRESS, *size, *more], capture_output=True, text=True, check=False)
    assert ended.stdout, ended.stderr
    return json.loads(ended.stdout)


def test_sixty_steps_sixteen_at_once_leave_nothing_behind_and_take_little_memory() -> None:
    document = stressed()
    assert document["statuses"] == {"execution": "Succeeded", "steps": {"Succeeded": 60}}
    assert document["left"] == {}
    assert document["peak_mib"] <= 150


def test_every_fifth_of_sixty_fails_the_others_succeed_and_nothing_is_left_behind() -> None:
    document = stressed("--every-nth-fails", "5")
    assert document["statuses"] == {"execution": "Failed", "steps": {"Failed": 12, "Succeeded": 48}}
    assert document["left"] == {}

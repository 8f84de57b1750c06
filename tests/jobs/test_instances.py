from __future__ import annotations

import pytest

from localpipe.core.jobspec import Limits
from localpipe.jobs.instances import INSTANCES, limits_of

GIB = 1 << 30


@pytest.mark.parametrize(
    ("instance_type", "cpus", "gib", "gpus"),
    [
        ("ml.m5.large", 2, 8, 0),
        ("ml.c5.9xlarge", 36, 72, 0),
        ("ml.c4.large", 2, 3.75, 0),
        ("ml.r5.24xlarge", 96, 768, 0),
        ("ml.t3.medium", 2, 4, 0),
        ("ml.g4dn.12xlarge", 48, 192, 4),
        ("ml.p3.2xlarge", 8, 61, 1),
    ],
)
def test_an_instance_type_has_what_ec2_says(instance_type: str, cpus: int, gib: float, gpus: int) -> None:
    assert INSTANCES[instance_type] == Limits(cpus=cpus, memory_bytes=int(gib * GIB), gpus=gpus)


def test_limits_count_only_where_they_are_enforced_but_gpus_always() -> None:
    assert limits_of("ml.p3.2xlarge", {}, enforce=False) == Limits(gpus=1)
    assert limits_of("ml.p3.2xlarge", {}, enforce=True) == Limits(cpus=8, memory_bytes=61 * GIB, gpus=1)


def test_what_the_user_says_of_a_type_wins() -> None:
    mine = Limits(cpus=1, memory_bytes=GIB)
    assert limits_of("ml.m5.large", {"ml.m5.large": mine}, enforce=True) == mine


def test_an_unknown_type_has_no_limits() -> None:
    assert limits_of("ml.x1.huge", {}, enforce=True) == Limits()

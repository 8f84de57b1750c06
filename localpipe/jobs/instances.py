"""The common instance types: vCPUs, GiB of memory, GPUs. A type that is not here sets no limits.

Follows: Amazon EC2 instance types; an `ml.` type has what the EC2 type of the same name has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.jobspec import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_GIB = 1 << 30

_SIZES: Mapping[str, int] = {
    "large": 2,
    "xlarge": 4,
    "2xlarge": 8,
    "4xlarge": 16,
    "8xlarge": 32,
    "9xlarge": 36,
    "12xlarge": 48,
    "16xlarge": 64,
    "18xlarge": 72,
    "24xlarge": 96,
}
"""vCPUs of a size, in the families whose sizes are regular."""

_FAMILIES: Mapping[str, tuple[float, tuple[str, ...]]] = {
    "c4": (1.875, ("large", "xlarge", "2xlarge", "4xlarge")),
    "c5": (2, ("large", "xlarge", "2xlarge", "4xlarge", "9xlarge", "12xlarge", "18xlarge", "24xlarge")),
    "c5d": (2, ("large", "xlarge", "2xlarge", "4xlarge", "9xlarge", "12xlarge", "18xlarge", "24xlarge")),
    "c5n": (2.625, ("large", "xlarge", "2xlarge", "4xlarge")),
    "c6i": (2, ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge")),
    "c7i": (2, ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge")),
    "m4": (4, ("large", "xlarge", "2xlarge", "4xlarge", "16xlarge")),
    "m5": (4, ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge")),
    "m5d": (4, ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge")),
    "m6i": (4, ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge")),
    "m7i": (4, ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge")),
    "r5": (8, ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge")),
    "r5d": (8, ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge")),
    "r6i": (8, ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge")),
    "r7i": (8, ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge")),
}
"""Family → GiB a vCPU, and the sizes that it has."""

_OTHERS: Mapping[str, tuple[int, float, int]] = {
    "ml.t2.medium": (2, 4, 0),
    "ml.t2.large": (2, 8, 0),
    "ml.t2.xlarge": (4, 16, 0),
    "ml.t2.2xlarge": (8, 32, 0),
    "ml.t3.medium": (2, 4, 0),
    "ml.t3.large": (2, 8, 0),
    "ml.t3.xlarge": (4, 16, 0),
    "ml.t3.2xlarge": (8, 32, 0),
    "ml.c4.8xlarge": (36, 60, 0),
    "ml.c5n.9xlarge": (36, 96, 0),
    "ml.c5n.18xlarge": (72, 192, 0),
    "ml.m4.10xlarge": (40, 160, 0),
    "ml.p2.xlarge": (4, 61, 1),
    "ml.p2.8xlarge": (32, 488, 8),
    "ml.p2.16xlarge": (64, 732, 16),
    "ml.p3.2xlarge": (8, 61, 1),
    "ml.p3.8xlarge": (32, 244, 4),
    "ml.p3.16xlarge": (64, 488, 8),
    "ml.p3dn.24xlarge": (96, 768, 8),
    "ml.p4d.24xlarge": (96, 1152, 8),
    "ml.p4de.24xlarge": (96, 1152, 8),
    "ml.p5.48xlarge": (192, 2048, 8),
    "ml.g4dn.xlarge": (4, 16, 1),
    "ml.g4dn.2xlarge": (8, 32, 1),
    "ml.g4dn.4xlarge": (16, 64, 1),
    "ml.g4dn.8xlarge": (32, 128, 1),
    "ml.g4dn.12xlarge": (48, 192, 4),
    "ml.g4dn.16xlarge": (64, 256, 1),
    "ml.g5.xlarge": (4, 16, 1),
    "ml.g5.2xlarge": (8, 32, 1),
    "ml.g5.4xlarge": (16, 64, 1),
    "ml.g5.8xlarge": (32, 128, 1),
    "ml.g5.12xlarge": (48, 192, 4),
    "ml.g5.16xlarge": (64, 256, 1),
    "ml.g5.24xlarge": (96, 384, 4),
    "ml.g5.48xlarge": (192, 768, 8),
    "ml.g6.xlarge": (4, 16, 1),
    "ml.g6.2xlarge": (8, 32, 1),
    "ml.g6.4xlarge": (16, 64, 1),
    "ml.g6.8xlarge": (32, 128, 1),
    "ml.g6.12xlarge": (48, 192, 4),
    "ml.g6.16xlarge": (64, 256, 1),
    "ml.g6.24xlarge": (96, 384, 4),
    "ml.g6.48xlarge": (192, 768, 8),
}
"""vCPUs, GiB and GPUs of the others."""


def _all() -> Iterator[tuple[str, Limits]]:
    for family, (gib_per_cpu, sizes) in _FAMILIES.items():
        for size in sizes:
            cpus = _SIZES[size]
            yield f"ml.{family}.{size}", Limits(cpus=cpus, memory_bytes=int(cpus * gib_per_cpu * _GIB))
    for name, (cpus, gib, gpus) in _OTHERS.items():
        yield name, Limits(cpus=cpus, memory_bytes=int(gib * _GIB), gpus=gpus)


INSTANCES: Mapping[str, Limits] = dict(_all())
"""Instance type → what a container on it has."""


def limits_of(instance_type: str, overrides: Mapping[str, Limits], *, enforce: bool) -> Limits:
    """What a job on an instance type may use. Its GPUs are passed on whether or not the limits are enforced."""
    limits = overrides.get(instance_type) or INSTANCES.get(instance_type, Limits())
    return limits if enforce else Limits(gpus=limits.gpus)

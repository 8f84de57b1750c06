"""What this machine has for jobs: processors, memory, GPUs."""

from __future__ import annotations

import os
from pathlib import Path

from localpipe.core.jobspec import Limits


def machine_limits() -> Limits:
    """What there is. GPUs are counted where a driver of NVIDIA's shows them."""
    return Limits(
        cpus=float(os.cpu_count() or 1),
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        gpus=sum(1 for _ in Path("/dev").glob("nvidia[0-9]*")),
    )

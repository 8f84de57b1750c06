"""Room on this machine: what a job takes of it, and how much there is for the jobs of all executions at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localpipe.core.jobspec import Limits


@dataclass(frozen=True, kw_only=True)
class Size:
    """What a job takes: one place, and what its instances have. A 0 stands for what is not known, too."""

    jobs: int = 1
    cpus: float = 0
    memory_bytes: int = 0
    gpus: int = 0


ONE_JOB = Size()


def size_of(hosts: Iterable[Limits]) -> Size:
    """The size of a job whose hosts have this much each."""
    hosts = tuple(hosts)
    return Size(
        cpus=sum(host.cpus or 0 for host in hosts),
        memory_bytes=sum(host.memory_bytes or 0 for host in hosts),
        gpus=sum(host.gpus for host in hosts),
    )


@dataclass(frozen=True, kw_only=True)
class Room:
    """How much there is; None: that is not counted. A job that takes more than there is counts as taking all of it."""

    jobs: int
    cpus: float | None = None
    memory_bytes: int | None = None
    gpus: int | None = None

    def lacks(self, size: Size, taken: Iterable[Size]) -> str:
        """What is missing for one more job beside those that run, in words; empty: nothing is."""
        taken = tuple(taken)
        demands = (
            ("job slots", self.jobs, size.jobs, sum(each.jobs for each in taken), 1),
            ("processors", self.cpus, size.cpus, sum(each.cpus for each in taken), 1),
            ("GiB of memory", self.memory_bytes, size.memory_bytes, sum(each.memory_bytes for each in taken), _GIB),
            ("GPUs", self.gpus, size.gpus, sum(each.gpus for each in taken), 1),
        )
        for what, most, wanted, used, unit in demands:
            if most is not None and wanted and used + min(wanted, most) > most:
                return f"{min(used, most) / unit:.4g} of {most / unit:.4g} {what} are taken"
        return ""


_GIB = 1 << 30

"""Room on this machine: what a job takes of it, and how much there is for the jobs of all executions at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
        for demand in self._demands(size, taken):
            if demand.lacking:
                most, unit = demand.most, demand.unit
                amount = f"{min(demand.wanted, most) / unit:.4g}"
                rest = f"{min(demand.used, most) / unit:.4g} of {most / unit:.4g} are taken"
                return f"wants {amount} {demand.one if amount == '1' else demand.many}; {rest}"
        return ""

    def short_of(self, size: Size, taken: Iterable[Size]) -> frozenset[str]:
        """All that is missing for one more job beside those that run, each by its name; empty: nothing is."""
        return frozenset(demand.many for demand in self._demands(size, taken) if demand.lacking)

    def counted(self, size: Size) -> frozenset[str]:
        """What a job takes of that which is counted, each by its name."""
        return frozenset(demand.many for demand in self._demands(size, ()))

    def _demands(self, size: Size, taken: Iterable[Size]) -> Iterator[_Demand]:
        taken = tuple(taken)
        numbers = (
            ("job slot", "job slots", 1, self.jobs, size.jobs, sum(each.jobs for each in taken)),
            ("processor", "processors", 1, self.cpus, size.cpus, sum(each.cpus for each in taken)),
            (_MEMORY, _MEMORY, _GIB, self.memory_bytes, size.memory_bytes, sum(each.memory_bytes for each in taken)),
            ("GPU", "GPUs", 1, self.gpus, size.gpus, sum(each.gpus for each in taken)),
        )
        for one, many, unit, most, wanted, used in numbers:
            if most is not None and wanted:
                yield _Demand(one, many, unit, most, wanted, used)


class _Demand(NamedTuple):
    """What a job wants of something that is counted, and how much of it others have."""

    one: str
    many: str
    unit: int
    most: float
    wanted: float
    used: float

    @property
    def lacking(self) -> bool:
        return self.used + min(self.wanted, self.most) > self.most


_GIB = 1 << 30
_MEMORY = "GiB of memory"

"""The instances of a job: how many, of which types, in which groups; what is refused of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.errors import Problem
from localpipe.jobs.members import members, repeated, texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from localpipe.core import JSON

_WHOLE_CLUSTER = "homogeneousCluster"
_GROUPS = "ResourceConfig.InstanceGroups"
_GROUP_NAME = f"{_GROUPS}[*].InstanceGroupName"
_CHANNEL_GROUPS = "InputDataConfig[*].DataSource.S3DataSource.InstanceGroupNames[*]"


@dataclass(frozen=True, kw_only=True)
class InstanceGroup:
    """Hosts of one instance type. A job without groups has one, `homogeneousCluster`."""

    name: str
    instance_type: str
    hosts: tuple[str, ...]


def instance_groups(cluster: JSON) -> tuple[InstanceGroup, ...]:
    """The groups of a ClusterConfig or ResourceConfig, their hosts `algo-1`, `algo-2`, ... numbered through.

    Names are sorted as text within a group. UNVERIFIED: that groups are numbered in the order of the request.
    Follows: containers.md 1.5, 2.6.
    """
    groups, first = [], 1
    for group in cluster.get("InstanceGroups") or [{"InstanceGroupName": _WHOLE_CLUSTER, **cluster}]:
        numbers = range(first, first := first + group["InstanceCount"])
        groups.append(
            InstanceGroup(
                name=group["InstanceGroupName"],
                instance_type=group["InstanceType"],
                hosts=tuple(sorted(f"algo-{number}" for number in numbers)),
            )
        )
    return tuple(groups)


def host_names(groups: Iterable[InstanceGroup]) -> tuple[str, ...]:
    """The hosts of all groups, sorted as text."""
    return tuple(sorted(name for group in groups for name in group.hosts))


def hosts_of(group_names: Iterable[str], groups: Iterable[InstanceGroup]) -> frozenset[str] | None:
    """The hosts of the named groups; None, which means all hosts, where none is named."""
    names = frozenset(group_names)
    return frozenset(host for group in groups if group.name in names for host in group.hosts) if names else None


def instance_group_problems(request: JSON, path: str) -> Iterator[Problem]:
    """What is refused of the instances of a training job beyond what is missing. Follows: containers.md 2.1, 2.4."""
    for place, value in members(request, "ResourceConfig", path):
        if isinstance(value, dict) and value.get("InstanceGroups"):
            for name in ("InstanceType", "InstanceCount"):
                if value.get(name) is not None:
                    yield Problem(f"{place}.{name}", f"InstanceGroups exclude {name}.", "Leave one of them out.")
    yield from repeated(request, _GROUP_NAME, path)
    yield from _without_hosts(request, path)
    known = {name for _, name in texts(request, _GROUP_NAME, path)}
    for place, name in texts(request, _CHANNEL_GROUPS, path):
        if name not in known:
            there = f"There is {', '.join(sorted(known))}." if known else "ResourceConfig has no InstanceGroups."
            yield Problem(place, f"There is no instance group {name!r}.", there)


def _without_hosts(request: JSON, path: str) -> Iterator[Problem]:
    """InstanceCount may be 0 in the request model; a job needs a host, and a group of none has no meaning here."""
    for place, count in members(request, f"{_GROUPS}[*].InstanceCount", path):
        if count == 0:
            yield Problem(place, "An instance group of no instances.", "Leave it out.")
    for place, count in members(request, "ResourceConfig.InstanceCount", path):
        if count == 0:
            yield Problem(place, "A job of no instances.", "Set InstanceCount to at least 1.")

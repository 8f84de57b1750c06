"""What becomes of a member of a Create request, as a value: which verdict, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from localpipe.core import JSON
    from localpipe.core.names import S3Uri


class Verdict(str, Enum):
    """How near a run came to what a member asks of the service."""

    EXACT = "Exact"
    APPROXIMATED = "Approximated"
    IGNORED = "Ignored"


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What the verdicts on a run depend on beside its requests.

    `images`: image URI → what stood for it, in a sentence; empty for the very image. `mounts`: local directories shown as
    S3 prefixes. `limits_kept`: whether jobs on an instance type were held to its processors and memory; `limits_refused`:
    whether they were to be, by `[instances] enforce`, on a runner that cannot. `one_user`: whether the runner gives a
    job but one. `max_trials`: the most training jobs that a tuning job had, None where it had as many as it asked for.
    `model`: a registered model by its name, in DescribeModel shape, None for one that is not there. `shields_machine`: see
    `Runner.shields_machine`.
    """

    images: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[S3Uri, Path] = field(default_factory=dict)
    limits_kept: Callable[[str], bool] = lambda _instance_type: False
    limits_refused: bool = False
    one_user: bool = False
    max_trials: int | None = None
    model: Callable[[str], JSON | None] = lambda _name: None
    shields_machine: bool = True


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What becomes of the values at `member`, a path as of `jobs.members`, and of all below them.

    `note` says it of one value, in a sentence; an empty one: this value is as on the service, whatever the verdict. `told`
    says it in general, for the reference; empty for `Exact`.
    """

    member: str
    verdict: Verdict
    told: str
    note: Callable[[JSON, Circumstances], str]

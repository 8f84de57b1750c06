"""Whether an earlier result stands for a step, and if not, why. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from localpipe.caching.changes import changes
from localpipe.caching.signature import Comparison
from localpipe.definition.durations import duration_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.caching.changes import Change
    from localpipe.caching.signature import Compared
    from localpipe.core import JSON
    from localpipe.core.signature import Signature
    from localpipe.definition.model import CacheConfig


class CacheMode(str, Enum):
    """What decides whether steps are done: `--cache`."""

    SERVICE = "service"
    """As on the service: steps with a CacheConfig that is Enabled, by the values of their members."""
    CONTENT = "content"
    """Every step of a type that can be cached, by what lies behind those values."""
    OFF = "off"
    """Every step is done."""

    __str__ = str.__str__


class CacheVerdict(str, Enum):
    """What a comparison says of a step."""

    HIT = "Hit"
    FIRST = "First"
    """There is no earlier result."""
    CHANGED = "Changed"
    EXPIRED = "Expired"
    GONE = "Gone"
    """What it wrote has been removed. The service would hit, and later steps would fail."""
    OVERWRITTEN = "Overwritten"
    """Something else lies where it wrote. Only where contents are compared."""

    __str__ = str.__str__


class Outputs(str, Enum):
    """What has become of what an earlier run wrote."""

    THERE = "There"
    GONE = "Gone"
    OVERWRITTEN = "Overwritten"


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """The newest success of the step, or the newest with the same key. `values`: None where they are not known."""

    source: str
    ended_at: float
    key: str
    values: Mapping[str, JSON] | None
    outputs: Outputs


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A verdict and what it rests on. `changes`: only of CHANGED."""

    verdict: CacheVerdict
    earlier: Earlier | None = None
    changes: tuple[Change, ...] = ()


def judge(compared: Compared, earlier: Earlier | None, cache: CacheConfig | None, *, now: float) -> Judgement:
    """The verdict on a step against the newest success with its key or, without one, the newest of all.

    An age counts from the end of the step that was done; a result that stood for another is not renewed by it. Times are
    epoch seconds. Follows: service.md section 6.
    """
    if earlier is None:
        return Judgement(verdict=CacheVerdict.FIRST)
    if earlier.key != compared.key:
        differing = changes(earlier.values, compared.values)
        return Judgement(verdict=CacheVerdict.CHANGED, earlier=earlier, changes=differing)
    limit = age_limit(cache)
    if limit is not None and now - earlier.ended_at > limit:
        return Judgement(verdict=CacheVerdict.EXPIRED, earlier=earlier)
    if earlier.outputs is Outputs.GONE:
        return Judgement(verdict=CacheVerdict.GONE, earlier=earlier)
    if earlier.outputs is Outputs.OVERWRITTEN and compared.by is Comparison.CONTENT:
        return Judgement(verdict=CacheVerdict.OVERWRITTEN, earlier=earlier)
    return Judgement(verdict=CacheVerdict.HIT, earlier=earlier)


def age_limit(cache: CacheConfig | None) -> int | None:
    """Seconds that a result may be old; None: any age. A CacheConfig that is not Enabled has no say."""
    return duration_seconds(cache.expire_after) if cache and cache.enabled and cache.expire_after else None


def decides(mode: CacheMode, signature: Signature) -> Comparison:
    """Which comparison of a step counts, if any does."""
    by_contents = mode is CacheMode.CONTENT and (signature.has_contents or signature.function)
    return Comparison.CONTENT if by_contents else Comparison.SERVICE


def why_off(by: Comparison, mode: CacheMode, signature: Signature, cache: CacheConfig | None) -> str:
    """Why what a comparison says does not count for a step, in a sentence; empty if it counts.

    An author's `Enabled: false` holds whatever is compared: what the step does may depend on more than its members.
    """
    if mode is CacheMode.OFF:
        return "Caching is off for this execution (--cache off)."
    if cache is not None and not cache.enabled:
        return "The step's CacheConfig is not Enabled."
    if by is not decides(mode, signature):
        return "Contents decide in this execution (--cache content)."
    if cache is None and (by is Comparison.SERVICE or not signature.has_contents):
        return "The step has no CacheConfig."
    return ""

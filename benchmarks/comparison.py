"""PURE: what was measured, as tables, and what is wanted of it, as verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from measured import Sample
from scenarios import SCENARIOS

DOCKER, PROCESS, SANDBOX = "docker", "process", "sandbox"
BARE_DOCKER, BARE_SANDBOX, SDK = "bare Docker loop", "bare sandbox loop", "SDK local mode"
RUNNERS = (DOCKER, PROCESS, SANDBOX)
LANES = (*RUNNERS, BARE_DOCKER, BARE_SANDBOX, SDK)
_HEADS = {**{name: f"localpipe, {name}" for name in RUNNERS}, BARE_DOCKER: BARE_DOCKER, BARE_SANDBOX: BARE_SANDBOX, SDK: SDK}
_STEPS_WITH_BIG_INPUTS = 2
_MIB, _MB = 1 << 20, 1e6


@dataclass(frozen=True)
class Results:
    """Samples by scenario and lane. A lane that cannot be used here is not there, nor a scenario not asked for."""

    samples: Mapping[tuple[str, str], Sequence[Sample]]

    def lanes(self) -> Sequence[str]:
        return [lane for lane in LANES if any(key[1] == lane for key in self.samples)]

    def scenarios(self) -> Sequence[str]:
        return [scenario for scenario in SCENARIOS if any(key[0] == scenario for key in self.samples)]

    def ratio(self, scenario: str, lane: str, other: str) -> float | None:
        """The median of the rounds' ratios; None if one of the lanes was not measured."""
        rounds = self._rounds(scenario, lane, other)
        return median(mine / theirs for mine, theirs in rounds) if rounds else None

    def added(self, scenario: str, lane: str, other: str) -> float | None:
        """Seconds for each of two steps, the median of the rounds; None if one of the lanes was not measured."""
        rounds = self._rounds(scenario, lane, other)
        return median(mine - theirs for mine, theirs in rounds) / _STEPS_WITH_BIG_INPUTS if rounds else None

    def peak(self, lane: str) -> float | None:
        """The most memory in MiB throughout; None if it is not known."""
        peaks = [sample.peak_bytes for key, samples in self.samples.items() if key[1] == lane for sample in samples]
        known = [peak for peak in peaks if peak is not None]
        return max(known) / _MIB if known else None

    def written(self, scenario: str, lane: str) -> float | None:
        """MB for each of two steps, the median of the rounds; None if it is not known."""
        samples = self.samples.get((scenario, lane), ())
        known = [sample.written_bytes for sample in samples if sample.written_bytes is not None]
        return median(known) / _MB / _STEPS_WITH_BIG_INPUTS if known else None

    def _rounds(self, scenario: str, *lanes: str) -> Sequence[tuple[float, ...]]:
        """The seconds of these lanes, round by round."""
        columns = ([sample.seconds for sample in self.samples.get((scenario, lane), ())] for lane in lanes)
        return list(zip(*columns, strict=False))


@dataclass(frozen=True, kw_only=True)
class Target:
    """A figure, and what it must be: at most `limit`, or `at_least` that much. `measured` None: nobody knows."""

    what: str
    measured: float | None
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        if self.measured is None:
            return None
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


def targets(results: Results) -> Sequence[Target]:
    """Everything that is wanted, whether or not it was measured."""
    ratios = [
        Target(
            what=f"docker runner to bare Docker loop, {SCENARIOS[scenario].title}",
            measured=results.ratio(scenario, DOCKER, BARE_DOCKER),
            limit=1.0 if scenario == "chain" else 1.05,
        )
        for scenario in SCENARIOS
    ]
    return (
        *ratios,
        Target(
            what="sandbox runner to bare Docker loop, chain",
            measured=results.ratio("chain", SANDBOX, BARE_DOCKER),
            limit=0.25,
        ),
        Target(
            what="SDK local mode to sandbox runner, chain",
            measured=results.ratio("chain", SDK, SANDBOX),
            limit=10,
            at_least=True,
        ),
        Target(
            what="2 GiB, docker runner: added to a step",
            measured=results.added("big", DOCKER, BARE_DOCKER),
            limit=0.1,
            unit="s",
        ),
        Target(
            what="2 GiB, docker runner: written to disk by localpipe itself, a step",
            measured=results.written("big", DOCKER),
            limit=1,
            unit="MB",
        ),
        Target(
            what="10,000 files, docker runner: added to a step",
            measured=results.added("many", DOCKER, BARE_DOCKER),
            limit=0.4,
            unit="s",
        ),
        *(
            Target(what=f"memory of localpipe, {lane} runner", measured=results.peak(lane), limit=150, unit="MiB")
            for lane in RUNNERS
        ),
    )


def report(results: Results) -> str:
    """Markdown: medians with their spread, ratios to the bare loops, targets."""
    tables = (_times(results), *(_ratios(results, loop) for loop in (BARE_DOCKER, BARE_SANDBOX)), _verdicts(results))
    return "\n\n".join("\n".join(table) for table in tables)


def _times(results: Results) -> Iterator[str]:
    lanes = results.lanes()
    yield from _head(["median s (least-most)", *(_HEADS[lane] for lane in lanes)])
    for scenario in results.scenarios():
        cells = [_spread(results.samples.get((scenario, lane), ())) for lane in lanes]
        yield _row([SCENARIOS[scenario].title, *cells])
    peaks = [_number(results.peak(lane), 0) for lane in lanes]
    yield _row(["most memory, MiB", *peaks])


def _ratios(results: Results, other: str) -> Iterator[str]:
    lanes = [lane for lane in results.lanes() if lane != other]
    yield from _head([f"ratio to the {other}", *(_HEADS[lane] for lane in lanes)])
    for scenario in results.scenarios():
        cells = [_number(results.ratio(scenario, lane, other), 2) for lane in lanes]
        yield _row([SCENARIOS[scenario].title, *cells])


def _verdicts(results: Results) -> Iterator[str]:
    yield from _head(["target", "wanted", "measured", ""])
    for target in targets(results):
        wanted = f"{'at least' if target.at_least else 'at most'} {target.limit:g} {target.unit}".rstrip()
        verdict = {True: "met", False: "**missed**", None: "not measured"}[target.met]
        yield _row([target.what, wanted, f"{_number(target.measured, 2)} {target.unit}".rstrip(), verdict])


def _head(cells: Sequence[str]) -> Iterator[str]:
    yield _row(cells)
    yield _row(["---"] * len(cells))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _spread(samples: Sequence[Sample]) -> str:
    if not samples:
        return ""
    seconds = [sample.seconds for sample in samples]
    return f"{median(seconds):.2f} ({min(seconds):.2f}-{max(seconds):.2f})"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"

"""The strategies behind one port: the parameters of the next trial, from the seed and from the trials so far."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from localpipe.core.tuning import Strategy
from localpipe.tuning.draws import draw, seed_of
from localpipe.tuning.ranges import combinations, place_of, size_of, value_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from localpipe.core.tuning import Parameters, Range

_PATIENCE = 200
"""Draws in a row that give nothing new before the combinations that are left are gone through."""

_RETRIES = 5
"""Answers of the model in a row that were tried already before one is drawn at random."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A trial as a strategy sees it. `loss`: the smaller, the better; None: it runs, or gave nothing."""

    parameters: Parameters
    loss: float | None
    running: bool


class Proposing(Protocol):
    """How the parameters of a trial are chosen."""

    def __call__(self, ranges: Sequence[Range], seed: int, turn: int, history: Sequence[Observation]) -> Parameters | None:
        """The parameters of trial `turn` (from 0); None when there are no others any more.

        `history`: trials so far, those of parents included.
        """
        ...


def propose_random(ranges: Sequence[Range], seed: int, turn: int, history: Sequence[Observation] = ()) -> Parameters | None:
    """Independent draws in the measure of each range's scaling, none twice. What the trials gave plays no part."""
    del history
    return next(islice(_distinct(ranges, seed), turn, None), None)


def propose_from_grid(
    ranges: Sequence[Range], seed: int, turn: int, history: Sequence[Observation] = ()
) -> Parameters | None:
    """The product of the values, in order."""
    del seed, history
    return next(islice(combinations(ranges), turn, None), None)


def propose_by_model(ranges: Sequence[Range], seed: int, turn: int, history: Sequence[Observation]) -> Parameters | None:
    """What a model of the trials so far holds for best, else, where that was tried already, a random draw that was not.

    The model works on places of [0, 1], so every strategy has the same scalings.
    """
    from localpipe.tuning.model import suggest  # imports optuna, which takes a third of a second

    tried = {_key(each.parameters) for each in history}
    known = [(places, each.loss, each.running) for each in history if (places := _places(ranges, each.parameters))]
    for attempt in range(_RETRIES):
        places = suggest(ranges, known, seed_of(seed, "model", turn, attempt))
        proposed = {range_.name: value_at(range_, places[range_.name]) for range_ in ranges}
        if _key(proposed) not in tried:
            return proposed
    return next((each for each in _distinct(ranges, seed) if _key(each) not in tried), None)


PROPOSING: Mapping[Strategy, Proposing] = {
    Strategy.RANDOM: propose_random,
    Strategy.HYPERBAND: propose_random,
    Strategy.GRID: propose_from_grid,
    Strategy.BAYESIAN: propose_by_model,
}
"""What proposes by a strategy."""


def _distinct(ranges: Sequence[Range], seed: int) -> Iterator[Parameters]:
    """Random draws without those that came before; when few are new, what is left, in an order of the seed's."""
    seen: set[tuple[tuple[str, str], ...]] = set()
    size, number, since_new = size_of(ranges), 0, 0
    while since_new < _PATIENCE and len(seen) != size:
        drawn = {range_.name: value_at(range_, draw(seed, number, range_.name)) for range_ in ranges}
        number, since_new = number + 1, since_new + 1
        if _key(drawn) not in seen:
            seen.add(_key(drawn))
            since_new = 0
            yield drawn
    if size is not None:
        left = [each for each in combinations(ranges) if _key(each) not in seen]
        yield from sorted(left, key=lambda each: draw(seed, *map("=".join, _key(each))))


def _places(ranges: Sequence[Range], parameters: Parameters) -> Mapping[str, float] | None:
    """Where the parameters lie; None if one is missing or outside of its range, as those of a parent may be."""
    found = {range_.name: place_of(range_, parameters.get(range_.name, "")) for range_ in ranges}
    places = {name: place for name, place in found.items() if place is not None}
    return places if len(places) == len(ranges) else None


def _key(parameters: Parameters) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(parameters.items()))

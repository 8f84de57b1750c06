"""The trials of a tuning job as they start, report and end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localpipe.core.tuning import Trial


@dataclass(frozen=True, kw_only=True)
class History:
    """`trials` in the order of their numbers. `ended`: the numbers of those that have ended, in that order."""

    trials: tuple[Trial, ...] = ()
    ended: tuple[int, ...] = ()

    def trial(self, number: int) -> Trial:
        """One of them."""
        return self.trials[number - 1]

    @property
    def in_order_of_end(self) -> tuple[Trial, ...]:
        """Those that have ended."""
        return tuple(map(self.trial, self.ended))

    @property
    def all_ended(self) -> bool:
        """Whether none runs."""
        return len(self.ended) == len(self.trials)

    def launched(self, trial: Trial) -> History:
        """One more, whose number is the next."""
        return replace(self, trials=(*self.trials, trial))

    def reported(self, number: int, value: float) -> History:
        """A trial has told its objective after one more epoch."""
        trial = self.trial(number)
        return self._with(replace(trial, reported=(*trial.reported, value)))

    def halted(self, number: int) -> History:
        """A trial has been told to stop."""
        return self._with(replace(self.trial(number), halted=True))

    def with_end(self, trial: Trial) -> History:
        """A trial has ended as this one says."""
        return replace(self._with(trial), ended=(*self.ended, trial.number))

    def _with(self, trial: Trial) -> History:
        return replace(self, trials=(*self.trials[: trial.number - 1], trial, *self.trials[trial.number :]))

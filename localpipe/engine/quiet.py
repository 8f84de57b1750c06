"""Optuna, which the Bayesian strategy asks, kept silent while it is asked."""

from __future__ import annotations

import threading
import warnings
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from localpipe.core.tuning import Strategy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

_ONE_AT_A_TIME = threading.Lock()


def deciding_by(strategy: Strategy) -> AbstractContextManager[None]:
    """Around a decision of `tuning.moves`, in any thread."""
    return _quiet_optuna() if strategy is Strategy.BAYESIAN else nullcontext()


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """How loud it is belongs to the process, as all warnings do: so for one thread at a time, and put back afterwards."""
    import optuna  # takes a third of a second

    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            yield
        finally:
            optuna.logging.set_verbosity(verbosity)

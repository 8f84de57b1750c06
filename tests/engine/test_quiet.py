"""What the caller hears of optuna, and of warnings, is the caller's."""

from __future__ import annotations

import logging
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import optuna
import pytest

from localpipe.core.tuning import ContinuousRange, Strategy
from localpipe.engine.quiet import deciding_by
from localpipe.tuning.strategies import propose_by_model

if TYPE_CHECKING:
    from collections.abc import Iterator

X = ContinuousRange(name="x", low=0.0, high=1.0)


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What optuna logs, where somebody listens."""
    optuna.logging.enable_propagation()
    with caplog.at_level(logging.INFO):
        yield caplog
    optuna.logging.disable_propagation()


def test_the_model_is_asked_in_silence_and_leaves_what_was_set(heard: pytest.LogCaptureFixture) -> None:
    def ask(turn: int) -> None:
        with deciding_by(Strategy.BAYESIAN):
            propose_by_model((X,), 1, turn, [])

    before = optuna.logging.get_verbosity(), list(warnings.filters)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(ask, range(12)))
    assert (optuna.logging.get_verbosity(), list(warnings.filters)) == before
    assert heard.messages == []

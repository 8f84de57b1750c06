"""What is under way, and how it is told to stop."""

from __future__ import annotations

from localpipe.core.names import AttemptKey
from localpipe.engine.runs import Runs

TUNE = AttemptKey(execution_id="e", step="Tune", attempt=1)
TRIALS = [AttemptKey(execution_id="e", step="Tune", attempt=1, child=child) for child in (1, 2)]
OTHER = AttemptKey(execution_id="e", step="Other", attempt=1)


class Told:
    """A run that remembers what it was told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def stop(self, *, kill: bool) -> None:
        self.words.append("kill" if kill else "stop")

    def clean(self) -> None:
        self.words.append("clean")


def test_an_attempt_is_told_to_stop_with_its_own_jobs_and_no_other() -> None:
    runs, whole, trial, other = Runs(), Told(), Told(), Told()
    for key, run in ((TUNE, whole), (TRIALS[0], trial), (OTHER, other)):
        runs.begin(key, run)
    runs.stop(TUNE, kill=False)
    assert (whole.words, trial.words, other.words) == (["stop"], ["stop"], [])


def test_what_begins_after_its_attempt_was_told_to_stop_is_told_at_once() -> None:
    runs, late = Runs(), Told()
    runs.stop(TUNE, kill=True)
    runs.begin(TRIALS[0], late)
    assert late.words == ["kill"]


def test_one_job_of_an_attempt_is_cleaned_alone_and_the_attempt_with_what_is_left_of_it() -> None:
    runs, whole, trials = Runs(), Told(), [Told(), Told()]
    runs.begin(TUNE, whole)
    for key, run in zip(TRIALS, trials, strict=True):
        runs.begin(key, run)
    runs.clean(TRIALS[0])
    assert (whole.words, trials[0].words, trials[1].words) == ([], ["clean"], [])
    runs.clean(TUNE)
    runs.clean(TUNE)
    assert (whole.words, trials[0].words, trials[1].words) == (["clean"], ["clean"], ["clean"])

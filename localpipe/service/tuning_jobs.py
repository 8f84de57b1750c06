"""Tuning jobs of this home by name, for those that learn from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.scheduling.state import fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from localpipe.scheduling.children import ChildExecution
    from localpipe.scheduling.history import AttemptExecution
    from localpipe.service.wiring import Home


def training_jobs_of(home: Home, tuning_job: str) -> Sequence[ChildExecution] | None:
    """The training jobs of a tuning job, in the order of their numbers; None if no execution has one of that name.

    The name has its execution's id in it. Follows: service.md section 1.5.
    """
    for attempt in _attempts_in(home, tuning_job):
        if attempt.job_name == tuning_job and attempt.launched_at is not None:
            return attempt.own_jobs
    return None


def _attempts_in(home: Home, tuning_job: str) -> Iterator[AttemptExecution]:
    for execution_id in home.journal.ids():
        if execution_id in tuning_job:
            for step in fold(home.journal.read(execution_id)).steps.values():
                yield from step.attempts

"""Trials as facts tell them."""

from __future__ import annotations

from localpipe.core.names import Identity
from localpipe.core.tuning import (
    Completion,
    ContinuousRange,
    Objective,
    Strategy,
    TrainingDefinition,
    TrialDetail,
    TuningSpec,
)
from localpipe.engine.trials import restored
from localpipe.scheduling.children import ChildExecution, ChildStatus

LOSS = Objective(metric="loss", maximize=False)
X = ContinuousRange(name="x", low=0.0, high=1.0)
SPEC = TuningSpec(
    job_name="tune",
    identity=Identity(account="111122223333", region="us-east-1", role_arn="arn"),
    strategy=Strategy.BAYESIAN,
    definitions=(TrainingDefinition(name=None, request={}, ranges=(X,), objective=LOSS),),
    max_trials=5,
    max_parallel=2,
    max_runtime_seconds=None,
    seed="1",
    early_stopping=False,
    epochs=None,
    completion=Completion(),
)


def child(number: int, ended_before: int) -> ChildExecution:
    """One that ended in the same moment as all others."""
    detail = TrialDetail(parameters={"x": "0.5"}, definition=0, definition_name=None, objective=LOSS)
    return ChildExecution(
        child=number,
        job_name=f"tune-{number}",
        started_at=1.0,
        ended_at=2.0,
        ended_before=ended_before,
        status=ChildStatus.COMPLETED,
        detail=detail.to_json(),
        properties={"TrainingJobStatus": "Completed"},
    )


def test_trials_that_a_killed_localpipe_left_are_restored_in_the_order_in_which_they_ended() -> None:
    history = restored(SPEC, {1: child(1, 1), 2: child(2, 0)}, with_epochs=False)
    assert ([trial.number for trial in history.trials], history.ended) == ([1, 2], (2, 1))

"""Which exception types a step type never has retried, whatever its policies say."""

from __future__ import annotations

from localpipe.errors import JOB_INTERNAL_ERROR
from localpipe.steps import STEP_TYPES


def test_tuning_ignores_internal_errors_and_no_other_type_does() -> None:
    assert {kind.type: kind.never_retried for kind in STEP_TYPES if kind.never_retried} == {
        "Tuning": frozenset({JOB_INTERNAL_ERROR})
    }

"""The step types, listed in `STEP_TYPES`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.steps.callback import CallbackStep
from localpipe.steps.condition import ConditionStep
from localpipe.steps.fail import FailStep
from localpipe.steps.lambda_step import LambdaStep
from localpipe.steps.model import ModelStep
from localpipe.steps.processing import ProcessingStep
from localpipe.steps.register_model import RegisterModelStep
from localpipe.steps.training import TrainingStep
from localpipe.steps.transform import TransformStep
from localpipe.steps.tuning import TuningStep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.steps.base import StepType

STEP_TYPES: tuple[StepType, ...] = (
    ProcessingStep(),
    TrainingStep(),
    TuningStep(),
    TransformStep(),
    ConditionStep(),
    FailStep(),
    ModelStep(),
    RegisterModelStep(),
    LambdaStep(),
    CallbackStep(),
)


def step_types() -> Mapping[str, StepType]:
    """Every step type by the definition's `Type`."""
    return {step_type.type: step_type for step_type in STEP_TYPES}

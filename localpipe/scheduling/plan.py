"""What will run: everything about an execution that its events do not change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localpipe.definition.model import RetryPolicy
    from localpipe.scheduling.graph import PipelineGraph


class FailureMode(str, Enum):
    """What becomes of independent steps once a step has failed. Steps under way, their retries included, always go on."""

    CONTINUE = "continue"
    """Every step that does not depend on the failed one still starts."""
    START_NOTHING_NEW = "start nothing new"
    """No further step starts."""


FAILURE_MODE = FailureMode.CONTINUE
"""Assumed: service.md section 5.4 and section 13, no. 1 (UNVERIFIED). The one place to change it."""


@dataclass(frozen=True, kw_only=True)
class ExecutionPlan:
    """What is handed to `decide` beside the state.

    `graph` holds the steps that may start. MaxParallelExecutionSteps is not here but in the state: events change it.
    """

    graph: PipelineGraph
    failure_mode: FailureMode = FAILURE_MODE

    def retry_policies(self, step: str) -> tuple[RetryPolicy, ...]:
        """The policies of a step in the author's order; empty: only the service's own default applies."""
        return self.graph.nodes[step].step.retry_policies

"""Executions that are over or under way, as others may ask for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core import JSON
    from localpipe.core.names import ExecutionName


@dataclass(frozen=True, kw_only=True)
class PastExecution:
    """An execution that was there before who asks. `started_at`: epoch seconds. `parameters`: all, with their values."""

    name: ExecutionName
    status: str
    started_at: float
    parameters: Mapping[str, JSON]

"""What AWS's container raises; scripts catch it, or raise it themselves."""

from __future__ import annotations

from localpipe_xgboost.errors import UserError

__all__ = ["AlgorithmError", "PlatformError", "UserError"]


class AlgorithmError(Exception):
    """An unexpected failure that the author cannot avoid."""


class PlatformError(Exception):
    """Something that the environment owes is not there."""

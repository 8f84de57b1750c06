"""The requests of steps against the service model of a home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.definition.requests import fit_to_request, require_valid
from localpipe.definition.step_kind import named_by_service

if TYPE_CHECKING:
    from collections.abc import Callable

    from localpipe.core import JSON
    from localpipe.service.wiring import Home


def fitter(home: Home) -> Callable[[str, JSON, str], JSON]:
    """`fit_to_request` over the home's service model. Raises JobFailed for what the Create call does not take."""
    names = {kind.request_shape: named_by_service(kind) for kind in home.step_types.values()}

    def fit(shape_name: str, arguments: JSON, path: str) -> JSON:
        fitted = fit_to_request(shape_name, arguments, home.model, path)
        require_valid(shape_name, fitted, home.model, path, names[shape_name])
        return fitted

    return fit

"""Pipeline names made of file names: pure."""

from __future__ import annotations

import re

_LIMIT = 256
_FALLBACK = "pipeline"


def pipeline_name(text: str) -> str:
    """The text made to fit the service's pattern `[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}`: other characters become `-`.

    Follows: service.md section 9.1.
    """
    return re.sub(r"[^a-zA-Z0-9]", "-", text).strip("-")[:_LIMIT].rstrip("-") or _FALLBACK

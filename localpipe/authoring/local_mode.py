"""Instance types of the SDK's local mode, which the service does not know: pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localpipe.core import JSON

STAND_INS = {"local": "ml.m5.large", "local_gpu": "ml.g4dn.xlarge"}
"""Instance type of local mode → one of the service that takes its place."""

_MEMBER = "InstanceType"


def without_local_instances(definition: str) -> str:
    """The definition (JSON text) with instance types of the service; the same text if it has no others."""
    if not any(f'"{local}"' in definition for local in STAND_INS):
        return definition
    return json.dumps(json.loads(definition, object_hook=_on_the_service))


def _on_the_service(members: dict[str, JSON]) -> dict[str, JSON]:
    wanted = members.get(_MEMBER)
    return {**members, _MEMBER: STAND_INS.get(wanted, wanted)} if isinstance(wanted, str) else members

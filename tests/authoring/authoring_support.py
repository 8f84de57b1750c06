"""What the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from localpipe.authoring import AuthoredDefinition

TINY_SDK = Path(__file__).parent / "tiny_sdk"
ROLE = "arn:aws:iam::123456789012:role/service-role/LocalpipeRole"

Author = Callable[..., AuthoredDefinition]

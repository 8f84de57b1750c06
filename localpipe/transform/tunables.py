"""How requests are made: what the job says, else what the container answers, else the defaults.

Follows: containers.md 3.2, 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.core.transform import BatchStrategy

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.core.transform import TransformSpec

_DEFAULT_PAYLOAD_MB = 6
_BYTES_OF_MB = 1 << 20
WORDS = {BatchStrategy.SINGLE_RECORD: "SINGLE_RECORD", BatchStrategy.MULTI_RECORD: "MULTI_RECORD"}
"""How containers call the strategies."""


@dataclass(frozen=True, kw_only=True)
class Tunables:
    """`max_payload_mb` 0: no limit, bodies are sent in chunks."""

    strategy: BatchStrategy
    max_concurrent: int
    max_payload_mb: int

    @property
    def limit_bytes(self) -> int | None:
        """The longest body of a request; None: there is no limit."""
        return self.max_payload_mb * _BYTES_OF_MB or None

    def __str__(self) -> str:
        return (
            f"MaxConcurrentTransforms={self.max_concurrent}, MaxPayloadInMB={self.max_payload_mb}, "
            f"BatchStrategy={WORDS[self.strategy]}"
        )


def tunables(spec: TransformSpec, answer: JSON) -> Tunables:
    """`answer`: what `/execution-parameters` gave, None for nothing; members that make no sense are passed over."""
    said = answer if isinstance(answer, dict) else {}
    strategies = {word: strategy for strategy, word in WORDS.items()}
    payload = spec.max_payload_mb
    return Tunables(
        strategy=spec.strategy or strategies.get(str(said.get("BatchStrategy")), BatchStrategy.MULTI_RECORD),
        max_concurrent=spec.max_concurrent or _number(said.get("MaxConcurrentTransforms")) or 1,
        max_payload_mb=_number(said.get("MaxPayloadInMB"), _DEFAULT_PAYLOAD_MB) if payload is None else payload,
    )


def _number(value: JSON, default: int = 0) -> int:
    return value if isinstance(value, int) and value >= 0 else default

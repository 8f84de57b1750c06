"""Numbers that look random and are functions of what they are for."""

from __future__ import annotations

import hashlib

_BITS = 53


def seed_of(*words: str | int) -> int:
    """An integer of 32 bits."""
    return _digest(words) >> (256 - 32)


def draw(*words: str | int) -> float:
    """A number of [0, 1)."""
    return float((_digest(words) >> (256 - _BITS)) / (1 << _BITS))


def _digest(words: tuple[str | int, ...]) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(map(str, words)).encode()).digest(), "big")

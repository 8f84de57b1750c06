"""Listing one level at a time, as S3 does with a delimiter. Needs nothing but the `ObjectStore` port."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from localpipe.core.names import S3Uri
from localpipe.core.ports import ObjectInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpipe.core.ports import ObjectStore

Grouped: TypeAlias = ObjectInfo | S3Uri
"""An object, or the common prefix of several: it ends with the delimiter."""

_LAST_CHARACTER = "\U0010ffff"
_KEYS_BEFORE_A_JUMP = 100
"""How many keys of one common prefix are read past before the listing is begun anew behind them."""


def grouped(store: ObjectStore, prefix: S3Uri, delimiter: str, *, start_after: str = "") -> Iterator[Grouped]:
    """Yield the objects below a prefix in key order; those with the delimiter further on only as their common prefix.

    An empty `delimiter` groups nothing. A `start_after` that is a common prefix leaves that prefix out.
    Follows: Amazon S3 API Reference, "ListObjectsV2".
    """
    group = start_after
    after: str | None = start_after
    while after is not None:
        objects = store.list(prefix, start_after=after)
        after, passed = None, 0
        for info in objects:
            key = info.uri.key
            common = _common_prefix(key, prefix.key, delimiter)
            if common is None:
                yield info
            elif common != group:
                group, passed = common, 0
                yield S3Uri(prefix.bucket, common)
            elif (passed := passed + 1) > _KEYS_BEFORE_A_JUMP:
                after = max(key, common + _LAST_CHARACTER)
                break


def _common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    end = key.find(delimiter, len(prefix)) if delimiter else -1
    return None if end < 0 else key[: end + len(delimiter)]

"""What a person may have meant by an S3 URI that has no objects."""

from __future__ import annotations

import difflib
import itertools
from typing import TYPE_CHECKING

from localpipe.core.listing import grouped
from localpipe.core.names import S3Uri
from localpipe.core.ports import ObjectInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localpipe.core.ports import ObjectStore

_SIMILARITY = 0.6
_NAMES_COMPARED = 1000
"""A level with more names is compared in part: a hint is not worth reading a million of them."""


def nearest_prefix(store: ObjectStore, uri: S3Uri) -> S3Uri | None:
    """The prefix or object that is most like `uri` and there; None if nothing is.

    Goes down the key as far as there is something, taking the most similar name where the given one is missing (or the
    most similar bucket), and stops where nothing is similar. A whole bucket is no answer to a key.
    """
    bucket = _closest(uri.bucket, store.buckets())
    if bucket is None:
        return None
    found = ""
    for name in uri.key.rstrip("/").split("/"):
        names = _names_below(store, S3Uri(bucket, found))
        closest = _closest(name, (candidate.rstrip("/") for candidate in names))
        if not closest:
            break
        found += f"{closest}/" if f"{closest}/" in names else closest
        if not found.endswith("/"):
            break
    if not found and uri.key:
        return None
    return S3Uri(bucket, found)


def _names_below(store: ObjectStore, prefix: S3Uri) -> list[str]:
    """The names of one level; those of prefixes end with a slash."""
    items = itertools.islice(grouped(store, prefix, "/"), _NAMES_COMPARED)
    return [(item.uri if isinstance(item, ObjectInfo) else item).key[len(prefix.key) :] for item in items]


def _closest(name: str, candidates: Iterable[str]) -> str | None:
    """The name itself, else one that it begins or that begins it, else a similar one."""
    names = sorted(set(candidates))
    if name in names:
        return name
    begun = [candidate for candidate in names if candidate.startswith(name) or name.startswith(candidate)] if name else []
    similar = difflib.get_close_matches(name, begun or names, n=1, cutoff=0 if begun else _SIMILARITY)
    return similar[0] if similar else None

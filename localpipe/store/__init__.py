"""The local S3 stand-in: objects, prefixes, digests."""

from localpipe.store.local import LocalStore
from localpipe.store.nearest import nearest_prefix

__all__ = ["LocalStore", "nearest_prefix"]

"""The local S3 stand-in: objects, prefixes, digests."""

from localpipe.store.digests import ContentDigests, state_of
from localpipe.store.local import LocalStore
from localpipe.store.nearest import nearest_prefix

__all__ = ["ContentDigests", "LocalStore", "nearest_prefix", "state_of"]

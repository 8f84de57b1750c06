"""Local directories that appear as bucket prefixes, read-only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.errors import UsageError
from localpipe.store.keys import PlainNaming
from localpipe.store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from localpipe.core.names import S3Uri


@dataclass(frozen=True)
class S3Mount:
    """`prefix` is "" (the whole bucket) or ends with a slash. The objects' keys are `prefix` and the path in the tree."""

    uri: S3Uri
    directory: Path
    prefix: str
    tree: Tree

    def holds(self, key: str) -> bool:
        """Whether the key lies below the mount; the key of the mount point itself does not."""
        return key.startswith(self.prefix)


def mounts_by_bucket(mounts: Mapping[S3Uri, Path]) -> dict[str, tuple[S3Mount, ...]]:
    """The mounts of each bucket, the innermost first. Raises UsageError for a directory that is not there."""
    by_bucket: dict[str, tuple[S3Mount, ...]] = {}
    for uri, directory in mounts.items():
        if not directory.is_dir():
            raise UsageError(
                f'[s3.mounts] "{uri}": there is no directory {directory}. Make it, or correct the path in localpipe.toml.'
            )
        prefix = f"{uri.key.rstrip('/')}/" if uri.key.rstrip("/") else ""
        mount = S3Mount(uri, directory, prefix, Tree(str(directory), PlainNaming()))
        by_bucket[uri.bucket] = (*by_bucket.get(uri.bucket, ()), mount)
    return {bucket: tuple(sorted(found, key=_depth, reverse=True)) for bucket, found in by_bucket.items()}


def _depth(mount: S3Mount) -> int:
    return len(mount.prefix)

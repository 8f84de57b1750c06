"""Local directories that appear as bucket prefixes: read-only, or where a pipeline writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.core.names import LOCAL_FILES
from localpipe.errors import UsageError
from localpipe.store.keys import EscapedNaming, PlainNaming
from localpipe.store.tree import Tree
from localpipe.store.writing import WritableTree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from localpipe.core.names import S3Uri


@dataclass(frozen=True)
class S3Mount:
    """`prefix` is "" (the whole bucket) or ends with a slash. The objects' keys are `prefix` and the path in the tree.

    `writable`: the tree that puts into it write, None where it is read-only.
    """

    uri: S3Uri
    directory: Path
    prefix: str
    tree: Tree
    writable: WritableTree | None = None

    def holds(self, key: str) -> bool:
        """Whether the key lies below the mount; the key of the mount point itself does not."""
        return key.startswith(self.prefix)


def mounts_by_bucket(
    mounts: Mapping[S3Uri, Path], outputs: Mapping[S3Uri, Path], lock_file: str
) -> dict[str, tuple[S3Mount, ...]]:
    """The mounts of each bucket, the innermost first; `outputs` are writable, and made when something is put there.

    `lock_file`: see `WritableTree`. Raises UsageError for a directory of the settings that is not there; of
    local files that a pipeline named and that were removed since, nothing is shown.
    """
    found = [*map(_read_only, mounts.items())]
    for uri, directory in outputs.items():
        tree = WritableTree(str(directory), EscapedNaming(), lock_file)
        found.append(S3Mount(uri, directory, _prefix(uri), tree, tree))
    by_bucket: dict[str, tuple[S3Mount, ...]] = {}
    for mount in sorted(found, key=_depth, reverse=True):
        by_bucket[mount.uri.bucket] = (*by_bucket.get(mount.uri.bucket, ()), mount)
    return by_bucket


def _read_only(shown: tuple[S3Uri, Path]) -> S3Mount:
    uri, directory = shown
    if uri.bucket != LOCAL_FILES and not directory.is_dir():
        raise UsageError(
            f'[s3.mounts] "{uri}": there is no directory {directory}. Make it, or correct the path in localpipe.toml.'
        )
    return S3Mount(uri, directory, _prefix(uri), Tree(str(directory), PlainNaming()))


def _prefix(uri: S3Uri) -> str:
    return f"{uri.key.rstrip('/')}/" if uri.key.rstrip("/") else ""


def _depth(mount: S3Mount) -> int:
    return len(mount.prefix)

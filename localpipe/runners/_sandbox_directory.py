"""A sandbox's own directory on the host: made before the start, removed after the end whatever the job did to it."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from localpipe.runners._sandbox_filter import filter_program
from localpipe.runners._sandbox_plan import FILTER_FILE, ROOT_DIR

if TYPE_CHECKING:
    from localpipe.runners._sandbox_plan import SandboxPlan


def make_directory(plan: SandboxPlan) -> None:
    """Make what the plan's command lines expect to find: the job's `/`, the filter, the layers."""
    root = plan.directory / ROOT_DIR
    root.mkdir(parents=True)
    for name, mode in plan.root.directories.items():
        (root / name.lstrip("/")).mkdir()
        (root / name.lstrip("/")).chmod(mode)
    for path in {path.parent for path in (*plan.root.links, *plan.files)}:
        _below(root, path).mkdir(parents=True, exist_ok=True)
    for link, target in plan.root.links.items():
        _below(root, link).symlink_to(os.path.relpath(target, link.parent))
    for path, content in plan.files.items():
        _below(root, path).write_bytes(content)
    (plan.directory / FILTER_FILE).write_bytes(filter_program(platform.machine()))
    for layer in plan.layers:
        for part in ("upper", "work", "merged"):
            (plan.directory / layer.name / part).mkdir(parents=True)
        (plan.directory / layer.name / "lower").symlink_to(layer.lower.resolve())


def _below(root: Path, path: PurePosixPath) -> Path:
    return root / path.relative_to("/")


def remove_directory(directory: Path) -> None:
    """Remove it; one that is not there is no error. Directories that the job locked are opened first."""
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        return
    except PermissionError:
        for path, names, _ in os.walk(directory):
            for name in names:
                if not Path(path, name).is_symlink():
                    Path(path, name).chmod(0o700)
        shutil.rmtree(directory)

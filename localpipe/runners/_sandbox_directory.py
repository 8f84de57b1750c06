"""A sandbox's own directory on the host: made before the start, removed after the end whatever the job did to it."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.runners._sandbox_filter import filter_program
from localpipe.runners._sandbox_plan import FILTER_FILE, LAYER_PARTS, ROOT, ROOT_DIR

if TYPE_CHECKING:
    from localpipe.runners._sandbox_plan import SandboxPlan


def make_directory(plan: SandboxPlan) -> None:
    """Make what the plan's command lines expect to find: the layers, the job's `/`, the filter."""
    for name in dict.fromkeys((ROOT, *(layer.name for layer in plan.layers))):
        (plan.directory / name).mkdir(parents=True)
        for part in LAYER_PARTS:
            (plan.directory / name / part).mkdir()
    for layer in plan.layers:
        (plan.directory / layer.name / "lower").symlink_to(layer.lower)
    if not plan.root_layered:
        shutil.copytree(plan.root.below, plan.directory / ROOT_DIR, symlinks=True, dirs_exist_ok=True)
    for path, content in plan.files.items():
        place = plan.directory / plan.own_dir / path.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    (plan.directory / FILTER_FILE).write_bytes(filter_program(platform.machine()))


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

"""Whether this machine lets a user make sandboxes: tried for real, and explained where it does not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from localpipe.core.ports import Availability
from localpipe.runners._sandbox_directory import make_directory, remove_directory
from localpipe.runners._sandbox_launcher import Bubblewrap, UtilLinux
from localpipe.runners._sandbox_plan import LAUNCH_ENVIRONMENT, ROOT, SYSTEM_PATH, Layer, SandboxPlan, Tools
from localpipe.runners.machine_root import machine_root

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.runners._sandbox_launcher import Launcher

_WITHOUT_BUBBLEWRAP = {
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "setsid": "util-linux",
    "pivot_root": "util-linux",
    "mount": "util-linux",
    "umount": "util-linux",
    "hostname": "hostname",
}
"""What makes sandboxes without bubblewrap, and the package that it is in."""

_SYSCTLS = ("kernel.unprivileged_userns_clone", "kernel.apparmor_restrict_unprivileged_userns", "user.max_user_namespaces")
_TRIAL_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class Ability:
    """What sandboxes can do here. `launcher` None: nothing, and `availability` says why."""

    availability: Availability
    launcher: Launcher | None = None
    overlays: bool = False


def find_launcher(search_path: str | None) -> Launcher | Availability:
    """What makes sandboxes, or what is missing: bubblewrap and unshare on a PATH (None: the caller's own), the rest where a
    sandbox's own launch finds it, whose PATH an ordinary user's need not be.
    """
    if sys.platform != "linux":
        return Availability(
            usable=False,
            reason=f"The process runner needs the namespaces of Linux, and this is {sys.platform}.",
            remedy="Use the Docker runner.",
        )
    started = {name: shutil.which(name, path=search_path) for name in ("bwrap", "unshare")}
    used = {name: shutil.which(name, path=SYSTEM_PATH) for name in _WITHOUT_BUBBLEWRAP}
    return launcher_or_refusal({**used, **started})


def launcher_or_refusal(found: Mapping[str, str | None]) -> Launcher | Availability:
    """By the paths of the programs: bubblewrap where it is, else util-linux alone, else what is missing for that."""
    bwrap, unshare = found["bwrap"], found["unshare"]
    if bwrap and unshare:
        return Bubblewrap(Tools(bwrap=bwrap, unshare=unshare))
    if bwrap:
        return _missing("`unshare` of util-linux, which is not installed", "util-linux")
    lacking = [program for program in _WITHOUT_BUBBLEWRAP if not found[program]]
    if unshare and not lacking:
        return UtilLinux(unshare)
    instead = f"`{lacking[0]}` of {_WITHOUT_BUBBLEWRAP[lacking[0]]}"
    return _missing(f"`bwrap` of bubblewrap or, without it, {instead}; neither is installed", "bubblewrap util-linux")


def _missing(what: str, packages: str) -> Availability:
    return Availability(
        usable=False,
        reason=f"The process runner needs {what}.",
        remedy=f"Install it: apt install {packages} (Debian, Ubuntu) or dnf install {packages} (Fedora, RHEL).",
    )


def find_ability(work_dir: Path, search_path: str | None = None) -> Ability:
    """Try sandboxes over this machine's root below `work_dir`, with overlays and, if they fail, without. Never raises."""
    launcher = find_launcher(search_path)
    if isinstance(launcher, Availability):
        return Ability(availability=launcher)
    usable = Availability(usable=True, reason=launcher.means)
    if _trial(work_dir, launcher, overlays=True) is None:
        return Ability(availability=usable, launcher=launcher, overlays=True)
    printed = _trial(work_dir, launcher, overlays=False)
    if printed is None:
        return Ability(availability=usable, launcher=launcher)
    return Ability(availability=refusal(printed, kernel_settings(), launcher.if_it_fails))


def _trial(work_dir: Path, launcher: Launcher, *, overlays: bool) -> str | None:
    """Run `true` in a sandbox; None if it worked, else what was printed. Elsewhere, where `work_dir` cannot be written."""
    try:
        place = work_dir if os.access(work_dir, os.W_OK | os.X_OK) else None
        with tempfile.TemporaryDirectory(prefix="trial-", dir=place) as scratch:
            plan = _trial_plan(Path(scratch), overlays=overlays)
            make_directory(plan)
            done = subprocess.run(
                launcher.trial_line(plan),
                cwd=plan.directory,
                input=launcher.instructions(plan),
                env=LAUNCH_ENVIRONMENT,
                capture_output=True,
                timeout=_TRIAL_SECONDS,
                check=False,
            )
            remove_directory(plan.directory)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"


def _trial_plan(scratch: Path, *, overlays: bool) -> SandboxPlan:
    root = machine_root().made(scratch / "roots")
    return SandboxPlan(
        directory=scratch / "sandbox",
        host_name="algo-1",
        root=root,
        layers=(Layer(ROOT, root.below, PurePosixPath("/")),) if overlays else (),
        binds=(),
        environment=LAUNCH_ENVIRONMENT,
        command=("true",),
        network_isolated=True,
    )


def kernel_settings() -> Mapping[str, str]:
    """The kernel settings that can forbid user namespaces, as far as this kernel has them."""
    paths = {name: Path("/proc/sys", *name.split(".", 1)) for name in _SYSCTLS}
    return {name: path.read_text().strip() for name, path in paths.items() if path.exists()}


def refusal(printed: str, settings: Mapping[str, str], else_helps: str) -> Availability:
    """Why a trial failed, with the command that helps where a known kernel setting forbids it, else `else_helps`."""
    forbidding = {
        "kernel.unprivileged_userns_clone": ("0", "1"),
        "user.max_user_namespaces": ("0", "15000"),
        "kernel.apparmor_restrict_unprivileged_userns": ("1", "0"),
    }
    for name, (forbids, allows) in forbidding.items():
        if settings.get(name) == forbids:
            return Availability(
                usable=False,
                reason=f"This machine forbids user namespaces ({name}={forbids}): {printed}",
                remedy=f"Allow them: sudo sysctl -w {name}={allows}, or use the Docker runner.",
            )
    return Availability(
        usable=False,
        reason=f"A trial sandbox did not start: {printed}",
        remedy=else_helps,
    )

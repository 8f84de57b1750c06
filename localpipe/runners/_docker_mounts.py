"""Mounts as Docker takes them, through its API and on its command line.

An overlay mount is an anonymous volume of the `local` driver that mounts an overlay: lower is the staged directory, upper
and work lie in the attempt's own directory. It costs about two milliseconds and goes with its container.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from localpipe.core.jobspec import Access

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from docker.types import Mount as DockerMount

    from localpipe.core.jobspec import Mount

_OPTION_CHARACTERS = frozenset(",:\\")
"""What a path in overlay options cannot hold: they end a path or the option."""


def can_overlay(path: Path) -> bool:
    """Whether directories below a path can be named in overlay options."""
    return not _OPTION_CHARACTERS & set(str(path))


def make_bind_sources(mounts: Iterable[Mount]) -> None:
    """Make the directories that are bound into a container: the engine refuses to create one without them."""
    for mount in mounts:
        if mount.access is not Access.OVERLAY:
            mount.host_dir.mkdir(parents=True, exist_ok=True)


def make_overlay_dirs(mounts: Iterable[Mount], scratch: Path) -> None:
    """Make `scratch` and the directories below it that receive what is written to overlay mounts."""
    scratch.mkdir(parents=True, exist_ok=True)
    for number, mount in enumerate(mounts):
        if mount.access is Access.OVERLAY:
            upper = _upper(scratch, number)
            upper.mkdir(parents=True, exist_ok=True)
            upper.chmod(0o777)  # it is the directory that the container sees; its user may be anyone
            _work(scratch, number).mkdir(exist_ok=True)


def _upper(scratch: Path, number: int) -> Path:
    return scratch / str(number) / "upper"


def _work(scratch: Path, number: int) -> Path:
    return scratch / str(number) / "work"


def _overlay_options(mount: Mount, scratch: Path, number: int) -> dict[str, str]:
    """The volume driver's. Without `redirect_dir` a directory that came with an input could not be renamed (EXDEV)."""
    directories = f"lowerdir={mount.host_dir},upperdir={_upper(scratch, number)},workdir={_work(scratch, number)}"
    return {"type": "overlay", "device": "overlay", "o": f"{directories},redirect_dir=on"}


def api_mounts(mounts: Iterable[Mount], scratch: Path, labels: Mapping[str, str]) -> list[DockerMount]:
    """The mounts for `create_container`; volumes made for them carry `labels`."""
    from docker.types import DriverConfig, Mount

    made = []
    for number, mount in enumerate(mounts):
        if mount.access is Access.OVERLAY:
            driver = DriverConfig("local", _overlay_options(mount, scratch, number))
            made.append(
                Mount(str(mount.container_dir), None, type="volume", no_copy=True, driver_config=driver, labels=labels)
            )
        else:
            read_only = mount.access is Access.READ_ONLY
            made.append(Mount(str(mount.container_dir), str(mount.host_dir), type="bind", read_only=read_only))
    return made


def option_mounts(mounts: Iterable[Mount], scratch: Path) -> list[str]:
    """The mounts as values of `docker run --mount`, which is one line of CSV each."""
    values = []
    for number, mount in enumerate(mounts):
        if mount.access is Access.OVERLAY:
            options = _overlay_options(mount, scratch, number)
            fields = ["type=volume", f"dst={mount.container_dir}", "volume-nocopy=true", "volume-driver=local"]
            fields += [f"volume-opt={name}={value}" for name, value in options.items()]
        else:
            fields = ["type=bind", f"src={mount.host_dir}", f"dst={mount.container_dir}"]
            fields += ["readonly"] if mount.access is Access.READ_ONLY else []
        values.append(_csv_line(fields))
    return values


def _csv_line(fields: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()

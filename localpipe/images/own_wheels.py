"""Wheels that localpipe makes for a stand-in: its programs, names that packages go by, parts of packages, jars."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.images.jars import jars_wheel
from localpipe.images.resources import shared_pins
from localpipe.images.wheels import digest, filled, pure_download, pure_wheel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localpipe.images.catalogue import StandIn
    from localpipe.images.sdk_pins import Part

_KNOWN_AS = {"tensorflow-cpu": "tensorflow", "xgboost-cpu": "xgboost"}


def own_wheels(stand_in: StandIn, containers: Path, cache: Path, folder: Path) -> tuple[Path, ...]:
    """Write all of a stand-in's into `folder`. Raises RunnerUnavailable with pip's last lines."""
    programs = (program_wheel(stand_in, program, containers, folder) for program in stand_in.programs)
    parts = (part_wheel(part, cache) for part in stand_in.parts)
    jars = (jars_wheel(each, cache) for each in stand_in.jars)
    return (*programs, *alias_wheels(stand_in.pins, folder), *parts, *jars)


def content_digest(stand_in: StandIn, containers: Path) -> str:
    """Changes whenever what would be installed for the stand-in changes; kept as a label of its image."""
    paths = [path for program in stand_in.programs for path in sorted((containers / program).rglob("*.py"))]
    pins = (*shared_pins(containers), *stand_in.pins, *aliases(stand_in.pins), *stand_in.constraints)
    settings = (*map(str, (*stand_in.parts, *stand_in.jars)), stand_in.training_module, *map(str, stand_in.scripts))
    return digest(*pins, *settings, *(path.read_text() for path in paths))


def program_wheel(stand_in: StandIn, program: str, containers: Path, folder: Path) -> Path:
    """Write the wheel of one of a stand-in's programs into `folder`; a `train` of its replaces the toolkit's.

    The program learns which tag it stands for from the file `tag.txt` in its package, and what the toolkit is to call from
    `module.txt`.
    """
    source = containers / program
    files = {path.relative_to(source).as_posix(): path.read_bytes() for path in sorted(source.rglob("*.py"))}
    package = next(iter(files)).partition("/")[0]
    files[f"{package}/tag.txt"] = stand_in.tag.encode()
    files[f"{package}/module.txt"] = stand_in.training_module.encode()
    scripts = {name: function for name, function in stand_in.scripts if function.startswith(f"{package}.")}
    return pure_wheel(folder, package, "1", files, scripts)


def aliases(pins: Sequence[str]) -> tuple[str, ...]:
    """The pins under the names by which scripts and their requirements know the same packages: `xgboost==3.2.0`."""
    split = (pin.partition("==") for pin in pins)
    return tuple(f"{_KNOWN_AS[name]}=={version}" for name, _, version in split if name in _KNOWN_AS)


def alias_wheels(pins: Sequence[str], folder: Path) -> tuple[Path, ...]:
    """Write an empty wheel for each of the `aliases`, so that `pip install xgboost` in a job finds it installed."""
    split = (alias.partition("==") for alias in aliases(pins))
    return tuple(pure_wheel(folder, name, version, {}, {}) for name, _, version in split)


def part_wheel(part: Part, cache: Path) -> Path:
    """The wheel of a part, made once of the distribution's own. Raises RunnerUnavailable with pip's last lines."""
    folder = cache / "wheels" / f"{part.name}-{part.version}"
    with filled(folder) as empty, tempfile.TemporaryDirectory() as scratch:
        if empty:
            wheel_of_part(part, pure_download(part.requirement, Path(scratch)), folder)
    return next(folder.glob("*.whl"))


def wheel_of_part(part: Part, whole: Path, folder: Path) -> Path:
    """Write the wheel of a part of the wheel `whole` into `folder`."""
    with zipfile.ZipFile(whole) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name.startswith(f"{part.folder}/")}
    return pure_wheel(folder, part.name, part.version, files, {})

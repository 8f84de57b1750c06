"""For the process runner: virtual environments with the same pins as the images, made once by uv and kept per user.

An environment is made at its final place, since console scripts carry their interpreter's path; a marker file written last
makes it valid, and a lock keeps two processes from making the same one.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.core.environment_status import EnvironmentStatus
from localpipe.core.image_archive import archive_of
from localpipe.errors import ImageMissing
from localpipe.images import catalogue
from localpipe.images.families import dotted
from localpipe.images.interpreters import Interpreter, asked, installed, running
from localpipe.images.kept_environments import (
    kept_environments,
    note_use,
    outdated,
    remove_environment,
    remove_what_was_left,
)
from localpipe.images.own_wheels import content_digest, own_wheels
from localpipe.images.pip_settings import pip_settings
from localpipe.images.resources import shared_pins
from localpipe.images.wheels import (
    CACHE_REMEDY,
    MARKER,
    Target,
    digest,
    filled,
    is_from_pytorch,
    is_source_only,
    run_uv,
    source_wheels,
    wheelhouse,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from localpipe.images.catalogue import StandIn
    from localpipe.images.families import PythonVersion

ENVIRONMENTS = "environments"
"""Where they are below the cache."""
_UNKNOWN = "name a Python that serves it (setting `unknown_image_python`), or use the Docker runner"
_EXAMPLE = "localpipe/scikit-learn:1.2-1"


@dataclass(frozen=True, kw_only=True)
class Environments:
    """The environments of one user under one set of settings.

    `cache`: localpipe's own cache directory. `mappings`: the `[images]` of localpipe.toml; one that names a stand-in
    (`localpipe/xgboost:1.5-1`) counts here. `base_python`: the interpreter that environments are made with, None to look for
    one. `unknown_python`: the interpreter that serves images without a stand-in, None to refuse them. `exact`: framework
    versions as the tags name them.
    """

    cache: Path
    containers: Path
    mappings: Mapping[str, str]
    base_python: Path | None = None
    unknown_python: Path | None = None
    exact: bool = False

    def environment(self, image_uri: str) -> EnvironmentStatus:
        """What serves the image; makes nothing."""
        stand_in = self._stand_in(image_uri)
        if stand_in is None:
            return self._without_stand_in(image_uri)
        interpreter = self._interpreter(stand_in)
        if interpreter is None:
            return _no_python(image_uri, stand_in, self.base_python)
        path = self._place(stand_in, interpreter)
        ready = (path / MARKER).exists()
        if not ready and not _can_be_made(path):
            reason = f"its environment cannot be made: the cache {self.cache} cannot be written."
            return EnvironmentStatus(image_uri=image_uri, path=None, reason=reason, remedy=CACHE_REMEDY)
        return EnvironmentStatus(
            image_uri=image_uri,
            path=path,
            ready=ready,
            python=dotted(interpreter.version),
            notes=self._notes(image_uri, stand_in, interpreter),
        )

    def ensure(self, image_uri: str, say: Callable[[str], None]) -> Path:
        """Return the environment's root, making it first if need be; `say` hears what goes on.

        Raises ImageMissing if there can be none, RunnerUnavailable if its packages cannot be had.
        """
        status = self.environment(image_uri)
        if status.path is None:
            raise ImageMissing(image_uri, status.reason, status.remedy)
        stand_in = self._stand_in(image_uri)
        interpreter = self._interpreter(stand_in) if stand_in else None
        if stand_in and interpreter and not status.ready:
            self._make(stand_in, interpreter, status.path, say)
        return status.path

    def used(self, environment: Path) -> None:
        """Have an environment that was made here count as used now."""
        note_use(environment)

    def clean(self) -> None:
        """Remove environments that another serves in place of and that nobody used for long. Raises RunnerUnavailable."""
        remove_what_was_left(self._directory)
        for each in outdated(kept_environments(self._directory), now=time.time()):
            remove_environment(each)

    @property
    def _directory(self) -> Path:
        return self.cache / ENVIRONMENTS

    def _stand_in(self, image_uri: str) -> StandIn | None:
        target = catalogue.mapped(image_uri, self.mappings) or image_uri
        return catalogue.stand_in(catalogue.parse_image_uri(target), exact=self.exact)

    def _notes(self, image_uri: str, stand_in: StandIn, interpreter: Interpreter) -> tuple[str, ...]:
        notes = () if catalogue.mapped(image_uri, self.mappings) else stand_in.notes
        if interpreter.version == stand_in.preferred_python:
            return notes
        other, preferred = dotted(interpreter.version), dotted(stand_in.preferred_python)
        return (*notes, f"{stand_in.name} runs on Python {other} instead of {preferred}")

    def _without_stand_in(self, image_uri: str) -> EnvironmentStatus:
        if self.unknown_python is None:
            target = catalogue.mapped(image_uri, self.mappings)
            if target is not None:
                return _mapped_to_an_image(image_uri, target)
            absence = catalogue.unknown(image_uri, example=_EXAMPLE, otherwise=_UNKNOWN)
            return EnvironmentStatus(image_uri=image_uri, path=None, reason=absence.reason, remedy=absence.remedy)
        root = _own_root(self.unknown_python, Path.home())
        if root is None:
            return _shared_root(image_uri, self.unknown_python)
        notes = (f"{self.unknown_python} serves {image_uri}",)
        python = "".join(dotted(each.version) for each in asked(self.unknown_python))
        return EnvironmentStatus(image_uri=image_uri, path=root, ready=True, python=python, notes=notes)

    def _place(self, stand_in: StandIn, interpreter: Interpreter) -> Path:
        content = digest(content_digest(stand_in, self.containers), str(interpreter.path))
        return self._directory / f"{stand_in.name.replace(':', '-')}-{content}"

    def _interpreter(self, stand_in: StandIn) -> Interpreter | None:
        """The Python to make it with: the one given; else the stand-in's own, the running one, any that fits."""
        return next((each for each in self._interpreters(stand_in) if each.version in stand_in.pythons), None)

    def _interpreters(self, stand_in: StandIn) -> Iterator[Interpreter]:
        """The interpreters to choose from, best first."""
        if self.base_python is not None:
            yield from asked(self.base_python)
            return
        own = running()
        if own.version != stand_in.preferred_python:
            yield from self._installed(stand_in.preferred_python)
        yield own
        for version in stand_in.pythons:
            yield from self._installed(version)

    @cached_property
    def _installed(self) -> Callable[[PythonVersion], tuple[Interpreter, ...]]:
        """`installed`, asked once for each version."""
        return cache(installed)

    def _make(self, stand_in: StandIn, interpreter: Interpreter, path: Path, say: Callable[[str], None]) -> None:
        with filled(path) as empty, tempfile.TemporaryDirectory() as scratch:
            if not empty:
                return
            say(f"Making the environment for {stand_in.name} with Python {dotted(interpreter.version)} (once)")
            shared = shared_pins(self.containers)
            own = own_wheels(stand_in, self.containers, self.cache, Path(scratch))
            run_uv("venv", "--allow-existing", f"--python={interpreter.path}", str(path))
            _install(path, self._installable(shared, interpreter.version))
            # After the shared packages: the family's own `train` takes the place of the toolkit's.
            _install(path, [*self._installable(stand_in.pins, interpreter.version), *map(str, own)])
            for name, text in pip_settings(stand_in, path).items():
                (path / name).write_text(text)
            say(f"Made {path}")

    def _installable(self, pins: Sequence[str], python: PythonVersion) -> list[str]:
        """What uv takes for the pins: wheels made here, or had from PyTorch by pip, and the other pins as they are."""
        target = Target(python=python, machine=platform.machine())
        pytorch = wheelhouse([pin for pin in pins if is_from_pytorch(pin)], target, self.cache)
        had = [*source_wheels(pins, self.cache).glob("*.whl"), *pytorch.glob("*.whl")]
        return [*map(str, sorted(had)), *(pin for pin in pins if not (is_source_only(pin) or is_from_pytorch(pin)))]


def _install(path: Path, what: Sequence[str]) -> None:
    if what:
        options = ["--no-deps", "--only-binary=:all:", "--compile-bytecode", f"--python={path / 'bin' / 'python'}"]
        run_uv("pip", "install", *options, *what)


def _own_root(python: Path, home: Path) -> Path | None:
    """The virtual environment or installation that an interpreter belongs to: a job sees all of it.

    None for a link's target or a wrapper that belongs to none, and where somebody's home or `~/.local` would be shown.
    """
    named, real = python.absolute().parents[1], python.resolve().parents[1]
    if (named / "pyvenv.cfg").exists():
        root = named
    elif any(real.glob("lib*/python3*/os.py")):
        root = real
    else:
        return None
    return None if root in {home / ".local", home, *home.parents} else root


def _mapped_to_an_image(image_uri: str, target: str) -> EnvironmentStatus:
    if archive := archive_of(target):
        reason = f"[images] in localpipe.toml maps it to the archive {archive}, and the process runner runs no images."
        return EnvironmentStatus(image_uri=image_uri, path=None, reason=reason, remedy="Use `--runner sandbox`.")
    return EnvironmentStatus(
        image_uri=image_uri,
        path=None,
        reason=f"[images] in localpipe.toml maps it to {target}, which is no stand-in that could be made here.",
        remedy=f"Map it to a stand-in (`{_EXAMPLE}`), {_UNKNOWN}.",
    )


def _shared_root(image_uri: str, python: Path) -> EnvironmentStatus:
    return EnvironmentStatus(
        image_uri=image_uri,
        path=None,
        reason=f"the setting `unknown_image_python` names {python}, which has no directory of its own that jobs could be"
        " shown.",
        remedy=f"Make a virtual environment (`{python} -m venv DIRECTORY`) and name the Python in it.",
    )


def _no_python(image_uri: str, stand_in: StandIn, base_python: Path | None) -> EnvironmentStatus:
    known = " or ".join(map(dotted, stand_in.pythons))
    where = f"{base_python} is not that" if base_python else "this machine has none"
    return EnvironmentStatus(
        image_uri=image_uri,
        path=None,
        reason=f"its stand-in {stand_in.name} needs Python {known}, and {where}.",
        remedy=f"Install it (`uv python install {dotted(stand_in.preferred_python)}`), or use the Docker runner.",
    )


def _can_be_made(path: Path) -> bool:
    """Whether the user may make this path below its nearest existing parent."""
    return os.access(next((parent for parent in path.parents if os.path.exists(parent)), path.anchor), os.W_OK | os.X_OK)  # noqa: PTH110 - never raises

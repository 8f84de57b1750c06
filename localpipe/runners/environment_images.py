"""The images of the process runner: virtual environments over this machine's own programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Protocol

from localpipe.core.ports import Availability, ImageStatus
from localpipe.errors import ImageMissing, JobFailed
from localpipe.runners._sandbox_interpreter import interpreter_of
from localpipe.runners._sandbox_plan import Layer, SandboxImage
from localpipe.runners.machine_root import clean_roots, touch_root

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from localpipe.core.environment_status import EnvironmentStatus
    from localpipe.core.jobspec import StagedJob
    from localpipe.runners._sandbox_check import Ability
    from localpipe.runners._sandbox_interpreter import Interpreter
    from localpipe.runners.machine_root import MachineRoot


class Environments(Protocol):
    """Where virtual environments come from."""

    def environment(self, image_uri: str) -> EnvironmentStatus:
        """What would serve the image; makes nothing."""
        ...

    def ensure(self, image_uri: str, say: Callable[[str], None]) -> Path:
        """The environment's directory, made first if need be. Raises ImageMissing, RunnerUnavailable."""
        ...

    def used(self, environment: Path) -> None:
        """Have an environment count as used now."""
        ...

    def clean(self) -> None:
        """Remove environments that no job will want any more. Raises RunnerUnavailable."""
        ...


@dataclass(frozen=True)
class _KnownEnvironment:
    """An environment that was made, and the image that it gives."""

    venv: Path
    image: SandboxImage


class EnvironmentImages:
    """Virtual environments over this machine's root, whose small tree is made below `roots_dir`.

    `environment` is what images set. `say` hears what goes on while an environment is made. Mutable: remembers what an image
    URI stands for, so that a run sees one environment; to look costs the start of a Python.
    """

    runner: ClassVar[str] = "process"
    are_images: ClassVar[bool] = False

    def __init__(
        self,
        *,
        machine: MachineRoot,
        roots_dir: Path,
        environments: Environments,
        environment: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        self._machine, self._roots_dir = machine, roots_dir
        self._environments, self._environment, self._say = environments, environment, say
        self._known: dict[str, _KnownEnvironment] = {}

    def usable(self, tried: Callable[[], Ability]) -> Availability:
        """Wherever sandboxes are."""
        return tried().availability

    def status(self, image_uri: str) -> ImageStatus:
        """The virtual environment that serves the image, made or not."""
        found = self._environments.environment(image_uri)
        return ImageStatus(
            image_uri=image_uri,
            local=str(found.path) if found.path else None,
            reason=found.reason,
            remedy=found.remedy,
            python=found.python,
            notes=found.notes,
            kind="A Python environment on this machine's own root file system",
        )

    def image(self, image_uri: str) -> SandboxImage:
        """The virtual environment, made first if need be. Raises ImageMissing, RunnerUnavailable."""
        known = self._known.get(image_uri)
        if known is None or not (known.venv.is_dir() and touch_root(known.image.root)):
            known = self._known[image_uri] = self._look_up(image_uri)  # two threads that do the same at once do no harm
        return known.image

    def _look_up(self, image_uri: str) -> _KnownEnvironment:
        found = self._environments.environment(image_uri)
        if found.path is None:
            raise ImageMissing(image_uri, found.reason, found.remedy)
        venv = found.path if found.ready else self._environments.ensure(image_uri, self._say)
        self._environments.used(venv)
        image = environment_image(self._machine, interpreter_of(venv), self._roots_dir, self._environment)
        return _KnownEnvironment(venv, image)

    def program(self, job: StagedJob) -> tuple[str, ...]:
        """The program and its arguments. A virtual environment has no ENTRYPOINT, only the `train` and `serve` of AWS's.

        Raises JobFailed if the image's ENTRYPOINT would be needed. Follows: containers.md 1.2, 2.2.
        """
        if job.entrypoint is not None:
            return (*job.entrypoint, *(job.arguments or ()))
        if job.arguments in {("train",), ("serve",)}:
            return job.arguments
        raise JobFailed(
            f"The job runs the ENTRYPOINT of image {job.image_uri}, and a local environment has none. "
            "Give the job an entry point (ContainerEntrypoint), or use the Docker runner."
        )

    def clean(self, in_use: Collection[Path]) -> None:  # noqa: ARG002 - the port's signature
        """Remove trees of roots, and environments, that nobody used for longer than a job may run."""
        clean_roots(self._roots_dir)
        self._environments.clean()

    def close(self) -> None:
        """Nothing is held open."""


def environment_image(
    machine: MachineRoot, interpreter: Interpreter, roots_dir: Path, environment: Mapping[str, str]
) -> SandboxImage:
    """An environment as an image. It is a layer, so that a job can `pip install` into it; a Python that is part of the
    machine's root is seen there, and never changed.
    """
    venv = Layer("venv", interpreter.venv, PurePosixPath(interpreter.venv))
    shown = any(bind.target in (venv.target, *venv.target.parents) for bind in machine.binds)
    places = (*(bind.target for bind in interpreter.binds), *(() if shown else (venv.target,)))
    return SandboxImage(
        root=machine.beside(places, interpreter.links).made(roots_dir),
        binds=interpreter.binds,
        layer=None if shown else venv,
        environment=environment,
        programs=venv.target / "bin",
    )

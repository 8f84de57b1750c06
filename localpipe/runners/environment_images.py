"""The images of the process runner: virtual environments over this machine's own programs."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Protocol

from localpipe.core.ports import Availability, ImageStatus
from localpipe.errors import ImageMissing, JobFailed
from localpipe.runners._sandbox_interpreter import interpreter_of
from localpipe.runners._sandbox_plan import Layer, SandboxImage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from localpipe.core.jobspec import StagedJob
    from localpipe.runners._sandbox_check import Ability
    from localpipe.runners._sandbox_interpreter import Interpreter
    from localpipe.runners.machine_root import MachineRoot


class EnvironmentStatus(Protocol):
    """The virtual environment that serves an image URI."""

    @property
    def path(self) -> Path | None:
        """Its directory, made or not; None: there can be none, and `reason` and `remedy` say why and what helps."""
        ...

    @property
    def ready(self) -> bool:
        """Whether it is made."""
        ...

    @property
    def reason(self) -> str:
        """Why there can be none; else empty."""
        ...

    @property
    def remedy(self) -> str:
        """The command that helps; else empty."""
        ...

    @property
    def python(self) -> str:
        """Its Python (`3.11`), empty where that is not known."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What differs from the image that was asked for."""
        ...


class Environments(Protocol):
    """Where virtual environments come from."""

    def environment(self, image_uri: str) -> EnvironmentStatus:
        """What would serve the image; makes nothing."""
        ...

    def ensure(self, image_uri: str, say: Callable[[str], None]) -> Path:
        """The environment's directory, made first if need be. Raises ImageMissing, RunnerUnavailable."""
        ...


class EnvironmentImages:
    """Virtual environments over this machine's root, whose small tree is made below `roots_dir`.

    `environment` is what images set. `say` hears what goes on while an environment is made. Mutable: remembers what it has
    looked at, for an environment that is made stays as it is.
    """

    runner: ClassVar[str] = "process"

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
        self._known: dict[Path, SandboxImage] = {}

    def usable(self, ability: Ability) -> Availability:
        """Wherever sandboxes are."""
        return ability.availability

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
        )

    def image(self, image_uri: str) -> SandboxImage:
        """The virtual environment, made first if need be. Raises ImageMissing, RunnerUnavailable."""
        found = self._environments.environment(image_uri)
        if found.path is None:
            raise ImageMissing(image_uri, found.reason, found.remedy)
        venv = found.path if found.ready else self._environments.ensure(image_uri, self._say)
        if venv not in self._known:  # two threads that find the same at once do no harm
            self._known[venv] = environment_image(self._machine, interpreter_of(venv), self._roots_dir, self._environment)
        return self._known[venv]

    def program(self, job: StagedJob) -> tuple[str, ...]:
        """The program and its arguments. A virtual environment has no ENTRYPOINT, only the `train` that AWS's images have.

        Raises JobFailed if the image's ENTRYPOINT would be needed. Follows: containers.md 1.2, 2.2.
        """
        if job.entrypoint is not None:
            return (*job.entrypoint, *(job.arguments or ()))
        if job.arguments == ("train",):
            return job.arguments
        raise JobFailed(
            f"The job runs the ENTRYPOINT of image {job.image_uri}, and a local environment has none. "
            "Give the job an entry point (ContainerEntrypoint), or use the Docker runner."
        )

    def clean(self) -> None:
        """Environments are kept: they are of no image that could be gone."""


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

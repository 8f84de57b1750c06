"""The only place that picks implementations, from Settings."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.core.room import size_of
from localpipe.errors import HomeUnusable, RunnerUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localpipe.core import JSON
    from localpipe.core.functions import Function
    from localpipe.core.jobspec import JobSpec
    from localpipe.core.names import AttemptKey, S3Uri
    from localpipe.core.ports import Availability, FunctionHost, ObjectStore, QueueHost, Runner
    from localpipe.core.room import Size
    from localpipe.engine.slots import Slots
    from localpipe.images.package_index import PackageIndex
    from localpipe.journal.sqlite import SqliteJournal
    from localpipe.registry import SqliteRegistry
    from localpipe.runners.docker import ImageNames
    from localpipe.runners.sandbox import SandboxImages
    from localpipe.settings import Settings
    from localpipe.staging import Stager
    from localpipe.steps.base import StepType

AUTO = "auto"
DOCKER, PROCESS, SANDBOX = "docker", "process", "sandbox"
RUNNER_OF_NO_JOBS = PROCESS
"""What drives executions without jobs: it asks nothing of the machine until it is to start one."""
_IGNORE_ALL = "# Made by localpipe: everything in here can be made again.\n*\n"


class WallClock:
    """The machine's clock."""

    def now(self) -> float:
        """Epoch seconds, to the millisecond before: as exact as the service tells times."""
        return time.time_ns() // 1_000_000 / 1000


def _silent(line: str) -> None:
    """Nobody listens."""


class Home:
    """The directory where executions, the local S3, the journal and the registry are kept, opened piece by piece.

    Mutable: opens each piece when it is first asked for. `close` closes them.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None] | None = None) -> None:
        """`say` hears of things that take long, such as an environment that is being made."""
        self.settings = settings
        self.say = say or _silent
        self.clock = WallClock()
        self._runners: dict[str, Runner] = {}
        self._kept: list[Home] = []

    @property
    def location(self) -> Path:
        """Where the home is, or would be made."""
        return self.settings.home.resolve()

    @cached_property
    def directory(self) -> Path:
        """The home, made with its own ignore file if it is not there. Raises HomeUnusable."""
        home = self.location
        try:
            home.mkdir(parents=True, exist_ok=True)
            ignore = home / ".gitignore"
            if not ignore.exists() and os.access(home, os.W_OK):
                ignore.write_text(_IGNORE_ALL)
        except OSError as error:
            raise self._unusable(error.strerror) from None
        return home

    def exists(self) -> bool:
        """Whether it has been made. Raises HomeUnusable where that cannot be seen."""
        try:
            return self.location.is_dir()
        except OSError as error:
            raise self._unusable(error.strerror) from None

    def check_writable(self) -> None:
        """Make the home if it is not there. Raises HomeUnusable if nothing can be written to it."""
        if not os.access(self.directory, os.W_OK | os.X_OK):
            raise self._unusable("you may not write to it, or it is on a read-only file system")

    def _unusable(self, reason: str | None) -> HomeUnusable:
        return HomeUnusable(
            f"The home {self.location} cannot be written: {reason}. Name another by --home or LOCALPIPE_HOME."
        )

    @property
    def cache(self) -> Path:
        """What is kept for jobs to come, in any home of the user's."""
        return cache_dir(os.environ)

    @property
    def runs(self) -> Path:
        """Where executions keep their working directories and logs."""
        return self.directory / "runs"

    def execution_dir(self, execution_id: str) -> Path:
        """The directory of one execution."""
        return self.runs / execution_id

    def attempt_dir(self, key: AttemptKey) -> Path:
        """The directory of one attempt, or below it of one of its own jobs: its log, and `root`, the files that it saw."""
        directory = self.execution_dir(key.execution_id) / key.step / str(key.attempt)
        return directory / "jobs" / f"{key.child:03}" if key.child else directory

    @cached_property
    def journal(self) -> SqliteJournal:
        """The journal of facts."""
        from localpipe.journal.sqlite import SqliteJournal

        return SqliteJournal(self.directory / "journal.db", self.clock)

    @cached_property
    def store(self) -> ObjectStore:
        """The local S3."""
        from localpipe.store import LocalStore

        return LocalStore(self.location / "s3", self.settings.s3_mounts, self.settings.s3_outputs)

    @cached_property
    def registry(self) -> SqliteRegistry:
        """Models and model packages."""
        from localpipe.registry import SqliteRegistry

        return SqliteRegistry(self.directory)

    @cached_property
    def model(self) -> JSON:
        """The service model of SageMaker, as botocore ships it: shapes of requests and responses."""
        from localpipe.service.service_model import service_model

        return service_model()

    @cached_property
    def step_types(self) -> Mapping[str, StepType]:
        """Every step type that can run here, by the definition's `Type`."""
        from localpipe.steps import step_types

        return step_types()

    def slots(self, execution_id: str) -> Slots:
        """The room on this machine for the jobs of an execution, which all executions of the user share."""
        from localpipe.engine.slots import Slots

        return Slots(self.settings.room, slots_dir(os.environ), execution_id)

    def size(self, spec: JobSpec) -> Size:
        """How much of that room a job takes."""
        from localpipe.jobs.instances import limits_of

        instances = self.settings.instances
        return size_of(limits_of(host.instance_type, instances, enforce=True) for host in spec.hosts)

    def runner(self, name: str) -> Runner:
        """The runner of that name."""
        if name not in self._runners:
            self._runners[name] = _RUNNERS[name](self)
        return self._runners[name]

    def availability(self) -> Mapping[str, Availability]:
        """Every runner and whether it can be used here."""
        return {name: self.runner(name).check() for name in _RUNNERS}

    def choose_runner(self) -> Runner:
        """The runner of the settings; `auto` is the first that can be used here.

        Raises RunnerUnavailable, for `auto` with the reason of each, else with the names of others that can be used.
        """
        wanted = tuple(_RUNNERS) if self.settings.runner == AUTO else (self.settings.runner,)
        reasons = []
        for name in wanted:
            availability = self.runner(name).check()
            if availability.usable:
                return self.runner(name)
            reasons.append(f"The {name} runner cannot be used: {availability.reason} {availability.remedy}".strip())
        others = (name for name in _RUNNERS if name not in wanted and self.runner(name).check().usable)
        raise RunnerUnavailable("\n".join(reasons), " ".join(f"Or use `--runner {name}`." for name in others))

    def stager(self) -> Stager:
        """What stages and collects the jobs of this home."""
        from localpipe.jobs.instances import limits_of
        from localpipe.staging import Stager
        from localpipe.store import nearest_prefix

        def nearest(uri: S3Uri) -> str | None:
            near = nearest_prefix(self.store, uri)
            return str(near) if near else None

        settings = self.settings
        limits = partial(limits_of, overrides=settings.instances, enforce=settings.enforce_instances)
        return Stager(store=self.store, attempt_dir=self.attempt_dir, nearest_prefix=nearest, limits=limits)

    def authors_python(self) -> Path:
        """The Python of the settings, else of the active environment. Raises UsageError if there is none."""
        from localpipe.service.authors_python import choose_python

        named = self.settings.python
        return choose_python(str(named) if named else None, os.environ)

    def functions(self, functions: Mapping[str, Function], endpoint: Callable[[], Mapping[str, str]]) -> FunctionHost:
        """What calls the Lambda functions of an execution; see `FunctionProcesses`."""
        from localpipe.functions.processes import FunctionProcesses

        return FunctionProcesses(functions, self.attempt_dir, endpoint, os.environ)

    def queues(self) -> QueueHost:
        """What takes messages to the commands of the settings."""
        from localpipe.functions.queue_commands import QueueCommands

        return QueueCommands(self.settings.queue_commands, self.attempt_dir, self.location, os.environ)

    def keeping(self, kept: JSON) -> Home:
        """The same home with the settings that an execution keeps; what is open already is shared."""
        other = Home(self.settings.with_kept(kept), self.say)
        for name in ("directory", "journal", "registry", "model", "step_types"):
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        if replace(other.settings, runner=self.settings.runner) == self.settings:
            other._runners = self._runners  # they know their engine and images already
        self._kept.append(other)
        return other

    def close(self) -> None:
        """Close what has been opened, in the homes that `keeping` gave too."""
        for kept in self._kept:
            kept.close()
        for runner in self._runners.values():
            runner.close()
        if "journal" in self.__dict__:
            self.__dict__.pop("journal").close()


def _image_names(home: Home) -> ImageNames:
    from localpipe.images import catalogue
    from localpipe.runners.docker import ImageNames

    mappings, exact = home.settings.images, home.settings.xgboost_exact
    return ImageNames(
        candidates=lambda uri: catalogue.candidates(uri, mappings, exact=exact),
        notes=lambda uri, local: catalogue.notes(uri, local, mappings, exact=exact),
        absence=lambda uri: catalogue.absence(uri, mappings, exact=exact),
    )


def _docker_runner(home: Home) -> Runner:
    from localpipe.runners.docker import DockerRunner

    return DockerRunner(home.location, _image_names(home), os.environ, grace_seconds=home.settings.stop_grace_seconds)


def _sandbox_runner(home: Home) -> Runner:
    from localpipe.core.image_archive import archive_of
    from localpipe.runners.exported_images import ExportedImages
    from localpipe.service.kept import IMAGES

    images = ExportedImages(
        cache=home.cache / IMAGES,
        names=_image_names(home),
        archives=any(map(archive_of, home.settings.images.values())),
        environment=os.environ,
        say=home.say,
    )
    return _sandboxes(home, images)


def _process_runner(home: Home) -> Runner:
    from localpipe.images.catalogue import IMAGE_ENVIRONMENT
    from localpipe.images.environments import Environments
    from localpipe.images.resources import containers_dir
    from localpipe.runners.environment_images import EnvironmentImages
    from localpipe.runners.machine_root import machine_root

    environments = Environments(
        cache=home.cache,
        containers=containers_dir(),
        mappings=home.settings.images,
        unknown_python=home.settings.unknown_image_python,
        exact=home.settings.xgboost_exact,
    )
    images = EnvironmentImages(
        machine=machine_root(),
        roots_dir=home.location / "roots",
        environments=environments,
        environment=IMAGE_ENVIRONMENT,
        say=home.say,
    )
    return _sandboxes(home, images)


def _sandboxes(home: Home, images: SandboxImages) -> Runner:
    from localpipe.runners.sandbox import SandboxRunner

    grace = home.settings.stop_grace_seconds
    return SandboxRunner(images, attempt_dir_of=home.attempt_dir, work_dir=home.location, grace_seconds=grace)


_RUNNERS: Mapping[str, Callable[[Home], Runner]] = {
    DOCKER: _docker_runner,
    PROCESS: _process_runner,
    SANDBOX: _sandbox_runner,
}
"""In the order in which `auto` tries them."""


def cache_dir(environ: Mapping[str, str]) -> Path:
    """Where environments and wheels are kept, per user and never per home."""
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "localpipe"


def slots_dir(environ: Mapping[str, str]) -> Path:
    """Where executions share the room of this machine: per user and machine, whatever their homes."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime and os.access(runtime, os.W_OK | os.X_OK):
        return Path(runtime) / "localpipe" / "slots"
    return Path(tempfile.gettempdir()) / f"localpipe-{os.getuid()}" / "slots"


def package_index(secret: str) -> PackageIndex:
    """What serves this machine's package index to jobs; what it fetches is kept per user. `secret` signs its links."""
    from localpipe.images.index_settings import read_index_settings
    from localpipe.images.package_index import PackageIndex

    return PackageIndex(cache_dir(os.environ) / "index", read_index_settings, secret)

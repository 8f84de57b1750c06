"""The images of the sandbox runner: an engine's images, whose root file systems are exported once each.

Once an image is exported no engine need run. While one answers it says which image a name stands for.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from localpipe.core.ports import Availability, ImageStatus
from localpipe.errors import ImageMissing, JobFailed, RunnerUnavailable
from localpipe.runners._docker_engine import connect
from localpipe.runners._docker_errors import engine_errors, gone_is_fine
from localpipe.runners._image_root import parse_config, user_of
from localpipe.runners._root_cache import KnownImage, RootCache
from localpipe.runners._sandbox_directory import remove_directory
from localpipe.runners._sandbox_plan import Bind, RootFileSystem, SandboxImage
from localpipe.runners.engine_address import engine_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from docker import APIClient

    from localpipe.core.jobspec import StagedJob
    from localpipe.runners._sandbox_check import Ability
    from localpipe.runners.docker import ImageNames

_log = logging.getLogger(__name__)
_PROCESSORS = Path("/sys/devices/system")
_RESOLVER = Path("/etc/resolv.conf")
_NEVER_RUN = "never-run"  # the engine wants a command of every container


class ExportedImages:
    """Images of the engine that the `docker` command would use, as root file systems below `cache`. Any thread may call it.

    `names` maps image URIs to local images. `environment` is where DOCKER_HOST and its kin are looked up. `say` hears what
    goes on while an image is exported. Mutable: remembers what an image URI stands for, so that a run sees one image.
    """

    runner: ClassVar[str] = "sandbox"

    def __init__(
        self, *, cache: Path, names: ImageNames, environment: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        self._cache, self._names, self._environment, self._say = RootCache(cache), names, environment, say
        self._known: dict[str, KnownImage] = {}
        self._exporting = threading.Lock()

    def usable(self, ability: Ability) -> Availability:
        """Where sandboxes can have any root, and images can be had: an engine answers, or answered once."""
        if not ability.availability.usable or ability.launcher is None:
            return ability.availability
        if not ability.launcher.any_root:
            return Availability(
                usable=False,
                reason="The sandbox runner needs `bwrap` of bubblewrap, which is not installed.",
                remedy="Install it: apt install bubblewrap (Debian, Ubuntu) or dnf install bubblewrap (Fedora, RHEL).",
            )
        if not ability.overlays:
            reason = "The sandbox runner needs overlays, and this kernel lets you mount none over your files."
            return Availability(usable=False, reason=reason, remedy="Use the Docker runner or the process runner.")
        try:
            with self._engine():
                return ability.availability
        except RunnerUnavailable as error:
            if self._cache.is_empty():
                reason = f"No image has been exported, and no engine answers that has one. {error.reason}"
                return Availability(usable=False, reason=reason, remedy=error.remedy)
            return ability.availability

    def status(self, image_uri: str) -> ImageStatus:
        """The local image that serves the URI, exported or not."""
        known = self._look_up(image_uri)
        if known is None:
            absence = self._names.absence(image_uri)
            return ImageStatus(image_uri=image_uri, local=None, reason=absence.reason, remedy=absence.remedy)
        return ImageStatus(image_uri=image_uri, local=known.name, notes=self._names.notes(image_uri, known.name))

    def image(self, image_uri: str) -> SandboxImage:
        """The image, exported first if need be. Raises ImageMissing, RunnerUnavailable, JobFailed."""
        known = self._image(image_uri)
        root, config = self._root_of(known), parse_config(known.config)
        return SandboxImage(
            root=RootFileSystem(below=root, binds=(Bind(_PROCESSORS, PurePosixPath(_PROCESSORS)),)),
            files={PurePosixPath(_RESOLVER): _RESOLVER.read_bytes()} if _RESOLVER.is_file() else {},
            environment=config.environment,
            working_dir=config.working_dir,
            user=user_of(config.user, root),
        )

    def program(self, job: StagedJob) -> tuple[str, ...]:
        """The job's command with the image's ENTRYPOINT and CMD. Raises JobFailed. Follows: containers.md 1.2, 2.2."""
        if job.entrypoint is not None:
            return (*job.entrypoint, *(job.arguments or ()))
        config = parse_config(self._image(job.image_uri).config)
        program = (*config.entrypoint, *(config.arguments if job.arguments is None else job.arguments))
        if not program:
            what = "neither the job nor the image says what to run (ENTRYPOINT, CMD)."
            raise JobFailed(f"The container could not be created: {what}")
        return program

    def clean(self) -> None:
        """Remove root file systems that nobody used for a day and whose image is gone, if an engine says so."""
        unused = self._cache.unused()
        if not unused:
            return
        try:
            with self._engine() as api, engine_errors("", "looked up"):
                kept = {image["Id"].rpartition(":")[2] for image in api.images(all=True)}
        except (RunnerUnavailable, JobFailed) as error:
            _log.warning("Root file systems of images are kept, for no engine says which images are gone: %s", error)
            return
        for place in unused:
            if place.name not in kept:
                remove_directory(place)

    def _image(self, image_uri: str) -> KnownImage:
        known = self._known.get(image_uri) or self._look_up(image_uri)
        if known is None:
            absence = self._names.absence(image_uri)
            raise ImageMissing(image_uri, absence.reason, absence.remedy)
        return self._known.setdefault(image_uri, known)

    def _look_up(self, image_uri: str) -> KnownImage | None:
        candidates = self._names.candidates(image_uri)
        try:
            with self._engine() as api:
                return _known_to(api, image_uri, candidates)
        except RunnerUnavailable:
            return self._cache.find(candidates)

    def _root_of(self, known: KnownImage) -> Path:
        with self._exporting:
            root = self._cache.root_of(known)
            if root is None:
                self._say(f"exporting {known.name} (once)")
                with self._engine() as api, engine_errors(known.name, "exported"):
                    root = self._cache.add(known, _exported(api, known.image_id))
            return root

    @contextmanager
    def _engine(self) -> Iterator[APIClient]:
        """Raises RunnerUnavailable."""
        api, _ = connect(engine_address(self._environment))
        try:
            yield api
        finally:
            api.close()


def _known_to(api: APIClient, image_uri: str, names: Sequence[str]) -> KnownImage | None:
    """The first of these images that an engine has."""
    from docker.errors import APIError

    for name in names:
        with engine_errors(image_uri, "looked up"):
            try:
                found = api.inspect_image(name)
            except APIError as error:
                if not error.is_client_error():  # not there, or no name that an image can have
                    raise
            else:
                return KnownImage(name=name, image_id=found["Id"], config=found["Config"])
    return None


def _exported(api: APIClient, image_id: str) -> Iterator[bytes]:
    """An archive of the image's file system, in pieces. An engine exports containers alone, so one is made and removed."""
    container = api.create_container(image_id, entrypoint=[_NEVER_RUN])["Id"]
    try:
        yield from api.export(container)
    finally:
        with gone_is_fine():
            api.remove_container(container, v=True, force=True)

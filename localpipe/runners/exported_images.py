"""The images of the sandbox runner: an engine's, or those of archives, whose root file systems are unpacked once each.

Once an image is exported no engine need run. While one answers it says which image a name stands for. An archive needs none.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from localpipe.core.image_archive import archive_of
from localpipe.core.ports import Availability, ImageStatus
from localpipe.errors import ImageMissing, JobFailed, RunnerUnavailable
from localpipe.runners._docker_engine import connect
from localpipe.runners._docker_errors import engine_errors
from localpipe.runners._engine_images import answers, exported, known_to, remove_left, tagged
from localpipe.runners._image_archive import layers_of, read_archive
from localpipe.runners._image_root import parse_config, user_of
from localpipe.runners._sandbox_plan import Bind, RootFileSystem, SandboxImage
from localpipe.runners.engine_address import engine_address
from localpipe.runners.root_cache import KnownImage, RootCache, is_outdated

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from docker import APIClient

    from localpipe.core.jobspec import StagedJob
    from localpipe.runners._sandbox_check import Ability
    from localpipe.runners.docker import ImageNames
    from localpipe.runners.root_cache import KeptRoot

_log = logging.getLogger(__name__)
_PROCESSORS = Path("/sys/devices/system")
_RESOLVER = Path("/etc/resolv.conf")


class ExportedImages:
    """Images of the engine that the `docker` command would use, and in archives, as root file systems below `cache`.

    `names` maps image URIs to local images; `archives`: whether it maps any to an archive. `environment` is where
    DOCKER_HOST and its kin are looked up. `say` hears what goes on while an image is unpacked. Any thread may call it.
    Mutable: remembers what an image URI stands for, so that a run sees one image; holds the root file systems that it has
    given, so that no other process removes them before a job stands on them; keeps the connection to the engine.
    """

    runner: ClassVar[str] = "sandbox"
    are_images: ClassVar[bool] = True

    def __init__(
        self,
        *,
        cache: Path,
        names: ImageNames,
        archives: bool,
        environment: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        self._cache, self._names, self._archives = RootCache(cache), names, archives
        self._environment, self._say = environment, say
        self._known: dict[str, KnownImage] = {}
        self._held: dict[str, int] = {}
        self._holding = threading.Lock()
        self._exporting = threading.Lock()
        self._connecting = threading.Lock()
        self._api: APIClient | None = None

    def usable(self, tried: Callable[[], Ability]) -> Availability:
        """Where sandboxes can have any root, and images can be had."""
        lack = self._lack_of_images()
        ability = tried()
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
        return lack or ability.availability

    def status(self, image_uri: str) -> ImageStatus:
        """The local image that serves the URI, unpacked or not."""
        try:
            known = self._look_up(image_uri)
        except ImageMissing as error:
            return ImageStatus(image_uri=image_uri, local=None, reason=error.reason, remedy=error.remedy)
        if known is None:
            absence = self._names.absence(image_uri)
            return ImageStatus(image_uri=image_uri, local=None, reason=absence.reason, remedy=absence.remedy)
        notes = self._names.notes(image_uri, known.name)
        return ImageStatus(image_uri=image_uri, local=known.name, notes=notes, digest=known.image_id)

    def image(self, image_uri: str) -> SandboxImage:
        """The image, unpacked first if need be. Raises ImageMissing, RunnerUnavailable, JobFailed."""
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

    def clean(self, in_use: Collection[Path]) -> None:
        """Remove root file systems that no image needs (`is_outdated`), but for those that a process holds.

        Another process that adds one leaves it for later.
        """
        if not self._cache.directory.is_dir():
            return
        with suppress(RunnerUnavailable), self._cache.alone(wait=False) as may:
            free = [root for root in self._cache.roots() if not any(root.directory in below.parents for below in in_use)]
            for root, keys in self._named_now(free) if may else ():
                if is_outdated(root, keys, now=time.time()):
                    self._cache.remove(root)

    def _named_now(self, roots: Sequence[KeptRoot]) -> Sequence[tuple[KeptRoot, Sequence[str | None]]]:
        """Each root with what its names stand for by now, as `is_outdated` takes it; a tag of the image's is enough.

        Containers that killed processes exported from are removed first.
        """
        try:
            with self._engine() as api, engine_errors("", "looked up"):
                remove_left(api, self._cache.directory)
                known = tagged(api)
                return [(root, [root.key] if root.key in known else _keys(api, root)) for root in roots]
        except (RunnerUnavailable, JobFailed) as error:
            _log.info("Root file systems of an engine's images are kept, for no engine says which are outdated: %s", error)
            return [(root, _keys(None, root)) for root in roots]

    def _lack_of_images(self) -> Availability | None:
        """Why no image can be had; None: an archive is named, an engine answers, or one did once."""
        if self._archives:
            return None
        try:
            with self._engine():
                return None
        except RunnerUnavailable as error:
            if not self._cache.is_empty():
                return None
            reason = f"No image has been exported, and no engine answers that has one. {error.reason}"
            return Availability(usable=False, reason=reason, remedy=error.remedy)

    def _image(self, image_uri: str) -> KnownImage:
        known = self._known.get(image_uri) or self._look_up(image_uri)
        if known is None:
            absence = self._names.absence(image_uri)
            raise ImageMissing(image_uri, absence.reason, absence.remedy)
        return self._known.setdefault(image_uri, known)

    def _look_up(self, image_uri: str) -> KnownImage | None:
        """Raises ImageMissing for an archive that is none, or is not there."""
        candidates = self._names.candidates(image_uri)
        if archive := archive_of(candidates[0]):
            return _in_archive(archive, image_uri, candidates[0])
        try:
            with self._engine() as api:
                return known_to(api, image_uri, candidates)
        except RunnerUnavailable:
            return self._cache.find(candidates)

    def _root_of(self, known: KnownImage) -> Path:
        if root := self._held_root(known):
            return root
        with self._exporting, self._cache.alone():
            if root := self._held_root(known):
                return root
            unpacked = self._unpacked(known)
            return self._held_root(known) or unpacked

    def _held_root(self, known: KnownImage) -> Path | None:
        """The root file system, held until `close`; None if it is not there."""
        with self._holding:
            if known.key not in self._held and (held := self._cache.hold(known)) is not None:
                self._held[known.key] = held
            root = self._cache.root_of(known)
            if root is None and known.key in self._held:  # somebody removed it by hand
                os.close(self._held.pop(known.key))
            return root

    def _unpacked(self, known: KnownImage) -> Path:
        if archive := archive_of(known.name):
            self._say(f"unpacking {archive} (once)")
            return self._cache.add(known, layers_of(archive, known.image_id))
        self._say(f"exporting {known.name} (once)")
        with self._engine() as api, engine_errors(known.name, "exported"):
            remove_left(api, self._cache.directory)
            with closing(exported(api, known.image_id, self._cache.directory)) as pieces:
                return self._cache.add(known, [pieces])

    def close(self) -> None:
        """Let go of the engine and of the root file systems."""
        with self._connecting:
            self._disconnect()
        with self._holding:
            while self._held:
                os.close(self._held.popitem()[1])

    def _disconnect(self) -> None:
        api, self._api = self._api, None
        if api:
            api.close()

    @contextmanager
    def _engine(self) -> Iterator[APIClient]:
        """The engine, asked what it is once for as long as it answers. Raises RunnerUnavailable."""
        with self._connecting:
            if self._api and not answers(self._api):
                self._disconnect()
            if self._api is None:
                self._api, _ = connect(engine_address(self._environment))
            api = self._api
        yield api


def _in_archive(archive: Path, image_uri: str, name: str) -> KnownImage:
    try:
        found = read_archive(archive)
    except ImageMissing as error:
        reason = f"[images] in localpipe.toml maps it to the archive {archive}, and {error.reason}"
        raise ImageMissing(image_uri, reason, error.remedy) from error
    return KnownImage(name=name, image_id=found.image_id, config=found.config)


def _keys(api: APIClient | None, root: KeptRoot) -> Sequence[str | None]:
    return [_key(api, name) for name in root.names]


def _key(api: APIClient | None, name: str) -> str | None:
    """The key of the image that has a name now; empty if none has, None where no engine says."""
    if archive := archive_of(name):
        with suppress(ImageMissing):
            return _in_archive(archive, name, name).key
        return ""
    if api is None:
        return None
    found = known_to(api, name, (name,))
    return found.key if found else ""

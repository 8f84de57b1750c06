"""Build the stand-ins on a Docker engine, and list which are there.

Two layers: the shared one (`localpipe/python-base`, one for each Python), then the family's packages. The engine needs no
network: pip downloads on this machine, for the Python and machine of the base image, and the wheels go in with the build
context. The classic builder is enough.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from docker.errors import APIError, DockerException, ImageNotFound
from requests.exceptions import RequestException

from localpipe.errors import ImageMissing, RunnerUnavailable
from localpipe.images.catalogue import all_stand_ins
from localpipe.images.families import dotted
from localpipe.images.own_wheels import content_digest, own_wheels
from localpipe.images.pip_settings import pip_settings
from localpipe.images.resources import requirements, shared_pins
from localpipe.images.wheels import Target, digest, wheel_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from docker import DockerClient

    from localpipe.core import JSON
    from localpipe.images.catalogue import StandIn
    from localpipe.images.families import PythonVersion

SHARED_IMAGE = "localpipe/python-base"
NAME_LABEL = "localpipe.stand-in"
CONTENT_LABEL = "localpipe.content"
_BASE_LABEL = "localpipe.base"
_STAGE_LABEL = "localpipe.stage"
_PREFIX = PurePosixPath("/opt/venv")

_FACTS = "import platform, sys, venv, ensurepip; print(*sys.version_info[:2], platform.machine())"
_BASE_REMEDY = (
    "Give one that is on this machine: `--base IMAGE` (it needs python3 with venv, bash and tar). On Debian,"
    " containers/base/build.sh makes one without pulling."
)
_ERROR_LINES = 8
_STEP_SECONDS = 1800
"""How long the engine may be silent: copying a large layer says nothing until it is done."""


@dataclass(frozen=True, kw_only=True)
class ImageRow:
    """One stand-in as `localpipe images` lists it.

    `state`: `built`, `outdated` (built from other pins than this localpipe has) or `not built`; `size_bytes` 0 then.
    `base_id`: of the image that it was built upon, empty where it is not.
    """

    name: str
    local_image: str
    state: str
    size_bytes: int
    build_command: str
    notes: tuple[str, ...]
    base_id: str = ""


def default_base(stand_in: StandIn) -> str:
    """The image that a stand-in is built upon where none is given: Docker's own of its Python."""
    return f"python:{dotted(stand_in.preferred_python)}-slim"


def has_base(client: DockerClient, row: ImageRow, base: str) -> bool:
    """Whether the listed image was built upon the one that is called `base` now."""
    try:
        return bool(client.images.get(base).id == row.base_id)
    except ImageNotFound:
        return False
    except (DockerException, RequestException) as error:
        raise _engine_failed(error) from error


def base_python(client: DockerClient, base: str, say: Callable[[str], None]) -> PythonVersion:
    """The Python of a base image, which is pulled where it is not here. Raises ImageMissing, RunnerUnavailable."""
    try:
        return _target(client, base, say).python
    except (DockerException, RequestException) as error:
        raise _engine_failed(error) from error


def build(
    client: DockerClient,
    stand_in: StandIn,
    *,
    base: str,
    containers: Path,
    cache: Path,
    say: Callable[[str], None],
) -> str:
    """Build a stand-in over the image `base` and return its name; `say` receives the progress, line by line.

    `cache`: localpipe's own cache directory, where the wheels are kept.
    Raises ImageMissing (no usable base image, the build failed), RunnerUnavailable (no engine, no package index).
    """
    try:
        target = _target(client, base, say)
        _check_python(stand_in, base, target.python)
        base_id, shared_image = client.images.get(base).id, f"{SHARED_IMAGE}:{dotted(target.python)}"
        shared = shared_pins(containers)
        say(f"Fetching wheels for Python {dotted(target.python)} on {target.machine}")
        shared_wheels = wheel_folders(shared, target, cache)
        family = wheel_folders(stand_in.pins, target, cache)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            build_one = _Builder(client=client, say=say)
            context = _context(Path(folder) / "shared", containers / "python-base", shared, shared_wheels)
            build_one.build_unless_current(context, shared_image, base, f"{base_id} {_content_of(context)}")
            own = own_wheels(stand_in, containers, cache, Path(folder))
            context = _family_context(Path(folder) / "family", stand_in, containers, family, own)
            labels = {_BASE_LABEL: base_id, CONTENT_LABEL: content_digest(stand_in, containers), NAME_LABEL: stand_in.name}
            build_one.build(context, stand_in.local_image, shared_image, labels)
    except (DockerException, RequestException) as error:
        raise _engine_failed(error) from error
    return stand_in.local_image


def image_rows(client: DockerClient, containers: Path) -> tuple[ImageRow, ...]:
    """Every stand-in and whether it is built, in the catalogue's order; exact ones only where they are built."""
    try:
        images = client.api.images(filters={"label": NAME_LABEL})
    except (DockerException, RequestException) as error:
        raise RunnerUnavailable(f"The Docker engine does not answer: {error}.", "Run `localpipe doctor`.") from error
    built = {tag: image for image in images for tag in image["RepoTags"] or ()}
    return tuple(_row(stand_in, built.get(stand_in.local_image), containers) for stand_in in all_stand_ins())


def _row(stand_in: StandIn, image: Mapping[str, JSON] | None, containers: Path) -> ImageRow:
    current = image is not None and image["Labels"].get(CONTENT_LABEL) == content_digest(stand_in, containers)
    state = "not built" if image is None else "built" if current else "outdated"
    size = image["Size"] if image else 0
    return ImageRow(
        name=stand_in.name,
        local_image=stand_in.local_image,
        state=state,
        size_bytes=size,
        build_command=stand_in.build_command,
        notes=stand_in.notes,
        base_id=image["Labels"].get(_BASE_LABEL, "") if image else "",
    )


def _engine_failed(error: Exception) -> RunnerUnavailable:
    return RunnerUnavailable(f"The Docker engine failed: {error}.", "Run `localpipe doctor` to see why.")


def _target(client: DockerClient, base: str, say: Callable[[str], None]) -> Target:
    """Ask the base image for its Python and machine, pulling it where it is not here."""
    try:
        client.images.get(base)
    except ImageNotFound:
        _pull(client, base, say)
    major, minor, machine = _ask(client, base).split()
    return Target(python=(int(major), int(minor)), machine=machine)


def _pull(client: DockerClient, base: str, say: Callable[[str], None]) -> None:
    say(f"Pulling {base}")
    try:
        client.images.pull(base)
    except APIError as error:
        reason = f"the base image is not on this machine and cannot be pulled ({error.explanation})."
        raise ImageMissing(base, reason, _BASE_REMEDY) from error


def _ask(client: DockerClient, base: str) -> str:
    container = client.containers.create(base, ["-c", _FACTS], entrypoint=["python3"], network_disabled=True)
    try:
        container.start()
        status = container.wait()["StatusCode"]
        text: str = container.logs().decode("utf-8", "replace").strip()
    except APIError as error:
        raise ImageMissing(base, f"it cannot be a base image: {error.explanation}.", _BASE_REMEDY) from error
    finally:
        with suppress(APIError):
            container.remove(force=True)
    if status:
        raise ImageMissing(base, f"it cannot be a base image: its python3 has no venv ({text[-200:]}).", _BASE_REMEDY)
    return text


def _check_python(stand_in: StandIn, base: str, python: PythonVersion) -> None:
    if python not in stand_in.pythons:
        known = " or ".join(map(dotted, stand_in.pythons))
        reason = f"it has Python {dotted(python)}; {stand_in.name} needs Python {known}."
        raise ImageMissing(base, reason, f"Give another base image: `--base {default_base(stand_in)}`.")


def _family_context(folder: Path, stand_in: StandIn, containers: Path, wheels: Iterable[Path], own: Sequence[Path]) -> Path:
    context = _context(folder, containers / "framework", [], wheels)
    for wheel in own:
        shutil.copy(wheel, context / "wheels")
    own_names = (wheel.name.partition("-")[0] for wheel in own)
    _write_requirements(context, [*stand_in.pins, *own_names])
    (context / "settings").mkdir()
    for name, text in pip_settings(stand_in, _PREFIX).items():
        (context / "settings" / name).write_text(text)
    return context


def _context(folder: Path, dockerfile_dir: Path, names: Sequence[str], wheel_dirs: Iterable[Path]) -> Path:
    """A build context: the Dockerfile, requirements.txt and the wheels, hard links of the cached ones."""
    (folder / "wheels").mkdir(parents=True)
    shutil.copy(dockerfile_dir / "Dockerfile", folder)
    _write_requirements(folder, names)
    for wheel in (wheel for directory in wheel_dirs for wheel in sorted(directory.glob("*.whl"))):
        os.link(wheel, folder / "wheels" / wheel.name)
    return folder


def _content_of(context: Path) -> str:
    """Changes with any file of a build context."""
    files = sorted(path for path in context.rglob("*") if path.is_file())
    return digest(*(f"{path.relative_to(context)} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files))


def _write_requirements(context: Path, names: Sequence[str]) -> None:
    (context / "requirements.txt").write_text("".join(f"{name}\n" for name in requirements("\n".join(names))))


@dataclass(frozen=True, kw_only=True)
class _Builder:
    """Runs single builds and clears away what they leave: first stages hold the wheels and would double the disk space."""

    client: DockerClient
    say: Callable[[str], None]

    def build_unless_current(self, context: Path, tag: str, base: str, content: str) -> None:
        """Build unless the image is there and was built from this `content`."""
        with suppress(ImageNotFound):
            if self.client.images.get(tag).labels.get(CONTENT_LABEL) == content:
                return
        self.build(context, tag, base, {CONTENT_LABEL: content})

    def build(self, context: Path, tag: str, base: str, labels: Mapping[str, str]) -> None:
        """One `docker build`. Raises ImageMissing with the last lines if it fails."""
        self.say(f"Building {tag}")
        stage = uuid.uuid4().hex
        stream = self.client.api.build(
            path=str(context),
            tag=tag,
            buildargs={"BASE": base, "STAGE": stage},
            labels=dict(labels),
            network_mode="none",
            rm=True,
            forcerm=True,
            decode=True,
            timeout=_STEP_SECONDS,
        )
        try:
            self._follow(stream, tag)
        finally:
            self._remove_unnamed(_STAGE_LABEL, stage)
        if NAME_LABEL in labels:
            self._remove_unnamed(NAME_LABEL, labels[NAME_LABEL])  # the image that had the name before

    def _follow(self, stream: Iterable[Mapping[str, JSON]], tag: str) -> None:
        lines: list[str] = []
        for message in stream:
            new = [line.rstrip() for line in message.get("stream", "").splitlines() if line.strip()]
            for line in new:
                self.say(f"  {line}")
            lines += new
            if "error" in message:
                last = "\n".join(f"  {line}" for line in [*lines[-_ERROR_LINES:], message["error"]])
                remedy = "Run it again, or give another base image: `--base IMAGE`."
                raise ImageMissing(tag, f"the build failed:\n{last}\n", remedy)

    def _remove_unnamed(self, label: str, value: str) -> None:
        """Remove images of ours that no name refers to; one that a container still uses stays."""
        for image in self.client.api.images(filters={"label": f"{label}={value}", "dangling": True}):
            with suppress(APIError):
                self.client.api.remove_image(image["Id"])

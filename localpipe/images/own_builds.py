"""Images of the user's own, built by `docker build` before a run when anything that goes into them has changed.

What an image was built from is its label: a digest of the files of the context that `.dockerignore` leaves, their names and
modes, and of what the command is given. A base image that has changed is not noticed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from typing import TYPE_CHECKING

from docker.errors import DockerException, ImageNotFound
from docker.utils.build import exclude_paths
from requests.exceptions import RequestException

from localpipe.errors import ImageMissing, RunnerUnavailable
from localpipe.images.build import CONTENT_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from docker import DockerClient

    from localpipe.core.image_build import ImageBuild, OwnImage

_ERROR_LINES = 8


def ensure_built(client: DockerClient, image: OwnImage, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Build the image unless it is there and up to date; `say` hears that and the builder's lines.

    `environ`: of the `docker` command.

    Raises ImageMissing (no such folder, the build failed) and RunnerUnavailable (no engine, no `docker` command).
    """
    build = image.build
    content = content_of(image)
    if _is_current(client, image.name, content):
        return
    say(f"Building {image.name} from {build.context}")
    status, lines = _run(_command(image.name, build, content), {**environ, **build.args}, say)
    if status:
        last = "\n".join(f"  {line}" for line in lines[-_ERROR_LINES:])
        reason = f"{image.place} builds it from {build.context}, and that failed:\n{last}\n"
        remedy = (
            f"Mend {build.context / build.dockerfile}, or what that entry gives the build: `dockerfile`, `target`, `args`."
        )
        raise ImageMissing(image.uri, reason, remedy)


def content_of(image: OwnImage) -> str:
    """Changes with whatever goes into the image. Raises ImageMissing where the folder or the Dockerfile is not there."""
    build = image.build
    if not build.context.is_dir():
        reason = f"{image.place} builds it from the folder {build.context}, which does not exist."
        raise ImageMissing(image.uri, reason, "Name the folder of its Dockerfile as `build`.")
    if not (build.context / build.dockerfile).is_file():
        reason = f"{image.place} builds it from {build.context}, which has no {build.dockerfile}."
        raise ImageMissing(image.uri, reason, "Name the folder as `build`, and another file in it as `dockerfile`.")
    found = hashlib.sha256(repr((build.dockerfile, sorted(build.args.items()), build.target)).encode())
    for path in sorted(exclude_paths(str(build.context), _ignored(build), build.dockerfile)):
        found.update(f"\0{path}\0".encode(errors="surrogateescape"))
        found.update(_file_digest(build.context / path))
    return found.hexdigest()


def _ignored(build: ImageBuild) -> list[str]:
    """The patterns of the Dockerfile's own `.dockerignore`, which BuildKit reads in place of the context's."""
    places = (build.context / f"{prefix}.dockerignore" for prefix in (build.dockerfile, ""))
    file = next((place for place in places if place.is_file()), None)
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines()) if file else ()
    return [line for line in lines if line and not line.startswith("#")]


def _file_digest(path: Path) -> bytes:
    """Of a file's mode and content, or a link's target; a directory counts by its name alone."""
    if path.is_symlink():
        return os.fsencode(path.readlink())
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        content = hashlib.sha256()
        while block := file.read(1 << 20):
            content.update(block)
    return b"%o %s" % (path.stat().st_mode & 0o111, content.digest())


def _is_current(client: DockerClient, name: str, content: str) -> bool:
    try:
        return bool(client.images.get(name).labels.get(CONTENT_LABEL) == content)
    except ImageNotFound:
        return False
    except (DockerException, RequestException) as error:
        raise RunnerUnavailable(f"The Docker engine failed: {error}.", "Run `localpipe doctor` to see why.") from error


def _command(name: str, build: ImageBuild, content: str) -> list[str]:
    """The user's own `docker build`, so that BuildKit, its caches and its settings are theirs.

    It takes the values of arguments from its environment: every user of the machine can read its command line.
    """
    options = [
        "--force-rm",
        f"--tag={name}",
        f"--label={CONTENT_LABEL}={content}",
        f"--file={build.context / build.dockerfile}",
    ]
    options += [f"--target={build.target}"] if build.target else []
    options += [f"--build-arg={key}" for key in build.args]
    return ["docker", "build", *options, str(build.context)]


def _run(command: list[str], environ: Mapping[str, str], say: Callable[[str], None]) -> tuple[int, list[str]]:
    """Exit status and lines. Raises RunnerUnavailable without the command."""
    try:
        process = subprocess.Popen(
            command,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        reason = f"Images of your own are built by the `docker` command, which does not run: {error.strerror}."
        raise RunnerUnavailable(reason, "Install the Docker command line.") from error
    with process:
        lines = list(_said(process.stdout or (), say))
    return process.returncode, lines


def _said(output: Iterable[str], say: Callable[[str], None]) -> Iterator[str]:
    for line in filter(None, map(str.rstrip, output)):
        say(f"  {line}")
        yield line

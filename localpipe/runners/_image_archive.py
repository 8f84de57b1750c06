"""An image in an archive, as `docker save` and OCI layouts write it: what it is and the layers of its file system.

Follows: OCI image specification, "Image Layout", "Image Index", "Image Manifest"; Docker image specification v1.2,
"Combined Image JSON + Filesystem Changeset Format".
"""

from __future__ import annotations

import hashlib
import json
import platform
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from localpipe.errors import ImageMissing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import IO

    from localpipe.core import JSON

_PIECE = 1 << 20
_ZSTD = b"\x28\xb5\x2f\xfd"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""As the kernel and as images name them; other names are the same."""
_NO_IMAGE = "unknown"
"""The system that an index gives for what is no image, such as attestations of a build."""


@dataclass(frozen=True, kw_only=True)
class ArchivedImage:
    """An image of an archive: its id (`sha256:...`, of its configuration), its `Config` and its layers, the lowest first."""

    image_id: str
    config: JSON
    layers: tuple[str, ...]


def read_archive(path: Path) -> ArchivedImage:
    """The image in an archive; of several platforms the one of this machine.

    Raises ImageMissing where there is none, or none that can be unpacked, with the reason and what helps.
    """
    with _opened(path) as archive:
        config_name, layers = _manifest(path, archive)
        content = _bytes(archive, config_name)
        for layer in layers:
            if _file(archive, layer).read(len(_ZSTD)) == _ZSTD:
                raise ImageMissing(str(path), "it has layers compressed by zstd.", _SAVE_IT)
        config = json.loads(content).get("config") or {}
        return ArchivedImage(image_id=f"sha256:{hashlib.sha256(content).hexdigest()}", config=config, layers=layers)


def layers_of(path: Path, image_id: str) -> Iterator[Iterator[bytes]]:
    """The archives of the image's layers, the lowest first, each in pieces.

    Raises ImageMissing, also for an archive that holds another image by now.
    """
    image = read_archive(path)
    if image.image_id != image_id:
        raise ImageMissing(str(path), "it was replaced while it was read.", "Run it again.")
    with _opened(path) as archive:
        for layer in image.layers:
            yield iter(partial(_file(archive, layer).read, _PIECE), b"")


_SAVE_IT = "Write it by `docker save IMAGE --output FILE`, or as an OCI archive with plain or gzip layers."


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """The archive. Raises ImageMissing where there is none, and for whatever is not in it or not as it must be."""
    try:
        with tarfile.open(path, "r:") as archive:
            yield archive
    except OSError as error:
        raise ImageMissing(str(path), f"it cannot be read: {error.strerror or error}.", "Mend the path.") from error
    except (tarfile.TarError, KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        reason = f"it is no archive of an image, or not a whole one: {error}."
        raise ImageMissing(str(path), reason, f"One that is compressed as a whole must be unpacked. {_SAVE_IT}") from error


def _manifest(path: Path, archive: tarfile.TarFile) -> tuple[str, tuple[str, ...]]:
    """The members with the image's configuration and layers. Engines write `manifest.json`, also beside an OCI layout."""
    if "manifest.json" in archive.getnames():
        images = _document(archive, "manifest.json")
        if len(images) > 1:
            raise _several(path, [", ".join(image["RepoTags"] or ("one without a name",)) for image in images])
        return images[0]["Config"], tuple(images[0]["Layers"])
    manifest = _document(archive, _blob(_of_this_machine(path, archive, "index.json")))
    return _blob(manifest["config"]), tuple(map(_blob, manifest["layers"]))


def _of_this_machine(path: Path, archive: tarfile.TarFile, index: str) -> JSON:
    """The descriptor of an index's one image, or of the one for this machine; indexes may hold indexes."""
    images = [each for each in _document(archive, index)["manifests"] if _platform(each).get("os") != _NO_IMAGE]
    machine = platform.machine()
    architecture = _ARCHITECTURES.get(machine, machine)
    fitting = [each for each in images if _platform(each).get("architecture") == architecture]
    chosen = images if len(images) == 1 else fitting
    if len(chosen) != 1:
        raise _several(path, [f"{each['digest']} ({_platform(each).get('architecture', 'any')})" for each in images])
    if "index" in chosen[0]["mediaType"] or "manifest.list" in chosen[0]["mediaType"]:
        return _of_this_machine(path, archive, _blob(chosen[0]))
    return chosen[0]


def _platform(descriptor: JSON) -> JSON:
    return descriptor.get("platform") or {}


def _several(path: Path, images: Iterable[str]) -> ImageMissing:
    reason = f"it must hold one image for this machine, and holds: {'; '.join(images) or 'none'}."
    return ImageMissing(str(path), reason, "Save the one alone.")


def _blob(descriptor: JSON) -> str:
    return f"blobs/{descriptor['digest'].replace(':', '/')}"


def _document(archive: tarfile.TarFile, name: str) -> JSON:
    return json.loads(_bytes(archive, name))


def _bytes(archive: tarfile.TarFile, name: str) -> bytes:
    return _file(archive, name).read()


def _file(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    """A file of the archive, also by a link within it. Raises KeyError."""
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(f"{name} is no file")
    return file

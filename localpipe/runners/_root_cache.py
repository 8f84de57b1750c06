"""Root file systems of images, kept in the user's cache, one per image id.

`<cache>/<id>/root` is the root file system, `<cache>/<id>/image.json` what is known of its image. A directory is made under
another name first, so that one that bears an id is whole; the time of the directory is that of its last use.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.errors import RunnerUnavailable
from localpipe.runners._image_root import unpack
from localpipe.runners._sandbox_directory import remove_directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from localpipe.core import JSON

_ROOT, _RECORD, _MAKING = "root", "image.json", ".making-"
_UNUSED_SECONDS = 86_400.0


@dataclass(frozen=True, kw_only=True)
class KnownImage:
    """An image by a local name, with its id (`sha256:...`) and its `Config` as engines and OCI archives write it."""

    name: str
    image_id: str
    config: JSON

    @property
    def key(self) -> str:
        """Its name in the cache."""
        return self.image_id.rpartition(":")[2]


@dataclass(frozen=True)
class RootCache:
    """The cache in one directory, which need not be there. Any process may use it at any time."""

    directory: Path

    def is_empty(self) -> bool:
        """Whether it holds no image."""
        return not self._records()

    def find(self, names: Iterable[str]) -> KnownImage | None:
        """The image that has one of these names, the first name first; of several images the one that was used last."""
        known = self._records()
        found = ((name, record) for name in names for record in known if name in record["Names"])
        return next((KnownImage(name=name, image_id=record["Id"], config=record["Config"]) for name, record in found), None)

    def root_of(self, image: KnownImage) -> Path | None:
        """The image's root file system, which counts as used now; None if it is not there."""
        place = self.directory / image.key
        try:
            os.utime(place)
        except FileNotFoundError:
            return None
        record = _read(place)
        if image.name not in record["Names"]:
            _write(place, image, [image.name, *record["Names"]])
        return place / _ROOT

    def add(self, image: KnownImage, pieces: Iterable[bytes]) -> Path:
        """Unpack an archive of the image's file system. Raises RunnerUnavailable, and what `pieces` raise."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            making = Path(tempfile.mkdtemp(prefix=_MAKING, dir=self.directory))
        except OSError as error:
            remedy = "Name another by XDG_CACHE_HOME."
            raise RunnerUnavailable(f"The cache {self.directory} cannot be written: {error.strerror}.", remedy) from error
        try:
            making.chmod(0o755)
            (making / _ROOT).mkdir(mode=0o755)
            unpack(pieces, making / _ROOT)
            _write(making, image, [image.name])
            with suppress(OSError):  # another process was faster
                making.rename(self.directory / image.key)
        finally:
            remove_directory(making)
        return self.directory / image.key / _ROOT

    def unused(self) -> Sequence[Path]:
        """What nobody used for a day, each in a directory named like the image's id without its algorithm."""
        return [place for place in self._places() if time.time() - place.stat().st_mtime > _UNUSED_SECONDS]

    def _places(self) -> Sequence[Path]:
        """Directories of the cache, half made ones too, the last used first."""
        places = self.directory.iterdir() if self.directory.is_dir() else ()
        return sorted(places, key=lambda place: place.stat().st_mtime, reverse=True)

    def _records(self) -> Sequence[JSON]:
        return [_read(place) for place in self._places() if not place.name.startswith(_MAKING)]


def _read(place: Path) -> JSON:
    return json.loads((place / _RECORD).read_text(encoding="utf-8"))


def _write(place: Path, image: KnownImage, names: Sequence[str]) -> None:
    record = {"Id": image.image_id, "Names": names, "Config": image.config}
    scratch = place / f"{_RECORD}.{os.getpid()}"
    scratch.write_text(json.dumps(record), encoding="utf-8")
    scratch.replace(place / _RECORD)

"""Root file systems of images, kept in the user's cache, one per image id.

`<cache>/<id>/root` is the root file system, `<cache>/<id>/image.json` what is known of its image. A directory is made under
another name first, so that one that bears an id is whole; the time of the directory is that of its last use.
"""

from __future__ import annotations

import json
import os
import stat
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.errors import JobFailed, RunnerUnavailable
from localpipe.runners._image_root import unpack
from localpipe.runners._made_aside import is_aside, locked, made_aside, removed_aside

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from localpipe.core import JSON

_ROOT, _RECORD = "root", "image.json"
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
class UnusedRoot:
    """A directory of the cache, named like an image's id without its algorithm, and the local names that it was used by."""

    directory: Path
    names: tuple[str, ...]


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
            record = _read(place)
            if record and image.name not in record["Names"]:
                _write(place, image, [image.name, *record["Names"]])
        except FileNotFoundError:
            return None
        return place / _ROOT if record else None

    @contextmanager
    def alone(self, *, wait: bool = True) -> Iterator[bool]:
        """Around `add`, so that nobody else adds at the same time; yield whether one may. Raises RunnerUnavailable."""
        with ExitStack() as held:
            try:
                may = held.enter_context(locked(self.directory, wait=wait))
            except OSError as error:
                raise self._unwritable(error) from error
            yield may

    def add(self, image: KnownImage, layers: Iterable[Iterable[bytes]]) -> Path:
        """Unpack the image's file system; see `unpack`. Raises RunnerUnavailable, JobFailed, and what `layers` raise.

        It is for the user alone: files of an image's root are this user's own, some of them for everybody to write.
        """
        place = self.directory / image.key
        if place.exists() and _read(place) is None:  # an earlier localpipe was killed while it removed it
            removed_aside(place)
        with ExitStack() as making:
            try:
                directory = making.enter_context(made_aside(place))
                (directory / _ROOT).mkdir(mode=0o755)
            except OSError as error:
                raise self._unwritable(error) from error
            try:
                unpack(layers, directory / _ROOT)
            except JobFailed as error:
                what = f"The image {image.name} could not be unpacked below {self.directory}."
                raise JobFailed(f"{what} {error}", error.exception_type) from error
            _write(directory, image, [image.name])
        return place / _ROOT

    def unused(self) -> Sequence[UnusedRoot]:
        """What nobody used for a day, half made ones too."""
        unused = [place for used_at, place in self._places() if time.time() - used_at > _UNUSED_SECONDS]
        return [UnusedRoot(place, tuple(record["Names"]) if (record := _record(place)) else ()) for place in unused]

    def remove(self, root: UnusedRoot) -> None:
        """Remove a directory of the cache."""
        removed_aside(root.directory)

    def _unwritable(self, error: OSError) -> RunnerUnavailable:
        remedy = "Name another by XDG_CACHE_HOME."
        return RunnerUnavailable(f"The cache {self.directory} cannot be written: {error.strerror}.", remedy)

    def _places(self) -> Sequence[tuple[float, Path]]:
        """Directories of the cache and when they were used last, half made ones too, the last used first."""
        places = []
        for place in self.directory.iterdir() if self.directory.is_dir() else ():
            with suppress(FileNotFoundError):  # removed, or renamed, meanwhile
                if stat.S_ISDIR((found := place.lstat()).st_mode):
                    places.append((found.st_mtime, place))
        return sorted(places, reverse=True)

    def _records(self) -> Sequence[JSON]:
        return [record for _, place in self._places() if (record := _record(place))]


def _record(place: Path) -> JSON:
    """What a directory of the cache says of its image; None for one that is half made or half removed."""
    return None if is_aside(place) else _read(place)


def _read(place: Path) -> JSON:
    try:
        return json.loads((place / _RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def _write(place: Path, image: KnownImage, names: Sequence[str]) -> None:
    record = {"Id": image.image_id, "Names": names, "Config": image.config}
    scratch = place / f"{_RECORD}.{os.getpid()}"
    scratch.write_text(json.dumps(record), encoding="utf-8")
    scratch.replace(place / _RECORD)

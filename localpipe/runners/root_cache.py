"""Root file systems of images, kept in the user's cache, one per image id.

`<cache>/<id>/root` is the root file system, `<cache>/<id>/image.json` what is known of its image. A directory is made under
another name first, so that one that bears an id is whole; the time of the directory is that of its last use.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.errors import JobFailed, RunnerUnavailable
from localpipe.runners._image_root import unpack
from localpipe.runners._made_aside import hold, is_aside, locked, made_aside, removed_aside, removed_if_free

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from localpipe.core import JSON

_ROOT, _RECORD = "root", "image.json"
_UNUSED_SECONDS = 86_400.0
_BLOCK_BYTES = 512
"""What `st_blocks` counts in, whatever the file system's own blocks are."""


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


@dataclass(frozen=True, kw_only=True)
class KeptRoot:
    """A directory of the cache, named like an image's id without its algorithm, and the local names that it was used by.

    `names`: none of one that is half made or half removed. `used_at`: epoch seconds. `bytes`: what it took on disk when it
    was unpacked; None where nobody wrote that down.
    """

    directory: Path
    names: tuple[str, ...]
    used_at: float
    bytes: int | None

    @property
    def key(self) -> str:
        """The image's, as `KnownImage` has it."""
        return self.directory.name


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
                _write(place, {**record, "Names": [image.name, *record["Names"]]})
        except FileNotFoundError:
            return None
        return place / _ROOT if record else None

    def hold(self, image: KnownImage) -> int | None:
        """Keep `remove` of any process from the image's root; see `_made_aside.hold`."""
        return hold(self.directory / image.key)

    @contextmanager
    def alone(self, *, wait: bool = True) -> Iterator[bool]:
        """Around `add` and `remove`, so that nobody else does so at the same time; yield whether one may.

        Raises RunnerUnavailable.
        """
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
            size = bytes_on_disk(directory / _ROOT)
            _write(directory, {"Id": image.image_id, "Names": [image.name], "Config": image.config, "Bytes": size})
        return place / _ROOT

    def roots(self) -> Sequence[KeptRoot]:
        """What it holds, half made ones too, the last used first."""
        return [_kept(place, used_at) for used_at, place in self._places()]

    def remove(self, root: KeptRoot) -> bool:
        """Remove a directory of the cache unless somebody holds it; whether it is gone by then."""
        return removed_if_free(root.directory)

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


def bytes_on_disk(directory: Path) -> int:
    """What the files below a directory take on disk, each counted once whatever names it has."""
    sizes = {}
    for folder, names, files in os.walk(directory):
        for name in (*names, *files):
            with suppress(OSError):  # removed meanwhile
                found = os.lstat(f"{folder}/{name}")
                sizes[found.st_dev, found.st_ino] = found.st_blocks * _BLOCK_BYTES
    return sum(sizes.values())


def _kept(place: Path, used_at: float) -> KeptRoot:
    record = _record(place) or {"Names": ()}
    return KeptRoot(directory=place, names=tuple(record["Names"]), used_at=used_at, bytes=record.get("Bytes"))


def is_outdated(root: KeptRoot, names_now: Collection[str | None], *, now: float) -> bool:
    """Whether a root is of an image that nobody can want any more. Times are epoch seconds.

    `names_now`: the keys of the images that its names stand for by now; empty for a name of none, None where that cannot be
    told. One whose names stand for other images goes at once; one whose names are gone, with the engine perhaps or until the
    image is built again, when nobody used it for a day.
    """
    if root.key in names_now or None in names_now:
        return False
    return any(names_now) or now - root.used_at > _UNUSED_SECONDS


def _record(place: Path) -> JSON:
    """What a directory of the cache says of its image; None for one that is half made or half removed."""
    return None if is_aside(place) else _read(place)


def _read(place: Path) -> JSON:
    try:
        return json.loads((place / _RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def _write(place: Path, record: JSON) -> None:
    scratch = place / f"{_RECORD}.{os.getpid()}"
    scratch.write_text(json.dumps(record), encoding="utf-8")
    scratch.replace(place / _RECORD)

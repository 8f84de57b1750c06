"""What goes to the store while a job runs: files of continuous outputs, as they appear, change and, mirrored, disappear."""

from __future__ import annotations

import logging
import os
import stat
from contextlib import ExitStack, contextmanager
from itertools import filterfalse
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from localpipe.errors import LocalpipeError
from localpipe.staging import files
from localpipe.staging.keys import is_folder_marker
from localpipe.staging.sources import listed
from localpipe.staging.targets import AttemptLayout, folder_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from localpipe.core.jobspec import JobSpec, OutputSpec, StagedJob
    from localpipe.core.ports import ObjectStore
    from localpipe.staging.targets import HostLayout

_log = logging.getLogger(__name__)

_Stamp: TypeAlias = tuple[int, int, int]
"""A file's number, size and time of the last change. Another content has another one, but of a file that is mapped into
memory: there only the first store counts as a change, until the system writes the page back."""

_BLOCK_BYTES = 1 << 20


class Uploads:
    """The continuous outputs of one job. Follows: containers.md 1.7, 2.12.

    Events only make it early: `finish` compares each directory as a whole with what is in the store and misses nothing.
    """

    def __init__(self, spec: JobSpec, staged: StagedJob, store: ObjectStore) -> None:
        layout = AttemptLayout(staged.attempt_dir)
        self._key = staged.key
        self._of_output = {
            output.name: [_HostOutput(output, layout.host(host.name), store) for host in spec.hosts]
            for output in spec.outputs
            if output.continuous
        }

    @contextmanager
    def following(self) -> Iterator[None]:
        """Upload what changes meanwhile, as far as the machine tells it."""
        hosts = [each for of_hosts in self._of_output.values() for each in of_hosts]
        with ExitStack() as stack:
            if hosts:
                from localpipe.staging.watch import watching  # most jobs have nothing to watch

                try:
                    stack.enter_context(watching((each.directory, each.follow) for each in hosts if each.directory.is_dir()))
                except OSError as error:
                    _log.warning("%s: nothing is uploaded before the job ends: %s", self._key, error)
            yield

    def finish(self, output: OutputSpec) -> None:
        """Bring the store up to date when the containers have ended. Raises JobFailed, StoreError, OSError."""
        hosts = self._of_output[output.name]
        for each in hosts:
            each.delete_missing()
        for each in hosts:
            each.upload_changed()


class _HostOutput:
    """A continuous output of one host. Mutable: knows what has gone up of each file; one thread at a time uses it.

    All that lies under a mirrored one in the store was put into the directory: what is missing there, the job deleted.
    """

    def __init__(self, output: OutputSpec, layout: HostLayout, store: ObjectStore) -> None:
        self._output, self._layout, self._store = output, layout, store
        self.directory = layout.host_path(output.container_dir)
        self._known: dict[str, _Stamp | None] = dict(self._stored()) if output.mirrored else {}
        self._early: set[str] = set()  # names of what went up while the job ran

    def _stored(self) -> Iterator[tuple[str, _Stamp | None]]:
        """Each file that the store holds, with its stamp here where it is as it was put here."""
        folder = folder_of(self._output)
        for info in filterfalse(is_folder_marker, listed(folder, self._store)):
            name = info.uri.key[len(folder.key) :]
            here, there = _status(self.directory / name), _status(info.path.resolve())
            same = here and there and (here.st_size, here.st_mtime_ns) == (there.st_size, there.st_mtime_ns)
            yield name, _stamp(here) if here and same else None

    def follow(self, path: Path) -> None:
        """Something happened to a file or directory. What cannot be done now `finish` does, or tells why not."""
        try:
            self._update(path)
        except (LocalpipeError, OSError) as error:
            _log.debug("%s is left for the end of the job: %s", path, error)

    def _update(self, path: Path) -> None:
        """Bring the store up to date with one file, or all below a directory that are not empty, as new ones are."""
        inner = path.relative_to(self.directory)
        if files.leads_elsewhere(path, self._layout.root_dir):
            return
        if path.is_dir():
            for name, file in files.named_files(path):
                if file.lstat().st_size:
                    self._upload_early((inner / name).as_posix(), file)
        elif path.exists():
            self._upload_early(inner.as_posix(), path)
        else:
            self._delete([name for name in self._known if PurePath(name).is_relative_to(inner)])

    def delete_missing(self) -> None:
        """Delete what the directory has no more. A link in its place says nothing."""
        if self._source() is not None:
            present = dict(self._files())
            self._delete([name for name in self._known if name not in present])

    def upload_changed(self) -> None:
        """Upload what has not gone up as it is now. Of what went up early the content is compared, for no stamp can tell."""
        for name, path in self._files():
            if name in self._early and not self._is_stored(name, path):
                self._known.pop(name, None)
            self._upload(name, path)

    def _source(self) -> Path | None:
        return files.resolve_inside(self._layout.root_dir, self._output.container_dir)

    def _files(self) -> Iterator[tuple[str, Path]]:
        source = self._source()
        if source is None:
            return iter(())
        files.open_up(source)
        return files.named_files(source)

    def _upload_early(self, name: str, path: Path) -> None:
        self._early.add(name)
        self._upload(name, path)

    def _is_stored(self, name: str, path: Path) -> bool:
        """Whether the store holds the content of a file. One that says itself that it has changed is not read."""
        if _stamp(path.lstat()) != self._known.get(name):
            return False
        uri = files.object_of(self._output, name)
        info = self._store.head(uri)
        if info is None or info.size != path.lstat().st_size:
            return False
        with (
            os.fdopen(files.open_below(self._layout.root_dir, path), "rb") as here,
            self._store.open(uri) as there,
        ):
            return _same_content(here, there)

    def _upload(self, name: str, path: Path) -> None:
        """Copy a file into the store, as it is: the job may go on writing it."""
        if _stamp(path.lstat()) == self._known.get(name):
            return
        with os.fdopen(files.open_below(self._layout.root_dir, path), "rb") as stream:
            status = os.fstat(stream.fileno())
            if stat.S_ISREG(status.st_mode):
                self._store.put(files.object_of(self._output, name), stream)
                self._known[name] = _stamp(status)

    def _delete(self, names: Iterable[str]) -> None:
        for name in names:
            if self._output.mirrored:
                self._store.delete(files.object_of(self._output, name))
            del self._known[name]


def _same_content(one: BinaryIO, other: BinaryIO) -> bool:
    while block := one.read(_BLOCK_BYTES):
        if block != other.read(_BLOCK_BYTES):
            return False
    return not other.read(1)


def _status(path: Path) -> os.stat_result | None:
    """Of a file that is there."""
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_ino, status.st_size, status.st_mtime_ns

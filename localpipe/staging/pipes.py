"""Pipe mode: the FIFOs of a job's channels, fed while it runs. Follows: containers.md 2.4, 2.5.

`<container_dir>_<epoch>` carries the whole channel once. The FIFO of the next epoch is there before a reader can see the end
of this one, and one that was read to its end is gone, so that opening it again fails instead of waiting for ever.
"""

from __future__ import annotations

import itertools
import os
import select
import stat
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.core.jobspec import InputMode
from localpipe.errors import JobFailed, LocalpipeError, NotSupported
from localpipe.staging.keys import shard
from localpipe.staging.records import shuffled, stream
from localpipe.staging.sources import find_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path, PurePosixPath

    from localpipe.core.jobspec import Channel, JobSpec, StagedHost, StagedJob
    from localpipe.core.ports import ObjectStore
    from localpipe.staging.manifests import Attribute
    from localpipe.staging.sources import NearestPrefix

_ANYONE = 0o666  # the image's user, whoever that is


@contextmanager
def serving_pipes(
    spec: JobSpec, staged: StagedJob, store: ObjectStore, nearest_prefix: NearestPrefix, failed: Callable[[], None]
) -> Iterator[Callable[[], JobFailed | None]]:
    """Feed the job's Pipe channels until the block is left; no thread or FIFO is left then.

    `failed` is called, from another thread, when a channel cannot be fed on: the job has nothing more to read. What is given
    tells afterwards why the first one could not, None if all could. Raises what `find_lines` raises.
    """
    piped = [channel for channel in spec.channels if channel.mode is InputMode.PIPE]
    found = [(channel, find_lines(channel, store, nearest_prefix)) for channel in piped]
    with ExitStack() as stack:
        feeds = [
            stack.enter_context(_feeding(content, _host_dir(host, channel.container_dir.parent), failed))
            for channel, lines in found
            for host, content in _contents(channel, lines, staged, store)
        ]
        yield lambda: next((feed.error for feed in feeds if feed.error), None)


def refuse_pipes_elsewhere(spec: JobSpec, platform: str) -> None:
    """Raise NotSupported where containers run in a virtual machine: a FIFO joins only processes of one kernel.

    `platform`: what `sys.platform` says.
    """
    if platform != "linux" and any(channel.mode is InputMode.PIPE for channel in spec.channels):
        raise NotSupported(f"Pipe mode on this system ({platform})", "Use File mode, or run localpipe on Linux.")


def _contents(
    channel: Channel, lines: Sequence[tuple[Attribute, ...]], staged: StagedJob, store: ObjectStore
) -> Iterator[tuple[StagedHost, _Content]]:
    """Each host that gets the channel, with what it reads."""
    hosts = [host for host in staged.hosts if channel.hosts is None or host.name in channel.hosts]
    for index, host in enumerate(hosts):
        share = (index, len(hosts)) if channel.sharded else (0, 1)
        yield host, _Content(channel=channel, store=store, lines=lines, share=share)


def _host_dir(host: StagedHost, container_dir: PurePosixPath) -> Path:
    """The directory behind a container directory that is mounted."""
    mount = next(mount for mount in reversed(host.mounts) if container_dir.is_relative_to(mount.container_dir))
    return mount.host_dir / container_dir.relative_to(mount.container_dir)


@dataclass(frozen=True, kw_only=True)
class _Content:
    """What one host reads of a channel. `share`: its number among those that share the lines, and how many they are."""

    channel: Channel
    store: ObjectStore
    lines: Sequence[tuple[Attribute, ...]]
    share: tuple[int, int]

    def of(self, epoch: int) -> Iterator[bytes]:
        """The bytes of an epoch. Of a sharded channel that is shuffled, each epoch deals the lines out anew."""
        seed = self.channel.shuffle_seed
        lines = self.lines if seed is None else shuffled(self.lines, seed, epoch)
        for line in shard(lines, *self.share):
            for value in line:
                yield from stream(value, self.channel, self.store)


class _Stopping(Exception):
    """The block of `serving_pipes` is left."""


@contextmanager
def _feeding(content: _Content, directory: Path, failed: Callable[[], None]) -> Iterator[_Feed]:
    """Feed one channel on one host until the block is left."""
    with ExitStack() as stack:
        parent = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, parent)
        wake = os.eventfd(0)
        stack.callback(os.close, wake)
        feed = _Feed(content, parent, wake, failed)
        stack.callback(feed.end)
        yield feed


class _Feed:
    """The FIFOs of one channel on one host, and the thread that writes to them.

    `parent`: descriptor of their directory, opened before a container could change what its path leads to. `wake`: an
    eventfd that ends a wait for a slow reader.
    Mutable: `_lock` guards `_ending` and `_awaited`, the FIFO that is being written or waits for its reader; `_next` and
    `error` are the thread's own until `end`.
    """

    def __init__(self, content: _Content, parent: int, wake: int, failed: Callable[[], None]) -> None:
        self._content, self._parent, self._wake, self._failed = content, parent, wake, failed
        self._channel = content.channel
        self._lock = threading.Lock()
        self._ending = False
        self._awaited = self._fifo(0)
        self._next: _Fifo | None = None
        self.error: JobFailed | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"pipe {self._channel.name}")
        self._thread.start()

    def end(self) -> None:
        """End the thread, whatever it waits for, and remove the FIFOs."""
        with self._lock:
            self._ending = True
            release = self._awaited.open(os.O_RDONLY | os.O_NONBLOCK)  # a reader, for a thread that waits for one
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        os.close(release)
        for fifo in filter(None, (self._awaited, self._next)):
            fifo.remove()

    def _run(self) -> None:
        try:
            for epoch in itertools.count():
                self._feed(epoch)
        except _Stopping:
            pass
        except (LocalpipeError, OSError) as error:
            self.error = error if isinstance(error, JobFailed) else JobFailed(f"Input {self._channel.name!r}: {error}")
            self._failed()

    def _feed(self, epoch: int) -> None:
        """Wait for the reader of an epoch and give it all that it takes."""
        writer = self._wait_for_reader()
        try:
            self._next = self._fifo(epoch + 1)
            with suppress(BrokenPipeError):  # the reader has had enough
                self._write(writer, self._content.of(epoch))
            with self._lock:
                read, self._awaited, self._next = self._awaited, self._next, None
            read.remove()
        finally:
            os.close(writer)

    def _wait_for_reader(self) -> int:
        """Open the awaited FIFO, which blocks until somebody reads it. Raises _Stopping."""
        with self._lock:
            if self._ending:
                raise _Stopping
            awaited = self._awaited
        return awaited.open(os.O_WRONLY)

    def _write(self, writer: int, chunks: Iterable[bytes]) -> None:
        """Write to a FIFO as its reader takes it. Raises BrokenPipeError, _Stopping."""
        os.set_blocking(writer, False)
        poll = select.poll()
        poll.register(writer, select.POLLOUT)
        poll.register(self._wake, select.POLLIN)
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                if any(ready == self._wake for ready, _ in poll.poll()):
                    raise _Stopping
                rest = rest[os.write(writer, rest) :]

    def _fifo(self, epoch: int) -> _Fifo:
        name = f"{self._channel.container_dir.name}_{epoch}"
        try:
            return _Fifo(self._parent, name)
        except FileExistsError as error:
            place = self._channel.container_dir.with_name(name)
            raise JobFailed(f"Input {self._channel.name!r}: '{place}' is there already and cannot be its FIFO.") from error


def hold_fifo(parent: int, name: str) -> int:
    """The inode of a FIFO as a descriptor. Raises FileExistsError if a container has put something else in its place."""
    inode = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)
    if not stat.S_ISFIFO(os.fstat(inode).st_mode):
        os.close(inode)
        raise FileExistsError(name)
    return inode


class _Fifo:
    """A FIFO in a directory that a container may change: held by its inode, whatever its name comes to lead to.

    `parent`: descriptor of the directory. Raises FileExistsError.
    """

    def __init__(self, parent: int, name: str) -> None:
        self._parent, self._name = parent, name
        os.mkfifo(name, dir_fd=parent)
        self._inode = hold_fifo(parent, name)
        os.chmod(self._path, _ANYONE)  # noqa: PTH101 - not subject to the umask, and not to the name either

    @property
    def _path(self) -> str:
        return f"/proc/self/fd/{self._inode}"

    def open(self, flags: int) -> int:
        """A descriptor of it."""
        return os.open(self._path, flags)

    def remove(self) -> None:
        """Let go of it and of its name."""
        os.close(self._inode)
        with suppress(OSError):  # the container has done so
            os.unlink(self._name, dir_fd=self._parent)

"""What happens in directories, told by the operating system. Imports watchdog, so it is imported only where it is needed."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Follow: TypeAlias = "Callable[[Path], None]"
"""Called, in one thread, with what has been written, made, moved (both paths) or deleted."""

# Where the system tells that a writer closes a file, only that counts: half of a file is not written.
_WRITTEN: tuple[type[FileSystemEvent], ...] = (
    (FileClosedEvent,) if sys.platform == "linux" else (FileCreatedEvent, FileModifiedEvent)
)
_TELLING = (*_WRITTEN, FileMovedEvent, FileDeletedEvent, DirCreatedEvent, DirMovedEvent, DirDeletedEvent)

GROWING: tuple[type[FileSystemEvent], ...] = (FileCreatedEvent, FileModifiedEvent)
"""What is told of files that somebody goes on writing to."""


_AT_THE_END = "InotifyEmitter.queue_events() called when the thread is inactive"
"""What watchdog calls an error: that watching ended just as its thread was about to wait for more."""


def _tells_something(record: logging.LogRecord) -> bool:
    return record.getMessage() != _AT_THE_END


logging.getLogger("watchdog.observers.inotify").addFilter(_tells_something)

_TWICE = r"Callback with id '\d+' (already exists|does not exist) for watch "
"""What watchdog warns of where a directory is made, or moved, just as it looks through the one around it: it comes upon it
twice, which does no harm."""


@contextmanager
def watching(
    directories: Iterable[tuple[Path, Follow]], telling: tuple[type[FileSystemEvent], ...] = _TELLING
) -> Iterator[None]:
    """Follow what happens below directories, symbolic links left alone, until the block is left.

    `telling`: the kinds of events that count. What happens last may never be told. Raises OSError if the machine watches no
    more directories.
    """
    warnings.filterwarnings("ignore", _TWICE, RuntimeWarning)  # an error made of it would end the watching thread
    observer = Observer()
    for directory, follow in directories:
        observer.schedule(_Handler(follow, telling), str(directory), recursive=True)
    try:
        observer.start()
        yield
    finally:
        observer.stop()
        if observer.is_alive():
            observer.join()


class _Handler(FileSystemEventHandler):
    def __init__(self, follow: Follow, telling: tuple[type[FileSystemEvent], ...]) -> None:
        self._follow, self._telling = follow, telling

    def on_any_event(self, event: FileSystemEvent) -> None:
        if isinstance(event, self._telling):
            for path in (event.src_path, event.dest_path):
                if path:
                    self._follow(Path(os.fsdecode(path)))

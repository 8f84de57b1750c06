"""What the watching of directories says of itself."""

from __future__ import annotations

import os
import queue
import sys
from typing import TYPE_CHECKING

import pytest
from watchdog.observers.api import ObservedWatch

from localpipe.staging.watch import watching

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is of Linux")
def test_an_end_while_it_waits_for_more_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from watchdog.observers.inotify import InotifyEmitter

    with watching([(tmp_path, lambda _: None)]):
        pass
    ended = InotifyEmitter(queue.Queue(), ObservedWatch(str(tmp_path), recursive=True))
    ended.queue_events(0)
    assert caplog.records == []


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is of Linux")
def test_a_directory_that_is_come_upon_twice_as_it_is_made_is_no_error(tmp_path: Path) -> None:
    from watchdog.observers.inotify import InotifyWatchGroup
    from watchdog.observers.inotify_c import WATCHDOG_ALL_EVENTS, CallbackId, InotifyFD

    with watching([(tmp_path, lambda _: None)]):
        told = InotifyFD()
        told.start()
        group = InotifyWatchGroup(told, os.fsencode(tmp_path))
        try:
            for _ in range(2):
                told.add_callback(os.fsencode(tmp_path), WATCHDOG_ALL_EVENTS, group, CallbackId(id(group)))
        finally:
            group.deactivate()
            told.stop()
            told.join()

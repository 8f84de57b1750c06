"""What the watching of directories says of itself."""

from __future__ import annotations

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

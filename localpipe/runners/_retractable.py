"""A preparation that one thread may take back while another starts it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localpipe.errors import JobFailed

if TYPE_CHECKING:
    from localpipe.core.ports import Prepared, Running


@dataclass
class Retractable:
    """Something prepared that is either started or taken back. Mutable: knows which. Any thread may call it.

    Taken back while it starts, it is started to the end and then removed with all that runs.
    """

    _prepared: Prepared
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _running: Running | None = None
    _taken_back: bool = False

    def start(self) -> Running:
        """Start it. Raises JobFailed if it was taken back before, or as the preparation does."""
        with self._lock:
            if self._taken_back:
                raise JobFailed("It was taken back before it started.")
            self._running = self._prepared.start()
            return self._running

    def remove(self) -> None:
        """Take it back."""
        with self._lock:
            self._taken_back = True
            (self._running or self._prepared).remove()

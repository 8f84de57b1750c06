"""The place of one job among the slots: waiting for it, and giving it back whoever comes first."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from localpipe.core.room import Size
    from localpipe.engine.slots import Slots, Ticket


class Place:
    """The room that a job of one size has or waits for. One worker thread gets it, any thread may give it back.

    `is_stopped`: whether the job was told to stop, which is to be true before it gives its place back on that account.
    Mutable: holds the ticket. `_lock` guards it.
    """

    def __init__(self, slots: Slots, size: Size, is_stopped: Callable[[], bool]) -> None:
        self._slots, self._size, self._is_stopped = slots, size, is_stopped
        self._lock = threading.Lock()
        self._ticket: Ticket | None = None

    def wait(self, waits: Callable[[str], None], most_seconds: float | None = None) -> bool:
        """Block until it is the job's turn; False if it was told to stop, or had waited long enough, before.

        `waits` is told if there is no room yet. Who has waited long enough is still in the line.
        """
        with self._lock:
            if self._is_stopped():
                return False
            self._ticket = ticket = self._slots.ask(self._size)
        if ticket.lacking:
            waits(ticket.lacking)
        return ticket.wait(most_seconds) and not self._is_stopped()

    def take(self) -> None:
        """Count a job that runs already."""
        with self._lock:
            self._ticket = self._slots.take(self._size)

    def give_back(self) -> None:
        """Leave the room, or the line; nothing if it is in neither."""
        with self._lock:
            ticket, self._ticket = self._ticket, None
        if ticket:
            self._slots.give_back(ticket)

"""How many jobs of this process run at once: the others wait, first come, first served, and are not started."""

from __future__ import annotations

import threading
from collections import deque


class Slots:
    """Places for running jobs, given out in the order they are asked for. Any thread may call it."""

    def __init__(self, count: int) -> None:
        self.count = self._free = count
        self._lock = threading.Lock()
        self._waiting: deque[Ticket] = deque()

    def ask(self) -> Ticket:
        """Stand in line. The ticket is `served` at once if a place is free."""
        ticket = Ticket()
        with self._lock:
            self._waiting.append(ticket)
            self._serve()
        return ticket

    def take(self) -> Ticket:
        """Count a job that runs already; there may be more of those than places."""
        ticket = Ticket()
        with self._lock:
            self._free -= 1
            ticket.give()
        return ticket

    def give_back(self, ticket: Ticket) -> None:
        """Leave the place, or the line. Once is enough; again does nothing."""
        with self._lock:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                ticket.withdraw()
            elif ticket.end():
                self._free += 1
                self._serve()

    def _serve(self) -> None:
        while self._waiting and self._free > 0:
            self._free -= 1
            self._waiting.popleft().give()


class Ticket:
    """A claim to a place. `served`: it has one now. `wait` tells how it ends: with a place (True) or withdrawn (False)."""

    def __init__(self) -> None:
        self._decided = threading.Event()
        self.served = False

    def wait(self) -> bool:
        """Block until there is a place, or the claim was withdrawn."""
        self._decided.wait()
        return self.served

    def give(self) -> None:
        """There is a place."""
        self.served = True
        self._decided.set()

    def withdraw(self) -> None:
        """The claim is off."""
        self._decided.set()

    def end(self) -> bool:
        """Give up the place; False if there was none to give up."""
        held, self.served = self.served, False
        return held

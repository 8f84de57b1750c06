"""How many jobs run at once on this machine, of all executions of the user: the others wait and are not started.

Whose turn it is says `claims.who_is_before`, among executions and among the jobs of one.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from collections import Counter, deque
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from localpipe.core.room import ONE_JOB
from localpipe.engine.claims import Board, Claim, Posted, who_is_before
from localpipe.errors import LocalpipeError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from localpipe.core.room import Room, Size


_log = logging.getLogger(__name__)


class Slots:
    """The room that one execution's jobs get, beside those of others that share `directory`. Any thread may call it.

    Of the jobs that wait those stand on the common board that are the first to want what they want: no descriptor is spent
    on each job of a wide pipeline. While some wait, a thread watches the claims of others.
    Mutable: `_lock` guards all of it.
    """

    def __init__(self, room: Room, directory: Path, execution_id: str) -> None:
        self._room, self._execution_id = room, execution_id
        self._board = Board(directory)
        self._lock = threading.Lock()
        self._waiting: deque[Ticket] = deque()
        self._watcher: _Watcher | None = None

    @property
    def count(self) -> int:
        """How many jobs run at once at most."""
        return self._room.jobs

    def ask(self, size: Size = ONE_JOB) -> Ticket:
        """Stand in line for so much room. The ticket is `served` at once if there is room and nobody waits before.

        Raises HomeUnusable, OSError if the board cannot be used; then nobody stands in the line.
        """
        ticket = Ticket(size)
        with self._lock:
            self._waiting.append(ticket)
            try:
                self._serve()
            except BaseException:  # Ctrl-C too: a ticket that nobody has would wait for ever
                self._leave(ticket)
                raise
        return ticket

    def take(self, size: Size = ONE_JOB) -> Ticket:
        """Count a job that runs already; there may be more of those than there is room for."""
        ticket = Ticket(size)
        with self._lock, self._board.locked():
            ticket.give(self._board.post(self._claim(ticket, self._board.claims(), held=True)))
        return ticket

    def give_back(self, ticket: Ticket) -> None:
        """Leave the room, or the line. Once is enough; again does nothing."""
        with self._lock:
            if not (self._leave(ticket) and self._waiting):
                return
            try:
                self._serve()
            except (LocalpipeError, OSError) as error:  # no fault of who leaves, and nobody else would look again
                self._let_in(error)

    def look_again(self) -> Sequence[int]:
        """Serve who can be served now; descriptors of others' claims, to be closed by the caller, if somebody still waits.

        For the watcher, which ends when there are none of its own to wait for.
        """
        with self._lock, ExitStack() as watching:
            watched: dict[Claim, int] = {}
            with self._board.locked():
                for claim, fifo in self._board.watched():  # before it is decided on: who leaves meanwhile is heard of
                    watching.callback(os.close, fifo)
                    watched[claim] = fifo
                self._serve_from(list(watched))
            if self._waiting:
                watching.pop_all()
                return list(watched.values())
            self._watcher = None
        return ()

    def let_in(self, error: Exception) -> None:
        """Serve all who wait, as the watcher's last act: what can be seen no more keeps nobody out."""
        with self._lock:
            self._watcher = None
            self._let_in(error)

    def _let_in(self, error: Exception) -> None:
        _log.warning("the room of this machine is not shared any more: %s", error)
        while self._waiting:
            self._waiting.popleft().give(None)

    def _leave(self, ticket: Ticket) -> bool:
        """Take a ticket out of the line and off the board; whether it was on it."""
        if ticket in self._waiting:
            self._waiting.remove(ticket)
        posted = ticket.end()
        if posted:
            self._board.withdraw(posted)
        return posted is not None

    def _serve(self) -> None:
        """Serve who can be served; if somebody still waits, have what is in the way watched."""
        with self._board.locked():
            self._serve_from(self._board.claims())
        if self._waiting:
            if self._watcher is None:
                self._watcher = _Watcher.started(self)
            self._watcher.wake()

    def _serve_from(self, claims: list[Claim]) -> None:
        """Serve those whose turn it is where there is room, and say of the others why they wait.

        `claims`: all that are on the board. Of those that want the same only the first is looked at, the others once.
        """
        waiting: set[frozenset[str]] = set()
        for ticket in tuple(self._waiting):
            wanted = self._room.counted(ticket.size)
            if wanted in waiting and ticket.lacking:
                continue
            posted = ticket.posted
            claim = posted.claim if posted else self._claim(ticket, claims, held=False)
            others = [each for each in claims if each.number != claim.number]
            if lacking := self._told(others, claim):
                ticket.lacking = ticket.lacking or lacking
                if posted is None and wanted not in waiting:
                    ticket.posted = self._board.post(claim)
                    claims = [*claims, claim]
                waiting.add(wanted)
                continue
            granted = self._board.grant(posted) if posted else self._board.post(replace(claim, held=True))
            claims = [*others, granted.claim]
            self._waiting.remove(ticket)
            ticket.give(granted)

    def _claim(self, ticket: Ticket, claims: Sequence[Claim], *, held: bool) -> Claim:
        number = max((claim.number for claim in claims), default=0) + 1
        return Claim(number=number, held=held, execution_id=self._execution_id, size=ticket.size, room=self._room)

    def _told(self, others: Sequence[Claim], claim: Claim) -> str:
        """Why a claim has to wait, with the executions that have the room; empty: it has not."""
        held = [each for each in others if each.held]
        lacking = self._room.lacks(claim.size, (each.size for each in held)) or self._before(claim, others)
        if not lacking:
            return ""
        running = Counter(each.execution_id for each in held)
        holders = ", ".join(f"{count} by {self._named(execution)}" for execution, count in running.most_common())
        return f"waits for room: {lacking}" + (f" (jobs run: {holders})" if holders else "")

    def _before(self, claim: Claim, others: Sequence[Claim]) -> str:
        """Who waits before it and for what; empty: nobody does."""
        before = who_is_before(claim, others)
        if before is None:
            return ""
        execution = before.claim.execution_id
        who = "another job of this execution" if execution == self._execution_id else self._named(execution)
        return f"{who} waits before it, for {', '.join(sorted(before.wanted))}"

    def _named(self, execution_id: str) -> str:
        return "this execution" if execution_id == self._execution_id else f"execution {execution_id}"


class Ticket:
    """A claim to room. `wait` tells how it ends: with room (True) or withdrawn (False).

    `lacking`: why it had to wait when it was asked for; empty if it had not. `served`: it has room now. Mutable: `posted`
    and `served` belong to its Slots.
    """

    def __init__(self, size: Size) -> None:
        self.size = size
        self.lacking = ""
        self.posted: Posted | None = None
        self.served = False
        self._decided = threading.Event()

    def wait(self, most_seconds: float | None = None) -> bool:
        """Block until there is room, the claim was withdrawn or the time is up; None: it never is."""
        self._decided.wait(most_seconds)
        return self.served

    def give(self, posted: Posted | None) -> None:
        """There is room; `posted` None: and what was on the board of the claim stays as it is."""
        self.posted, self.served = posted or self.posted, True
        self._decided.set()

    def end(self) -> Posted | None:
        """The claim is over; what was on the board of it, None if nothing was."""
        posted, self.posted, self.served = self.posted, None, False
        self._decided.set()
        return posted


class _Watcher:
    """A thread that has `slots` look again whenever a claim of another execution ends, until nobody waits."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)

    @classmethod
    def started(cls, slots: Slots) -> _Watcher:
        watcher = cls(slots)
        threading.Thread(target=watcher._run, daemon=True, name="room").start()
        return watcher

    def wake(self) -> None:
        """What is in the way may be something else now."""
        with suppress(BlockingIOError):  # it is awake
            os.write(self._writer, b"\n")

    def _run(self) -> None:
        try:
            while fifos := self._slots.look_again():
                self._wait(fifos)
        except (LocalpipeError, OSError) as error:
            self._slots.let_in(error)
        finally:
            os.close(self._reader)
            os.close(self._writer)

    def _wait(self, fifos: Sequence[int]) -> None:
        """Block until one of the descriptors hangs up or somebody wakes this; close them."""
        try:
            poll = select.poll()
            poll.register(self._reader, select.POLLIN)
            for fifo in fifos:
                poll.register(fifo, 0)
            ready = poll.poll()
        finally:
            for fifo in fifos:
                os.close(fifo)
        if any(descriptor == self._reader for descriptor, _ in ready):
            os.read(self._reader, 4096)

"""What is under way in this process, so that it can be told to stop and be removed when its end is written down."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from localpipe.core.names import AttemptKey


class Run(Protocol):
    """Something that an attempt has begun. Any thread may call any method."""

    def stop(self, *, kill: bool) -> None:
        """Tell it to end, with its grace or (`kill`) without; what has not started yet will not."""
        ...

    def clean(self) -> None:
        """Remove what it left, now that its end is in the journal."""
        ...


class Runs:
    """The runs of one execution by attempt; those of an attempt's own jobs are told to stop with it. Any thread may call it.

    Mutable: `has_begun` tells whether there ever was one; `_stops` remembers whether an attempt that was told to stop was to
    be killed, for what it begins later.
    """

    def __init__(self) -> None:
        self.has_begun = False
        self._runs: dict[AttemptKey, Run] = {}
        self._stops: dict[AttemptKey, bool] = {}
        self._lock = threading.Lock()

    def begin(self, key: AttemptKey, run: Run) -> None:
        """Take note of a run before it does anything; it is told to stop at once if its attempt was."""
        with self._lock:
            self.has_begun = True
            self._runs[key] = run
            kill = self._stops.get(key.whole)
        if kill is not None:
            run.stop(kill=kill)

    def stop(self, key: AttemptKey, *, kill: bool) -> None:
        """Tell all that an attempt has begun, or will begin, to stop."""
        with self._lock:
            self._stops[key] = kill
            runs = [run for each, run in self._runs.items() if each.whole == key]
        for run in runs:
            run.stop(kill=kill)

    def clean(self, key: AttemptKey) -> None:
        """Remove what a run left; of a whole attempt, what all that it has begun left."""
        with self._lock:
            ended = [each for each in self._runs if key in (each, each.whole)]
            runs = [self._runs.pop(each) for each in ended]
            self._stops.pop(key, None)
        for run in runs:
            run.clean()

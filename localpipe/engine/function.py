"""One call of a Lambda function, from a step that asks for it to how it ended."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from localpipe.core.functions import FunctionEnd, FunctionExit
from localpipe.core.work import FunctionResult
from localpipe.errors import LocalpipeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localpipe.core.faults import Fault
    from localpipe.core.names import AttemptKey
    from localpipe.core.ports import FunctionHost, RunningFunction
    from localpipe.core.work import CallFunction


class FunctionRun:
    """A call that an attempt makes. One worker thread calls `run`; any thread may call `stop`.

    A function that has begun is not told of a stop: it goes on to its end or its limit, unless it is killed.
    Follows: service.md section 5.6. `fault`: its time limit may come sooner.
    Mutable: holds the running function and what it was told; `_lock` guards all of it, and is held while the function
    begins, so that a stop comes before or after.
    """

    def __init__(self, call: CallFunction, key: AttemptKey, host: FunctionHost, fault: Fault | None = None) -> None:
        self._call, self._key, self._host = call, key, host
        self._most_seconds = fault.limit_seconds if fault else None
        self._lock = threading.Lock()
        self._running: RunningFunction | None = None
        self._stopped = False
        self._killed = False

    def run(self, launched: Callable[[], None]) -> FunctionResult:
        """Call the function and wait for its end. `launched` is called once it has begun."""
        with self._lock:
            if self._stopped:
                return FunctionResult(exit=FunctionExit(end=FunctionEnd.STOPPED), stopped=True)
            try:
                running = self._running = self._host.start(self._key, self._call)
            except (LocalpipeError, OSError) as error:
                return FunctionResult(exit=FunctionExit(end=FunctionEnd.REFUSED, text=str(error)))
        launched()
        exit_ = running.wait(self._most_seconds)
        with self._lock:
            stopped, killed = self._stopped, self._killed
        if killed and exit_.end is FunctionEnd.EXITED:
            exit_ = FunctionExit(end=FunctionEnd.STOPPED)
        return FunctionResult(exit=exit_, stopped=stopped)

    def stop(self, *, kill: bool) -> None:
        """Let it go on to its end, or (`kill`) end it at once. One that has not begun will not."""
        with self._lock:
            self._stopped = True
            self._killed = self._killed or kill
            running = self._running
        if running and kill:
            running.kill()

    def clean(self) -> None:
        """Nothing is left of a function whose process has ended."""

"""What a job is told while it runs: each signal once, and at last to be killed."""

from __future__ import annotations

import logging
import signal
import threading
from typing import TYPE_CHECKING

from localpipe.errors import LocalpipeError

if TYPE_CHECKING:
    from localpipe.core.jobspec import JobEnd
    from localpipe.core.names import AttemptKey
    from localpipe.core.ports import Running

_AGAIN_SECONDS = 0.5
_log = logging.getLogger(__name__)


class Signals:
    """The signals of one start of a job. Any thread may call it; `end` comes when the containers have ended.

    `grace_seconds` after the first of them the job is killed, again and again until the signal could be sent: whoever waits
    for the job would wait for ever. Follows: containers.md 2.11.
    Mutable: `_lock` guards who is told and what was sent; `time_up` belongs to the thread that waits for the job: how its
    run ends because it has used up some time, None while it has not.
    """

    def __init__(self, key: AttemptKey, running: Running, grace_seconds: float) -> None:
        self._key, self._running, self._grace_seconds = key, running, grace_seconds
        self._lock = threading.Lock()
        self._sent: set[signal.Signals] = set()
        self._killer: threading.Thread | None = None
        self._over = threading.Event()
        self.time_up: JobEnd | None = None

    def send(self, signum: signal.Signals) -> None:
        """Send a signal if it was not sent yet. Raises what the runner raises; then it counts as not sent."""
        with self._lock:
            if signum in self._sent:
                return
            self._sent.add(signum)  # before it is sent, so that nobody else sends it meanwhile
            running = self._running
            if self._killer is None:
                self._killer = threading.Thread(target=self._kill_after_grace, daemon=True, name=f"kill {self._key}")
                self._killer.start()
        try:
            running.signal(signum)
        except BaseException:  # whatever kept it from being sent, it may be sent again
            with self._lock:
                self._sent.discard(signum)
            raise

    def try_to_send(self, signum: signal.Signals) -> bool:
        """`send` where nobody can do anything about it: what keeps the signal from being sent is logged."""
        try:
            self.send(signum)
        except (LocalpipeError, OSError) as error:
            _log.warning("%s: %s cannot be sent: %s", self._key, signum.name, error)
            return False
        return True

    def call_time(self, end: JobEnd) -> None:
        """The job has used up its time, or the spot instances that it has are taken back."""
        self.time_up = end
        self.try_to_send(signal.SIGTERM)

    def turn_to(self, running: Running) -> None:
        """Tell the same job by another handle from now on."""
        with self._lock:
            self._running = running

    def end(self) -> None:
        """There is nobody to be told, or killed, any more."""
        self._over.set()

    def _kill_after_grace(self) -> None:
        pause_seconds = self._grace_seconds
        while not self._over.wait(pause_seconds) and not self.try_to_send(signal.SIGKILL):
            pause_seconds = _AGAIN_SECONDS

"""The threads that make attempts, stop and clean them, and the box in which what they hand back waits for the loop."""

from __future__ import annotations

import logging
import os
import selectors
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeAlias

from localpipe.errors import LocalpipeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localpipe.core.names import AttemptKey
    from localpipe.engine.perform import Performer
    from localpipe.engine.resolve import Attempt
    from localpipe.scheduling.events import Event, MessageSent

    Message: TypeAlias = Event | BaseException

_MOST_ORDERS = 32
"""Stops and removals that wait for the container engine at once: one slow answer holds up no Ctrl-C, and a wide pipeline
does not storm the engine."""

_LONGEST_WAIT_SECONDS = 24 * 3600.0
"""`select` takes no more than 2^31 ms; the loop asks again."""

_log = logging.getLogger(__name__)


@contextmanager
def working(performer: Performer, bell: int, steps: int) -> Iterator[Workers]:
    """Workers for one execution of so many steps, waited for at the end. `bell`: a descriptor that wakes `wait` too.

    All steps may run at once, and each may have its containers made ahead; threads come only as they are needed.
    """
    wake_reader, wake_writer = os.pipe()
    try:
        with (
            ThreadPoolExecutor(max(1, 2 * steps), thread_name_prefix="attempt") as attempts,
            ThreadPoolExecutor(_MOST_ORDERS, thread_name_prefix="order") as orders,
            selectors.DefaultSelector() as selector,
        ):
            selector.register(bell, selectors.EVENT_READ)
            selector.register(wake_reader, selectors.EVENT_READ)
            yield Workers(performer, attempts, orders, selector, wake_writer)
    finally:
        os.close(wake_reader)
        os.close(wake_writer)


class Workers:
    """What the loop asks of its threads. An attempt holds a thread for as long as its job runs or waits for its turn.

    Orders have threads of their own: a stop must not wait behind the jobs that it is to stop. Mutable: holds what was
    handed back and not yet taken in.
    """

    def __init__(
        self,
        performer: Performer,
        attempts: ThreadPoolExecutor,
        orders: ThreadPoolExecutor,
        selector: selectors.BaseSelector,
        wake_writer: int,
    ) -> None:
        self._performer, self._attempts, self._orders = performer, attempts, orders
        self._selector, self._wake_writer = selector, wake_writer
        self._inbox: deque[Message] = deque()

    def make(self, attempt: Attempt) -> None:
        """Have an attempt made; its facts, or the bug that ended it, are handed back."""
        self._attempts.submit(self._make, attempt)

    def prepare(self, attempt: Attempt) -> None:
        """Have the containers of an attempt made that comes next."""
        self._performer.ahead.begin(attempt, self._attempts.submit)

    def stop(self, key: AttemptKey, *, kill: bool) -> None:
        """Have an attempt's job told to stop."""
        self._orders.submit(_logged, self._performer.stop, key, kill=kill)

    def clean(self, key: AttemptKey) -> None:
        """Have the traces of an attempt removed."""
        self._orders.submit(_logged, self._performer.clean, key)

    def deliver(self, key: AttemptKey, sent: MessageSent) -> None:
        """Have a message taken to the command that serves its queue, now that it is written down."""
        self._orders.submit(_logged, self._performer.deliver, key, sent=sent)

    def aside(self, action: Callable[[], None]) -> None:
        """Have something done that nobody waits for but the end."""
        self._orders.submit(action)

    def wait(self, timeout_seconds: float | None) -> list[Message]:
        """Block until something is handed back, the bell rings or the time is up, or for a day.

        Returns what was handed back.
        """
        limit = None if timeout_seconds is None else min(timeout_seconds, _LONGEST_WAIT_SECONDS)
        for ready, _ in self._selector.select(limit):
            with suppress(BlockingIOError):
                os.read(ready.fd, 4096)
        return [self._inbox.popleft() for _ in range(len(self._inbox))]

    def _make(self, attempt: Attempt) -> None:
        try:
            end = self._performer.make(attempt, self._post)
            if end:
                self._post(end)
        except BaseException as error:  # noqa: BLE001 - raised again in the loop's thread, where it ends the run
            self._post(error)

    def _post(self, message: Message) -> None:
        self._inbox.append(message)
        os.write(self._wake_writer, b"\n")


def _logged(action: Callable[..., None], key: AttemptKey, **options: object) -> None:
    """Do something about an attempt; that it could not be done is logged, and never ends the run."""
    try:
        action(key, **options)
    except LocalpipeError as error:
        _log.warning("%s of %s failed: %s", action.__name__, key, error)
    except Exception:  # noqa: BLE001 - a bug of ours, told with its traceback where nobody waits for a result
        _log.exception("%s of %s failed", action.__name__, key)

"""Driving an execution in the foreground: progress, Ctrl-C, report, exit status. Shared by run, resume and retry."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from enum import Enum
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

from localpipe.cli.answering import say_how_to_answer, say_what_is_waited_for
from localpipe.cli.common import EXIT_STATUS, command_line, print_json, say, say_last
from localpipe.cli.progress import PlainProgress
from localpipe.cli.report import report
from localpipe.errors import HomeUnusable, UsageError
from localpipe.scheduling.history import BUSY
from localpipe.scheduling.state import fold
from localpipe.service.executions import drive, stop_pipeline_execution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from localpipe.cli.live import LiveProgress
    from localpipe.scheduling.events import Recorded
    from localpipe.service.executions import PipelineExecution


class _Press(Enum):
    """What a press of Ctrl-C asks for: the first, the second. The next one leaves."""

    STOP = 1
    KILL = 2


def drive_in_foreground(
    execution: PipelineExecution, *, as_json: bool, known: int = 0, first: Callable[[], None] | None = None
) -> int:
    """Drive to the end, showing progress on standard error; return the exit status.

    `known`: facts up to that number are known to the user already. `first`: as of `drive`.
    """
    try:
        with _progress(execution, known) as progress, _stopping_on_signals(execution):
            say_what_is_waited_for(execution)
            ended = drive(execution, partial(_observe, execution, progress, known), first=first)
    except HomeUnusable as error:
        resume = command_line(execution.home, "resume", execution.name.execution_id)
        say(f"Interrupted: {error}\nWhen that is mended, go on with: {resume}")
        return error.exit_status
    report(ended, terminal=not _is_plain())
    if as_json:
        with suppress(BrokenPipeError):  # nobody reads it any more; the execution ended as it did
            print_json(ended.document())
    return EXIT_STATUS[ended.status]


def _observe(execution: PipelineExecution, progress: PlainProgress | LiveProgress, known: int, fact: Recorded) -> None:
    progress(fact)
    if fact.seq > known:
        say_how_to_answer(execution, fact)


def _progress(execution: PipelineExecution, known: int) -> PlainProgress | LiveProgress:
    if _is_plain():
        return PlainProgress({name: len(step.retry_policies) for name, step in execution.pipeline.steps.items()}, known)
    from rich.console import Console

    from localpipe.cli.live import LiveProgress

    return LiveProgress(Console(stderr=True))


def _is_plain() -> bool:
    """Whether standard error is no terminal that colours and a live view are wanted on."""
    unwanted = any(os.environ.get(name) for name in ("NO_COLOR", "CI")) or os.environ.get("TERM") == "dumb"
    return unwanted or not sys.stderr.isatty()


@contextmanager
def _stopping_on_signals(execution: PipelineExecution) -> Iterator[None]:
    """SIGINT or SIGTERM once stops with grace, twice kills, a third time leaves at once. SIGHUP stops with grace, however
    often it comes: a terminal that closes sends it once and its shell again. One that was ignored (`nohup`) stays so.

    A handler interrupts whatever the main thread does, its printing and its appending included. So it only puts a word into
    a queue that allows for that, and a thread of its own says it and does it.
    """
    presses = 0
    asked: SimpleQueue[_Press | None] = SimpleQueue()

    def pressed(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's signature
        nonlocal presses
        if signum == signal.SIGHUP and presses:
            return
        presses += 1
        if presses > len(_Press):
            _leave(execution)
        asked.put(_Press(presses))

    stopper = threading.Thread(target=_stop_when_asked, args=(execution, asked), daemon=True)
    stopper.start()
    hangup = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    before = {signum: signal.signal(signum, pressed) for signum in (signal.SIGINT, signal.SIGTERM, *hangup)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        asked.put(None)
        stopper.join()


def _stop_when_asked(execution: PipelineExecution, asked: SimpleQueue[_Press | None]) -> None:
    """Stop the execution as often as it is asked for, until a None."""
    while press := asked.get():
        if press is _Press.STOP:
            say(f"\n{_stopping(execution)} Ctrl-C again ends all at once, a third time leaves.")
        else:
            say("\nKilling. Ctrl-C again leaves.")
        with suppress(UsageError):  # it ended in the meantime
            stop_pipeline_execution(execution.home, execution.name.execution_id, kill=press is _Press.KILL)


def _stopping(execution: PipelineExecution) -> str:
    """That it stops, and what is still done or waited for."""
    state = fold(execution.home.journal.read(execution.name.execution_id))
    busy = [step.step for step in state.steps.values() if step.status in BUSY]
    types = (execution.home.step_types[execution.pipeline.steps[name].type] for name in busy)
    what = ", ".join(dict.fromkeys(filter(None, (kind.at_a_stop for kind in types))))
    grace = f"{execution.home.settings.stop_grace_seconds:g} s"
    return f"Stopping: {what.format(grace=grace)}." if what else "Stopping."


def _leave(execution: PipelineExecution) -> None:
    """End this process whatever its threads do."""
    resume = command_line(execution.home, "resume", execution.name.execution_id)
    say_last(f"\nLeft. What still runs is taken up by: {resume}")
    os._exit(EXIT_STATUS["Stopped"])

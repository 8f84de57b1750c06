"""The live view of an execution on a terminal. Imports rich, so it is imported only where there is a terminal."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text
from typing_extensions import Self

from localpipe.cli.tail import last_line
from localpipe.scheduling.events import (
    AttemptFailed,
    AttemptStarted,
    AttemptStopped,
    ExecutionStarted,
    JobLaunched,
    RetryScheduled,
    StepSucceeded,
    StopRequested,
    StopSignalled,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from rich.console import Console, RenderableType

    from localpipe.scheduling.events import Event, Recorded

_REFRESH_PER_SECOND = 4
_FRAME_LINES = 5
"""Title, headings, what is left out, counts, and the line of the cursor."""

_NARROWEST_LAST_LINE = 20
_OTHER_COLUMNS = 24
_NARROWEST_STEP = 12

_STYLES: Mapping[str, str] = {
    "Starting": "dim",
    "Executing": "cyan",
    "Succeeded": "green",
    "Failed": "red",
    "Stopping": "yellow",
    "Stopped": "yellow",
    "BackingOff": "yellow",
}

_TELLING: Mapping[str, int] = {"Executing": 3, "Stopping": 3, "Failed": 2, "Starting": 1, "BackingOff": 1}
"""Which steps are shown where not all fit: the higher, the sooner."""


class LiveProgress:
    """A table of the steps that is drawn again and again: state, elapsed time, last log line; below it, counts.

    Gone when it is left: the report tells how it ended. What is written to standard error meanwhile appears above it.
    Mutable: the facts seen so far; the drawing thread reads them.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._title = ""
        self._stopping = ""
        self._rows: dict[str, _Row] = {}
        self._live = Live(
            get_renderable=self._now,
            console=console,
            refresh_per_second=_REFRESH_PER_SECOND,
            transient=True,
            redirect_stdout=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def __call__(self, fact: Recorded) -> None:
        """Take the fact into the view."""
        event = fact.event
        with self._lock:
            if isinstance(event, ExecutionStarted):
                self._title = f"Pipeline {event.pipeline_name}, execution {event.execution_id}"
            elif isinstance(event, StopRequested):
                self._stopping = "  Killing" if event.kill else "  Stopping"
            elif isinstance(event, AttemptStarted):
                self._rows[event.step] = _Row(event, fact.at)
            elif (step := getattr(event, "step", None)) in self._rows:
                self._rows[step].take(event, fact.at)

    def _now(self) -> RenderableType:
        return self.view(time.time())

    def view(self, now: float) -> RenderableType:
        """What is drawn at a time, fitted to the console's size."""
        width, height = self._console.size
        with self._lock:
            rows = tuple(self._rows.values())
            shown = _fitting(rows, max(1, height - _FRAME_LINES))
            parts: list[RenderableType] = [
                Text(self._title + self._stopping, no_wrap=True, overflow="ellipsis", style="bold")
            ]
            if len(shown) < len(rows):
                parts.append(Text(f"({len(rows) - len(shown)} more steps)", style="dim"))
            parts += [_table(shown, width, now), Text(_counts(rows), no_wrap=True, overflow="ellipsis", style="dim")]
        return Group(*parts)


class _Row:
    """One step in the live view."""

    def __init__(self, started: AttemptStarted, at: float) -> None:
        self.name = started.step if started.attempt == 1 else f"{started.step} (attempt {started.attempt})"
        self.status = "Starting"
        self.started_at = at
        self.ended_at: float | None = None
        self._log_file: str | None = None
        self._note = ""

    def take(self, event: Event, at: float) -> None:
        match event:
            case JobLaunched():
                self.status = self.status if self.status == "Stopping" else "Executing"
                self._log_file = event.log_files[0] if event.log_files else None
            case StepSucceeded():
                self.status, self.ended_at, self._note = "Succeeded", at, ", ".join(event.branches_taken)
            case AttemptFailed():
                self.status, self.ended_at, self._note = "Failed", at, event.reason.partition("\n")[0]
            case RetryScheduled():
                self.status, self.ended_at, self._note = "BackingOff", None, "waits for its next attempt"
            case StopSignalled():
                self.status = "Stopping"
            case AttemptStopped():
                self.status, self.ended_at = "Stopped", at

    def elapsed(self, now: float) -> str:
        seconds = max(0, int((self.ended_at or now) - self.started_at))
        return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min {seconds % 60:02} s"  # noqa: PLR2004

    def last(self) -> Text:
        """A note, else the last line of the log of a job that goes on, with its colours and no other control codes."""
        going_on = self._log_file and self.ended_at is None
        return Text.from_ansi(self._note or (last_line(self._log_file) if self._log_file and going_on else ""))


def _fitting(rows: Sequence[_Row], count: int) -> Sequence[_Row]:
    """As many steps as fit, in their order of start: those that tell most, of equals the first to go on, the last to end."""
    if len(rows) <= count:
        return rows
    ranked = sorted(rows, key=lambda row: (-_TELLING.get(row.status, 0), -row.ended_at if row.ended_at else row.started_at))
    kept = {row.name for row in ranked[:count]}
    return [row for row in rows if row.name in kept]


def _table(rows: Sequence[_Row], width: int, now: float) -> Table:
    """The steps; without their last lines where the terminal is too narrow for them."""
    table = Table(box=None, pad_edge=False, expand=True)
    longest = max((len(row.name) for row in rows), default=0)
    room = width - _OTHER_COLUMNS
    with_last_line = room - min(longest, width // 2) >= _NARROWEST_LAST_LINE
    step_width = width // 2 if with_last_line else max(_NARROWEST_STEP, room)
    table.add_column("Step", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    table.add_column("Time", justify="right", no_wrap=True)
    if with_last_line:
        table.add_column("Last line", ratio=1, no_wrap=True, overflow="ellipsis")
    for row in rows:
        cells = (
            Text(_shortened(row.name, step_width)),
            Text(row.status, style=_STYLES.get(row.status, "")),
            Text(row.elapsed(now)),
        )
        table.add_row(*cells, *([row.last()] if with_last_line else []))
    return table


def _shortened(name: str, width: int) -> str:
    """Names often differ at their end alone, so the middle goes."""
    if len(name) <= width:
        return name
    end = (width - 1) // 2
    return f"{name[: width - 1 - end]}…{name[-end:]}"


def _counts(rows: Sequence[_Row]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.status] = counts.get(row.status, 0) + 1
    return "  ".join(f"{counts[status]} {status}" for status in _STYLES if status in counts)

"""The live view of an execution on a terminal. Imports rich, so it is imported only where there is a terminal."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text
from typing_extensions import Self

from localpipe.cli.progress import after
from localpipe.cli.tail import newest_line
from localpipe.scheduling.history import BUSY, StepStatus
from localpipe.service.views import remark, shown_status, started_steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from rich.console import Console, RenderableType

    from localpipe.scheduling.events import Recorded
    from localpipe.scheduling.history import StepExecution
    from localpipe.scheduling.state import ExecutionState

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
}

_TELLING: Mapping[str, int] = {"Executing": 3, "Stopping": 3, "Failed": 2, "Starting": 1}
"""Which steps are shown where not all fit: the higher, the sooner."""


class LiveProgress:
    """A table of the steps that is drawn again and again: state, elapsed time, last log line; below it, counts.

    Gone when it is left: the report tells how it ended. What is written to standard error meanwhile appears above it.
    Mutable: the state after the facts seen so far; the drawing thread reads it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._state: ExecutionState | None = None
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
        self._state = after(self._state, fact)

    def _now(self) -> RenderableType:
        return self.view(time.time())

    def view(self, now: float) -> RenderableType:
        """What is drawn at a time, fitted to the console's size."""
        state = self._state
        if state is None:
            return Group()
        width, height = self._console.size
        steps = [step for step in started_steps(state) if step.status is not StepStatus.WAITING]
        shown = _fitting(steps, max(1, height - _FRAME_LINES))
        parts: list[RenderableType] = [Text(_title(state), no_wrap=True, overflow="ellipsis", style="bold")]
        if len(shown) < len(steps):
            parts.append(Text(f"({len(steps) - len(shown)} more steps)", style="dim"))
        parts += [_table(shown, width, now), Text(_counts(steps), no_wrap=True, overflow="ellipsis", style="dim")]
        return Group(*parts)


def _title(state: ExecutionState) -> str:
    title = f"Pipeline {state.started.pipeline_name}, execution {state.started.execution_id}"
    if state.stop is None:
        return title
    return f"{title}  {'Killing' if state.stop.kill else 'Stopping'}"


def _name(step: StepExecution) -> str:
    return step.step if step.attempt <= 1 else f"{step.step} (attempt {step.attempt})"


def _elapsed(step: StepExecution, now: float) -> str:
    began = now if step.started_at is None else step.started_at
    seconds = max(0, int((now if step.ended_at is None else step.ended_at) - began))
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min {seconds % 60:02} s"  # noqa: PLR2004


def _last_line(step: StepExecution) -> Text:
    """The newest line that a job printed that goes on, with its colours and no other control codes; else a remark."""
    going_on = step.status in BUSY and step.log_files
    return Text.from_ansi((going_on and newest_line(step.log_files)) or remark(step))


def _fitting(steps: Sequence[StepExecution], count: int) -> Sequence[StepExecution]:
    """As many steps as fit, in their order of start: those that tell most, of equals the first to go on, the last to end."""
    if len(steps) <= count:
        return steps
    kept = {step.step for step in sorted(steps, key=_rank)[:count]}
    return [step for step in steps if step.step in kept]


def _rank(step: StepExecution) -> tuple[float, float]:
    return (-_TELLING.get(shown_status(step), 0), (step.started_at or 0.0) if step.ended_at is None else -step.ended_at)


def _table(steps: Sequence[StepExecution], width: int, now: float) -> Table:
    """The steps; without their last lines where the terminal is too narrow for them."""
    table = Table(box=None, pad_edge=False, expand=True)
    longest = max((len(_name(step)) for step in steps), default=0)
    room = width - _OTHER_COLUMNS
    with_last_line = room - min(longest, width // 2) >= _NARROWEST_LAST_LINE
    step_width = width // 2 if with_last_line else max(_NARROWEST_STEP, room)
    table.add_column("Step", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    table.add_column("Time", justify="right", no_wrap=True)
    if with_last_line:
        table.add_column("Last line", ratio=1, no_wrap=True, overflow="ellipsis")
    for step in steps:
        status = shown_status(step)
        cells = (
            Text(_shortened(_name(step), step_width)),
            Text(status, style=_STYLES.get(status, "")),
            Text(_elapsed(step, now)),
        )
        table.add_row(*cells, *([_last_line(step)] if with_last_line else []))
    return table


def _shortened(name: str, width: int) -> str:
    """Names often differ at their end alone, so the middle goes."""
    if len(name) <= width:
        return name
    end = (width - 1) // 2
    return f"{name[: width - 1 - end]}…{name[-end:]}"


def _counts(steps: Sequence[StepExecution]) -> str:
    counts = Counter(map(shown_status, steps))
    return "  ".join(f"{counts[status]} {status}" for status in _STYLES if status in counts)

"""What a run did otherwise than the service, for people: one line at its end, all of it by `show --fidelity`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from localpipe.cli.common import command_line
from localpipe.core.fidelity import Verdict
from localpipe.service.fidelity import differences, fidelity, notes_beside_images

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localpipe.service.executions import PipelineExecution
    from localpipe.service.fidelity import Difference

_LISTED_STEPS = 8
_NO_WIDTH = 1 << 16
_NOTHING_ASKED = "No step has asked anything of the service."
_STYLES = {Verdict.APPROXIMATED: "yellow", Verdict.IGNORED: "magenta"}


def fidelity_line(execution: PipelineExecution) -> str:
    """How much was not exact, and how to see it; empty where all was."""
    found = differences(fidelity(execution))
    counted = [_counted(verdict, found) for verdict in _STYLES]
    if not any(counted):
        return ""
    more = command_line(execution.home, "show", execution.name.execution_id, "--fidelity")
    return f"Fidelity: {', '.join(filter(None, counted))}: {more}"


def print_fidelity(execution: PipelineExecution) -> None:
    """Each difference once, with the members and steps that share it; then notes, and how much was exact.

    Fitted to the width of a terminal; elsewhere each sentence is one line.
    """
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _NO_WIDTH)

    def say(text: Text, indent: int) -> None:
        console.print(Padding(text, (0, 0, 0, indent), expand=False))

    findings = fidelity(execution)
    found = differences(findings)
    for verdict, style in _STYLES.items():
        of_verdict = [each for each in found if each.verdict is verdict]
        if of_verdict:
            say(Text(verdict.value, style=f"bold {style}"), 0)
        for each in of_verdict:
            say(Text.assemble((", ".join(each.members), "bold"), "  ", (_steps(each), "dim")), 2)
            say(Text(each.note), 4)
    for note in notes_beside_images(execution.started):
        say(Text.assemble(("Note  ", "bold"), note), 0)
    exact = sum(each.verdict is Verdict.EXACT for each in findings)
    say(Text(f"{exact} other members of requests are as on the service." if findings else _NOTHING_ASKED), 0)


def _counted(verdict: Verdict, found: Sequence[Difference]) -> str:
    """How many members, whatever the steps and reasons."""
    members = {member for each in found if each.verdict is verdict for member in each.members}
    return f"{len(members)} member{'' if len(members) == 1 else 's'} {verdict.value.lower()}" if members else ""


def _steps(difference: Difference) -> str:
    """The steps that share it, or that it is the pipeline's."""
    steps = difference.steps
    if not steps:
        return "in the pipeline"
    more = f" and {len(steps) - _LISTED_STEPS} more" if len(steps) > _LISTED_STEPS else ""
    return f"in {', '.join(steps[:_LISTED_STEPS])}{more}"

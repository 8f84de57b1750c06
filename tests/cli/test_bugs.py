"""A bug of localpipe is never mistaken for a failed pipeline or a refusal."""

from __future__ import annotations

from pathlib import Path

from commands import Cli, Write, decision

from localpipe.journal.sqlite import SqliteJournal
from localpipe.scheduling.events import StepSucceeded
from localpipe.service.wiring import WallClock


def test_it_keeps_its_traceback_and_has_an_exit_status_of_its_own(cli: Cli, write: Write, place: Path) -> None:
    execution_id = cli("run", write(decision()), "--json").document["PipelineExecutionArn"].rpartition("/")[2]
    journal = SqliteJournal(place / ".localpipe" / "journal.db", WallClock())
    journal.append(execution_id, [StepSucceeded("Check", 1, {})])  # a fact that cannot follow
    journal.close()
    ended = cli("show", "last")
    assert (ended.status, ended.out) == (70, "")
    assert ended.err.startswith("Traceback (most recent call last):\n")
    assert "InvalidTransition: step 'Check': StepSucceeded while Succeeded in a finished execution. Story: " in ended.err
    assert ended.err.endswith(
        "This is a bug of localpipe, not of your pipeline. `localpipe resume last` goes on with a run.\n"
    )

"""The engine end to end over the scripted runner: what a user of a pipeline relies on."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest
from support import PROCESSING, output_of, pipeline, processing

from localpipe.core.names import S3Uri
from localpipe.errors import HomeUnusable
from localpipe.runners.scripted import ScriptedContainer, ScriptedRunner
from localpipe.service.executions import (
    PipelineExecution,
    describe_pipeline_execution,
    drive,
    retry_pipeline_execution,
    start_pipeline_execution,
    stop_pipeline_execution,
)
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.store import LocalStore

if TYPE_CHECKING:
    from pathlib import Path

    from localpipe.core import JSON
    from localpipe.runners.scripted import Behaviour
    from localpipe.scheduling.events import Recorded

Start = Callable[..., PipelineExecution]
OUT = PurePosixPath(PROCESSING)


def content(home: Home, key: str) -> bytes:
    found = home.store.head(S3Uri("bucket", key))
    assert found is not None
    return found.path.read_bytes()


def writes(relative: str, text: str) -> Behaviour:
    def behaviour(container: ScriptedContainer) -> int:
        container.write(OUT / relative, text)
        container.log(f"wrote {relative}")
        return 0

    return behaviour


def test_outputs_of_one_step_are_the_inputs_of_the_next(home: Home, run: Start) -> None:
    def double(container: ScriptedContainer) -> int:
        container.write(OUT / "doubled/x.txt", container.path(OUT / "in/x.txt").read_text() * 2)
        return 0

    ended = run(
        pipeline(
            processing("First", inputs={"raw": "s3://bucket/raw"}, outputs=("out",)),
            processing("Second", inputs={"in": output_of("First", "out")}, outputs=("doubled",)),
        ),
        ScriptedRunner({"First": writes("out/x.txt", "ab"), "Second": double}),
    )
    assert ended.status == "Succeeded"
    assert content(home, "Second/doubled/x.txt") == b"abab"


def test_independent_steps_run_at_the_same_time(run: Start) -> None:
    both = threading.Barrier(2, timeout=20)

    def meet(container: ScriptedContainer) -> int:
        both.wait()
        return 0

    ended = run(pipeline(processing("A"), processing("B")), ScriptedRunner({"A": meet, "B": meet}))
    assert ended.status == "Succeeded"


def test_a_failed_step_fails_the_execution_while_independent_steps_go_on(run: Start) -> None:
    ended = run(
        pipeline(
            processing("Bad"),
            processing("After", DependsOn=["Bad"]),
            processing("Other"),
        ),
        ScriptedRunner({"Bad": lambda _: 3}),
    )
    document = ended.document()
    assert document["PipelineExecutionStatus"] == "Failed"
    assert document["FailureReason"] == "Step failure: One or multiple steps failed."
    rows = {row["StepName"]: row for row in document["Steps"]}
    assert set(rows) == {"Bad", "Other"}
    assert rows["Bad"]["FailureReason"] == "ClientError: AlgorithmError: See job logs for more information"
    assert rows["Other"]["StepStatus"] == "Succeeded"


def condition(threshold: float) -> object:
    return {
        "Name": "Check",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [
                {
                    "Type": "LessThanOrEqualTo",
                    "LeftValue": {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Eval.PropertyFiles.R"}, "Path": "m.mse"}},
                    "RightValue": threshold,
                }
            ],
            "IfSteps": [processing("Good")],
            "ElseSteps": [
                {
                    "Name": "Bad",
                    "Type": "Fail",
                    "Arguments": {"ErrorMessage": {"Std:Join": {"On": " ", "Values": ["MSE above", threshold]}}},
                }
            ],
        },
    }


def evaluated(threshold: float) -> object:
    evaluate = processing(
        "Eval",
        outputs=("report",),
        PropertyFiles=[{"PropertyFileName": "R", "OutputName": "report", "FilePath": "e.json"}],
    )
    return pipeline(evaluate, condition(threshold))


def test_a_condition_reads_its_property_file_and_opens_one_branch(run: Start) -> None:
    runner = ScriptedRunner({"Eval": writes("report/e.json", json.dumps({"m": {"mse": 4.5}}))})
    ended = run(evaluated(6.0), runner)
    assert ended.status == "Succeeded"
    assert [row["StepName"] for row in ended.document()["Steps"]] == ["Eval", "Check", "Good"]
    assert ended.document()["Steps"][1]["Metadata"] == {"Condition": {"Outcome": "True"}}


def test_a_fail_step_ends_the_execution_with_the_authors_message(run: Start) -> None:
    runner = ScriptedRunner({"Eval": writes("report/e.json", json.dumps({"m": {"mse": 4.5}}))})
    ended = run(evaluated(1.5), runner)
    assert ended.status == "Failed"
    bad = ended.document()["Steps"][-1]
    assert (bad["StepName"], bad["FailureReason"]) == ("Bad", "MSE above 1.5")


def test_a_json_path_that_the_file_has_not_fails_the_condition_and_names_those_it_has(run: Start) -> None:
    ended = run(evaluated(6.0), ScriptedRunner({"Eval": writes("report/e.json", json.dumps({"m": {"rmse": 4.5}}))}))
    check = ended.document()["Steps"][-1]
    assert check["StepStatus"] == "Failed"
    assert "m.rmse" in check["FailureReason"]


def test_a_property_file_that_was_not_written_is_named_with_what_is_there(run: Start) -> None:
    ended = run(evaluated(6.0), ScriptedRunner({"Eval": writes("report/f.json", "{}")}))
    assert ended.document()["Steps"][-1]["FailureReason"].startswith(
        "ClientError: Property file 'R' of step 'Eval' (s3://bucket/Eval/report/e.json; output 'report' has f.json) "
        "does not exist, so 'm.mse' has no value."
    )


def test_a_stop_gives_jobs_their_grace_and_ends_stopped(home: Home, start: Start) -> None:
    seen: list[int | None] = []

    def until_told(container: ScriptedContainer) -> int:
        seen.append(container.next_signal(20))
        return 0

    runner = ScriptedRunner({"Long": until_told})
    execution = start(pipeline(processing("Long"), processing("After", DependsOn=["Long"])), runner)

    def stop_when_launched(fact: Recorded) -> None:
        if type(fact.event).__name__ == "JobLaunched":
            threading.Thread(target=stop_pipeline_execution, args=(home, execution.name.execution_id)).start()

    ended = drive(execution, stop_when_launched, runner)
    assert seen == [signal.SIGTERM]
    assert ended.status == "Stopped"
    assert [(row["StepName"], row["StepStatus"]) for row in ended.document()["Steps"]] == [("Long", "Stopped")]


def test_a_job_whose_end_the_journal_could_not_take_is_found_and_not_run_again(home: Home, start: Start) -> None:
    lost = threading.Event()
    runner = ScriptedRunner({"A": lambda _: 0 if lost.wait(20) else 1})
    execution = start(pipeline(processing("A"), processing("B", DependsOn=["A"])), runner)

    def lose_the_journal(fact: Recorded) -> None:
        if type(fact.event).__name__ == "JobLaunched":
            rename_table(home, "events", "gone")
            lost.set()

    with pytest.raises(HomeUnusable, match=r"journal\.db cannot be used: no such table: events"):
        drive(execution, lose_the_journal, runner)
    rename_table(home, "gone", "events")
    ended = drive(describe_pipeline_execution(home, execution.name.execution_id), lambda fact: None, runner)
    assert ended.status == "Succeeded"
    assert [key.step for key in runner.started] == ["A", "B"]


def rename_table(home: Home, old: str, new: str) -> None:
    with closing(sqlite3.connect(home.directory / "journal.db")) as connection:
        connection.execute(f"ALTER TABLE {old} RENAME TO {new}")


def test_a_retry_goes_on_in_the_same_execution_from_the_failed_step(home: Home, start: Start) -> None:
    exits = iter([1, 0])
    runner = ScriptedRunner({"Flaky": lambda _: next(exits)})
    execution = start(pipeline(processing("Once"), processing("Flaky", DependsOn=["Once"])), runner)
    assert drive(execution, lambda fact: None, runner).status == "Failed"
    retry_pipeline_execution(home, execution.name.execution_id)
    ended = drive(describe_pipeline_execution(home, execution.name.execution_id), lambda fact: None, runner)
    assert ended.status == "Succeeded"
    assert ended.name == execution.name
    attempts = {row["StepName"]: row["AttemptCount"] for row in ended.document()["Steps"]}
    assert attempts == {"Once": 1, "Flaky": 2}
    assert [key.step for key in runner.started] == ["Once", "Flaky", "Flaky"]


def test_a_job_may_write_into_its_inputs_and_the_stored_object_stays(home: Home, run: Start) -> None:
    def overwrite(container: ScriptedContainer) -> int:
        container.path(OUT / "raw/data.csv").write_text("gone")
        return 0

    ended = run(pipeline(processing("Rude", inputs={"raw": "s3://bucket/raw"})), ScriptedRunner({"Rude": overwrite}))
    assert ended.status == "Succeeded"
    assert content(home, "raw/data.csv") == b"1,2\n3,4\n"


def test_a_time_limit_fails_the_step_and_names_the_limit(run: Start) -> None:
    def hang(container: ScriptedContainer) -> int:
        container.next_signal(20)
        return 143

    slow = processing("Slow")
    slow["Arguments"]["StoppingCondition"] = {"MaxRuntimeInSeconds": 1}
    ended = run(pipeline(slow), ScriptedRunner({"Slow": hang}))
    row = ended.document()["Steps"][0]
    assert row["StepStatus"] == "Failed"
    assert "1 second" in row["FailureReason"] or "MaxRuntimeInSeconds" in row["FailureReason"]


class Busy(LocalStore):
    """A store that takes its time for a directory, and knows how many it was given at once."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, {})
        self._lock, self._now, self.most = threading.Lock(), 0, 0

    def put_directory(self, prefix: S3Uri, directory: Path) -> bool:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        threading.Event().wait(0.05)
        with self._lock:
            self._now -= 1
        return super().put_directory(prefix, directory)


class OneStore(Home):
    """A home whose executions all use its own store."""

    def keeping(self, kept: JSON) -> Home:
        other = super().keeping(kept)
        other.store = self.store
        return other


def test_no_more_jobs_are_collected_at_once_than_there_are_cores(home: Home) -> None:
    cores, runner = os.cpu_count() or 1, ScriptedRunner(default=writes("out/x", "x"))
    with closing(OneStore(home.settings)) as opened:
        opened.store = busy = Busy(home.directory / "s3")
        steps = (processing(f"S{number}", outputs=("out",)) for number in range(cores + 4))
        ready = preflight(opened, pipeline(*steps), "cores", {}, runner=runner)
        execution = describe_pipeline_execution(opened, start_pipeline_execution(opened, ready))
        assert drive(execution, lambda fact: None, runner).status == "Succeeded"
    assert busy.most == cores


def test_the_parallelism_cap_holds(home: Home, start: Start) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def count(container: ScriptedContainer) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        container.next_signal(0.02)
        with lock:
            now -= 1
        return 0

    runner = ScriptedRunner(default=count)
    ready = preflight(home, pipeline(*(processing(f"S{i}") for i in range(8))), "cap", {}, runner=runner)
    execution_id = start_pipeline_execution(home, replace(ready, max_parallel=2))
    assert drive(describe_pipeline_execution(home, execution_id), lambda fact: None, runner).status == "Succeeded"
    assert most == 2

"""kill -9 after each journal event of a run whose steps call functions and wait for answers; then resume."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import pipeline

from localpipe.scheduling.events import StepSucceeded
from localpipe.service.executions import PipelineExecution, describe_pipeline_execution
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from localpipe.core import JSON

DRIVER = Path(__file__).with_name("killed_run.py")
KILLED = -9
FUNCTION = """
import pathlib
def handler(event, context):
    with (pathlib.Path(__file__).parent / "calls").open("a") as calls:
        print(event["step"], file=calls)
    return {"n": event["n"] + 1}
"""
ANSWER = (
    "import json, subprocess, sys; message = json.load(sys.stdin); "
    "subprocess.run([sys.executable, '-m', 'localpipe', 'callback', 'succeed', message['token'], "
    "'-o', f\"n={message['arguments']['n'] + 1}\"])"
)


def outputs() -> list[JSON]:
    return [{"OutputName": "n", "OutputType": "Integer"}]


def call(name: str, n: JSON) -> JSON:
    arn = "arn:aws:lambda:us-east-1:111122223333:function:count"
    arguments = {"step": name, "n": n}
    return {"Name": name, "Type": "Lambda", "FunctionArn": arn, "Arguments": arguments, "OutputParameters": outputs()}


def ask(name: str, n: JSON) -> JSON:
    queue = "https://sqs.us-east-1.amazonaws.com/111122223333/q"
    return {"Name": name, "Type": "Callback", "SqsQueueUrl": queue, "Arguments": {"n": n}, "OutputParameters": outputs()}


def n_of(step: str) -> JSON:
    return {"Get": f"Steps.{step}.OutputParameters['n']"}


def end_state(execution: PipelineExecution) -> JSON:
    rows = {
        row["StepName"]: (row["StepStatus"], row["AttemptCount"], row["Properties"]["OutputParameters"])
        for row in execution.document()["Steps"]
    }
    return {"status": execution.status, "steps": rows}


def drive(what: str, work: Path, point: str) -> int:
    command = [sys.executable, str(DRIVER), what, str(work / "home"), "process", str(work / "definition.json"), point]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode in (0, KILLED), ended.stderr
    return ended.returncode


def prepared(work: Path) -> Home:
    work.mkdir()
    steps = (call("A", 1), ask("B", n_of("A")), call("C", n_of("B")))
    (work / "definition.json").write_text(json.dumps(pipeline(*steps)))
    (work / "count.py").write_text(FUNCTION)
    (work / "answer.py").write_text(ANSWER)
    command = json.dumps(f"{sys.executable} answer.py")
    (work / "localpipe.toml").write_text(f'[lambda]\ncount = "count.py:handler"\n[callback]\n"*" = {command}\n')
    return Home(load_settings({"home": str(work / "home")}, {}, work))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_run_with_functions_and_callbacks_killed_after_any_event_ends_as_the_uninterrupted_run(tmp_path: Path) -> None:
    whole = prepared(tmp_path / "whole")
    assert drive("start", tmp_path / "whole", "never") == 0
    execution = describe_pipeline_execution(whole, "last")
    expected = end_state(execution)
    assert expected["status"] == "Succeeded"
    assert expected["steps"]["C"] == ("Succeeded", 1, {"n": 4})
    events = execution.state.seq
    whole.close()
    for number in range(1, events):
        work = tmp_path / str(number)
        home = prepared(work)
        assert drive("start", work, f"event:{number}") == KILLED, number
        facts = home.journal.read(describe_pipeline_execution(home, "last").name.execution_id)
        done = {fact.event.step for fact in facts if isinstance(fact.event, StepSucceeded)}
        assert drive("resume", work, "never") == 0, number
        assert end_state(describe_pipeline_execution(home, "last")) == expected, number
        calls = (work / "calls").read_text().split()
        assert {step for step in done & {"A", "C"} if calls.count(step) != 1} == set(), number
        home.close()

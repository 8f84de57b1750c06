"""`run` and what looks at executions, on steps that need no runner."""

from __future__ import annotations

import re
from pathlib import Path

from commands import Cli, Write, decision, fail, model
from support import pipeline

ID = r"[a-z0-9]{12}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def test_a_succeeded_pipeline_ends_with_0_and_says_what_to_type_next(cli: Cli, write: Write) -> None:
    ended = cli("run", write(decision()))
    assert (ended.status, ended.out) == (0, "")
    assert re.search(rf"\d\d:\d\d:\d\d  Pipeline pipe, execution {ID}\n", ended.err)
    assert "  Succeeded  Check  → ElseSteps\n" in ended.err
    assert re.search(rf"\nPipeline pipe: Succeeded\.\nNext: localpipe artifacts {ID}\n$", ended.err)


def test_a_pipeline_without_jobs_needs_no_runner(cli: Cli, write: Write) -> None:
    definition = write(decision(else_steps=(model("Keep"),)))
    checked = cli("check", definition, "--runner", "docker")
    assert checked.out.startswith("Pipeline pipe: 3 steps can run without a runner.\n")
    assert cli("check", definition, "--runner", "docker", "--json").document["Runner"] is None
    assert cli("run", definition, "--runner", "docker").status == 0
    assert cli("run", definition, "--runner", "docker", "-p", "Threshold=2").status == 1
    assert cli("retry", "last").status == 1


def test_a_failed_pipeline_ends_with_1_and_the_authors_message(cli: Cli, write: Write) -> None:
    ended = cli("run", write(decision()), "-p", "Threshold=1.5")
    assert ended.status == 1
    assert "\nStep TooHigh failed: the threshold is too high\n" in ended.err
    assert ended.err.count("Step TooHigh failed") == 1
    assert "\nPipeline pipe: Failed. Step failure: One or multiple steps failed.\n" in ended.err
    assert re.search(rf"Next: localpipe retry {ID} ", ended.err)


def test_a_time_in_a_text_has_milliseconds(cli: Cli, write: Write) -> None:
    created = {"Std:Join": {"On": "", "Values": ["made at ", {"Get": "Steps.Keep.CreationTime"}]}}
    told = fail("Tell", "") | {"Arguments": {"ErrorMessage": created}}
    ended = cli("run", write(pipeline(model("Keep"), told)), "--json")
    reason = ended.document["Steps"][-1]["FailureReason"]
    assert re.fullmatch(r"made at \d{10}(\.\d{1,3})?", reason)


def test_the_next_command_names_a_home_that_was_named(cli: Cli, write: Write, place: Path) -> None:
    ended = cli("run", write(decision()), "--home", "elsewhere")
    assert re.search(rf"Next: localpipe artifacts {ID} --home {re.escape(str(place))}/elsewhere\n", ended.err)


def test_json_is_one_document_with_the_keys_of_the_service(cli: Cli, write: Write) -> None:
    ended = cli("run", write(decision()), "--json", "-p", "Threshold=2")
    assert ended.status == 1
    document = ended.document
    assert list(document) == [
        "PipelineName",
        "PipelineExecutionArn",
        "PipelineExecutionStatus",
        "FailureReason",
        "Steps",
    ]
    assert document["FailureReason"] == "Step failure: One or multiple steps failed."
    first, second = document["Steps"]
    assert first | {"StartTime": "", "EndTime": ""} == {
        "StepName": "Check",
        "StartTime": "",
        "EndTime": "",
        "StepStatus": "Succeeded",
        "AttemptCount": 1,
        "Metadata": {"Condition": {"Outcome": "True"}},
        "Properties": first["Properties"],
        "LogFiles": [],
    }
    assert (second["StepName"], second["FailureReason"]) == ("TooHigh", "the threshold is too high")
    assert re.fullmatch(TIME, first["StartTime"])
    assert "Step TooHigh failed" in ended.err


def test_an_execution_without_a_failure_has_a_null_reason(cli: Cli, write: Write) -> None:
    assert cli("run", write(decision()), "--json").document["FailureReason"] is None


def test_show_gives_the_document_of_run(cli: Cli, write: Write) -> None:
    definition = decision(else_steps=(model("Keep"),))
    ran = cli("run", write(definition), "--json")
    assert ran.status == 0
    by_arn, by_id = ran.document["PipelineExecutionArn"], ran.document["PipelineExecutionArn"].rpartition("/")[2]
    assert [cli("show", name, "--json").out for name in ("last", by_arn, by_id)] == [ran.out] * 3


def test_times_within_properties_are_text_too(cli: Cli, write: Write) -> None:
    ran = cli("run", write(decision(else_steps=(model("Keep"),))), "--json")
    keep = ran.document["Steps"][1]
    assert re.fullmatch(TIME, keep["Properties"]["CreationTime"])
    listed = cli("models", "--json").document["Models"]
    assert [row["CreationTime"] for row in listed] == [keep["Properties"]["CreationTime"]]


def test_steps_are_listed_oldest_first(cli: Cli, write: Write) -> None:
    steps = (model("A", DependsOn=["B"]), model("B", DependsOn=["C"]), model("C"))
    document = cli("run", write(decision(else_steps=steps)), "--json").document
    assert [row["StepName"] for row in document["Steps"]] == ["Check", "C", "B", "A"]


def test_the_pipeline_is_named_after_its_file(cli: Cli, write: Write) -> None:
    name = write(decision(), "my model_v2.json")
    assert cli("run", name, "--json").document["PipelineName"] == "my-model-v2"
    assert cli("run", name, "--json", "--name", "other").document["PipelineName"] == "other"


def test_parameters_of_a_file_give_way_to_those_of_the_command(cli: Cli, write: Write, place: Path) -> None:
    definition = write(decision())
    (place / "object.json").write_text('{"Threshold": 3}')
    (place / "rows.json").write_text('[{"Name": "Threshold", "Value": "3"}]')
    for file in ("object.json", "rows.json"):
        assert cli("run", definition, "--params-file", file).status == 1
        assert cli("run", definition, "--params-file", file, "-p", "Threshold=0").status == 0


def test_retry_goes_on_in_the_same_execution(cli: Cli, write: Write) -> None:
    ran = cli("run", write(decision()), "-p", "Threshold=2", "--json").document
    retried = cli("retry", "last", "--json")
    assert retried.status == 1
    assert retried.document["PipelineExecutionArn"] == ran["PipelineExecutionArn"]
    assert [row["AttemptCount"] for row in retried.document["Steps"]] == [1, 2]
    told = [line[10:] for line in retried.err.splitlines() if re.match(r"\d\d:", line)]
    assert told[1:] == [
        "Retrying failed and stopped steps",
        "TooHigh: Starting, attempt 2",
        "TooHigh: Failed after 0.0 s. the threshold is too high",
        "Execution Failed",
    ]


def test_what_has_ended_is_neither_resumed_nor_stopped(cli: Cli, write: Write) -> None:
    cli("run", write(decision()))
    resumed, stopped, retried = cli("resume", "last"), cli("stop", "last"), cli("retry", "last")
    assert (resumed.status, stopped.status, retried.status) == (2, 2, 2)
    assert re.fullmatch(rf"Error: Execution {ID} is Succeeded; there is nothing to resume\.\n", resumed.err)
    assert "is Succeeded. Only pipelines with 'Executing' status can be stopped.\n" in stopped.err
    assert "is Succeeded. Only executions with 'Failed' or 'Stopped' status can be retried.\n" in retried.err


def test_executions_are_listed_newest_first(cli: Cli, write: Write) -> None:
    definition = write(decision())
    cli("run", definition, "--name", "one")
    cli("run", definition, "--name", "two", "-p", "Threshold=2")
    rows = cli("ls", "--json").document
    assert [(row["PipelineName"], row["Status"], row["Interrupted"]) for row in rows] == [
        ("two", "Failed", False),
        ("one", "Succeeded", False),
    ]
    heading, *lines = cli("ls").out.splitlines()
    assert heading.split() == ["ID", "PIPELINE", "STATUS", "STARTED"]
    assert [line.split()[1:3] for line in lines] == [["two", "Failed"], ["one", "Succeeded"]]


def test_show_tells_steps_reason_and_parameters(cli: Cli, write: Write) -> None:
    cli("run", write(decision()), "-p", "Threshold=2")
    shown = cli("show", "last").out
    assert "Status     Failed\nReason     Step failure: One or multiple steps failed.\n" in shown
    assert "Parameter  Threshold = 2.0\nParameter  Mode = a\n" in shown
    assert re.search(rf"Check +Succeeded  1        {TIME}  0\.0 s  → IfSteps\n", shown)
    assert re.search(rf"TooHigh +Failed +1        {TIME}  0\.0 s  the threshold is too high\n", shown)
    cli("run", "pipe.json")
    assert re.search(r"\nTooHigh +NotStarted\n", cli("show", "last").out)


def test_check_runs_nothing(cli: Cli, write: Write) -> None:
    checked = cli("check", write(decision()), "-p", "Mode=b")
    assert (checked.status, cli("ls", "--json").document) == (0, [])
    assert "  parameter Mode = b\n" in checked.out
    document = cli("check", write(decision()), "--json").document
    assert [step["StepName"] for step in document["Steps"]] == ["Check", "TooHigh"]


def test_check_counts_the_steps(cli: Cli, write: Write) -> None:
    assert ": 1 step can run " in cli("check", write(pipeline(fail("End", "x")))).out
    assert ": 2 steps can run " in cli("check", write(pipeline(fail("A", "x"), fail("B", "x")))).out


def test_graphs(cli: Cli, write: Write) -> None:
    definition = write(decision(else_steps=(model("Keep"),)))
    assert cli("graph", definition).out == (
        "Check (Condition)\n"
        "  [Check → IfSteps]\n    TooHigh (Fail)\n"
        "  [Check → ElseSteps]\n    Keep (Model)\n"
    )  # fmt: skip
    assert cli("graph", definition, "--format", "mermaid").out.startswith("flowchart TD\n")
    assert cli("graph", definition, "--format", "dot").out.startswith("digraph pipeline {\n")
    assert cli("graph", definition, "--format", "json").document["Steps"][2]["Guards"] == [
        {"StepName": "Check", "Branch": "ElseSteps"}
    ]


def test_old_executions_are_removed_and_models_stay(cli: Cli, write: Write) -> None:
    definition = write(decision(else_steps=(model("Keep"),)))
    for _ in range(3):
        cli("run", definition)
    would = cli("gc", "--older-than", "0", "--keep", "1", "--dry-run").out.splitlines()
    assert len(would) == 2
    assert len(cli("ls", "--json").document) == 3
    cli("gc", "--older-than", "0", "--keep", "1")
    assert len(cli("ls", "--json").document) == 1
    assert len(cli("models", "--json").document["Models"]) == 3
    assert cli("gc").out == "Nothing to remove.\n"

"""Parts of a pipeline: `--from`, `--until`, `--only`, `--select`, `--source`, `--set`, on steps that need no runner."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from commands import Cli, Ended, Write, fail, model
from support import pipeline

if TYPE_CHECKING:
    from localpipe.core import JSON

ID = r"[a-z0-9]{12}"
THRESHOLD = {"Name": "Threshold", "Type": "Float", "DefaultValue": 0.5}
NOTE = {"Name": "Note", "Type": "String", "DefaultValue": "a"}


def using(name: str, *steps: str, **more: JSON) -> JSON:
    """A model whose image is named after other steps' models."""
    step = model(name, **more)
    values = ["image", *({"Get": f"Steps.{other}.ModelName"} for other in steps)]
    step["Arguments"]["PrimaryContainer"]["Image"] = {"Std:Join": {"On": "-", "Values": values}}
    return step


def choosing(name: str, *, then: tuple[JSON, ...] = (), otherwise: tuple[JSON, ...] = (), **more: JSON) -> JSON:
    """Takes IfSteps where Threshold is above 1."""
    conditions = [{"Type": "GreaterThan", "LeftValue": {"Get": "Parameters.Threshold"}, "RightValue": 1.0}]
    arguments = {"Conditions": conditions, "IfSteps": list(then), "ElseSteps": list(otherwise)}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, **more}


CHAIN = pipeline(
    model("A"),
    using("B", "A"),
    model("Apart"),
    choosing("Check", then=(using("Deep", "B"),), otherwise=(using("Other", "B"),), DependsOn=["B"]),
    using("C", "B"),
    parameters=(THRESHOLD, NOTE),
)


def run_once(cli: Cli, *arguments: str) -> str:
    """The id of an execution of the whole chain."""
    ended = cli("run", "pipe.json", "--json", *arguments)
    assert ended.status == 0, ended.err
    return str(ended.document["PipelineExecutionArn"]).rpartition("/")[2]


def rows(ended: Ended) -> dict[str, JSON]:
    assert ended.status == 0, ended.err
    return {row["StepName"]: row for row in ended.document["Steps"]}


def reused(ended: Ended) -> set[str]:
    return {name for name, row in rows(ended).items() if "SelectiveExecutionResult" in row}


@pytest.mark.parametrize(
    ("flags", "runs", "taken_over"),
    [
        (["--from", "B"], {"B", "Check", "Other", "C"}, {"A"}),
        (["--until", "B"], {"A", "B"}, set()),
        (["--until", "Other"], {"A", "B", "Check", "Other"}, set()),
        (["--only", "B"], {"B"}, {"A"}),
        (["--only", "C"], {"C"}, {"A", "B"}),
        (["--only", "Other"], {"Other"}, {"A", "B", "Check"}),
        (["--only", "Apart"], {"Apart"}, set()),
        (["--from", "A", "--until", "C"], {"A", "B", "C"}, set()),
        (["--from", "B", "--until", "C"], {"B", "C"}, {"A"}),
        (["--select", "B", "--select", "C", "--source", "last"], {"B", "C"}, {"A"}),
        (["--select", "Check", "--select", "Other", "--source", "last"], {"Check", "Other"}, {"A", "B"}),
    ],
)
def test_a_part_runs_and_the_steps_before_it_are_taken_over(
    cli: Cli, write: Write, flags: list[str], runs: set[str], taken_over: set[str]
) -> None:
    write(CHAIN)
    source = run_once(cli)
    ended = cli("run", "pipe.json", "--json", *flags)
    assert (set(rows(ended)) - reused(ended), reused(ended)) == (runs, taken_over)
    assert {row["StepStatus"] for row in rows(ended).values()} == {"Succeeded"}
    sources = {rows(ended)[name]["SelectiveExecutionResult"]["SourcePipelineExecutionArn"] for name in taken_over}
    assert {arn.rpartition("/")[2] for arn in sources} <= {source}
    config = ended.document["SelectiveExecutionConfig"]
    assert {row["StepName"] for row in config["SelectedSteps"]} >= runs
    assert ("SourcePipelineExecutionArn" in config) is bool(taken_over)


def test_a_selected_step_refers_to_what_the_source_gave(cli: Cli, write: Write) -> None:
    write(CHAIN)
    cli("run", "pipe.json")
    before = rows(cli("show", "last", "--json"))
    after = rows(cli("run", "pipe.json", "--json", "--only", "C"))
    assert after["B"]["Properties"] == before["B"]["Properties"]
    assert after["B"]["Metadata"] == before["B"]["Metadata"]
    assert after["C"]["Properties"]["ModelName"] != before["C"]["Properties"]["ModelName"]
    assert after["C"]["Properties"]["PrimaryContainer"] == before["C"]["Properties"]["PrimaryContainer"]


def test_it_is_told_which_steps_are_not_done_again(cli: Cli, write: Write) -> None:
    write(CHAIN)
    source = run_once(cli)
    checked = cli("check", "pipe.json", "--only", "B")
    assert checked.out.startswith(
        "Pipeline pipe: 1 step can run without a runner.\n"
        f"  not done again: A, not selected: the result of execution {source}\n"
    )
    ended = cli("run", "pipe.json", "--only", "B")
    assert f"  A: Succeeded, not selected: the result of execution {source}\n" in ended.err
    assert "  B: Starting\n" in ended.err
    assert f"\n  Succeeded  A  not selected: the result of execution {source}\n  Succeeded  B\n" in ended.err
    shown = cli("show", "last").out
    assert "\nSelected   B\n" in shown
    assert re.search(rf"\nA +Succeeded .* not selected: the result of execution {source}\n", shown)
    assert "NotStarted" not in shown
    ended = cli("logs", "last", "A")
    assert ended.err == (
        f"Error: Step 'A' has no log: it was not done here; not selected: the result of execution {source}.\n"
    )


def test_parameters_are_not_inherited(cli: Cli, write: Write) -> None:
    write(CHAIN)
    run_once(cli, "-p", "Note=b")
    ended = cli("run", "pipe.json", "--only", "B")
    assert '  note: Parameter Note is "a" here and was "b" in the source: none is inherited.\n' in ended.err


def test_the_definition_of_today_is_run(cli: Cli, write: Write) -> None:
    write(CHAIN)
    run_once(cli)
    write(pipeline(model("A"), using("B", "A", DisplayName="new"), using("D", "B"), parameters=(THRESHOLD, NOTE)))
    assert reused(cli("run", "pipe.json", "--json", "--from", "B")) == {"A"}
    assert rows(cli("show", "last", "--json"))["B"]["StepDisplayName"] == "new"


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--only", "Bee"], "There is no step 'Bee'. Pipeline 'pipe' has 'A', 'B', 'Apart', 'Check', 'Deep', 'Other', 'C'."),
        (["--from", "Othr"], "There is no step 'Othr'. Did you mean 'Other'?"),
        (["--from", "C", "--until", "A"], "Step 'A' does not depend on step 'C': there is nothing between them."),
        (["--from", "Apart", "--until", "C"], "Step 'C' does not depend on step 'Apart': there is nothing between them."),
        (["--only", "A", "--from", "B"], "--only and --from or --until cannot be combined: each says which steps run."),
        (["--source", "last"], "--source goes with --from, --until, --only or --select, which say what runs."),
        (["--set", "Steps.A.ModelName=m"], "--set goes with --from, --until, --only or --select, which say what runs."),
        (
            ["--select", "B", "--select", "C"],
            (
                "Invalid SourcePipelineExecutionArn: null. The selected steps [B, C] have dependencies on [A]. Name an "
                "execution of the pipeline that has done them by --source, or give their values by --set, or --done for a "
                "step that gives none."
            ),
        ),
        (
            ["--select", "A", "--select", "C", "--source", "last"],
            "The selected steps are not connected: 'B' lies between them. Select it too.",
        ),
        (
            ["--select", "Other", "--source", "last"],
            (
                "Step 'Other' is in a branch of 'Check', which is not selected. Select 'Check' too, or use --only or "
                "--from: they take the outcome that 'Check' had in the source."
            ),
        ),
        (
            ["--only", "Deep"],
            (
                "Step 'Deep' is in IfSteps of 'Check', which took ElseSteps in the source: it would not run. "
                "Let 'Check' decide again (--from Check), or give its outcome: --set Steps.Check.Outcome"
            ),
        ),
        (
            ["--only", "B", "--source", "nothing"],
            "There is no execution 'nothing'. `localpipe ls` lists all.",
        ),
        (
            ["--only", "C", "--set", "Steps.C.ModelName=m"],
            "Steps.C.ModelName: step 'C' runs, so it has values of its own. Leave it out of what runs.",
        ),
        (
            ["--only", "C", "--set", "Steps.Apart.ModelName=m"],
            "Steps.Apart.ModelName: no step that runs waits for step 'Apart'. Choose one of 'B'.",
        ),
        (
            ["--only", "B", "--only", "C"],
            "--only is given twice: 'B' and 'C'. For several steps: --select B --select C",
        ),
        (
            ["--only", "C", "--done", "Apart"],
            "--done Apart: no step that runs waits for step 'Apart'. Choose one of 'B'.",
        ),
        (
            ["--only", "Deep", "--set", "Steps.Check.Outcome=perhaps"],
            'Steps.Check.Outcome: Outcome is true or false; found "perhaps".',
        ),
        (
            ["--only", "C", "--fault", "B=Step.THROTTLING"],
            "Fault B=Step.THROTTLING*1 cannot happen: step 'B' does not run. Let it run too, or leave it out.",
        ),
        (["--only", "C", "--set", "Steps.B.ModelName"], "'Steps.B.ModelName' is not of the form Steps.STEP.PROPERTY=VALUE."),
    ],
)
def test_what_cannot_be_a_part_is_refused(cli: Cli, write: Write, flags: list[str], problem: str) -> None:
    write(CHAIN)
    run_once(cli)
    ended = cli("run", "pipe.json", *flags)
    assert (ended.status, ended.err) == (2, f"Error: {problem}\n")
    assert len(cli("ls", "--json").document) == 1


def test_without_an_earlier_execution_a_part_that_needs_one_is_refused(cli: Cli, write: Write) -> None:
    write(CHAIN)
    assert cli("run", "pipe.json", "--only", "Apart").status == 0
    ended = cli("run", "pipe.json", "--only", "C")
    assert ended.status == 2
    assert re.fullmatch(
        rf"Error: Execution {ID} cannot be the source: what is needed has not succeeded there: B \(not started\)\. "
        r"Let them run too, or give their values by --set, or --done for a step that gives none\.\n",
        ended.err,
    )


def test_a_source_that_has_what_the_last_execution_lacks_is_named(cli: Cli, write: Write) -> None:
    write(CHAIN)
    source = run_once(cli)
    cli("run", "pipe.json", "--only", "Apart")
    ended = cli("run", "pipe.json", "--only", "C")
    assert ended.err.endswith(f"Execution {source} has all that is needed: --source {source}\n")
    assert cli("run", "pipe.json", "--only", "C", "--source", source).status == 0


def test_a_failed_execution_is_a_source_of_what_succeeded_in_it(cli: Cli, write: Write) -> None:
    write(pipeline(model("A"), using("B", "A"), fail("No", "no") | {"DependsOn": ["B"]}))
    assert cli("run", "pipe.json").status == 1
    assert reused(cli("run", "pipe.json", "--json", "--only", "B")) == {"A"}
    assert cli("run", "pipe.json", "--from", "No").status == 1


def test_an_execution_of_another_pipeline_is_no_source(cli: Cli, write: Write) -> None:
    source = run_once(cli) if write(CHAIN) else ""
    ended = cli("run", "pipe.json", "--name", "other", "--only", "B", "--source", source)
    assert ended.err == (
        f"Error: Execution {source} is one of pipeline 'pipe': a source must be one of the same pipeline, 'other'.\n"
    )
    assert cli("run", "pipe.json", "--name", "other", "--only", "B").err.startswith(
        "Error: Invalid SourcePipelineExecutionArn: null. The selected steps [B] have dependencies on [A]."
    )


def test_a_step_whose_values_are_given_needs_no_source(cli: Cli, write: Write) -> None:
    write(CHAIN)
    ended = cli("run", "pipe.json", "--json", "--only", "C", "--set", "Steps.B.ModelName=mine")
    assert rows(ended)["C"]["Properties"]["PrimaryContainer"]["Image"] == "image-mine"
    assert rows(ended)["B"]["SelectiveExecutionResult"] == {}
    assert rows(ended)["B"]["Metadata"] == {}
    assert "  note: Step 'B': ModelName is given, as \"mine\".\n" in ended.err
    assert "  B: Succeeded, not selected: its values are given\n" in ended.err


def test_a_given_value_takes_the_place_of_the_sources(cli: Cli, write: Write) -> None:
    write(CHAIN)
    run_once(cli)
    ended = cli("run", "pipe.json", "--json", "--only", "C", "--set", "Steps.B.ModelName=mine")
    assert rows(ended)["C"]["Properties"]["PrimaryContainer"]["Image"] == "image-mine"
    assert rows(ended)["B"]["SelectiveExecutionResult"]["SourcePipelineExecutionArn"]
    assert re.search(
        rf"  B: Succeeded, not selected: the result of execution {ID}, with ModelName given by hand\n", ended.err
    )
    again = cli("run", "pipe.json", "--only", "C")
    assert re.search(
        rf"  B: Succeeded, not selected: the result of execution {ID}, with ModelName given by hand\n", again.err
    )


def test_a_given_outcome_opens_its_branch_without_any_execution_before(cli: Cli, write: Write) -> None:
    write(CHAIN)
    ended = cli("run", "pipe.json", "--only", "Deep")
    assert ended.err == (
        "Error: Invalid SourcePipelineExecutionArn: null. The selected steps [Deep] have dependencies on [B, Check]. Name "
        "an execution of the pipeline that has done them by --source, or give their values by --set (--set "
        "Steps.Check.Outcome=True or False), or --done for a step that gives none.\n"
    )
    values = ["--set", "Steps.B.ModelName=mine", "--set"]
    ended = cli("run", "pipe.json", "--json", "--only", "Deep", *values, "Steps.Check.Outcome=True")
    assert rows(ended)["Deep"]["StepStatus"] == "Succeeded"
    assert rows(ended)["Check"]["Metadata"] == {}
    ended = cli("run", "pipe.json", "--only", "Deep", *values, "Steps.Check.Outcome=false")
    assert "'Check', which took ElseSteps as its outcome is given: it would not run." in ended.err


def test_a_given_outcome_wins_over_the_sources(cli: Cli, write: Write) -> None:
    write(CHAIN)
    run_once(cli)
    ended = cli("run", "pipe.json", "--json", "--only", "Deep", "--set", "Steps.Check.Outcome=True")
    assert rows(ended)["Deep"]["StepStatus"] == "Succeeded"


def test_a_step_that_gives_nothing_can_be_taken_as_done(cli: Cli, write: Write) -> None:
    write(pipeline(model("A"), model("B", DependsOn=["A"]), using("C", "A")))
    lacking = cli("run", "pipe.json", "--only", "C", "--done", "A").err
    told = 'it takes Steps.A.ModelName, for which no value is given. Give it too: --set "Steps.A.ModelName=VALUE"\n'
    assert told in lacking
    ended = cli("run", "pipe.json", "--json", "--only", "B", "--done", "A")
    assert (reused(ended), rows(ended)["B"]["StepStatus"]) == ({"A"}, "Succeeded")
    assert "  A: Succeeded, not selected: taken as done\n" in ended.err
    assert ", with its completion given by hand\n" in cli("run", "pipe.json", "--only", "B").err


def test_the_steps_of_a_collection_are_named_first(cli: Cli, write: Write) -> None:
    write(pipeline(model("TuneRents"), model("Rents-CreateModel")))
    assert cli("run", "pipe.json", "--only", "Rents").err == (
        "Error: There is no step 'Rents'. Did you mean 'Rents-CreateModel'?\n"
    )


def test_a_value_that_is_not_given_is_named(cli: Cli, write: Write) -> None:
    write(CHAIN)
    ended = cli("run", "pipe.json", "--only", "C", "--set", "Steps.B.ExecutionRoleArn=arn:aws:iam::111122223333:role/test")
    assert ended.err == (
        "Error: The pipeline definition has problems:\n"
        "  $.Steps[4].Arguments.PrimaryContainer.Image['Std:Join'].Values[1]: it takes Steps.B.ModelName, for which no "
        'value is given. Give it too: --set "Steps.B.ModelName=VALUE"\n'
    )


def test_a_part_that_failed_is_retried_without_what_was_taken_over(cli: Cli, write: Write) -> None:
    write(pipeline(model("A"), using("B", "A"), fail("No", "no") | {"DependsOn": ["B"]}))
    cli("run", "pipe.json")
    assert cli("run", "pipe.json", "--only", "No").status == 1
    ended = cli("retry", "last", "--json")
    attempts = {row["StepName"]: (row["StepStatus"], row["AttemptCount"]) for row in ended.document["Steps"]}
    assert attempts == {"A": ("Succeeded", 1), "B": ("Succeeded", 1), "No": ("Failed", 2)}

"""What is refused: the exit status and the sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from commands import Cli, Write, decision, fail, model
from support import output_of, pipeline, processing


def refused(cli: Cli, *arguments: str, status: int = 2) -> str:
    """The refusal's text without its leading `Error: `."""
    ended = cli(*arguments)
    assert (ended.status, ended.out) == (status, "")
    return ended.err.partition("Error: ")[2]


def test_parameters(cli: Cli, write: Write) -> None:
    definition = write(decision())
    title = "The pipeline parameters have problems:\n  "
    assert refused(cli, "run", definition, "-p", "Treshold=1") == (
        f"{title}Parameters.Treshold: Unknown parameter 'Treshold'. Did you mean 'Threshold'?\n"
    )
    assert refused(cli, "run", definition, "-p", "Threshold=high") == (
        f"{title}$.Parameters[0]: Unexpected type for parameter 'Threshold': 'high' is no Float. "
        "Give a number such as 0.5.\n"
    )
    assert refused(cli, "run", definition, "-p", "Mode=c") == (
        f"{title}$.Parameters[1]: Parameter 'Mode' cannot be 'c'. It is one of 'a', 'b'.\n"
    )


def test_what_is_no_parameter(cli: Cli, write: Write, place: Path) -> None:
    definition = write(decision())
    assert refused(cli, "run", definition, "-p", "Threshold") == "Parameter 'Threshold' is not of the form Name=Value.\n"
    assert refused(cli, "run", definition, "-p", "Mode=a", "-p", "Mode=b") == (
        "Parameter 'Mode' is given twice: 'a' and 'b'.\n"
    )
    assert refused(cli, "run", definition, "--params-file", "no.json") == (
        "The parameters file no.json cannot be read: No such file or directory.\n"
    )
    (place / "bad.json").write_text("{")
    assert refused(cli, "run", definition, "--params-file", "bad.json").startswith(
        "The parameters file bad.json is no JSON: "
    )
    (place / "list.json").write_text("[1]")
    assert refused(cli, "run", definition, "--params-file", "list.json") == (
        'The parameters file list.json must hold {"Name": value, ...} or [{"Name": ..., "Value": ...}, ...].\n'
    )


def test_a_target_that_is_none(cli: Cli, place: Path) -> None:
    assert refused(cli, "run", "no.py") == (
        "There is no file no.py. A target is a pipeline script (.py) or a definition (.json).\n"
    )
    (place / "bad.json").write_text("{")
    assert "  $: Unable to parse pipeline definition. It is not valid JSON: " in refused(cli, "run", "bad.json")


def test_a_target_that_cannot_be_looked_at(cli: Cli) -> None:
    assert refused(cli, "run", "x" * 300 + "/p.py") == (
        f"The target '{'x' * 99}...{'x' * 94}/p.py' cannot be looked at: File name too long.\n"
    )
    assert refused(cli, "check", '{"Version": "2020-12-01", "Steps": []}') == (
        """The target '{"Version": "2020-12-01", "Steps": []}' is a definition's text: """
        "give a path, a dict (json.loads) or a Pipeline object.\n"
    )


def test_a_cycle_is_shown_as_its_path(cli: Cli, write: Write) -> None:
    definition = pipeline(model("A", DependsOn=["B"]), model("B", DependsOn=["A"]))
    text = refused(cli, "run", write(definition))
    assert "A → B → A" in text or "B → A → B" in text


def test_references_to_what_is_not_there(cli: Cli, write: Write) -> None:
    fetch = processing("Fetch", outputs=("out",))
    unknown_step = pipeline(fetch, processing("Use", inputs={"in": output_of("Fetsh", "out")}))
    text = refused(cli, "check", write(unknown_step))
    assert "$.Steps[1].Arguments.ProcessingInputs[0].S3Input.S3Uri" in text
    assert "Fetch" in text.partition("Did you mean")[2]
    unknown_property = pipeline(fetch, processing("Use", inputs={"in": {"Get": "Steps.Fetch.ProcesingJobName"}}))
    assert "ProcessingJobName" in refused(cli, "check", write(unknown_property)).partition("Did you mean")[2]


def test_an_input_that_nobody_can_write_before(cli: Cli, write: Write, place: Path) -> None:
    (place / "data.csv").write_text("1")
    assert cli("s3", "cp", "data.csv", "s3://bucket/raw/data.csv").status == 0
    text = refused(cli, "run", write(pipeline(processing("Use", inputs={"in": "s3://bucket/row"}))))
    assert text == (
        "The pipeline definition has problems:\n"
        "  $.Steps[0].Arguments.ProcessingInputs[0].S3Input.S3Uri: step 'Use': input 'in' has no objects "
        "under s3://bucket/row, and no step writes there. Did you mean s3://bucket/raw/ ?\n"
    )


def test_an_input_that_only_the_run_itself_could_write(cli: Cli, write: Write) -> None:
    prefix = {"Std:Join": {"On": "/", "Values": ["s3://bucket", {"Get": "Execution.PipelineExecutionId"}, "in"]}}
    text = refused(cli, "check", write(pipeline(processing("Use", inputs={"in": prefix}))))
    assert text.partition("input 'in' ")[2] == (
        "has no objects under s3://bucket/<PipelineExecutionId>/in, and no step writes there. "
        "Only a step of the same execution can: let one that comes before write there.\n"
    )


def test_an_unsupported_step_type_is_named(cli: Cli, write: Write) -> None:
    text = refused(cli, "run", write(pipeline({"Name": "Crunch", "Type": "EMR", "Arguments": {}})))
    assert "$.Steps[0]" in text
    assert "EMR" in text


@pytest.mark.sandbox
def test_no_docker_engine(cli: Cli, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # where no image has been exported
    text = refused(cli, "run", write(pipeline(processing("Use"))), "--runner", "docker", status=3)
    address = f"unix://{tmp_path}/no-engine.sock"
    assert text == (
        f"The docker runner cannot be used: No Docker engine answers at {address} (DOCKER_HOST). Start it (on Linux: "
        "`sudo systemctl start docker`, elsewhere: start Docker Desktop). Or use `--runner process`.\n"
    )


@pytest.mark.sandbox
def test_an_image_that_cannot_be_had(cli: Cli, write: Write) -> None:
    step = processing("Use")
    step["Arguments"]["AppSpecification"]["ImageUri"] = "111122223333.dkr.ecr.us-east-1.amazonaws.com/mine:1"
    for command in ("run", "check"):  # whatever Python runs scripts
        text = refused(cli, command, write(pipeline(step)), "--runner", "process", "--python", sys.executable, status=3)
        assert text.startswith("Image 111122223333.dkr.ecr.us-east-1.amazonaws.com/mine:1: step 'Use': ")
        assert "name a Python that serves it (setting `unknown_image_python`)" in text


@pytest.mark.sandbox
def test_all_images_that_cannot_be_had_are_told_at_once(cli: Cli, write: Write) -> None:
    steps = [processing(name) for name in ("Use", "UseAgain", "UseOther")]
    for step, image in zip(steps, ("mine:1", "mine:1", "other:1"), strict=True):
        step["Arguments"]["AppSpecification"]["ImageUri"] = image
    text = refused(cli, "check", write(pipeline(*steps)), "--runner", "process", status=3)
    heading, *lines = text.splitlines()
    assert heading == "Images cannot be had (2):"
    assert [line.split(": ")[:2] for line in lines] == [["  mine:1", "step 'Use'"], ["  other:1", "step 'UseOther'"]]


@pytest.mark.sandbox
def test_an_unknown_image_is_served_by_the_python_that_the_settings_name(
    cli: Cli, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = processing("Use")
    step["Arguments"]["AppSpecification"]["ImageUri"] = "mine:1"
    monkeypatch.setenv("LOCALPIPE_UNKNOWN_IMAGE_PYTHON", sys.executable)
    ended = cli("run", write(pipeline(step)), "--runner", "process", "--json")
    assert (ended.status, ended.document["PipelineExecutionStatus"]) == (0, "Succeeded")


def test_arguments_of_get_pipeline(cli: Cli, place: Path, write: Write) -> None:
    (place / "pipeline.py").write_text("def get_pipeline(size):\n    raise ValueError(size)\n")
    assert refused(cli, "check", "pipeline.py", "--arg", "size=3").endswith("ValueError: 3\n")
    assert refused(cli, "check", "pipeline.py", "--arg", "siez=3") == (
        "get_pipeline() of pipeline.py does not take siez. It takes: size.\n"
    )
    assert refused(cli, "check", "pipeline.py", "--arg", "size") == "Argument 'size' is not of the form Name=Value.\n"
    assert refused(cli, "graph", write(decision()), "--arg", "a=1") == ("Only a script (.py, .ipynb) takes --arg.\n")


def test_a_parameter_that_cannot_be_in_a_request(cli: Cli, write: Write) -> None:
    step = processing("Use")
    step["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = {"Get": "Parameters.Hosts"}
    hosts = {"Name": "Hosts", "Type": "Integer", "DefaultValue": 1}
    assert refused(cli, "run", write(pipeline(step, parameters=(hosts,))), "-p", "Hosts=101") == (
        "The pipeline definition has problems:\n"
        "  $.Steps[0].Arguments.ProcessingResources.ClusterConfig.InstanceCount: Model Validation failed: Value '101' for "
        "'ProcessingInstanceCount' failed to satisfy constraint: at most 100.\n"
    )


def test_a_broken_script_shows_the_authors_traceback(cli: Cli, place: Path) -> None:
    (place / "pipeline.py").write_text("def get_pipeline():\n    raise ValueError('no data')\n\nget_pipeline()\n")
    text = refused(cli, "run", "pipeline.py")
    assert text.startswith("pipeline.py failed:\nTraceback (most recent call last):\n")
    assert text.endswith("    raise ValueError('no data')\nValueError: no data\n")
    assert "localpipe" not in text


def test_what_a_script_prints_is_not_on_standard_output(cli: Cli, place: Path) -> None:
    (place / "pipeline.py").write_text("print('hello')\n")
    ended = cli("run", "pipeline.py", "--json")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("hello\n")


def test_a_home_that_cannot_be_written(cli: Cli, write: Write, place: Path) -> None:
    (place / "file").write_text("")
    assert refused(cli, "run", write(decision()), "--home", "file", status=3) == (
        f"The home {place}/file cannot be written: File exists. Name another by --home or LOCALPIPE_HOME.\n"
    )


@pytest.mark.sandbox
def test_a_read_only_home_can_be_looked_at(cli: Cli, write: Write, place: Path) -> None:
    definition = write(decision(else_steps=(model("Keep"),)))
    home = f"{place}/.localpipe"
    cli("run", definition)
    read_only = ["bwrap", "--dev-bind", "/", "/", "--ro-bind", home, home, sys.executable, "-m", "localpipe"]
    shown = subprocess.run([*read_only, "show", "last", "--json"], capture_output=True, text=True, check=True)
    assert shown.stdout == cli("show", "last", "--json").out
    models = subprocess.run([*read_only, "models", "--json"], capture_output=True, text=True, check=True)
    assert models.stdout == cli("models", "--json").out
    assert "ModelArn" in models.stdout
    run = subprocess.run([*read_only, "run", definition], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (3, "")
    assert run.stderr == (
        f"Error: The home {home} cannot be written: you may not write to it, or it is on a read-only file system. "
        "Name another by --home or LOCALPIPE_HOME.\n"
    )


def test_a_graph_needs_no_home(cli: Cli, write: Write, place: Path) -> None:
    (place / "file").write_text("")
    shown = cli("graph", write(decision()), "--home", "file")
    assert (shown.status, shown.out) == (0, "Check (Condition)\n  [Check → IfSteps]\n    TooHigh (Fail)\n")
    assert cli("graph", "pipe.json").status == 0
    assert not (place / ".localpipe").exists()


def test_executions_and_steps_that_are_not_there(cli: Cli, write: Write, place: Path) -> None:
    assert refused(cli, "show", "last") == (
        "There is no execution 'last'. No pipeline has run here yet; another home is named by --home.\n"
    )
    assert not (place / ".localpipe").exists()
    cli("run", write(decision(else_steps=(model("Keep"),))))
    assert refused(cli, "logs", "nope", "Check") == (
        f"There is no execution 'nope'. `localpipe ls` lists those of {place}/.localpipe; another home is named by --home.\n"
    )
    assert refused(cli, "logs", "last", "Chek") == "There is no step 'Chek'. Did you mean 'Check'?\n"
    assert "has not started in execution" in refused(cli, "logs", "last", "TooHigh")
    assert refused(cli, "logs", "last", "Keep") == "Step 'Keep' has no log: a Model step runs no container.\n"
    assert (
        refused(cli, "shell", "last", "Keep")
        == "There is nothing to enter in step 'Keep': a Model step runs no container.\n"
    )
    assert "There is no step 'Nope'." in refused(cli, "artifacts", "last", "Nope")


def test_settings(cli: Cli, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "localpipe.toml").write_text('runer = "docker"\n')
    assert refused(cli, "ls") == f"Unknown key in {place}/localpipe.toml: runer. Did you mean runner?\n"
    (place / "localpipe.toml").unlink()
    monkeypatch.setenv("LOCALPIPE_RUNER", "docker")
    assert refused(cli, "ls") == "Unknown environment variable: LOCALPIPE_RUNER. Did you mean LOCALPIPE_RUNNER?\n"


def test_commands_and_options_that_are_not_there(cli: Cli) -> None:
    assert refused(cli, "rn") == "No such command 'rn'. Did you mean 'run'?\n"
    assert "--jsn" in refused(cli, "run", "x.json", "--jsn")
    assert refused(cli, "run") == "Missing argument 'TARGET'.\n"


def test_a_name_is_made_to_fit_as_that_of_a_file_is(cli: Cli, write: Write) -> None:
    shown = cli("check", write(decision()), "--name", "a b_c--", "--json")
    assert (shown.status, shown.document["PipelineName"]) == (0, "a-b-c")


def test_all_problems_are_told_at_once(cli: Cli, write: Write) -> None:
    definition = pipeline(fail("A", "x"), {"Name": "B", "Type": "Nonsense"}, {"Name": "A", "Type": "Fail", "Arguments": {}})
    text = refused(cli, "check", write(definition))
    assert "$.Steps[1]" in text
    assert "$.Steps[2]" in text

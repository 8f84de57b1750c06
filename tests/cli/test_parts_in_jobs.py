"""Parts of a pipeline whose steps run jobs and hand on files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands import Cli, Write
from support import output_of, pipeline, processing

if TYPE_CHECKING:
    from localpipe.core import JSON

pytestmark = pytest.mark.sandbox


SCRIPTS = Path(__file__).parents[1] / "authoring" / "scripts"


def step(name: str, program: str, **more: JSON) -> JSON:
    made = processing(name, **more)
    made["Arguments"]["AppSpecification"]["ContainerEntrypoint"] = ["python3", "-c", program]
    return made


def three_steps(word: str = "made") -> JSON:
    files = [{"PropertyFileName": "Report", "OutputName": "report", "FilePath": "r.json"}]
    conditions = [
        {
            "Type": "Equals",
            "LeftValue": {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Judge.PropertyFiles.Report"}, "Path": "word"}},
            "RightValue": "made",
        }
    ]
    return pipeline(
        step("Make", f"open('/opt/ml/processing/data/w', 'w').write({word!r})", outputs=("data",)),
        step(
            "Judge",
            "import json; json.dump({'word': open('/opt/ml/processing/in/w').read()}, "
            "open('/opt/ml/processing/report/r.json', 'w'))",
            inputs={"in": output_of("Make", "data")},
            outputs=("report",),
            PropertyFiles=files,
        ),
        {
            "Name": "Check",
            "Type": "Condition",
            "Arguments": {
                "Conditions": conditions,
                "IfSteps": [step("Good", "print('good')")],
                "ElseSteps": [step("Bad", "print('bad')")],
            },
        },
    )


def started(document: JSON) -> list[str]:
    return [row["StepName"] for row in document["Steps"] if "SelectiveExecutionResult" not in row]


def test_files_and_property_files_come_from_the_source(cli: Cli, write: Write) -> None:
    write(three_steps())
    assert cli("run", "pipe.json", "--runner", "process").status == 0
    write(three_steps("made anew"))
    assert started(cli("run", "pipe.json", "--runner", "process", "--only", "Judge", "--json").document) == ["Judge"]
    assert started(cli("run", "pipe.json", "--runner", "process", "--from", "Check", "--json").document) == ["Check", "Good"]
    assert "good" in cli("logs", "last", "Good").out
    log = cli("run", "pipe.json", "--runner", "process", "--from", "Make", "--json")
    assert started(log.document) == ["Make", "Judge", "Check", "Bad"]


def test_outputs_of_the_source_that_are_gone_are_named(cli: Cli, write: Write, place: Path) -> None:
    write(three_steps())
    source = cli("run", "pipe.json", "--runner", "process", "--json").document["PipelineExecutionArn"].rpartition("/")[2]
    shutil.rmtree(place / ".localpipe" / "s3" / "bucket" / "Make")
    ended = cli("run", "pipe.json", "--runner", "process", "--from", "Judge")
    assert (ended.status, ended.err) == (
        2,
        (
            "Error: The pipeline definition has problems:\n"
            "  $.Steps[1].Arguments.ProcessingInputs[0].S3Input.S3Uri: step 'Judge': input 'in' has no objects under "
            f"s3://bucket/Make/data, and no step writes there. Step 'Make' wrote there in execution {source}, and it is "
            "gone: let 'Make' run too.\n"
        ),
    )


def test_a_part_whose_inputs_are_given_needs_no_earlier_run(cli: Cli, write: Write, place: Path) -> None:
    write(three_steps())
    (place / "w").write_text("mine")
    cli("s3", "cp", "w", "s3://given/data/w")
    given = "Steps.Make.ProcessingOutputConfig.Outputs[data].S3Output.S3Uri=s3://given/data"
    ended = cli("run", "pipe.json", "--runner", "process", "--from", "Judge", "--set", given, "--json")
    assert started(ended.document) == ["Judge", "Check", "Bad"]
    report = 'Steps.Judge.PropertyFiles.Report={"word": "made"}'
    ended = cli("run", "pipe.json", "--runner", "process", "--from", "Check", "--set", report, "--json")
    assert started(ended.document) == ["Check", "Good"]
    ended = cli("shell", "last", "Judge")
    assert "There is nothing to enter in step 'Judge': it was not done here; not selected: " in ended.err


def test_images_and_inputs_of_what_does_not_run_are_not_looked_at(cli: Cli, write: Write) -> None:
    unknown = step("Lacking", "pass", inputs={"in": "s3://nowhere/at-all"})
    unknown["Arguments"]["AppSpecification"]["ImageUri"] = "111122223333.dkr.ecr.us-east-1.amazonaws.com/none:1"
    write(pipeline(unknown, step("Fine", "pass")))
    assert cli("run", "pipe.json", "--runner", "process").status in {2, 3}
    assert cli("run", "pipe.json", "--runner", "process", "--only", "Fine").status == 0


@pytest.mark.slow
@pytest.mark.parametrize("sdk", ["v2", "v3"])
def test_a_script_starts_its_pipeline_selectively_after_the_latest_execution(cli: Cli, sdk: str) -> None:
    python = os.environ.get(f"LOCALPIPE_TEST_SDK_{sdk.upper()}")
    if not python:
        pytest.skip(f"LOCALPIPE_TEST_SDK_{sdk.upper()} names no Python with that SDK")
    run = ["run", str(SCRIPTS / f"select_{sdk}.py"), "--runner", "process", "--python", python, "--json"]
    assert started(cli(*run).document) == ["First", "Second"]
    ended = cli(*run, "--env", "SELECT=Second")
    assert started(ended.document) == ["Second"]
    assert "Steps that the script selects: Second." in ended.err
    assert "\nParameter  Alpha = 2\n" in cli("show", "last").out
    assert started(cli(*run, "--env", "SELECT=Second", "--until", "First").document) == ["First"]

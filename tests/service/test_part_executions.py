"""Parts of a pipeline: what is written down of them, and how they go on in another process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import IMAGE, ROLE, output_of, pipeline, processing

import localpipe
from localpipe.core.names import S3Uri
from localpipe.core.ports import Runner
from localpipe.errors import DefinitionError, UsageError
from localpipe.journal.lease import driving
from localpipe.runners.scripted import ScriptedRunner
from localpipe.scheduling.events import ExecutionStarted, StepReused, StopRequested
from localpipe.service.executions import PipelineExecution, describe_pipeline_execution, drive, start_pipeline_execution
from localpipe.service.parts import WHOLE, Part, asked_part
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from localpipe.core import JSON


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = Home(load_settings({"home": str(tmp_path / "home")}, {}, tmp_path))
    yield opened
    opened.close()


def keeping(name: str, *after: str) -> JSON:
    arguments = {"ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://b/model.tar.gz"}}
    return {"Name": name, "Type": "Model", "Arguments": arguments, "DependsOn": list(after)}


CHAIN = pipeline(keeping("A"), keeping("B", "A"), keeping("C", "B"))


def started(home: Home, part: Part = WHOLE, definition: JSON = CHAIN, runner: Runner | None = None) -> PipelineExecution:
    ready = preflight(home, definition, "test", {}, runner=runner or ScriptedRunner(), part=part)
    return describe_pipeline_execution(home, start_pipeline_execution(home, ready))


def ended(home: Home, part: Part = WHOLE, definition: JSON = CHAIN, runner: Runner | None = None) -> PipelineExecution:
    return drive(started(home, part, definition, runner), lambda _: None, runner or ScriptedRunner())


def statuses(execution: PipelineExecution) -> dict[str, str]:
    return {name: step.status.value for name, step in execution.state.steps.items()}


def test_what_is_reused_is_written_down_with_the_start(home: Home) -> None:
    source = ended(home)
    part = started(home, Part(only="C"))
    first, *reused = [fact.event for fact in home.journal.read(part.name.execution_id)]
    assert isinstance(first, ExecutionStarted)
    assert first.selection == {"SourcePipelineExecutionArn": source.name.arn, "SelectedSteps": [{"StepName": "C"}]}
    assert [(fact.step, fact.by, fact.source) for fact in reused if isinstance(fact, StepReused)] == [
        ("A", "selection", source.name.arn),
        ("B", "selection", source.name.arn),
    ]


def test_another_process_goes_on_with_a_part(home: Home, tmp_path: Path) -> None:
    ended(home)
    execution_id = started(home, Part(first="B", until="B")).name.execution_id
    other = Home(load_settings({"home": str(tmp_path / "home")}, {}, tmp_path))
    execution = drive(describe_pipeline_execution(other, execution_id), lambda _: None, ScriptedRunner())
    assert (execution.status, statuses(execution)) == ("Succeeded", {"A": "Succeeded", "B": "Succeeded"})
    assert list(execution.pipeline.steps) == ["A", "B"]
    other.close()


def test_an_execution_that_goes_on_is_no_source(home: Home) -> None:
    execution_id = started(home).name.execution_id
    resume = f"`localpipe resume {execution_id}` goes on with it"
    with pytest.raises(
        UsageError, match=f"{execution_id} was interrupted: only one that has ended can be a source. {resume}"
    ):
        preflight(home, CHAIN, "test", {}, runner=ScriptedRunner(), part=Part(only="B"))
    is_executing = f"Execution {execution_id} is Executing: only one that has ended can be a source"
    with driving(home.execution_dir(execution_id)), pytest.raises(UsageError, match=is_executing):
        started(home, Part(only="B"))


def test_a_stopped_execution_is_a_source(home: Home) -> None:
    first = ended(home, Part(until="A"))
    second = started(home, Part(first="B", source=first.name.arn))
    home.journal.append(second.name.execution_id, [StopRequested()])
    stopped = drive(second, lambda _: None, ScriptedRunner())
    assert stopped.status == "Stopped"
    assert ended(home, Part(only="B")).status == "Succeeded"


def test_steps_that_a_source_has_reused_itself_can_be_reused(home: Home) -> None:
    ended(home)
    middle = ended(home, Part(only="C"))
    again = ended(home, Part(only="C"))
    reused = again.state.steps["B"].attempts[0].reused
    assert reused
    assert reused.source == middle.name.arn


def test_a_reference_to_what_the_source_does_not_have_is_refused(home: Home) -> None:
    made = processing("Make", outputs=("one",))
    home.store.put(S3Uri("bucket", "Make/one/x"), b"1")
    ended(home, definition=pipeline(made), runner=ScriptedRunner())
    definition = pipeline(
        processing("Make", outputs=("one", "two")), processing("Use", inputs={"in": output_of("Make", "two")})
    )
    with pytest.raises(DefinitionError) as error:
        started(home, Part(only="Use"), definition)
    told = str(error.value)
    assert "$.Steps[1].Arguments.ProcessingInputs[0].S3Input.S3Uri: step 'Make' has no such value in execution " in told
    option = "--set \"Steps.Make.ProcessingOutputConfig.Outputs['two'].S3Output.S3Uri=VALUE\""
    assert f"has no member 'two'. Choose one of 'one'. Let step 'Make' run too, or give the value: {option}" in told


def test_the_users_part_wins_over_the_scripts() -> None:
    config = {"SelectedSteps": [{"StepName": "A"}, {"StepName": "A"}], "SourcePipelineExecutionArn": "arn"}
    assert asked_part(WHOLE, config) == Part(select=("A",), source="arn")
    assert asked_part(Part(only="B"), config) == Part(only="B")
    assert asked_part(WHOLE, None) == WHOLE


def test_more_steps_than_the_service_takes_are_refused(home: Home) -> None:
    steps = [keeping(f"S{number}") for number in range(51)]
    with pytest.raises(UsageError, match=r"51 steps are selected; at most 50 may be\."):
        started(home, Part(select=tuple(f"S{number}" for number in range(51))), pipeline(*steps))


def test_a_part_is_asked_for_in_python(tmp_path: Path) -> None:
    localpipe.run(CHAIN, home=tmp_path)
    execution = localpipe.run(CHAIN, home=tmp_path, part=localpipe.Part(only="C"))
    assert [row.get("SelectiveExecutionResult") is not None for row in execution.document["Steps"]] == [True, True, False]
    with pytest.raises(UsageError, match=r"Invalid SourcePipelineExecutionArn: null\. The selected steps \[C\] have"):
        localpipe.check(CHAIN, home=tmp_path, part=localpipe.Part(select=("C",)))

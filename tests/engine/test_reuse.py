"""Steps that are answered from earlier results: what the author of a pipeline with CacheConfig relies on."""

from __future__ import annotations

import bz2
import os
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
from support import IMAGE, PROCESSING, output_of, pipeline, processing

from localpipe.core.faults import parse_fault
from localpipe.core.names import S3Uri
from localpipe.engine.reuse import objects_under
from localpipe.errors import StoreError
from localpipe.runners.scripted import ScriptedContainer, ScriptedRunner
from localpipe.scheduling.events import AttemptStarted, CacheChecked, JobLaunched, MessageSent, StepSucceeded
from localpipe.service.callbacks import send_pipeline_execution_step_success
from localpipe.service.cleaning import remove_execution
from localpipe.service.executions import (
    PipelineExecution,
    describe_pipeline_execution,
    drive,
    retry_pipeline_execution,
    start_pipeline_execution,
)
from localpipe.service.explain import explain
from localpipe.service.preflight import preflight
from localpipe.service.results import results_of
from localpipe.service.wiring import Home
from localpipe.settings import load_settings
from localpipe.store import state_of

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.scheduling.events import Event, Recorded

RAW = "s3://bucket/raw/data.csv"
CACHED = {"Enabled": True, "ExpireAfter": "30d"}
Opened = Callable[[str], Home]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """The same home, opened with a setting of `cache`."""
    homes: list[Home] = []

    def open_it(cache: str = "service") -> Home:
        home = Home(load_settings({"home": str(tmp_path / "home"), "cache": cache}, {}, tmp_path))
        homes.append(home)
        return home

    open_it().store.put(S3Uri.parse(RAW), b"1,2\n")
    yield open_it
    for home in homes:
        home.close()


def prepare(container: ScriptedContainer) -> int:
    container.write(PurePosixPath(PROCESSING) / "clean/x.txt", "clean")
    return 0


def run(home: Home, definition: JSON, *, name: str = "p", **behaviours: object) -> tuple[PipelineExecution, list[str]]:
    """The ended execution and the names of the steps whose jobs ran."""
    runner = ScriptedRunner({"Prep": prepare, **behaviours})
    ready = preflight(home, definition, name, {}, runner=runner)
    execution = describe_pipeline_execution(home, start_pipeline_execution(home, ready))
    ended = drive(execution, lambda fact: None, runner)
    return ended, [key.step for key in runner.started]


def two_steps(cache: JSON | None = CACHED, *, raw: str = RAW) -> JSON:
    more = {"CacheConfig": cache} if cache else {}
    return pipeline(
        processing("Prep", inputs={"raw": raw}, outputs=("clean",), **more),
        processing("Train", inputs={"in": output_of("Prep", "clean")}, **more),
    )


def row(execution: PipelineExecution, step: str) -> JSON:
    return next(each for each in execution.document()["Steps"] if each["StepName"] == step)


def verdict(execution: PipelineExecution, step: str, by: str = "service") -> str:
    rows = explain(execution, step).document["Comparisons"]
    return next(each["Verdict"] for each in rows if each["By"] == by)


def test_an_equal_step_is_not_done_and_is_the_original_job(opened: Opened) -> None:
    home = opened("service")
    first, did = run(home, two_steps())
    second, did_then = run(home, two_steps())
    assert (did, did_then) == (["Prep", "Train"], [])
    found, original = row(second, "Prep"), row(first, "Prep")
    assert (found["StepStatus"], found["AttemptCount"]) == ("Succeeded", 1)
    assert found["CacheHitResult"] == {"SourcePipelineExecutionArn": first.name.arn}
    assert "CacheHitResult" not in original
    for member in ("Metadata", "Properties", "LogFiles"):
        assert found[member] == original[member]


class Untouched(ScriptedRunner):
    """A runner whose engine must not be asked for anything once an execution is under way."""

    def sweep(self, keep: object) -> int:
        raise AssertionError("nothing was started that could be left behind")

    def tidy(self) -> None:
        raise AssertionError("nothing was started")


def test_where_all_is_answered_no_engine_is_asked(opened: Opened) -> None:
    home = opened("service")
    run(home, two_steps())
    runner = Untouched(prepares_ahead=True)
    ready = preflight(home, two_steps(), "p", {}, runner=runner)
    ended = drive(describe_pipeline_execution(home, start_pipeline_execution(home, ready)), lambda fact: None, runner)
    assert ended.status == "Succeeded"


def test_the_source_of_a_hit_on_a_hit_is_the_execution_that_did_the_step(opened: Opened) -> None:
    home = opened("service")
    first, _ = run(home, two_steps())
    run(home, two_steps())
    third, _ = run(home, two_steps())
    assert row(third, "Train")["CacheHitResult"]["SourcePipelineExecutionArn"] == first.name.arn


def test_what_the_service_does_not_compare_changes_nothing(opened: Opened) -> None:
    home = opened("service")
    run(home, two_steps())
    other = deepcopy(two_steps({"Enabled": True}))
    arguments = other["Steps"][0]["Arguments"]
    arguments["ProcessingResources"]["ClusterConfig"] = {
        "InstanceCount": 2, "InstanceType": "ml.c5.xlarge", "VolumeSizeInGB": 99,
    }  # fmt: skip
    arguments["RoleArn"] = "arn:aws:iam::111122223333:role/other"
    arguments["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = "s3://bucket/elsewhere"
    arguments["StoppingCondition"] = {"MaxRuntimeInSeconds": 77}
    arguments["Tags"] = [{"Key": "a", "Value": "b"}]
    home.store.put(S3Uri.parse(RAW), b"other content")
    _, did = run(home, other)
    assert did == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("AppSpecification", "ContainerEntrypoint"), ["python3", "-c", "print()"]),
        (
            ("AppSpecification", "ImageUri"),
            IMAGE.replace("1.2-1", "1.0-1"),
        ),
        (("Environment",), {"A": "1"}),
        (("ProcessingInputs", 0, "S3Input", "LocalPath"), "/opt/ml/processing/other"),
        (("ProcessingInputs", 0, "S3Input", "S3Uri"), "s3://bucket/raw/"),
    ],
)
def test_what_the_service_compares_makes_the_step_be_done_and_is_named(
    opened: Opened, path: tuple[str | int, ...], value: JSON
) -> None:
    home = opened("service")
    run(home, two_steps())
    other = two_steps()
    place = other["Steps"][0]["Arguments"]
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    ended, did = run(home, other)
    assert did == ["Prep"]  # what follows has the same arguments, and the service looks at no content
    changed = explain(ended, "Prep").document["Comparisons"][0]["Changes"]
    assert [each["Path"].startswith(str(path[0])) for each in changed] == [True]


def test_results_belong_to_one_pipeline_and_one_step_name(opened: Opened) -> None:
    home = opened("service")
    run(home, two_steps())
    _, did = run(home, two_steps(), name="another")
    renamed = pipeline(processing("Prepare", inputs={"raw": RAW}, outputs=("clean",), CacheConfig=CACHED))
    _, did_renamed = run(home, renamed, Prepare=prepare)
    assert (did, did_renamed) == (["Prep", "Train"], ["Prepare"])


def test_a_step_that_failed_is_no_result_and_one_of_a_failed_execution_is(opened: Opened) -> None:
    home = opened("service")
    failed, _ = run(home, two_steps(), Train=lambda _: 1)
    assert failed.status == "Failed"
    _, did = run(home, two_steps())
    assert did == ["Train"]


@pytest.mark.parametrize("cache", [None, {"Enabled": False}, {"Enabled": False, "ExpireAfter": "30d"}])
def test_a_step_without_an_enabled_config_is_done_and_explain_says_what_it_would_have_been(
    opened: Opened, cache: JSON | None
) -> None:
    home = opened("service")
    first, _ = run(home, two_steps(cache))
    ended, did = run(home, two_steps(cache))
    assert did == ["Prep", "Train"]
    explanation = explain(ended, "Prep")
    assert verdict(ended, "Prep") == "Hit"
    assert explanation.document["Comparisons"][0]["Counts"] is False
    assert explanation.comparisons[0].sentence.startswith(
        "On the service it would have been done, with a CacheConfig that is Enabled it would not: "
        f"it is equal to execution {first.name.execution_id} (ended "
    )


def test_a_result_of_a_run_without_caching_counts_later(opened: Opened) -> None:
    run(opened("off"), two_steps())
    second, did = run(opened("off"), two_steps())
    assert did == ["Prep", "Train"]
    assert explain(second, "Prep").outcome == "Step Prep was done. Caching is off for this execution (--cache off)."
    third, did = run(opened("service"), two_steps())
    assert did == []
    assert row(third, "Prep")["CacheHitResult"]["SourcePipelineExecutionArn"] == second.name.arn, "the newest wins"


def test_a_result_that_is_too_old_is_not_taken(opened: Opened) -> None:
    home = opened("service")
    run(home, two_steps())
    ended, did = run(home, two_steps({"Enabled": True, "ExpireAfter": "PT0S"}))
    assert did == ["Prep", "Train"]
    assert verdict(ended, "Prep") == "Expired"


def test_a_result_whose_outputs_were_removed_is_not_taken(opened: Opened) -> None:
    home = opened("service")
    run(home, two_steps())
    home.store.delete(S3Uri("bucket", "Prep/clean/x.txt"))
    ended, did = run(home, two_steps())
    assert did == ["Prep"]
    assert verdict(ended, "Prep") == "Gone"


def test_the_results_of_a_removed_execution_are_forgotten(opened: Opened) -> None:
    home = opened("service")
    first, _ = run(home, two_steps())
    assert remove_execution(home, first.name.execution_id)
    ended, did = run(home, two_steps())
    assert did == ["Prep", "Train"]
    assert verdict(ended, "Prep") == "First"


def test_a_step_that_a_fault_is_asked_for_is_done(opened: Opened) -> None:
    home = opened("service")
    run(home, two_steps())
    runner = ScriptedRunner({"Prep": prepare})
    ready = preflight(home, two_steps(), "p", {}, runner=runner, faults=[parse_fault("Train=Step.THROTTLING")])
    execution = describe_pipeline_execution(home, start_pipeline_execution(home, ready))
    ended = drive(execution, lambda fact: None, runner)
    assert [(key.step, key.attempt) for key in runner.started] == [("Train", 2)]
    assert explain(ended, "Train").outcome == "Step Train was done. A fault is asked for it (--fault)."


def test_a_retried_execution_takes_what_another_has_done_meanwhile(opened: Opened) -> None:
    home = opened("service")
    failed, _ = run(home, two_steps(), Train=lambda _: 1)
    done, _ = run(home, two_steps())
    runner = ScriptedRunner()
    again = drive(failed, lambda fact: None, runner, first=lambda: retry_pipeline_execution(home, failed.name.execution_id))
    assert (again.status, runner.started) == ("Succeeded", [])
    assert row(again, "Train")["CacheHitResult"] == {"SourcePipelineExecutionArn": done.name.arn}
    assert row(again, "Train")["AttemptCount"] == 2


def test_an_execution_that_was_killed_between_the_check_and_the_answer_is_answered(opened: Opened) -> None:
    home = opened("service")
    first, _ = run(home, two_steps())
    ready = preflight(home, two_steps(), "p", {}, runner=ScriptedRunner())
    execution_id = start_pipeline_execution(home, ready)
    home.journal.append(
        execution_id,
        [AttemptStarted("Prep", 1, "job"), CacheChecked("Prep", 1, "service", "k", "s", {}, "Hit", first.name.arn, 1.0)],
    )
    runner = ScriptedRunner()
    ended = drive(describe_pipeline_execution(home, execution_id), lambda fact: None, runner)
    assert (ended.status, runner.started) == ("Succeeded", [])


def test_a_step_whose_job_ran_when_localpipe_was_killed_is_found_later_by_what_was_compared_then(opened: Opened) -> None:
    home = opened("service")
    ready = preflight(home, two_steps(), "p", {}, runner=ScriptedRunner())
    execution_id = start_pipeline_execution(home, ready)
    check = CacheChecked("Prep", 1, "service", "then", "step", {}, "First")
    home.journal.append(execution_id, [AttemptStarted("Prep", 1, "job"), check, JobLaunched("Prep", 1)])
    drive(describe_pipeline_execution(home, execution_id), lambda fact: None, ScriptedRunner({"Prep": prepare}))
    found = home.journal.newest_result("then")
    assert found is not None
    assert found.execution_id == execution_id


def test_a_property_file_that_is_declared_by_now_is_read_from_the_earlier_outputs(opened: Opened) -> None:
    home = opened("service")
    run(home, two_steps())
    declared = two_steps()
    declared["Steps"][0]["PropertyFiles"] = [
        {"PropertyFileName": "R", "OutputName": "clean", "FilePath": "x.txt"},
        {"PropertyFileName": "None", "OutputName": "clean", "FilePath": "none.txt"},
    ]
    ended, did = run(home, declared)
    assert did == []
    assert ended.state.steps["Prep"].property_files == {"R": "clean"}


def test_contents_decide_where_they_are_asked_for(opened: Opened) -> None:
    home = opened("content")
    run(home, two_steps(None))
    home.store.put(S3Uri("bucket", "moved/data.csv"), b"1,2\n")
    ended, did = run(home, two_steps(None, raw="s3://bucket/moved/data.csv"))
    assert did == []
    assert verdict(ended, "Prep") == "Changed"
    home.store.put(S3Uri.parse(RAW), b"3,4\n")
    ended, did = run(home, two_steps(None))
    assert did == ["Prep"], "the next step's input is the same again"
    (changed,) = explain(ended, "Prep").document["Comparisons"][0]["Changes"]
    assert (changed["Path"], changed["Name"]) == ("ProcessingInputs['raw'].S3Input.S3Uri", RAW)


def test_an_input_that_is_a_damaged_archive_is_compared_by_its_bytes(opened: Opened) -> None:
    home = opened("content")
    damaged = bz2.compress(bytes(50_000))[:-20]
    home.store.put(S3Uri("bucket", "raw/data.tar"), damaged)
    definition = two_steps(None, raw="s3://bucket/raw/data.tar")
    assert run(home, definition)[1] == ["Prep", "Train"]
    assert run(home, definition)[1] == []
    home.store.put(S3Uri("bucket", "raw/data.tar"), damaged[:-1])
    assert run(home, definition)[1] == ["Prep"]


def test_a_step_whose_input_cannot_be_read_fails_and_the_others_go_on(opened: Opened) -> None:
    memory = Path("/proc/self/mem")
    if not memory.exists():
        pytest.skip("a file that root cannot read either is needed")
    home = opened("content")
    data = home.store.put(S3Uri("bucket", "odd/data.csv"), b"1")
    data.path.unlink()
    data.path.symlink_to(memory)
    odd = processing("Odd", inputs={"raw": "s3://bucket/odd/data.csv"})
    ended, did = run(home, pipeline(odd, processing("Prep", inputs={"raw": RAW}, outputs=("clean",))))
    assert did == ["Prep"]
    reason = ended.state.steps["Odd"].reason
    assert reason == f"ClientError: s3://bucket/odd/data.csv cannot be read: {data.path}: Input/output error."


def test_contents_are_not_compared_where_the_author_forbids_it(opened: Opened) -> None:
    home = opened("content")
    run(home, two_steps({"Enabled": False}))
    ended, did = run(home, two_steps({"Enabled": False}))
    assert did == ["Prep", "Train"]
    assert explain(ended, "Prep").outcome == "Step Prep was done. The step's CacheConfig is not Enabled."


def test_a_result_whose_place_something_else_has_taken_counts_for_the_service_alone(opened: Opened) -> None:
    run(opened("content"), two_steps())
    opened("content").store.put(S3Uri("bucket", "Prep/clean/x.txt"), b"something else")
    ended, did = run(opened("content"), two_steps())
    assert did == ["Prep"]
    assert verdict(ended, "Prep", "content") == "Overwritten"
    opened("content").store.put(S3Uri("bucket", "Prep/clean/x.txt"), b"something else")
    _, did = run(opened("service"), two_steps())
    assert did == []


def replaced(home: Home, content: bytes) -> None:
    """Have another content in the output of Prep, of the same time."""
    file = home.store.head(S3Uri("bucket", "Prep/clean/x.txt"))
    assert file is not None
    times = file.path.stat()
    file.path.chmod(0o600)
    file.path.write_bytes(content)
    os.utime(file.path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_place_that_something_of_the_same_size_and_time_has_taken_is_seen(opened: Opened) -> None:
    home = opened("content")
    run(home, two_steps())
    output = home.store.head(S3Uri("bucket", "Prep/clean/x.txt"))
    assert output is not None
    replaced(home, b"?" * output.size)
    ended, did = run(home, two_steps())
    assert did[:1] == ["Prep"]
    assert verdict(ended, "Prep", "content") == "Overwritten"


def test_a_result_stands_where_its_outputs_hold_the_same_however_they_came_there(opened: Opened) -> None:
    home = opened("content")
    run(home, two_steps())
    output = home.store.head(S3Uri("bucket", "Prep/clean/x.txt"))
    assert output is not None
    home.store.put(S3Uri("bucket", "Prep/clean/x.txt"), output.path.read_bytes())
    _, did = run(home, two_steps())
    assert did == []


def test_an_output_that_an_earlier_version_marked_is_known_by_its_size_and_time(opened: Opened) -> None:
    home = opened("content")
    ended, _ = run(home, two_steps())
    events = [fact.event for fact in home.journal.read(ended.name.execution_id)]
    home.journal.append("anearlierone", [marked_as_before(event, home) for event in events])
    again, did = run(home, two_steps())
    assert did == []
    assert row(again, "Prep")["CacheHitResult"]["SourcePipelineExecutionArn"].endswith("/anearlierone")
    home.store.put(S3Uri("bucket", "Prep/clean/x.txt"), b"something else")
    assert run(home, two_steps())[1][:1] == ["Prep"]


def test_a_result_whose_outputs_cannot_be_read_is_not_found_again(opened: Opened) -> None:
    def unreadable(objects: object) -> str:
        raise StoreError("AccessDenied", "no")

    home = opened("content")
    ended, _ = run(home, two_steps())
    results = replace(results_of(ended.name, home, ScriptedRunner()), contents=unreadable)
    end = StepSucceeded("Prep", 1, {}, keys=("key",))
    assert results.marked(end, ["s3://bucket/Prep/clean"]) == replace(end, keys=())


def marked_as_before(event: Event, home: Home) -> Event:
    """The fact as earlier versions wrote it, by the sizes and times of the outputs."""
    if not isinstance(event, StepSucceeded):
        return event
    marks = {uri: state_of(objects_under(S3Uri.parse(uri), home.store)) for uri in event.published}
    return replace(event, published=marks)


def test_what_the_service_leaves_out_counts_among_contents(opened: Opened) -> None:
    home = opened("content")
    run(home, two_steps(None))
    more = two_steps(None)
    more["Steps"][0] = processing("Prep", inputs={"raw": RAW}, outputs=("clean", "log"))
    _, did = run(home, more)
    assert did == ["Prep"], "later steps may need an output that there was not before"


def test_a_callback_that_was_answered_is_not_asked_again(opened: Opened) -> None:
    home = opened("content")
    asked = {
        "Name": "Ask",
        "Type": "Callback",
        "SqsQueueUrl": "https://sqs.us-east-1.amazonaws.com/111122223333/people",
        "Arguments": {"number": 5},
        "OutputParameters": [{"OutputName": "ok", "OutputType": "Boolean"}],
        "CacheConfig": CACHED,
    }
    messages: list[MessageSent] = []

    def answer(fact: Recorded) -> None:
        if isinstance(fact.event, MessageSent):
            messages.append(fact.event)
            send_pipeline_execution_step_success(home, fact.event.token, {"ok": "true"})

    properties = []
    for _ in range(2):
        execution_id = start_pipeline_execution(home, preflight(home, pipeline(asked), "p", {}))
        ended = drive(describe_pipeline_execution(home, execution_id), answer)
        properties.append(row(ended, "Ask")["Properties"])
    assert len(messages) == 1
    assert properties[0] == properties[1]

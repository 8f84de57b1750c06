"""The fidelity report: every member of every request has a verdict, and a run's own record gives it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
from support import IMAGE, PROCESSING, ROLE, output_of, pipeline, processing

from localpipe.core.fidelity import Circumstances, Verdict
from localpipe.core.names import S3Uri
from localpipe.jobs import unsupported
from localpipe.jobs.fidelity import NOT_SHIELDED, ONE_USER
from localpipe.runners.scripted import ScriptedContainer, ScriptedRunner
from localpipe.scheduling.events import AttemptStarted, ExecutionStarted, JobLaunched
from localpipe.service.executions import describe_pipeline_execution, drive, start_pipeline_execution
from localpipe.service.fidelity import (
    Difference,
    Finding,
    differences,
    fidelity,
    fidelity_rows,
    judged,
    notes_beside_images,
)
from localpipe.service.preflight import preflight
from localpipe.service.service_model import service_model
from localpipe.service.wiring import Home
from localpipe.settings import load_settings
from localpipe.steps import STEP_TYPES

if TYPE_CHECKING:
    from localpipe.core import JSON

REFUSED = unsupported.BY_REQUEST
RULES = {kind.request_shape: kind.fidelity for kind in STEP_TYPES if kind.request_shape}
SHAPES = sorted(RULES)


def leaves(shape_name: str, model: JSON, path: str = "", above: tuple[str, ...] = ()) -> Iterator[str]:
    """The path of every member below which a request shape has no other."""
    shape = model["shapes"][shape_name]
    if shape["type"] == "list":
        yield from leaves(shape["member"]["shape"], model, f"{path}[*]", above)
    elif shape["type"] == "structure" and shape.get("members") and shape_name not in above:
        for name, inner in shape["members"].items():
            yield from leaves(inner["shape"], model, f"{path}.{name}" if path else name, (*above, shape_name))
    else:
        yield path


def covers(member: str, leaf: str) -> bool:
    return leaf == member or leaf.startswith((f"{member}.", f"{member}[*]"))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_member_of_a_request_is_judged_once_or_refused_outright(shape: str) -> None:
    refused = {row.member for row in REFUSED.get(shape, ()) if row.refuses is bool}
    for leaf in leaves(shape, service_model()):
        rules = [rule.member for rule in RULES[shape] if covers(rule.member, leaf)]
        if not any(covers(member, leaf) for member in refused):
            assert len(rules) == 1, f"{shape}: {leaf} is judged by {rules or 'no rule'}"


@pytest.mark.parametrize("shape", SHAPES)
def test_every_rule_is_of_a_member_that_the_service_knows(shape: str) -> None:
    known = list(leaves(shape, service_model()))
    assert [rule.member for rule in RULES[shape] if not any(covers(rule.member, leaf) for leaf in known)] == []


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_not_exact_is_told_in_sentences(shape: str) -> None:
    for rule in RULES[shape]:
        assert bool(rule.told) is (rule.verdict is not Verdict.EXACT), rule.member
        assert rule.told[-1:] in {"", "."}, rule.told


AWAY = Circumstances(images={"s3://b/k": "Another stood for it."}, mounts={S3Uri("b"): Path("/data")})


def notes(shape: str, request: JSON, run: Circumstances = AWAY) -> dict[str, str]:
    """Member → note of what is not exact in a request."""
    found = judged("Step", request, RULES[shape], run)
    return {each.member: each.note for each in found if each.verdict is not Verdict.EXACT}


def test_a_member_that_is_not_there_is_not_judged() -> None:
    assert list(judged("Step", {}, RULES["CreateTrainingJobRequest"], AWAY)) == []


def test_what_is_switched_off_is_exact() -> None:
    off = {
        "EnableManagedSpotTraining": False,
        "EnableInterContainerTrafficEncryption": False,
        "RemoteDebugConfig": {"EnableRemoteDebug": False},
        "ProfilerConfig": {"DisableProfiler": True},
        "Tags": [],
    }
    found = list(judged("Step", off, RULES["CreateTrainingJobRequest"], AWAY))
    assert {each.verdict for each in found} == {Verdict.EXACT}
    assert [each.member for each in found if each.note] == []


def test_an_image_is_told_by_what_stood_for_it() -> None:
    member = "AppSpecification.ImageUri"
    run = Circumstances(images={"stood-for": "Another stood for it.", "the-very-one": ""})

    def note_on(uri: str) -> str | None:
        return notes("CreateProcessingJobRequest", {"AppSpecification": {"ImageUri": uri}}, run).get(member)

    assert note_on("stood-for") == "Another stood for it."
    assert note_on("the-very-one") is None
    assert note_on("by-a-step") == "What served by-a-step was not known before the run and is not on record."


def test_that_a_sandbox_has_one_user_is_told_of_the_very_image_too() -> None:
    request = {"AppSpecification": {"ImageUri": "the-very-one"}}
    found = notes("CreateProcessingJobRequest", request, Circumstances(images={"the-very-one": ""}, one_user=True))
    assert found["AppSpecification.ImageUri"] == (
        "The job had one user, who owned every file and could not become another, open a raw socket or make a device. "
        "Of `/sys` it saw the processors and memory, not the network interfaces or its control group."
    )


def a_model(*images: str, isolated: bool = False) -> JSON:
    return {"Containers": [{"Image": image} for image in images], "EnableNetworkIsolation": isolated}


@pytest.mark.parametrize(
    ("model", "shields", "told"),
    [
        (a_model("stood-for"), False, "Another stood for it."),
        (a_model("stood-for", "stood-for"), False, "Another stood for it."),
        (a_model("stood-for", "the-very-one"), True, "Another stood for it."),
        (a_model("the-very-one"), False, None),
        (a_model("the-very-one", isolated=True), True, None),
        (a_model("the-very-one", isolated=True), False, NOT_SHIELDED),
        (a_model("stood-for", isolated=True), False, f"Another stood for it. {NOT_SHIELDED}"),
        (a_model("unknown"), True, "What served unknown was not known before the run and is not on record."),
        (None, True, "What served the model Trees is not on record: it is not registered any more."),
    ],
)
def test_a_transform_s_model_is_told_by_what_served_it(model: JSON | None, shields: bool, told: str | None) -> None:  # noqa: FBT001
    images = {"stood-for": "Another stood for it.", "the-very-one": ""}
    run = Circumstances(images=images, model={"Trees": model}.get, shields_machine=shields)
    assert notes("CreateTransformJobRequest", {"ModelName": "Trees"}, run).get("ModelName") == told


def test_a_metric_whose_expression_has_no_group_is_told_to_have_no_value() -> None:
    metrics = [{"Name": "loss", "Regex": "loss=[0-9]+"}, {"Name": "acc", "Regex": "acc=([0-9]+)"}]
    request = {"AlgorithmSpecification": {"MetricDefinitions": metrics}}
    assert notes("CreateTrainingJobRequest", request) == {
        "AlgorithmSpecification.MetricDefinitions[0].Regex": (
            "It has no group in parentheses: no line gives a value, and Describe shows none."
        )
    }


@pytest.mark.parametrize(
    ("uri", "read"),
    [
        *(("s3://b/raw", "from /data"), ("s3://b/raw/", "from /data"), ("s3://b/raw/x.csv", "from /data")),
        *(("s3://b/inner/raw", "from /inner"), ("s3://b/inner", "from /inner"), ("s3://b/in", "in part from /inner")),
        *(("s3://b", "in part from /data and /inner"), ("s3://big/a/x", "from /a"), ("s3://big", "from /big and /a")),
        *(("s3://b/rawer", ""), ("s3://other/raw", ""), ("no URI", "")),
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_an_input_that_a_mount_shows_is_read_from_its_directory(uri: str, read: str, slash: str) -> None:
    mounts = {"s3://b/raw": "/data", "s3://b/inner": "/inner", "s3://big": "/big", "s3://big/a": "/a"}
    run = Circumstances(mounts={S3Uri.parse(f"{mount}{slash}"): Path(place) for mount, place in mounts.items()})
    request = {"InputDataConfig": [{"DataSource": {"S3DataSource": {"S3Uri": uri}}}]}
    member = "InputDataConfig[0].DataSource.S3DataSource.S3Uri"
    expected = {member: f"Read {read} by [s3.mounts], as it was at that moment."} if read else {}
    assert notes("CreateTrainingJobRequest", request, run) == expected


def test_an_instance_is_told_by_whether_its_limits_were_kept() -> None:
    request = {"ResourceConfig": {"InstanceType": "ml.m5.large"}}
    free = notes("CreateTrainingJobRequest", request, Circumstances())
    held = notes(
        "CreateTrainingJobRequest", request, Circumstances(limits_kept=lambda instance_type: instance_type == "ml.m5.large")
    )
    unable = notes("CreateTrainingJobRequest", request, Circumstances(limits_refused=True))
    assert free["ResourceConfig.InstanceType"].endswith("of this machine, not those of ml.m5.large.")
    assert unable["ResourceConfig.InstanceType"].endswith(
        "not those of ml.m5.large: this runner cannot do what `[instances] enforce` asks, the Docker runner can."
    )
    assert held["ResourceConfig.InstanceType"].startswith("The job had no more processors and memory than ml.m5.large;")


def finding(step: str | None, member: str, verdict: Verdict, note: str = "") -> Finding:
    return Finding(step=step, member=member, verdict=verdict, note=note)


def test_what_is_shared_is_told_once_approximations_first() -> None:
    found = [
        finding(None, "MlflowConfig", Verdict.IGNORED, "no"),
        finding("A", "Inputs[0].Uri", Verdict.APPROXIMATED, "near"),
        finding("A", "Inputs[1].Uri", Verdict.APPROXIMATED, "near"),
        finding("B", "Uri", Verdict.APPROXIMATED, "near"),
        finding("B", "Name", Verdict.EXACT),
    ]
    assert differences(found) == [
        Difference(verdict=Verdict.APPROXIMATED, note="near", members=("Inputs.Uri", "Uri"), steps=("A", "B")),
        Difference(verdict=Verdict.IGNORED, note="no", members=("MlflowConfig",), steps=()),
    ]
    assert fidelity_rows(found)[1] == {
        "StepName": "A",
        "Member": "Inputs[0].Uri",
        "Verdict": "Approximated",
        "Note": "near",
    }
    assert len(fidelity_rows(found)) == 4


def test_notes_on_images_are_left_to_the_findings() -> None:
    noted = ("an/image:1: another version", "Step 'A' fails if it is reached: why")
    started = ExecutionStarted("p", "e", {}, {}, None, {}, noted, {"an/image:1": "Another stood for it."})
    assert list(notes_beside_images(started)) == ["Step 'A' fails if it is reached: why"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = Home(load_settings({"home": str(tmp_path / "home"), "runner": "process"}, {}, tmp_path))
    yield opened
    opened.close()


def write_output(container: ScriptedContainer) -> int:
    container.write(PurePosixPath(PROCESSING, "out", "x"), "1")
    return 0


def ran(home: Home, definition: JSON, after: Callable[[], None] = lambda: None) -> list[Finding]:
    """The findings on a run to its end, asked for once `after` has been done."""
    runner = ScriptedRunner({"First": write_output})
    ready = preflight(home, definition, "test", {}, runner=runner)
    execution = describe_pipeline_execution(home, start_pipeline_execution(home, ready))
    ended = drive(execution, lambda _: None, runner)
    after()
    return list(fidelity(ended, runner))


def test_a_run_is_judged_on_its_resolved_requests(home: Home) -> None:
    second = processing("Second", inputs={"in": output_of("First", "out")}, DependsOn=["First"])
    second["Arguments"]["Environment"] = None
    second["CacheConfig"] = {"Enabled": True, "ExpireAfter": "P1D"}
    definition = pipeline(processing("First", outputs=("out",)), second)
    definition["PipelineExperimentConfig"] = {"ExperimentName": {"Get": "Execution.PipelineName"}, "TrialName": "t"}
    found = ran(home, definition)
    assert found[0] == finding(None, "PipelineExperimentConfig", Verdict.IGNORED, "No experiment or trial was made.")
    assert {(each.step, each.verdict) for each in found if each.member == "RoleArn"} == {
        ("First", Verdict.APPROXIMATED),
        ("Second", Verdict.APPROXIMATED),
    }
    assert not [each for each in found if each.member == "CacheConfig"], "it was applied"
    assert finding("Second", "ProcessingInputs[0].S3Input.S3Uri", Verdict.EXACT) in found
    assert not [each for each in found if each.member == "Environment"]


def test_an_object_that_a_value_came_from_need_not_be_there_any_more(home: Home) -> None:
    step = processing("Only")
    step["Arguments"]["Environment"] = {"N": {"Std:JsonGet": {"S3Uri": "s3://bucket/x.json", "Path": "n"}}}
    home.store.put(S3Uri.parse("s3://bucket/x.json"), b'{"n": "1"}')
    found = ran(home, pipeline(step), after=lambda: home.store.delete(S3Uri.parse("s3://bucket/x.json")))
    assert finding("Only", "Environment", Verdict.EXACT) in found


def test_a_job_that_never_came_to_run_is_not_judged(home: Home) -> None:
    step = processing("Only")
    step["Arguments"]["Environment"] = {"N": {"Std:JsonGet": {"S3Uri": "s3://nowhere/x.json", "Path": "n"}}}
    assert ran(home, pipeline(step)) == []


def test_a_step_that_was_not_reached_is_not_judged(home: Home) -> None:
    stop = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}
    never = {
        "Name": "Never",
        "Type": "Model",
        "Arguments": {"ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://b/m"}},
    }
    branches = {"Conditions": [], "IfSteps": [stop], "ElseSteps": [never]}
    assert ran(home, pipeline({"Name": "Check", "Type": "Condition", "Arguments": branches})) == []


@pytest.mark.parametrize(
    ("runner", "users", "told"),
    [
        ("docker", "", "no more processors"),
        ("process", f" {ONE_USER}", "processors and memory of this"),
    ],
)
def test_what_is_not_in_the_record_is_not_asked(tmp_path: Path, runner: str, users: str, told: str) -> None:
    (tmp_path / "localpipe.toml").write_text(f'runner = "{runner}"\n[instances]\nenforce = true\n')
    home = Home(load_settings({"home": str(tmp_path / "home")}, {}, tmp_path))
    kept, images = home.settings.kept(), {IMAGE: "Another stood for it."}
    facts = [
        ExecutionStarted("pipe", "abcdefghij12", pipeline(processing("Only")), {}, None, kept, (), images),
        AttemptStarted("Only", 1, "job"),
        JobLaunched("Only", 1, ("/log",)),
    ]
    home.journal.append("abcdefghij12", facts)
    (tmp_path / "localpipe.toml").unlink()
    later = Home(load_settings({"home": str(tmp_path / "home"), "runner": "process"}, {}, tmp_path))
    found = {each.member: each.note for each in fidelity(describe_pipeline_execution(later, "last"))}
    assert found["AppSpecification.ImageUri"] == f"Another stood for it.{users}"
    assert told in found["ProcessingResources.ClusterConfig.InstanceType"]
    home.close()
    later.close()

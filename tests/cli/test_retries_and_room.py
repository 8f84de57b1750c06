"""Faults on demand and shared room, as somebody sees them who runs pipelines."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands import Cli, Spawn, Write, model
from support import IMAGE, ROLE, pipeline, processing

from localpipe import run

if TYPE_CHECKING:
    from localpipe.core import JSON

SCRIPTS = Path(__file__).parents[1] / "authoring" / "scripts"
THROTTLING = [{"ExceptionType": ["Step.THROTTLING"], "IntervalSeconds": 0.01, "BackoffRate": 1.0, "MaxAttempts": 1}]
TRAINS = (
    "import os, sys, time; d = '/opt/ml/checkpoints'; n = sorted(os.listdir(d)); print('begun', n, flush=True); "
    "len(n) == 2 and sys.exit(); open(f'{d}/epoch-{len(n) + 1}', 'w'); time.sleep(60)"
)
"""Leaves a checkpoint each time it is started and then takes long, but for the third time."""


def job(name: str, program: str) -> JSON:
    step = processing(name, outputs=("out",))
    step["Arguments"]["AppSpecification"]["ContainerEntrypoint"] = ["python3", "-u", "-c", program]
    return step


def spot_training() -> JSON:
    arguments = {
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python3", "-c", TRAINS],
        },
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30},
        "RoleArn": ROLE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
        "EnableManagedSpotTraining": True,
        "CheckpointConfig": {"S3Uri": "s3://bucket/checkpoints"},
    }
    return pipeline({"Name": "Train", "Type": "Training", "Arguments": arguments})


def test_a_run_tells_of_attempts_and_waits_and_why_it_gave_up(cli: Cli, write: Write) -> None:
    name = write(pipeline(model("Model", RetryPolicies=THROTTLING)))
    ended = cli("run", name, "--fault", "Model=Step.THROTTLING*2")
    assert ended.status == 1
    refused = "ClientError: Failed to invoke sagemaker:CreateModel. Error Details: Rate exceeded"
    lines = [line.partition("  ")[2] for line in ended.err.splitlines() if re.match(r"\d\d:", line)]
    assert [re.sub(r"\d\.\d+ s", "N s", line) for line in lines[1:]] == [
        "Model: Starting",
        f"Model: Failed after N s. {refused}",
        "Model: attempt 2 follows in N s by its retry policy",
        "Model: Starting, attempt 2",
        f"Model: Failed after N s. {refused}",
        "Execution Failed",
    ]
    assert "  note: Step 'Model' fails with Step.THROTTLING, in 2 attempts, as asked for by a fault.\n" in ended.err
    assert "  no other attempt:   The retry policy for Step.THROTTLING has used up its MaxAttempts of 1.\n" in ended.err
    assert cli("show", "last", "--json").document["Steps"][0]["AttemptCount"] == 2
    shown = cli("show", "last", "Model").out.splitlines()
    assert [re.split("  +", re.sub(r"20\S+Z", "TIME", line)) for line in (*shown[2:3], *shown[4:])] == [
        ["Status", "Failed"],
        ["ATTEMPT", "STATUS", "STARTED", "COUNTS AS"],
        ["1", "Failed", "TIME", "Step.THROTTLING", refused],
        ["2", "Failed", "TIME", "Step.THROTTLING", refused],
        [""],
        ["No other attempt: The retry policy for Step.THROTTLING has used up its MaxAttempts of 1."],
    ]
    document = cli("show", "last", "Model", "--json").document
    assert [row["ExceptionType"] for row in document["Attempts"]] == ["Step.THROTTLING"] * 2


def test_a_policy_may_ask_for_a_wait_of_weeks_and_a_stop_ends_it(cli: Cli, spawn: Spawn, write: Write) -> None:
    policy = [THROTTLING[0] | {"IntervalSeconds": 0.01, "BackoffRate": 1e9, "MaxAttempts": 5}]
    run = spawn("run", write(pipeline(model("Model", RetryPolicies=policy))), "--fault", "Model=Step.THROTTLING*3")
    assert run.stderr
    for line in run.stderr:
        if "attempt 3 follows" in line:
            break
    assert line.partition("  ")[2] == "Model: attempt 3 follows in 28 d by its retry policy\n"
    run.kill()
    run.wait(20)
    resumed = spawn("resume", "last")
    assert resumed.stderr
    for line in resumed.stderr:
        if "attempt 3 follows" in line or "Pipeline" in line:
            break
    resumed.send_signal(signal.SIGINT)
    _, told = resumed.communicate(timeout=20)
    assert resumed.returncode == 130, told
    assert "\nStopping. Ctrl-C again ends all at once, a third time leaves.\n" in told


def test_faults_are_an_argument_of_the_python_api_too(place: Path) -> None:
    ended = run(
        pipeline(model("Model", RetryPolicies=THROTTLING)),
        name="pipe",
        home=place / "home",
        faults=["Model=Step.THROTTLING"],
    )
    assert (ended.status, ended.steps["Model"].attempt_count) == ("Succeeded", 2)


def test_a_fault_that_cannot_be_is_refused_before_the_run(cli: Cli, write: Write) -> None:
    name = write(pipeline(model("Model")))
    assert cli("run", name, "--fault", "Modell=Step.THROTTLING").err == (
        "Error: Fault Modell=Step.THROTTLING*1: there is no step 'Modell'. Did you mean 'Model'?\n"
    )
    refused = cli("check", name, "--fault", "Model=time-limit")
    assert refused.status == 2
    assert refused.err == (
        "Error: Fault Model=time-limit*1@1 cannot happen: step 'Model' is of type 'Model', which has no time limit on the "
        "service. It happens to Lambda, Processing, Training and Tuning steps.\n"
    )
    for kind in ("SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR"):
        assert cli("check", name, "--fault", f"Model={kind}").err == (
            f"Error: Fault Model={kind}*1 cannot happen: step 'Model' is of type 'Model', which runs no job.\n"
        )
    assert cli("ls", "--json").document == []


@pytest.mark.sandbox
def test_a_spot_job_is_interrupted_and_goes_on_from_its_checkpoints(cli: Cli, write: Write, place: Path) -> None:
    (place / "localpipe.toml").write_text("stop_grace_seconds = 0.1\n")
    faults = ("--fault", "Train=spot-interruption*50@0.4")
    ended = cli("run", write(spot_training()), "--runner", "process", *faults, "--json")
    assert ended.status == 0
    (step,) = ended.document["Steps"]
    assert step["AttemptCount"] == 1
    transitions = [row["Status"] for row in step["Properties"]["SecondaryStatusTransitions"]]
    assert transitions.count("Interrupted") == transitions.count("Restarting") >= 2
    assert (place / step["LogFiles"][0]).read_text() == "begun ['epoch-1', 'epoch-2']\n"


@pytest.mark.sandbox
def test_executions_of_two_homes_share_the_room_and_a_killed_one_frees_it_at_once(
    cli: Cli, spawn: Spawn, write: Write, place: Path
) -> None:
    (place / "localpipe.toml").write_text("[slots]\njobs = 1\n")
    waits = write(pipeline(job("Wait", "import time; print('begun', flush=True); time.sleep(60)")), "waits.json")
    quick = write(pipeline(job("Quick", "print('done')")), "quick.json")
    first = spawn("run", waits, "--runner", "process", "--home", "one")
    assert first.stderr
    lines = [first.stderr.readline() for _ in range(3)]
    (execution_id,) = re.findall(r"execution ([a-z0-9]{12})", lines[0])
    assert lines[2].endswith("Wait: Executing\n")
    second = spawn("run", quick, "--runner", "process", "--home", "two", "--json")
    assert second.stderr
    told = [second.stderr.readline() for _ in range(3)][2]
    assert told.partition("  ")[2] == (
        f"Quick: waits for room: wants 1 job slot; 1 of 1 are taken (jobs run: 1 by execution {execution_id})\n"
    )
    (row,) = cli("show", "last", "--home", "two", "--json").document["Steps"]
    assert (row["StepStatus"], row["Awaits"]) == ("Starting", told.partition("Quick: ")[2].rstrip())
    first.kill()
    out, _ = second.communicate(timeout=20)
    assert json.loads(out)["PipelineExecutionStatus"] == "Succeeded"


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.parametrize("sdk", ["V2", "V3"])
def test_policies_that_the_sdk_compiles_are_followed(cli: Cli, sdk: str) -> None:
    python = os.environ.get(f"LOCALPIPE_TEST_SDK_{sdk}")
    if not python:
        pytest.skip(f"LOCALPIPE_TEST_SDK_{sdk} names no Python with that SDK")
    faults = ("--fault", "Job=SageMaker.CAPACITY_ERROR", "--fault", "Job=Step.THROTTLING")
    script = str(SCRIPTS / f"retry_{sdk.lower()}.py")
    ended = cli("run", script, "--python", python, "--runner", "process", *faults, "--json")
    assert (ended.status, ended.document["Steps"][0]["AttemptCount"]) == (0, 3)

"""Faults on demand, from the attempt that meets one to what the service would show of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest
from support import IMAGE, ROLE, pipeline, processing
from tuning_support import training_definition, tuning

from localpipe.core.faults import parse_fault
from localpipe.core.names import S3Uri
from localpipe.errors import UsageError
from localpipe.runners.scripted import ScriptedRunner
from localpipe.scheduling.events import AttemptFailed, RetryScheduled, RoomAwaited
from localpipe.service.attempts import attempt_rows, why_no_other
from localpipe.service.executions import describe_pipeline_execution, drive, start_pipeline_execution
from localpipe.service.preflight import preflight

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.runners.scripted import ScriptedContainer
    from localpipe.service.executions import PipelineExecution
    from localpipe.service.wiring import Home

CHECKPOINTS = PurePosixPath("/opt/ml/checkpoints")
CREATE = "ClientError: Failed to invoke sagemaker:CreateTrainingJob. Error Details: "
Run = Callable[..., "PipelineExecution"]


def training(name: str = "Train", *, spot: bool = False, **more: JSON) -> JSON:
    arguments = {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30},
        "RoleArn": ROLE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600, **({"MaxWaitTimeInSeconds": 7200} if spot else {})},
        "EnableManagedSpotTraining": spot,
        **({"CheckpointConfig": {"S3Uri": "s3://bucket/checkpoints"}} if spot else {}),
    }
    return {"Name": name, "Type": "Training", "Arguments": arguments, **more}


def transform(name: str) -> JSON:
    arguments = {
        "ModelName": {"Get": "Steps.Keep.ModelName"},
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in"}}},
        "TransformOutput": {"S3OutputPath": "s3://bucket/out"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    return {"Name": name, "Type": "Transform", "Arguments": arguments}


def policies(*types: str, most: int = 3) -> JSON:
    return [{"ExceptionType": list(types), "IntervalSeconds": 0, "MaxAttempts": most}]


@pytest.fixture
def run(home: Home) -> Run:
    """Run a definition on a scripted runner to its end, with faults."""

    def run_it(definition: JSON, *faults: str, runner: ScriptedRunner | None = None) -> PipelineExecution:
        used = runner or ScriptedRunner()
        ready = preflight(home, definition, "test", {}, runner=used, faults=tuple(map(parse_fault, faults)))
        started = describe_pipeline_execution(home, start_pipeline_execution(home, ready))
        return drive(started, lambda fact: None, used)

    return run_it


@pytest.mark.parametrize(
    ("kind", "reason", "runs"),
    [
        ("Step.THROTTLING", f"{CREATE}Rate exceeded", False),
        ("Step.SERVICE_FAULT", f"{CREATE}We encountered an internal error. Please try again.", False),
        (
            "SageMaker.CAPACITY_ERROR",
            (
                "ClientError: CapacityError: Unable to provision requested ML compute capacity. "
                "Please retry using a different ML instance type."
            ),
            True,
        ),
        (
            "SageMaker.JOB_INTERNAL_ERROR",
            "ClientError: InternalServerError: We encountered an internal error. Please try again.",
            True,
        ),
    ],
)
def test_so_many_attempts_fail_in_the_words_of_the_service_and_the_next_succeeds(
    run: Run,
    kind: str,
    reason: str,
    runs: bool,  # noqa: FBT001
) -> None:
    runner = ScriptedRunner()
    ended = run(pipeline(training(RetryPolicies=policies(kind))), f"Train={kind}*2", runner=runner)
    step = ended.state.steps["Train"]
    assert (ended.status, step.attempt, [key.attempt for key in runner.started]) == ("Succeeded", 3, [3])
    assert [attempt.reason for attempt in step.attempts] == [reason, reason, ""]
    assert len({attempt.job_name for attempt in step.attempts}) == 3
    failed = step.attempts[0].properties
    if runs:
        assert failed["TrainingJobStatus"] == "Failed"
        assert failed["FailureReason"] == reason.removeprefix("ClientError: ")
    else:
        assert failed is None
    assert ended.started.notes[0] == f"Step 'Train' fails with {kind}, in 2 attempts, as asked for by a fault."


@pytest.mark.documented
@pytest.mark.parametrize(
    ("retry", "no_policy"), [((), True), (("Step.THROTTLING",), True), (("SageMaker.RESOURCE_LIMIT",), False)]
)
def test_a_quota_error_says_that_no_policy_is_for_it(run: Run, retry: tuple[str, ...], no_policy: bool) -> None:  # noqa: FBT001
    step = training(**({"RetryPolicies": policies(*retry, most=1)} if retry else {}))
    ended = run(pipeline(step), "Train=SageMaker.RESOURCE_LIMIT*9")
    first, _, rest = ended.state.steps["Train"].reason.partition("\n")
    assert first == (
        f"{CREATE}The account-level service limit for this resource was exceeded. "
        "Please use AWS Service Quotas to request an increase for this quota."
    )
    assert rest == (
        f"Retry not appropriate on execution of step with PipelineExecutionArn {ended.name.arn} and StepId Train. "
        "No retry policy configured for the exception type SAGEMAKER_RESOURCE_LIMIT."
        if no_policy
        else ""
    )


def test_a_step_without_a_job_meets_the_faults_of_its_create_call(run: Run) -> None:
    model = {
        "Name": "Model",
        "Type": "Model",
        "Arguments": {"ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": IMAGE}},
    }
    ended = run(pipeline({**model, "RetryPolicies": policies("Step.THROTTLING")}), "Model=Step.THROTTLING")
    assert [attempt.reason for attempt in ended.state.steps["Model"].attempts] == [
        "ClientError: Failed to invoke sagemaker:CreateModel. Error Details: Rate exceeded",
        "",
    ]


def test_attempts_and_why_no_other_followed_can_be_told(run: Run) -> None:
    internal = "SageMaker.JOB_INTERNAL_ERROR"
    ended = run(pipeline(training(RetryPolicies=policies(internal, most=1))), f"Train={internal}*9")
    step = ended.state.steps["Train"]
    rows = attempt_rows(step)
    assert [(row["Attempt"], row["Status"], row["ExceptionType"]) for row in rows] == [
        (1, "Failed", internal),
        (2, "Failed", internal),
    ]
    assert why_no_other(ended.pipeline, step) == f"The retry policy for {internal} has used up its MaxAttempts of 1."


@pytest.mark.documented
def test_an_algorithm_error_meets_no_policy(run: Run) -> None:
    every = policies("Step.SERVICE_FAULT", "Step.THROTTLING", "SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR")
    ended = run(pipeline(training(RetryPolicies=every)), runner=ScriptedRunner(default=lambda _: 1))
    step = ended.state.steps["Train"]
    assert (step.attempt, step.reason) == (1, "ClientError: AlgorithmError: , exit code: 1")
    assert why_no_other(ended.pipeline, step) == "This failure is of no type that can be retried."


def epochs(container: ScriptedContainer) -> int:
    """A training that leaves a checkpoint and waits for its end, but for the third time."""
    done = len(list(container.path(CHECKPOINTS).iterdir()))
    container.write(CHECKPOINTS / f"epoch-{done + 1}", "W")
    return 0 if done == 2 else 128 + (container.next_signal(20) or 0)


@pytest.mark.documented
def test_a_spot_training_job_is_interrupted_and_goes_on_from_its_checkpoints(home: Home, run: Run) -> None:
    runner = ScriptedRunner({"Train": epochs})
    ended = run(pipeline(training(spot=True)), "Train=spot-interruption*2@0", runner=runner)
    step = ended.state.steps["Train"]
    assert (ended.status, step.attempt, len(runner.started)) == ("Succeeded", 1, 3)
    properties = step.properties
    assert [row["Status"] for row in properties["SecondaryStatusTransitions"]] == [
        *("Starting", "Downloading", "Training"),
        *("Interrupted", "Restarting", "Training") * 2,
        *("Uploading", "Completed"),
    ]
    assert properties["BillableTimeInSeconds"] <= properties["TrainingTimeInSeconds"]
    assert [info.uri.key for info in home.store.list(S3Uri("bucket", "checkpoints"))] == [
        f"checkpoints/epoch-{number}" for number in (1, 2, 3)
    ]


@pytest.mark.assumed
def test_a_time_limit_on_demand_fails_the_step_with_the_real_reason_and_is_never_retried(run: Run) -> None:
    runner = ScriptedRunner({"Train": lambda container: container.next_signal(20) or 1})
    retry = policies("SageMaker.JOB_INTERNAL_ERROR")
    ended = run(pipeline(training(RetryPolicies=retry)), "Train=time-limit@0", runner=runner)
    step = ended.state.steps["Train"]
    assert (step.status, step.attempt, step.exception_type) == ("Failed", 1, None)
    assert step.reason == ("ClientError: The training job was stopped because it ran longer than MaxRuntimeInSeconds (3600)")
    assert step.properties["SecondaryStatus"] == "MaxRuntimeExceeded"


def ends_when_told(container: ScriptedContainer) -> int:
    """Each training job but the first runs until it is told to end."""
    container.log("loss=1")
    return 0 if container.job.key.child == 1 else 128 + (container.next_signal(20) or 0)


@pytest.mark.documented
def test_a_tuning_job_that_runs_into_its_time_limit_keeps_what_its_trials_gave(run: Run) -> None:
    runner = ScriptedRunner(default=ends_when_told)
    ended = run(pipeline(tuning("Tune", jobs=9, parallel=1)), "Tune=time-limit@0.5", runner=runner)
    step = ended.state.steps["Tune"]
    assert (step.status, len(runner.started)) == ("Succeeded", 2)
    assert step.properties["TrainingJobStatusCounters"]["Stopped"] == 1
    note = "Step 'Tune' runs into its time limit if it still runs after 0.5 s, in one attempt, as asked for by a fault."
    assert ended.started.notes[0] == note


def test_each_spot_training_job_of_a_tuning_job_is_interrupted(run: Run) -> None:
    starts = Counter[int]()

    def train(container: ScriptedContainer) -> int:
        number = container.job.key.child
        starts[number] += 1
        container.log("loss=1")
        return 0 if starts[number] > 2 else 128 + (container.next_signal(20) or 0)

    spot = {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}
    definition = training_definition(EnableManagedSpotTraining=True, StoppingCondition=spot)
    step = tuning("Tune", jobs=2, parallel=2, TrainingJobDefinition=definition)
    ended = run(pipeline(step), "Tune=spot-interruption*2@0", runner=ScriptedRunner(default=train))
    assert (ended.status, starts) == ("Succeeded", {1: 3, 2: 3})
    assert ended.started.notes[0] == (
        "Each spot training job of step 'Tune' is interrupted up to 2 times, where it still runs 0 s after its start, "
        "as asked for by a fault."
    )


@pytest.mark.assumed
def test_a_spot_job_that_is_not_complete_within_its_wait_fails_the_step_and_names_the_limit(run: Run) -> None:
    """It runs until it is told to end, and is told so again and again."""
    runner = ScriptedRunner({"Train": lambda container: 128 + (container.next_signal(20) or 0)})
    definition = training(spot=True)
    definition["Arguments"]["StoppingCondition"] = {"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 1}
    ended = run(pipeline(definition), "Train=spot-interruption*9999@0.2", runner=runner)
    step = ended.state.steps["Train"]
    assert (ended.status, step.status, step.attempt, step.exception_type) == ("Failed", "Failed", 1, None)
    assert step.reason == (
        "ClientError: The training job was stopped because it had not completed within MaxWaitTimeInSeconds (1)"
    )
    assert (step.properties["TrainingJobStatus"], step.properties["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    assert len(runner.started) > 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("Tran=time-limit@3", "Fault Tran=time-limit*1@3: there is no step 'Tran'. Did you mean 'Train'?"),
        (
            "Train=spot-interruption",
            (
                "Fault Train=spot-interruption*1@1 cannot happen: step 'Train' does not use managed spot training "
                "(EnableManagedSpotTraining)."
            ),
        ),
        (
            "Stop=Step.THROTTLING",
            "Fault Stop=Step.THROTTLING*1 cannot happen: step 'Stop' is of type 'Fail', to which no retry policy applies.",
        ),
        (
            "Stop=SageMaker.CAPACITY_ERROR",
            "Fault Stop=SageMaker.CAPACITY_ERROR*1 cannot happen: step 'Stop' is of type 'Fail', which runs no job.",
        ),
        (
            "Stop=time-limit",
            (
                "Fault Stop=time-limit*1@1 cannot happen: step 'Stop' is of type 'Fail', which has no time limit on the "
                "service. It happens to Lambda, Processing, Training and Tuning steps."
            ),
        ),
        (
            "Predict=time-limit",
            (
                "Fault Predict=time-limit*1@1 cannot happen: step 'Predict' is of type 'Transform', which has no time limit "
                "on the service. It happens to Lambda, Processing, Training and Tuning steps."
            ),
        ),
        (
            "Predict=spot-interruption",
            (
                "Fault Predict=spot-interruption*1@1 cannot happen: step 'Predict' is of type 'Transform', which has no "
                "spot training on the service. It happens to Training and Tuning steps."
            ),
        ),
        (
            "Tune=spot-interruption",
            (
                "Fault Tune=spot-interruption*1@1 cannot happen: step 'Tune' does not use managed spot training "
                "(EnableManagedSpotTraining)."
            ),
        ),
    ],
)
def test_a_fault_that_cannot_happen_is_refused_before_anything_runs(home: Home, fault: str, message: str) -> None:
    stop = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}
    home.store.put(S3Uri("bucket", "in/a.csv"), b"1")
    served = {"Name": "Keep", "Type": "Model", "Arguments": {"ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": IMAGE}}}
    steps = pipeline(training(), tuning("Tune"), served, transform("Predict"), stop)
    with pytest.raises(UsageError) as refused:
        preflight(home, steps, "test", {}, runner=ScriptedRunner(), faults=[parse_fault(fault)])
    assert str(refused.value) == message


def test_an_execution_keeps_its_faults_for_a_retry_and_each_attempt_meets_its_own(home: Home) -> None:
    faults = [parse_fault("Train=SageMaker.CAPACITY_ERROR"), parse_fault("Train=SageMaker.RESOURCE_LIMIT")]
    runner = ScriptedRunner()
    ready = preflight(home, pipeline(training()), "test", {}, runner=runner, faults=faults)
    execution = describe_pipeline_execution(home, start_pipeline_execution(home, ready))
    assert execution.home.settings.faults == tuple(faults)


def test_a_job_that_waits_for_room_says_so_once(home: Home, run: Run) -> None:
    other = home.slots("otherexecution")
    taken = [other.take() for _ in range(home.settings.room.jobs)]
    facts: list[object] = []
    runner = ScriptedRunner()
    ready = preflight(home, pipeline(processing("Prep")), "test", {}, runner=runner)
    execution = describe_pipeline_execution(home, start_pipeline_execution(home, ready))

    def observe(fact: object) -> None:
        event = fact.event  # type: ignore[attr-defined]
        facts.append(event)
        if isinstance(event, RoomAwaited):
            for ticket in taken:
                other.give_back(ticket)

    ended = drive(execution, observe, runner)
    count = home.settings.room.jobs
    assert [event for event in facts if isinstance(event, RoomAwaited)] == [
        RoomAwaited(
            "Prep",
            1,
            f"waits for room: wants 1 job slot; {count} of {count} are taken "
            f"(jobs run: {count} by execution otherexecution)",
        )
    ]
    assert (ended.status, ended.state.steps["Prep"].attempts[0].awaits) == ("Succeeded", "")


def test_the_facts_of_a_retry_say_when_it_is_due(home: Home, run: Run) -> None:
    ended = run(pipeline(training(RetryPolicies=policies("SageMaker.CAPACITY_ERROR"))), "Train=SageMaker.CAPACITY_ERROR")
    events = home.journal.read(ended.name.execution_id)
    failed = next(fact for fact in events if isinstance(fact.event, AttemptFailed))
    (scheduled,) = [fact.event for fact in events if isinstance(fact.event, RetryScheduled)]
    assert scheduled == RetryScheduled("Train", 1, at=failed.at, policy=0)

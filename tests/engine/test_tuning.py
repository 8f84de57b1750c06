"""Tuning steps over the scripted runner: what a user of a pipeline relies on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from support import pipeline, processing
from tuning_support import categorical, hyperparameters, logs_loss, ranges, training_definition, tuning, tuning_request

from localpipe.core.names import S3Uri
from localpipe.errors import DefinitionError, ImageMissing
from localpipe.runners.scripted import ScriptedContainer, ScriptedRunner
from localpipe.scheduling.events import ChildAwaitedRoom, ChildEnded, ChildStarted, JobLaunched
from localpipe.service.executions import (
    PipelineExecution,
    describe_pipeline_execution,
    drive,
    start_pipeline_execution,
    stop_pipeline_execution,
)
from localpipe.service.preflight import preflight
from localpipe.service.wiring import WallClock

if TYPE_CHECKING:
    from conftest import Misfits

    from localpipe.core import JSON
    from localpipe.scheduling.children import ChildExecution
    from localpipe.scheduling.events import Event, Recorded
    from localpipe.service.wiring import Home

Start = Callable[..., PipelineExecution]
SQUARE = logs_loss(lambda given: (float(given["x"]) - 0.25) ** 2)


def properties(ended: PipelineExecution, step: str = "Tune") -> JSON:
    return ended.state.steps[step].properties


def jobs(ended: PipelineExecution, step: str = "Tune") -> tuple[ChildExecution, ...]:
    last = ended.state.steps[step].last
    assert last
    return last.own_jobs


def tuned(ended: PipelineExecution, name: str = "x") -> list[str]:
    return [job.detail["TunedHyperParameters"][name] for job in jobs(ended)]


def events(home: Home, ended: PipelineExecution) -> list[Event]:
    return [fact.event for fact in home.journal.read(ended.name.execution_id)]


def test_the_best_training_job_is_told_first(run: Start, misfits: Misfits) -> None:
    ended = run(pipeline(tuning("Tune", jobs=5, parallel=2)), ScriptedRunner({"Tune": SQUARE}))
    assert ended.status == "Succeeded"
    told = dict(properties(ended))
    summaries = told.pop("TrainingJobSummaries")
    values = [each["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for each in summaries]
    assert len(values) == 5
    assert values == sorted(values)
    assert told["BestTrainingJob"] == summaries[0]
    assert told["TrainingJobStatusCounters"]["Completed"] == 5
    assert told["ObjectiveStatusCounters"] == {"Succeeded": 5, "Pending": 0, "Failed": 0}
    assert misfits("DescribeHyperParameterTuningJobResponse", told) == []
    for job in jobs(ended):
        assert misfits("DescribeTrainingJobResponse", job.properties) == []


def test_the_fifty_best_are_told(run: Start) -> None:
    ended = run(pipeline(tuning("Tune", jobs=51, parallel=10)), ScriptedRunner({"Tune": SQUARE}))
    summaries = properties(ended)["TrainingJobSummaries"]
    losses = [each["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for each in summaries]
    of_all = sorted(job.properties["FinalMetricDataList"][0]["Value"] for job in jobs(ended))
    assert (len(of_all), losses) == (51, of_all[:50])


def test_a_training_job_that_waits_for_room_says_so_until_it_runs(home: Home, start: Start) -> None:
    other = home.slots("otherexecution")
    count = home.settings.room.jobs
    taken = [other.take() for _ in range(count)]
    runner = ScriptedRunner({"Tune": SQUARE})

    def observe(fact: Recorded) -> None:
        if isinstance(fact.event, ChildAwaitedRoom):
            for ticket in taken:
                other.give_back(ticket)

    ended = drive(start(pipeline(tuning("Tune", jobs=1)), runner), observe, runner)
    holders = f"(jobs run: {count} by execution otherexecution)"
    reason = f"waits for room: wants 1 job slot; {count} of {count} are taken {holders}"
    told = [event for event in events(home, ended) if isinstance(event, ChildAwaitedRoom)]
    assert told == [ChildAwaitedRoom("Tune", 1, 1, reason)]
    assert [(job.status, job.awaits) for job in jobs(ended)] == [("Completed", "")]


def test_names_are_those_of_the_service(run: Start) -> None:
    ended = run(pipeline(tuning("ChurnHyperParameterTuning", jobs=1)), ScriptedRunner(default=SQUARE))
    name = properties(ended, "ChurnHyperParameterTuning")["HyperParameterTuningJobName"]
    assert name.startswith(f"{ended.name.execution_id}-ChurnHy-")
    assert len(name) == 31
    (job,) = jobs(ended, "ChurnHyperParameterTuning")
    assert job.job_name[:36] == f"{name}-001-"
    assert job.properties["TuningJobArn"].endswith(f":hyper-parameter-tuning-job/{name}")


def test_a_name_left_in_the_arguments_is_the_prefix(run: Start) -> None:
    ended = run(
        pipeline(tuning("Tune", jobs=1, HyperParameterTuningJobName="mine-and-more")), ScriptedRunner(default=SQUARE)
    )
    name = properties(ended)["HyperParameterTuningJobName"]
    assert name.startswith(f"mine-a-{ended.name.execution_id}-")
    assert len(name) <= 32


def test_a_training_job_gets_static_and_tuned_hyperparameters_as_text(run: Start, home: Home) -> None:
    given = training_definition(StaticHyperParameters={"epochs": "3"})
    step = tuning("Tune", jobs=1, TrainingJobDefinition=given)
    ended = run(pipeline(step), ScriptedRunner(default=SQUARE))
    (job,) = jobs(ended)
    expected = {"epochs": "3", "x": tuned(ended)[0], "_tuning_objective_metric": "loss"}
    assert job.properties["HyperParameters"] == expected
    archive = home.store.head(S3Uri("bucket", f"models/{job.job_name}/output/model.tar.gz"))
    assert archive is not None


def test_a_repeated_seed_repeats_the_trials(run: Start) -> None:
    runs = [run(pipeline(tuning("Tune")), ScriptedRunner(default=SQUARE)) for _ in range(2)]
    assert tuned(runs[0]) == tuned(runs[1])
    other = run(pipeline(tuning("Tune", config={"RandomSeed": 8})), ScriptedRunner(default=SQUARE))
    assert tuned(other) != tuned(runs[0])


def test_later_steps_get_the_best_model(run: Start) -> None:
    best = {
        "Std:Join": {
            "On": "/",
            "Values": [
                "s3://bucket/models",
                {"Get": "Steps.Tune.TrainingJobSummaries[0].TrainingJobName"},
                "output/model.tar.gz",
            ],
        }
    }
    seen: list[str] = []

    def look(container: ScriptedContainer) -> int:
        seen.extend(path.name for mount in container.job.hosts[0].mounts for path in mount.host_dir.iterdir())
        return 0

    later = processing("Later", inputs={"model": best})
    ended = run(pipeline(tuning("Tune", strategy="Bayesian"), later), ScriptedRunner({"Tune": SQUARE, "Later": look}))
    assert ended.status == "Succeeded"
    assert "model.tar.gz" in seen


def test_no_more_run_at_once_than_the_request_allows(run: Start) -> None:
    lock, now, most = threading.Lock(), 0, 0
    both = threading.Barrier(2, timeout=20)

    def count(container: ScriptedContainer) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        both.wait()
        with lock:
            now -= 1
        container.log("loss=1")
        return 0

    assert run(pipeline(tuning("Tune", jobs=6, parallel=2)), ScriptedRunner(default=count)).status == "Succeeded"
    assert most == 2


def test_a_training_job_that_fails_fails_nothing_while_another_succeeds(run: Start) -> None:
    loss = logs_loss(lambda _: 0.5)
    given = ranges(categories=[categorical("x", "a", "b")])
    step = tuning("Tune", strategy="Grid", jobs=None, ranges=given)
    runner = ScriptedRunner(default=lambda c: loss(c) if hyperparameters(c)["x"] == "a" else 3)
    ended = run(pipeline(step), runner)
    assert ended.status == "Succeeded"
    assert properties(ended)["TrainingJobStatusCounters"] == {
        "Completed": 1,
        "InProgress": 0,
        "RetryableError": 0,
        "NonRetryableError": 1,
        "Stopped": 0,
    }
    assert [job.status.value for job in jobs(ended)] == ["Completed", "Failed"]


def test_a_tuning_job_whose_training_jobs_all_fail_fails_after_five(run: Start) -> None:
    ended = run(pipeline(tuning("Tune", jobs=20)), ScriptedRunner(default=lambda _: 1))
    assert ended.status == "Failed"
    assert len(jobs(ended)) == 5
    assert ended.state.steps["Tune"].reason == (
        "ClientError: No training job succeeded after 5 attempts. For additional details, please take a look at the "
        "training job failures by listing training jobs for the hyperparameter tuning job."
    )
    assert properties(ended)["HyperParameterTuningJobStatus"] == "Failed"


def test_a_training_job_without_the_objective_has_no_place_among_the_best(run: Start) -> None:
    ended = run(pipeline(tuning("Tune", jobs=2)), ScriptedRunner(default=lambda _: 0))
    assert ended.status == "Failed"
    assert [job.status.value for job in jobs(ended)] == ["Completed", "Completed"]
    assert properties(ended)["ObjectiveStatusCounters"] == {"Succeeded": 0, "Pending": 0, "Failed": 2}
    assert properties(ended)["TrainingJobSummaries"] == []
    assert ended.state.steps["Tune"].reason == (
        "ClientError: No training job succeeded after 2 attempts. For additional details, please take a look at the "
        "training job failures by listing training jobs for the hyperparameter tuning job. Job 1 completed, but no line of "
        "its log matched the metric 'loss' (regex 'loss=([-0-9.e]+)') with a finite number."
    )


def test_a_stop_stops_the_training_jobs_and_starts_no_other(home: Home, start: Start) -> None:
    started = threading.Event()

    def wait_for_the_signal(container: ScriptedContainer) -> int:
        started.set()
        return 128 + (container.next_signal(20) or 0)

    runner = ScriptedRunner(default=wait_for_the_signal)
    execution = start(pipeline(tuning("Tune", jobs=9)), runner)

    def observe(fact: Recorded) -> None:
        if type(fact.event).__name__ == "ChildLaunched":
            stop_pipeline_execution(home, execution.name.execution_id)

    ended = drive(execution, observe, runner)
    assert ended.status == "Stopped"
    assert properties(ended)["HyperParameterTuningJobStatus"] == "Stopped"
    assert [job.status.value for job in jobs(ended)] == ["Stopped"]
    assert len(runner.started) == 1


def test_a_training_job_that_does_worse_than_those_before_is_stopped_early(run: Start) -> None:
    order = iter([1.0, 2.0, 3.0, 9.0])

    def train(container: ScriptedContainer) -> int:
        loss = next(order)
        container.log(f"loss={loss}")
        return 0 if loss < 9 else 128 + (container.next_signal(20) or 0)

    step = tuning("Tune", config={"TrainingJobEarlyStoppingType": "Auto"})
    ended = run(pipeline(step), ScriptedRunner(default=train))
    assert ended.status == "Succeeded"
    assert [job.status.value for job in jobs(ended)] == ["Completed", "Completed", "Completed", "Stopped"]
    assert jobs(ended)[3].properties["FinalMetricDataList"][0]["Value"] == 9.0


def test_hyperband_stops_losers_and_lets_the_best_go_on(run: Start) -> None:
    order = iter([1.0, 2.0, 3.0, 0.5])

    def train(container: ScriptedContainer) -> int:
        loss = next(order)
        container.log(f"loss={loss}")
        if loss > 1:
            return 128 + (container.next_signal(20) or 0)
        container.log(f"loss={loss}")
        return 0

    config = {"StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 9}}}
    ended = run(pipeline(tuning("Tune", strategy="Hyperband", config=config)), ScriptedRunner(default=train))
    assert [job.status.value for job in jobs(ended)] == ["Completed", "Stopped", "Stopped", "Completed"]
    assert properties(ended)["BestTrainingJob"]["TrainingJobName"] == jobs(ended)[3].job_name


def test_a_reached_target_ends_the_tuning_job(run: Start) -> None:
    step = tuning("Tune", jobs=9, config={"TuningJobCompletionCriteria": {"TargetObjectiveMetricValue": 0.5}})
    order = iter([0.9, 0.4, 0.1])
    ended = run(pipeline(step), ScriptedRunner(default=logs_loss(lambda _: next(order))))
    assert ended.status == "Succeeded"
    assert len(jobs(ended)) == 2


def test_several_definitions_share_the_training_jobs(run: Start) -> None:
    def definition(name: str) -> JSON:
        objective = {"Type": "Minimize", "MetricName": "loss"}
        given = ranges(categories=[categorical("x", *(f"{name}{number}" for number in range(9)))])
        return training_definition(DefinitionName=name, TuningObjective=objective, HyperParameterRanges=given)

    request = tuning_request(jobs=4, TrainingJobDefinitions=[definition("one"), definition("two")])
    del request["TrainingJobDefinition"]
    for member in ("ParameterRanges", "HyperParameterTuningJobObjective"):
        del request["HyperParameterTuningJobConfig"][member]
    loss = logs_loss(lambda given: 1.0 if given["x"].startswith("one") else 2.0)
    ended = run(pipeline({"Name": "Tune", "Type": "Tuning", "Arguments": request}), ScriptedRunner(default=loss))
    assert ended.status == "Succeeded", ended.document()
    assert [x[:3] for x in tuned(ended)] == ["one", "two", "one", "two"]
    assert properties(ended)["BestTrainingJob"]["TrainingJobDefinitionName"] == "one"


def warm_started(parent: JSON, kind: str = "IdenticalDataAndAlgorithm", **more: JSON) -> JSON:
    config = {"ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": parent}], "WarmStartType": kind}
    return tuning("Warm", jobs=1, WarmStartConfig=config, **more)


def test_a_warm_start_counts_the_training_jobs_of_its_parents(run: Start) -> None:
    first = run(pipeline(tuning("Tune", jobs=6)), ScriptedRunner(default=logs_loss(lambda _: 0.1)))
    parent = properties(first)["HyperParameterTuningJobName"]
    worse = logs_loss(lambda _: 0.9)
    ended = run(pipeline(warm_started(parent, strategy="Bayesian")), ScriptedRunner(default=worse))
    told = properties(ended, "Warm")
    assert told["BestTrainingJob"]["TuningJobName"] == told["HyperParameterTuningJobName"]
    assert told["OverallBestTrainingJob"] == properties(first)["BestTrainingJob"]
    transfer = run(pipeline(warm_started(parent, "TransferLearning")), ScriptedRunner(default=worse))
    assert "OverallBestTrainingJob" not in properties(transfer, "Warm")


def test_a_parent_may_be_a_step_of_the_same_pipeline(run: Start) -> None:
    parent = {"Get": "Steps.Tune.HyperParameterTuningJobName"}
    ended = run(pipeline(tuning("Tune"), warm_started(parent)), ScriptedRunner(default=SQUARE))
    assert ended.status == "Succeeded", ended.document()


def test_a_parent_that_is_not_there_is_refused_before_the_run(run: Start) -> None:
    with pytest.raises(DefinitionError) as refused:
        run(pipeline(warm_started("no-such-job")), ScriptedRunner(default=SQUARE))
    assert str(refused.value) == (
        "The pipeline definition has problems:\n"
        "  $.Steps[0].Arguments.WarmStartConfig.ParentHyperParameterTuningJobs[0].HyperParameterTuningJobName: "
        "there is no tuning job 'no-such-job' in this home. Name one that was run here: its name is in `localpipe show EXEC "
        "--json`, HyperParameterTuningJobName."
    )


def test_an_input_that_is_not_there_is_refused_before_the_run(run: Start) -> None:
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/absent/"}
    given = training_definition(InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}])
    with pytest.raises(DefinitionError, match="step 'Tune': input 'train' has no objects under s3://bucket/absent/"):
        run(pipeline(tuning("Tune", TrainingJobDefinition=given)), ScriptedRunner())


def interrupted(home: Home, execution: PipelineExecution, runner: ScriptedRunner, count: int) -> None:
    """Drive until so many training jobs have ended, and then as if localpipe was killed."""

    class KilledError(Exception):
        pass

    left = count

    def observe(fact: Recorded) -> None:
        nonlocal left
        left -= isinstance(fact.event, ChildEnded)
        if left == 0:
            raise KilledError

    with pytest.raises(KilledError):
        drive(execution, observe, runner)


def test_a_resumed_tuning_job_goes_on_where_it_was_and_repeats_nothing(home: Home, start: Start, run: Start) -> None:
    definition = pipeline(tuning("Tune", strategy="Random", jobs=5))
    whole = run(definition, ScriptedRunner(default=SQUARE))
    execution = start(definition, ScriptedRunner())
    interrupted(home, execution, ScriptedRunner(default=SQUARE), 2)
    runner = ScriptedRunner(default=SQUARE)
    ended = drive(describe_pipeline_execution(home, execution.name.execution_id), lambda _: None, runner)
    assert ended.status == "Succeeded"
    assert tuned(ended) == tuned(whole)
    assert 1 not in {key.child for key in runner.started}
    assert len([event for event in events(home, ended) if isinstance(event, ChildEnded)]) == 5
    launches = [event.found for event in events(home, ended) if isinstance(event, JobLaunched)]
    assert launches == [False, True]


class AnHourLater(WallClock):
    def now(self) -> float:
        return super().now() + 3600


def test_a_resumed_tuning_job_has_the_rest_of_its_time(home: Home, start: Start) -> None:
    limits = {"MaxNumberOfTrainingJobs": 5, "MaxParallelTrainingJobs": 1, "MaxRuntimeInSeconds": 3600}
    execution = start(pipeline(tuning("Tune", config={"ResourceLimits": limits})), ScriptedRunner())
    interrupted(home, execution, ScriptedRunner(default=SQUARE), 2)
    resumed = describe_pipeline_execution(home, execution.name.execution_id)
    resumed.home.clock = AnHourLater()
    runner = ScriptedRunner(default=SQUARE)
    ended = drive(resumed, lambda _: None, runner)
    assert ended.status == "Succeeded"
    assert len(jobs(ended)) < 5


def test_what_a_trial_tries_is_written_down_before_it_runs(home: Home, run: Start) -> None:
    ended = run(pipeline(tuning("Tune", jobs=1)), ScriptedRunner(default=SQUARE))
    kinds = [type(event).__name__ for event in events(home, ended)]
    after_launch = kinds[kinds.index("JobLaunched") :]
    assert after_launch[:-1] == ["JobLaunched", "ChildStarted", "ChildLaunched", "ChildEnded", "StepSucceeded"]
    started = next(event for event in events(home, ended) if isinstance(event, ChildStarted))
    assert json.loads(json.dumps(started.detail))["TunedHyperParameters"] == {"x": tuned(ended)[0]}


def test_fewer_training_jobs_run_where_the_settings_say_so(home: Home) -> None:
    home.settings = replace(home.settings, max_trials=2)
    runner = ScriptedRunner(default=SQUARE)
    ready = preflight(home, pipeline(tuning("Tune", jobs=9)), "test", {}, runner=runner)
    execution = describe_pipeline_execution(home, start_pipeline_execution(home, ready))
    ended = drive(execution, lambda _: None, runner)
    assert len(jobs(ended)) == 2
    assert properties(ended)["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxNumberOfTrainingJobs"] == 9


def test_a_resumed_tuning_job_judges_by_what_ended_trials_had_reported(home: Home, start: Start) -> None:
    losses = {number: float(number) for number in range(1, 4)} | {4: 9.0}

    def train(container: ScriptedContainer) -> int:
        loss = losses[container.job.key.child]
        container.log(f"loss={loss}")
        return 0 if loss < 9 else 128 + (container.next_signal(20) or 0)

    definition = pipeline(tuning("Tune", config={"TrainingJobEarlyStoppingType": "Auto"}))
    execution = start(definition, ScriptedRunner())
    interrupted(home, execution, ScriptedRunner(default=train), 3)
    runner = ScriptedRunner(default=train)
    ended = drive(describe_pipeline_execution(home, execution.name.execution_id), lambda _: None, runner)
    assert [job.status.value for job in jobs(ended)] == ["Completed", "Completed", "Completed", "Stopped"]


def test_training_jobs_wait_for_slots_and_the_tuning_job_holds_none(home: Home) -> None:
    home.settings = replace(home.settings, room=replace(home.settings.room, jobs=1))
    lock, now, most = threading.Lock(), 0, 0

    def count(container: ScriptedContainer) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        container.log("loss=1")
        with lock:
            now -= 1
        return 0

    runner = ScriptedRunner(default=count)
    ready = preflight(home, pipeline(tuning("Tune", jobs=4, parallel=4)), "test", {}, runner=runner)
    execution = describe_pipeline_execution(home, start_pipeline_execution(home, ready))
    assert drive(execution, lambda _: None, runner).status == "Succeeded"
    assert most == 1


def test_an_image_that_is_not_there_is_refused_before_the_run(run: Start) -> None:
    with pytest.raises(ImageMissing, match="step 'Tune': it is scripted to be missing"):
        run(pipeline(tuning("Tune")), ScriptedRunner(missing_images=["train:1"]))


def test_a_property_of_the_best_training_job_that_is_not_there_is_refused_before_the_run(run: Start) -> None:
    later = processing("Later", inputs={"model": {"Get": "Steps.Tune.TrainingJobSummaries[0].TrainingJob"}})
    with pytest.raises(DefinitionError, match="'TrainingJobSummaries\\[0\\]' has no member 'TrainingJob'"):
        run(pipeline(tuning("Tune"), later), ScriptedRunner(default=SQUARE))

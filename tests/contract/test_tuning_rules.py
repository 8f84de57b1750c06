"""The rules of tuning jobs (containers.md section 4), seen from inside of their training jobs on each runner."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from real_jobs import ROLE, Bench, Ran, a_channel
from test_toolkit_rules import STAND_IN, an_archive

from localpipe.errors import ImageMissing

if TYPE_CHECKING:
    from localpipe.core import JSON

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TRAIN = """
import argparse, json, os, pathlib
parser = argparse.ArgumentParser()
for name, kind in (("depth", int), ("rate", float), ("optimizer", str), ("epochs", int)):
    parser.add_argument("--" + name, type=kind)
arguments, _ = parser.parse_known_args()
configured = pathlib.Path("/opt/ml/input/config/hyperparameters.json").read_text()
told = {"arguments": vars(arguments), "hyperparameters": json.loads(configured), "job": os.environ["TRAINING_JOB_NAME"]}
print("loss=99.5")
print("loss=%s" % (arguments.depth + arguments.rate))
pathlib.Path(os.environ["SM_MODEL_DIR"], "told.json").write_text(json.dumps(told))
"""
SCRIPT_MODE = {
    "sagemaker_program": '"train.py"',
    "sagemaker_submit_directory": '"s3://bucket/tuned/sourcedir.tar.gz"',
    "sagemaker_container_log_level": "20",
    "sagemaker_region": '"us-east-1"',
    "sagemaker_estimator_class_name": '"SKLearn"',
    "sagemaker_estimator_module": '"sagemaker.sklearn.estimator"',
}
STATIC = {**SCRIPT_MODE, "epochs": "3"}
RANGES = {
    "IntegerParameterRanges": [{"Name": "depth", "MinValue": "2", "MaxValue": "9", "ScalingType": "Linear"}],
    "ContinuousParameterRanges": [{"Name": "rate", "MinValue": "0.001", "MaxValue": "0.9", "ScalingType": "Logarithmic"}],
    "CategoricalParameterRanges": [{"Name": "optimizer", "Values": ['"adam"']}],
}


def tuning(name: str, regex: str, jobs: int) -> JSON:
    """A step whose training jobs run a script, with the metric `loss` by a regular expression."""
    arguments = {
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": RANGES,
            "RandomSeed": 7,
        },
        "TrainingJobDefinition": {
            "AlgorithmSpecification": {
                "TrainingImage": STAND_IN,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": regex}],
            },
            "StaticHyperParameters": STATIC,
            "InputDataConfig": [a_channel("train", "s3://bucket/tuned/data")],
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/tuned/models"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            "RoleArn": ROLE,
        },
        "Tags": [{"Key": "team", "Value": "trees"}],
    }
    return {"Name": name, "Type": "Tuning", "Arguments": arguments}


@pytest.fixture(scope="module")
def ran(bench: Bench) -> Ran:
    bench.put("s3://bucket/tuned/data/x", "1")
    bench.put("s3://bucket/tuned/sourcedir.tar.gz", an_archive({"train.py": TRAIN}))
    try:
        return bench.run(tuning("Tune", "loss=([0-9.]+)", 3), tuning("Vain", "profit=([0-9.]+)", 1))
    except ImageMissing as error:
        pytest.skip(str(error))


def summaries(ran: Ran) -> list[JSON]:
    assert ran.status("Tune") == "Succeeded", ran.reason("Tune")
    found: list[JSON] = ran.properties("Tune")["TrainingJobSummaries"]
    return found


def told(ran: Ran, job_name: str) -> JSON:
    """What the script of a training job was told, from the model that it left."""
    return json.loads(ran.archive(f"s3://bucket/tuned/models/{job_name}/output/model.tar.gz")["told.json"])


def test_training_jobs_are_named_after_the_tuning_job_and_counted(ran: Ran) -> None:
    tuning_job = ran.properties("Tune")["HyperParameterTuningJobName"]
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}", tuning_job)
    names = sorted(each["TrainingJobName"] for each in summaries(ran))
    assert [re.fullmatch(rf"{tuning_job}-(\d{{3}})-[0-9a-f]{{8}}", name)[1] for name in names] == ["001", "002", "003"]  # type: ignore[index]  # that they match is the test
    assert sorted(told(ran, name)["job"] for name in names) == names


def test_a_training_job_gets_static_and_drawn_values_as_text(ran: Ran) -> None:
    for each in summaries(ran):
        drawn = each["TunedHyperParameters"]
        assert told(ran, each["TrainingJobName"])["hyperparameters"] == {
            **STATIC,
            **drawn,
            "_tuning_objective_metric": "loss",
        }
        assert drawn["depth"] in {str(depth) for depth in range(2, 10)}
        assert 0.001 <= float(drawn["rate"]) <= 0.9
        assert drawn["rate"] == repr(float(drawn["rate"]))


def test_the_toolkit_reads_a_category_as_the_plain_text(ran: Ran) -> None:
    for each in summaries(ran):
        assert each["TunedHyperParameters"]["optimizer"] == '"adam"'
        assert told(ran, each["TrainingJobName"])["arguments"] == {
            "depth": int(each["TunedHyperParameters"]["depth"]),
            "rate": float(each["TunedHyperParameters"]["rate"]),
            "optimizer": "adam",
            "epochs": 3,
        }


def test_the_objective_is_the_last_value_and_the_least_comes_first(ran: Ran) -> None:
    metrics = [each["FinalHyperParameterTuningJobObjectiveMetric"] for each in summaries(ran)]
    drawn = [each["TunedHyperParameters"] for each in summaries(ran)]
    assert [metric["Value"] for metric in metrics] == [int(each["depth"]) + float(each["rate"]) for each in drawn]
    assert metrics == sorted(metrics, key=lambda metric: metric["Value"])
    assert ran.properties("Tune")["BestTrainingJob"] == summaries(ran)[0]


def test_a_training_job_whose_objective_is_not_found_is_completed_and_the_tuning_job_fails(ran: Ran) -> None:
    vain = ran.properties("Vain")
    assert (ran.status("Vain"), vain["HyperParameterTuningJobStatus"]) == ("Failed", "Failed")
    assert (vain["TrainingJobStatusCounters"]["Completed"], vain["ObjectiveStatusCounters"]["Failed"]) == (1, 1)
    assert ran.reason("Vain").startswith("ClientError: No training job succeeded after 1 attempts.")

"""Tuning steps from the command line: what a user sees of the training jobs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from commands import Cli, Write
from support import pipeline
from tuning_support import OWN_IMAGE, categorical, ranges, training_definition, training_python, tuning

if TYPE_CHECKING:
    from pathlib import Path

    from localpipe.core import JSON

pytestmark = pytest.mark.sandbox

TRAIN = """\
import json, pathlib, sys

given = json.loads(pathlib.Path("/opt/ml/input/config/hyperparameters.json").read_text())
print("tries", given["x"])
if given["x"] == "bad":
    sys.exit("no model comes of that")
print(f"loss={len(given['x'])}")
"""


@pytest.fixture
def definition(place: Path) -> JSON:
    """A grid of three: the second fails, the third is the best."""
    training_python(place, TRAIN)
    grid = ranges(categories=[categorical("x", "long", "bad", "so")])
    given = training_definition(OWN_IMAGE)
    return pipeline(tuning("Tune", strategy="Grid", jobs=None, ranges=grid, TrainingJobDefinition=given))


def lines(text: str) -> list[str]:
    """Without times and the names of jobs."""
    return [re.sub(r"\d\d:\d\d:\d\d  |[0-9a-z]{12}-Tune-\w{10}-(?=\d)|-\w{8}(?=  )", "", line) for line in text.splitlines()]


def test_a_run_tells_of_each_training_job(cli: Cli, write: Write, definition: JSON) -> None:
    ended = cli("run", write(definition), "--runner", "process")
    assert ended.status == 0
    told = lines(ended.err)
    assert [line for line in told if "job" in line][:6] == [
        "Tune: job 1 Starting  x = long",
        "Tune: job 1 Completed  loss = 4  x = long",
        "Tune: job 2 Starting  x = bad",
        "Tune: job 2 Failed  x = bad  AlgorithmError: , exit code: 1",
        "Tune: job 3 Starting  x = so",
        "Tune: job 3 Completed  loss = 2  x = so",
    ]
    (summary,) = [line for line in told if line.startswith("  Succeeded")]
    assert summary.endswith("  3 jobs, best: job 3, loss = 2")


def test_a_training_job_that_waits_for_room_says_so(cli: Cli, write: Write, place: Path) -> None:
    training_python(place, TRAIN)
    with (place / "localpipe.toml").open("a") as settings:
        settings.write("\n[slots]\njobs = 1\n")
    grid = ranges(categories=[categorical("x", "long", "so")])
    given = training_definition(OWN_IMAGE)
    step = tuning("Tune", strategy="Grid", jobs=None, parallel=2, ranges=grid, TrainingJobDefinition=given)
    ended = cli("run", write(pipeline(step)), "--runner", "process")
    assert ended.status == 0
    (told,) = [line for line in lines(ended.err) if "waits for room" in line]
    waits = "waits for room: wants 1 job slot; 1 of 1 are taken (jobs run: 1 by this execution)"
    assert told in {f"Tune: job {number} {waits}" for number in (1, 2)}


def test_the_training_jobs_are_shown_with_their_step(cli: Cli, write: Write, definition: JSON) -> None:
    cli("run", write(definition), "--runner", "process")
    shown = [re.sub(r"\d+\.\d s", "0.1 s", line) for line in lines(cli("show", "last").out)]
    at = shown.index("Jobs of Tune")
    assert [re.sub(r" {2,}", "  ", line) for line in shown[at + 1 :]] == [
        "JOB  STATUS  TOOK  NAME",
        "001  Completed  0.1 s  001  loss = 4  x = long",
        "002  Failed  0.1 s  002  x = bad  AlgorithmError: , exit code: 1",
        "003  Completed  0.1 s  003  loss = 2  x = so",
    ]
    (row,) = cli("show", "last", "--json").document["Steps"]
    assert [(job["JobStatus"], job["TunedHyperParameters"]) for job in row["Jobs"]] == [
        ("Completed", {"x": "long"}),
        ("Failed", {"x": "bad"}),
        ("Completed", {"x": "so"}),
    ]
    assert row["Properties"]["TrainingJobSummaries"][0]["CreationTime"].endswith("Z")


def test_the_logs_of_the_training_jobs_are_printed_together_or_alone(cli: Cli, write: Write, definition: JSON) -> None:
    cli("run", write(definition), "--runner", "process")
    assert cli("logs", "last", "Tune").out == (
        "001 | tries long\n001 | loss=4\n002 | tries bad\n002 | no model comes of that\n003 | tries so\n003 | loss=2\n"
    )
    assert cli("logs", "last", "Tune", "--job", "3").out == "tries so\nloss=2\n"
    assert cli("logs", "last", "Tune", "--job", "3", "-f").out == "tries so\nloss=2\n"
    refused = cli("logs", "last", "Tune", "--job", "4")
    assert (refused.status, refused.err) == (2, "Error: Step 'Tune' has no job 4. They are numbered from 1 to 3.\n")


def test_a_tuning_job_that_failed_shows_the_log_of_the_first_that_did(cli: Cli, write: Write, definition: JSON) -> None:
    request = definition["Steps"][0]["Arguments"]
    request["HyperParameterTuningJobConfig"]["ParameterRanges"] = ranges(categories=[categorical("x", "bad")])
    ended = cli("run", write(definition), "--runner", "process")
    assert ended.status == 1
    at = ended.err.index("Step Tune failed: ClientError: No training job succeeded after 1 attempts.")
    assert "its job 1:          Failed. AlgorithmError: , exit code: 1" in ended.err[at:]
    assert "  | no model comes of that\n" in ended.err[at:]


SILENT = """\
import json, pathlib

given = json.loads(pathlib.Path("/opt/ml/input/config/hyperparameters.json").read_text())
if given["x"] == "good":
    print("loss=1")
if given["x"] == "odd":
    print("loss=1e999")
"""
NO_VALUE = "no line of its log matched the metric 'loss' (regex 'loss=([-0-9.e]+)') with a finite number"
INFINITE = "its log gave '1e999' for the metric 'loss' (regex 'loss=([-0-9.e]+)'), which is no finite number"


def silent(place: Path, *values: str) -> JSON:
    training_python(place, SILENT)
    grid = ranges(categories=[categorical("x", *values)])
    return pipeline(
        tuning("Tune", strategy="Grid", jobs=None, ranges=grid, TrainingJobDefinition=training_definition(OWN_IMAGE))
    )


def test_training_jobs_without_an_objective_are_told_from_those_with_one(cli: Cli, write: Write, place: Path) -> None:
    ended = cli("run", write(silent(place, "mute", "good", "odd")), "--runner", "process")
    assert ended.status == 0
    assert [line for line in lines(ended.err) if "Completed" in line] == [
        f"Tune: job 1 Completed  no objective  x = mute  {NO_VALUE}",
        "Tune: job 2 Completed  loss = 1  x = good",
        f"Tune: job 3 Completed  no objective  x = odd  {INFINITE}",
    ]
    shown = [re.sub(r" {2,}", "  ", line) for line in cli("show", "last").out.splitlines()]
    one = cli("show", "last", "Tune").out.splitlines()
    assert one[one.index("Jobs of Tune") :] == cli("show", "last").out.partition("\n\nJ")[2].join(["J", ""]).splitlines()
    jobs = cli("show", "last", "--json").document["Steps"][0]["Jobs"]
    assert cli("show", "last", "Tune", "--json").document["Jobs"] == jobs
    assert len(jobs) == 3
    assert [line.partition("  no objective")[1:] for line in shown if line.startswith(("001", "003"))] == [
        ("  no objective", f"  x = mute  {NO_VALUE}"),
        ("  no objective", f"  x = odd  {INFINITE}"),
    ]


def test_a_tuning_job_without_any_objective_says_what_was_searched_for(cli: Cli, write: Write, place: Path) -> None:
    ended = cli("run", write(silent(place, "mute")), "--runner", "process")
    assert ended.status == 1
    report = ended.err[ended.err.index("Step Tune failed: ") :]
    assert f"Job 1 completed, but {NO_VALUE}.\n  its job 1:          Completed, but {NO_VALUE}\n  whole log:" in report


def test_a_run_may_have_fewer_training_jobs_and_says_so(cli: Cli, write: Write, definition: JSON) -> None:
    definition["Steps"][0]["Arguments"]["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxNumberOfTrainingJobs"] = 3
    cli("run", write(definition), "--runner", "process", "--max-trials", "1")
    (row,) = cli("show", "last", "--json").document["Steps"]
    assert len(row["Jobs"]) == 1
    told = cli("show", "last", "--fidelity").out
    assert "HyperParameterTuningJobConfig.ResourceLimits.MaxNumberOfTrainingJobs" in told
    assert "`max_trials` left 1 of 3 training jobs." in told


EPOCHS = """\
import json, pathlib, signal, sys

signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
given = json.loads(pathlib.Path("/opt/ml/input/config/hyperparameters.json").read_text())
loss = {"a": 1, "b": 5, "c": 3, "d": 0}[given["x"]]
for epoch in range(3):
    print(f"loss={loss}", flush=True)
    if loss > 1:
        signal.pause()
"""


def test_hyperband_stops_real_training_jobs_that_fall_behind(cli: Cli, write: Write, place: Path) -> None:
    training_python(place, EPOCHS)
    config = {"StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 9}}, "RandomSeed": 11}
    given = ranges(categories=[categorical("x", "a", "b", "c", "d")])
    definition = training_definition(OWN_IMAGE)
    step = tuning("Tune", strategy="Hyperband", ranges=given, config=config, TrainingJobDefinition=definition)
    ended = cli("run", write(pipeline(step)), "--runner", "process")
    assert ended.status == 0, ended.err
    (row,) = cli("show", "last", "--json").document["Steps"]
    jobs = {job["TunedHyperParameters"]["x"]: job["JobStatus"] for job in row["Jobs"]}
    assert jobs == {"a": "Completed", "b": "Stopped", "c": "Stopped", "d": "Completed"}


def test_a_shell_opens_where_a_training_job_ran(cli: Cli, write: Write, definition: JSON) -> None:
    cli("run", write(definition), "--runner", "process")
    command = [sys.executable, "-m", "localpipe", "shell", "last", "Tune", "--job", "3"]
    script = "cat /opt/ml/input/config/hyperparameters.json; exit 7\n"
    ended = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    assert (ended.returncode, json.loads(ended.stdout)["x"]) == (7, "so")
    assert cli("shell", "last", "Tune").err.endswith(
        "Step 'Tune' runs training jobs: say which by --job N. `localpipe show` lists them.\n"
    )
    assert cli("shell", "last", "Tune", "--job", "9").err == (
        "Error: Step 'Tune' has no job 9. They are numbered from 1 to 3.\n"
    )

from __future__ import annotations

import json
import subprocess

import pytest
from stand_in_places import Image, OptMl, Place, VirtualEnvironment

from localpipe.images.resources import containers_dir, shared_pins

SCRIPT = """
import argparse, json, os, sys
import boto3, joblib, requests, pandas
from sklearn.linear_model import LinearRegression

parser = argparse.ArgumentParser()
parser.add_argument("--n-estimators", type=int)
parser.add_argument("--rate", type=float)
parser.add_argument("--name")
arguments = parser.parse_args()
print("ARGUMENTS", vars(arguments))
print("VARIABLES", json.dumps({name: value for name, value in os.environ.items() if name.startswith("SM_")}))
table = pandas.read_csv(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "train.csv"), header=None)
model = LinearRegression().fit(table[[1]], table[0])
joblib.dump(model, os.path.join(os.environ["SM_MODEL_DIR"], "model.joblib"))
open(os.path.join(os.environ["SM_OUTPUT_DATA_DIR"], "report.txt"), "w").write("done")
"""
HYPERPARAMETERS = {"n-estimators": "10", "rate": "0.5", "name": '"a b"'}


@pytest.mark.parametrize("name", ["scikit-learn:1.2-1", "scikit-learn:0.23-1"])
def test_script_mode_gives_arguments_variables_and_directories(place_kind: type[Place], opt_ml: OptMl, name: str) -> None:
    place = place_kind(name)
    hyperparameters = opt_ml.code({"train.py": SCRIPT}) | HYPERPARAMETERS
    outcome = place.run(opt_ml.channel("train", {"train.csv": "1,2\n2,4\n3,6\n"}).configure(hyperparameters), "train")
    assert outcome.returncode == 0, outcome.stdout
    assert "ARGUMENTS {'n_estimators': 10, 'rate': 0.5, 'name': 'a b'}" in outcome.stdout
    variables = json.loads(outcome.stdout.partition("VARIABLES ")[2].partition("\n")[0])
    assert variables["SM_MODEL_DIR"] == "/opt/ml/model"
    assert variables["SM_CHANNEL_TRAIN"] == "/opt/ml/input/data/train"
    assert json.loads(variables["SM_CHANNELS"]) == ["code", "train"]
    assert json.loads(variables["SM_HPS"]) == {"n-estimators": 10, "rate": 0.5, "name": "a b"}
    assert variables["SM_CURRENT_HOST"] == "algo-1"
    assert (opt_ml.root / "model" / "model.joblib").exists()
    assert (opt_ml.root / "output" / "data" / "report.txt").read_text() == "done"


def test_a_failing_script_leaves_its_exit_status_in_the_failure_file(place_kind: type[Place], opt_ml: OptMl) -> None:
    place = place_kind("scikit-learn:1.2-1")
    outcome = place.run(opt_ml.configure(opt_ml.code({"train.py": "raise SystemExit(7)"})), "train")
    assert outcome.returncode == 1, outcome.stdout  # the toolkit's own
    assert "ExecuteUserScriptError:\nExitCode 7\n" in opt_ml.failure
    assert opt_ml.failure.rstrip().endswith(' -- train.py"')


def test_pip_in_a_job_keeps_to_what_the_packages_were_compiled_against(place_kind: type[Place], opt_ml: OptMl) -> None:
    place = place_kind("scikit-learn:0.23-1")
    outcome = place.run(opt_ml.configure({}), "sh", "-c", "cat $(pip config get install.constraint)")
    assert outcome.stdout.splitlines()[1:] == ["numpy<2"], outcome.stdout


def test_a_shell_script_is_an_entry_point_as_in_repack_jobs(place_kind: type[Place], opt_ml: OptMl) -> None:
    place = place_kind("scikit-learn:1.2-1")
    code = opt_ml.code({"repack.sh": "#!/bin/bash\necho REPACKED $1 $2 > /opt/ml/model/out\n"})
    outcome = place.run(opt_ml.configure(code | {"source": "x"}), "train")
    assert outcome.returncode == 0, outcome.stdout
    assert (opt_ml.root / "model" / "out").read_text() == "REPACKED --source x\n"


def test_what_processing_scripts_need_is_on_the_path(place_kind: type[Place], opt_ml: OptMl) -> None:
    place = place_kind("scikit-learn:1.2-1")
    check = "import numpy, pandas; print(numpy.int, pandas.get_dummies(['a', 'b']).to_csv(index=False).split())"
    outcome = place.run(
        opt_ml.configure({}), "bash", "-c", f'tar --version && pip --version && python3 -W ignore -c "{check}"'
    )
    assert outcome.returncode == 0, outcome.stdout
    assert "<class 'int'> ['a,b', '1,0', '0,1']" in outcome.stdout


@pytest.mark.docker
@pytest.mark.sandbox
@pytest.mark.parametrize("name", ["scikit-learn:1.2-1", "xgboost:1.5-1"])
def test_images_and_environments_hold_the_same_packages(opt_ml: OptMl, name: str) -> None:
    def packages(outcome: subprocess.CompletedProcess[str]) -> list[str]:
        return json.loads(outcome.stdout)

    names = "sorted({f'{d.name}=={d.version}' for d in importlib.metadata.distributions()})"
    command = ["python3", "-c", f"import json, importlib.metadata; print(json.dumps({names}))"]
    opt_ml.configure({})
    inside = [packages(place(name).run(opt_ml, *command)) for place in (Image, VirtualEnvironment)]
    assert inside[0] == inside[1]
    assert len(inside[0]) > len(shared_pins(containers_dir()))

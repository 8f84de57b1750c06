"""Packages of AWS's images that public training scripts import."""

from __future__ import annotations

import pytest
from stand_in_places import OptMl, Place, VirtualEnvironment

ROWS = "".join(f"{index % 3},{index % 7},{index % 5}\n" for index in range(60))
SCRIPT = """
import argparse, json, os, pickle
import xgboost
from sagemaker_containers import entry_point
from sagemaker_xgboost_container import distributed
from sagemaker_xgboost_container.data_utils import get_dmatrix
import sagemaker_xgboost_container.encoder as encoders
from sagemaker_algorithm_toolkit.exceptions import UserError

parser = argparse.ArgumentParser()
parser.add_argument("--num_round", type=int)
parser.add_argument("--train", default=os.environ["SM_CHANNEL_TRAIN"])
parser.add_argument("--validation", default=os.environ.get("SM_CHANNEL_VALIDATION"))
given, _ = parser.parse_known_args()

def train(params, dtrain, rounds, is_master):
    booster = xgboost.train(params, dtrain, rounds, evals=[(dtrain, "train")])
    if is_master:
        pickle.dump(booster, open(os.environ["SM_MODEL_DIR"] + "/xgboost-model", "wb"))
        print("PREDICTED", len(booster.predict(encoders.csv_to_dmatrix("1,2\\n3,"))))

matrix = get_dmatrix(given.train, "csv")
assert get_dmatrix(given.validation, "csv") is None
entry_point._wait_hostname_resolution()
distributed.rabit_run(
    exec_fun=train,
    args=dict(params={"max_depth": 2}, dtrain=matrix, rounds=given.num_round),
    include_in_training=matrix is not None,
    hosts=json.loads(os.environ["SM_HOSTS"]),
    current_host=os.environ["SM_CURRENT_HOST"],
    update_rabit_args=True,
)
"""
HOSTS = """
import subprocess, sys
import numpy, xgboost
from sagemaker_xgboost_container import distributed

NAMES = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
if len(sys.argv) == 1:
    hosts = [subprocess.Popen([sys.executable, __file__, host]) for host in NAMES]
    sys.exit(max(host.wait() for host in hosts))

number = NAMES.index(sys.argv[1])
features = numpy.random.default_rng(number).random((50, 2))

def train(matrix, is_master):
    booster = xgboost.train({}, matrix, 3)
    booster.save_model(f"/opt/ml/model/{'first' if is_master else 'other'}.json")

matrix = xgboost.DMatrix(features, label=features.sum(1) + number)
distributed.rabit_run(train, {"matrix": matrix}, number != 1, NAMES, sys.argv[1], update_rabit_args=True)
"""
CHECKPOINTS = """
import os, numpy, xgboost
from sagemaker_xgboost_container import checkpointing

features = numpy.random.default_rng(1).random((50, 2))
arguments = dict(params={"max_depth": 2}, dtrain=xgboost.DMatrix(features, label=features.sum(1)))
checkpointing.train({**arguments, "num_boost_round": 4}, "/tmp/checkpoints")
open("/tmp/checkpoints/xgboost-checkpoint.4", "w").write("half written")
resumed = checkpointing.train({**arguments, "num_boost_round": 7}, "/tmp/checkpoints")
print("SAME", resumed.save_raw() == xgboost.train(num_boost_round=7, **arguments).save_raw())
print(*sorted(os.listdir("/tmp/checkpoints")))
"""
PARQUET = "import pandas; pandas.DataFrame({'y': [1., 2.], 'x': [3., 4.]}).to_parquet('/opt/ml/input/data/train/a.parquet')"


def test_a_script_of_aws_s_own_xgboost_examples_runs_unchanged(place_kind: type[Place], opt_ml: OptMl) -> None:
    place = place_kind("xgboost:1.5-1")
    hyperparameters = opt_ml.code({"abalone.py": SCRIPT}) | {"num_round": "3"}
    outcome = place.run(opt_ml.channel("train", {"t.csv": ROWS}).configure(hyperparameters), "train")
    assert outcome.returncode == 0, outcome.stdout
    assert "PREDICTED 2" in outcome.stdout
    assert [path.name for path in (opt_ml.root / "model").iterdir()] == ["xgboost-model"]


def test_hosts_with_data_train_one_model_and_the_first_saves_it(place_kind: type[Place], opt_ml: OptMl) -> None:
    place = place_kind("xgboost:1.5-1")
    script = opt_ml.configure({}).root / "hosts.py"
    script.write_text(HOSTS)
    outcome = place.run(opt_ml, "python3", "/opt/ml/hosts.py")
    assert outcome.returncode == 0, outcome.stdout
    models = sorted((opt_ml.root / "model").iterdir())
    assert [model.name for model in models] == ["first.json", "other.json"]
    assert models[0].read_bytes() == models[1].read_bytes()
    assert "Host 127.0.0.2 not being used for distributed training." in outcome.stdout


@pytest.mark.sandbox
def test_training_goes_on_from_the_newest_whole_checkpoint(opt_ml: OptMl) -> None:
    (opt_ml.configure({}).root / "script.py").write_text(CHECKPOINTS)
    outcome = VirtualEnvironment("xgboost:1.5-1").run(opt_ml, "python3", "/opt/ml/script.py")
    assert outcome.returncode == 0, outcome.stdout
    assert "SAME True" in outcome.stdout
    kept = " ".join(f"xgboost-checkpoint.{number}" for number in (2, 3, 4, 5, 6))
    assert outcome.stdout.rstrip().endswith(kept)


@pytest.mark.sandbox
def test_the_built_in_algorithm_takes_parquet(opt_ml: OptMl) -> None:
    place = VirtualEnvironment("xgboost:1.5-1")
    opt_ml.channel("train", {}, "application/x-parquet").configure({"num_round": "2"})
    written = place.run(opt_ml, "python3", "-c", PARQUET)
    assert written.returncode == 0, written.stdout
    outcome = place.run(opt_ml, "train")
    assert outcome.returncode == 0, outcome.stdout
    assert "[1]\ttrain-rmse:" in outcome.stdout


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("scikit-learn:0.23-1", "sagemaker_containers.beta.framework, flask, pyarrow.parquet"),
        ("xgboost:1.0-1", "sagemaker_containers.beta.framework, flask, pyarrow.parquet, matplotlib.pyplot, PIL.Image, yaml"),
    ],
)
def test_what_aws_s_images_hold_besides_can_be_imported(opt_ml: OptMl, name: str, modules: str) -> None:
    outcome = VirtualEnvironment(name).run(opt_ml.configure({}), "python3", "-c", f"import {modules}")
    assert outcome.returncode == 0, outcome.stdout
